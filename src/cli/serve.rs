//! `refrain serve`: runs a node.

use clap::Args;
use refrain::config::{Config, ConfigError, ServeArgs};
use refrain::server;

use super::exit;
use super::failure::Failure;

/// The flags of `serve`: the settings of a node, and one for the demonstration.
#[derive(Debug, Args)]
pub struct ServeCommand {
    #[command(flatten)]
    settings: ServeArgs,

    /// Die at once when the process that started this one ends
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

/// Runs a node until it is told to stop.
pub fn run(args: &ServeCommand) -> Result<u8, Failure> {
    if args.end_with_parent {
        end_with_parent()?;
    }
    let config = Config::load(&args.settings).map_err(|error| Failure::usage(error.to_string()))?;
    // Held to the end, and dropped before the failure is printed: what led to it comes first.
    let _logging = server::install_logging(&config.log, config.traces.collector.is_some())
        .map_err(|error| Failure::other(format!("{error:#}")))?;
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

/// Has the system kill this process when the one that started it ends, however that ends.
#[cfg(target_os = "linux")]
fn end_with_parent() -> std::io::Result<()> {
    let kill = Some(rustix::process::Signal::KILL);
    Ok(rustix::process::set_parent_process_death_signal(kill)?)
}

/// Elsewhere, the demonstration ends its nodes when it ends in order.
#[cfg(not(target_os = "linux"))]
fn end_with_parent() -> std::io::Result<()> {
    Ok(())
}
