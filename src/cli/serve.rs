//! `refrain serve`: runs a node.

use refrain::config::{Config, ConfigError, ServeArgs};
use refrain::server;

use super::exit;
use super::failure::Failure;

/// Runs a node until it is told to stop.
pub fn run(args: &ServeArgs) -> Result<u8, Failure> {
    let config = Config::load(args).map_err(|error| Failure::usage(error.to_string()))?;
    server::install_logging(&config.log).map_err(|error| Failure::other(format!("{error:#}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(server::run(config));
    // Whatever has not ended by now does not hold the process up.
    runtime.shutdown_background();
    match ended {
        Ok(()) => Ok(exit::OK),
        Err(error) if error.is::<ConfigError>() => Err(Failure::usage(format!("{error:#}"))),
        Err(error) => Err(Failure::other(format!("{error:#}"))),
    }
}
