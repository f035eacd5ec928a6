//! `refrain evidence`: erases what proves opt-ins.

use clap::{Args, Subcommand};
use refrain::proto::v1::EraseEvidenceRequest;
use serde_json::json;

use super::{
    client::ClientArgs, exit, failure::Failure, output::Output, paint::grouped,
    subject::SubjectArgs,
};

/// What `evidence` can do.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Erases a person's evidence for good: the keys by which it could be opened are destroyed on every node
    ///
    /// The opt-ins themselves stand, and so do the journal and every receipt. Old copies of the keys are out of reach once each node has made
    /// a snapshot, purged its log and replaced what they were wrapped under; `refrain cluster status` shows what is pending.
    Erase(EraseArgs),
}

/// The flags of `evidence erase`.
#[derive(Debug, Args)]
pub struct EraseArgs {
    #[command(flatten)]
    subject: SubjectArgs,
}

/// Runs the command.
pub async fn run(
    command: &EvidenceCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    match command {
        EvidenceCommand::Erase(args) => erase(args, client, output).await,
    }
}

/// Erases until nothing is left. Run again after a failure, it goes on with what is left.
async fn erase(args: &EraseArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let identifiers = args.subject.identifiers()?;
    let client = client.client()?;
    let (mut erased, mut event_ids) = (0, Vec::new());
    let revision = loop {
        let request = EraseEvidenceRequest {
            identifiers: identifiers.clone(),
            ..EraseEvidenceRequest::default()
        };
        let done = client.erase_evidence(request).await;
        // Run again, it goes on with what is left: there is no id to keep.
        let done = done.map_err(|error| {
            Failure::from(error).advise(format!(
                "the evidence of {} events was erased before this: run it again for the rest",
                grouped(erased)
            ))
        })?;
        erased += done.erased;
        event_ids.extend(Some(done.event_id).filter(|id| !id.is_empty()));
        if done.remaining == 0 {
            break done.revision;
        }
    };
    let text = || match erased {
        0 => "there was no evidence to erase".to_owned(),
        count => format!(
            "erased the evidence of {}, recorded by {} (revision {}); `refrain cluster status` shows what is pending on the nodes",
            if count == 1 {
                "1 event".to_owned()
            } else {
                format!("{} events", grouped(count))
            },
            event_ids.join(", "),
            grouped(revision),
        ),
    };
    let json = json!({ "erased": erased, "event_ids": event_ids, "revision": revision });
    output.result(text, &json)?;
    Ok(exit::OK)
}
