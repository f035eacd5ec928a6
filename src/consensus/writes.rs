//! Proposing a command: on the leader itself, or forwarded to it, with what is known of the outcome kept honest.

use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::{Instant, timeout_at};
use tonic::Code;

use super::core::Core;
use super::types::EncodedCommand;
use super::unavailable::Unavailable;
use crate::domain::{Outcome, Proposal, Refusal, decode_reply};
use crate::limits::RETRY_PAUSE;
use crate::proto::peer::{ProposeRequest, propose_reply};

/// Why a write has no outcome to show.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// The state machine refused it. Nothing was done.
    #[error(transparent)]
    Refused(Refusal),
    /// It was never proposed. Nothing was done.
    #[error("nothing was done: {0}")]
    NotApplied(Unavailable),
    /// It may have been done, may still be done, or never will. A retry with the same request id finds out.
    #[error("whether it was done is not known: {0}. Retry with the same request_id")]
    Unknown(String),
}

/// Writes, and tries again while the deadline allows: a change is known by its request id, so that a second try cannot
/// have a second effect.
///
/// # Errors
/// See [`WriteError`].
pub async fn write(
    core: &Core,
    proposal: &Proposal,
    deadline: Instant,
) -> Result<Outcome, WriteError> {
    // Once a try may have been taken, only an outcome takes that back.
    let mut perhaps: Option<String> = None;
    loop {
        let failed = match timeout_at(deadline, attempt(core, proposal)).await {
            Ok(Ok(outcome)) => return Ok(outcome),
            Ok(Err(failed)) => failed,
            Err(_) => return Err(WriteError::Unknown("the deadline passed".to_owned())),
        };
        let again = match &failed {
            WriteError::Refused(_) => false,
            WriteError::NotApplied(why) => matches!(why, Unavailable::NoQuorum),
            WriteError::Unknown(why) => {
                perhaps = Some(why.clone());
                true
            }
        };
        let in_time = again && timeout_at(deadline, tokio::time::sleep(RETRY_PAUSE)).await.is_ok();
        if !in_time {
            return Err(match perhaps {
                Some(why) => WriteError::Unknown(why),
                None => failed,
            });
        }
    }
}

async fn attempt(core: &Core, proposal: &Proposal) -> Result<Outcome, WriteError> {
    core.open().map_err(WriteError::NotApplied)?;
    match core.leader() {
        None => Err(WriteError::NotApplied(Unavailable::NoQuorum)),
        Some((leader, _)) if leader == core.node_id() => propose(core, proposal).await,
        Some((leader, peer)) => forward(core, leader, &peer.peer_address, proposal).await,
    }
}

/// On the leader: gives the command its time and its id, and has it committed.
///
/// # Errors
/// See [`WriteError`].
pub async fn propose(core: &Core, proposal: &Proposal) -> Result<Outcome, WriteError> {
    core.may_propose().map_err(WriteError::NotApplied)?;
    let now = core.clock.now();
    let command = proposal.clone().into_command(now, core.new_event_id(now));
    let written = core.raft.client_write(EncodedCommand(command.encode())).await;
    let reply = match written {
        Ok(written) => written.data.0,
        // Exactly this variant was refused before it entered the log. `LogEntryDiscarded` converts to the same type,
        // and may still commit.
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
            return Err(WriteError::NotApplied(Unavailable::NoQuorum));
        }
        Err(RaftError::APIError(other)) => return Err(WriteError::Unknown(other.to_string())),
        Err(RaftError::Fatal(_)) => {
            return Err(WriteError::Unknown(Unavailable::StorageFailed.to_string()));
        }
    };
    understand(&reply)
}

fn understand(reply: &[u8]) -> Result<Outcome, WriteError> {
    match decode_reply(reply) {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(refusal)) => Err(WriteError::Refused(refusal)),
        Err(damaged) => Err(WriteError::Unknown(damaged.to_string())),
    }
}

async fn forward(
    core: &Core,
    leader: u64,
    address: &str,
    proposal: &Proposal,
) -> Result<Outcome, WriteError> {
    let not_sent = |_| WriteError::NotApplied(Unavailable::NoQuorum);
    let mut client = core.peers.client(address).map_err(not_sent)?;
    let request = ProposeRequest {
        envelope: core.peers.envelope(leader),
        proposal: proposal.encode(),
    };
    let reply = match client.propose(request).await {
        Ok(reply) => reply.into_inner(),
        // Only the peer service's own refusals have these codes: they stand before the proposal. Every other status may
        // have been made up by a connection that broke.
        Err(status) if status.code() == Code::FailedPrecondition => {
            let why = Unavailable::from_reason(status.message()).unwrap_or(Unavailable::NoQuorum);
            return Err(WriteError::NotApplied(why));
        }
        Err(status) => {
            return Err(WriteError::Unknown(format!("the leader was lost: {}", status.code())));
        }
    };
    match reply.outcome {
        Some(propose_reply::Outcome::Reply(reply)) => understand(&reply),
        Some(propose_reply::Outcome::NotApplied(word)) => Err(WriteError::NotApplied(
            Unavailable::from_reason(&word).unwrap_or(Unavailable::NoQuorum),
        )),
        Some(propose_reply::Outcome::Unknown(why)) => Err(WriteError::Unknown(why)),
        None => Err(WriteError::Unknown("the leader's answer cannot be read".to_owned())),
    }
}
