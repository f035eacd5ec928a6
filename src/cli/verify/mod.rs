//! `refrain verify`: what a cluster said, held against its nodes' keys and nothing else.

mod fetch;
mod log;
mod receipt;

use std::path::PathBuf;

use clap::Args;
use refrain::proof::{KnownKey, VerifierKey, VerifierKeys};

use super::{client::ClientArgs, exit, failure::Failure, output::Output};

/// Verifies a receipt offline, or a journal against a checkpoint that was kept
///
/// With a receipt: no node is asked. Exit status 0: the event was recorded, as the receipt says. 1: the receipt proves nothing.
///
/// With --log: gets the journal's checkpoint, and the tiles that show that it only grew since the checkpoint of --since. Exit status 0:
/// it did. 1: it did not, or the signature is wrong: keep both checkpoints, they are the evidence. 69: the log does not answer, or lags.
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub struct VerifyArgs {
    /// The receipt, as `refrain receipt`, `opt-out --receipt` or REST gave it
    #[arg(value_name = "RECEIPT", required_unless_present = "log")]
    receipt: Option<PathBuf>,

    /// The journal: the address of a node, or the prefix where a copy of its tiles is served. The token in `REFRAIN_TOKEN` goes to no
    /// host but those of --endpoint; a copy elsewhere that wants one gets that of --token-file
    #[arg(long, value_name = "URL", conflicts_with = "receipt")]
    log: Option<String>,

    /// A file with the nodes' keys, one a line, as `refrain journal keys` prints them; what a key signed after the retirement that the list
    /// tells is refused
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,

    /// One node's key; any number
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,

    /// A checkpoint that was kept: the journal must begin with what that one says
    #[arg(long, value_name = "FILE", requires = "log")]
    since: Option<PathBuf>,

    /// Where the checkpoint that was verified is kept, for the next time; may be the file of --since
    #[arg(long, value_name = "FILE", requires = "log")]
    save: Option<PathBuf>,

    /// Get every event too, and hash all of it anew
    #[arg(long, requires = "log")]
    all: bool,
}

impl VerifyArgs {
    /// The keys that are believed.
    fn keys(&self) -> Result<VerifierKeys, Failure> {
        let mut keys: Vec<KnownKey> = Vec::new();
        for text in &self.key {
            let key: VerifierKey = text
                .parse()
                .map_err(|error| Failure::usage(format!("--key: {error}")))?;
            keys.push(key.into());
        }
        if let Some(path) = &self.keys {
            let named = path.display();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::usage(format!("cannot read {named}: {error}")))?;
            let read = VerifierKeys::read(&text).map_err(|(line, error)| {
                Failure::usage(format!("{named}, line {line}: {error}"))
            })?;
            keys.extend(read.known().cloned());
        }
        if keys.is_empty() {
            return Err(Failure::usage(
                "no key is given, and nothing is proven without: --keys FILE or --key KEY",
            )
            .advise(
                "`refrain journal keys > keys` writes them down, at a time when you trust the nodes",
            ));
        }
        Ok(VerifierKeys::new(keys))
    }
}

/// Runs `verify`.
pub async fn run(args: &VerifyArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let keys = args.keys()?;
    match (&args.receipt, &args.log) {
        (_, Some(log)) => log::verify(args, log, &keys, client, output).await,
        (Some(path), None) => receipt::verify(path, &keys, output),
        (None, None) => Err(Failure::usage("give a receipt, or --log URL")),
    }
}
