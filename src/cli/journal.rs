//! `refrain receipt` and `refrain journal`: what is fetched to be verified elsewhere.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use refrain::{proof::KnownKey, proto::v1::Receipt, receipt};
use serde_json::json;

use super::{client::ClientArgs, exit, failure::Failure, output::Output};

/// The flags of `receipt`.
#[derive(Debug, Args)]
pub struct ReceiptArgs {
    /// The event's revision, as the change told it
    #[arg(value_name = "REVISION")]
    revision: u64,

    /// The event concerns the whole cluster, such as a new purpose, and no namespace
    #[arg(long)]
    cluster: bool,

    /// Where it is written [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What `journal` can do.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Shows the newest checkpoint: how many events there are and the root over them, signed by the node that answers
    Checkpoint,
    /// Shows the keys that checkpoints and receipts are verified by; with --output table, as `refrain verify --keys` reads them
    ///
    /// Keep the list from a time when you trust the nodes. One that comes with what it is to verify proves nothing.
    Keys,
}

/// Fetches a receipt.
pub async fn fetch(
    args: &ReceiptArgs,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    let receipt = if args.cluster {
        client.cluster_receipt(args.revision).await?
    } else {
        client.receipt(args.revision).await?
    };
    match &args.out {
        Some(path) => {
            write(&receipt, path)?;
            output.note(format!("wrote {}", path.display()));
        }
        None => output.line(format!("{:#}", document(&receipt)?))?,
    }
    Ok(exit::OK)
}

/// A receipt as JSON.
pub fn document(receipt: &Receipt) -> Result<serde_json::Value, Failure> {
    receipt::to_json(receipt).map_err(|error| Failure::other(format!("the receipt: {error}")))
}

/// Writes a receipt to a file.
pub fn write(receipt: &Receipt, path: &Path) -> Result<(), Failure> {
    let text = format!("{:#}\n", document(receipt)?);
    std::fs::write(path, text)
        .map_err(|error| Failure::other(format!("cannot write {}: {error}", path.display())))
}

/// Runs `journal`.
pub async fn run(
    command: &JournalCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    match command {
        JournalCommand::Checkpoint => {
            let checkpoint = client.checkpoint().await?;
            let json = json!({ "checkpoint": checkpoint });
            output.result(|| checkpoint.trim_end().to_owned(), &json)?;
        }
        JournalCommand::Keys => {
            let listed = client.journal_keys().await?;
            let text = || {
                let lines = listed.keys.iter().map(|key| {
                    let (node, added) = (&key.node_id, key.added_at);
                    KnownKey::lines(&key.verifier_key, node, added, key.retired_at)
                });
                lines.collect::<String>().trim_end().to_owned()
            };
            let keys: Vec<_> = listed
                .keys
                .iter()
                .map(|key| {
                    json!({
                        "node_id": key.node_id,
                        "verifier_key": key.verifier_key,
                        "added_at": key.added_at,
                        "retired_at": key.retired_at,
                    })
                })
                .collect();
            output.result(text, &json!({ "origin": listed.origin, "keys": keys }))?;
        }
    }
    Ok(exit::OK)
}
