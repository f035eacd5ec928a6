//! Proposing a command: on the leader itself, or forwarded to it, with what is known of the outcome kept honest.

use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::{Instant, timeout_at};
use tonic::Code;
use tracing::Instrument as _;

use super::core::Core;
use super::outcome::{Unavailable, WriteError};
use super::peers::traced;
use super::types::EncodedCommand;
use crate::domain::{Outcome, Proposal, decode_reply};
use crate::limits::{HAND_OVER_PATIENCE, RETRY_PAUSE};
use crate::proto::peer::{ProposeRequest, propose_reply};
use crate::traces;

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
    let mut perhaps = None;
    let begun = Instant::now();
    loop {
        let failed = match timeout_at(deadline, attempt(core, proposal)).await {
            Ok(Ok(outcome)) => return Ok(outcome),
            Ok(Err(failed)) => failed,
            Err(_) => {
                return Err(WriteError::Unknown {
                    why: Unavailable::Deadline,
                });
            }
        };
        let again = match &failed {
            WriteError::Refused(_) => false,
            WriteError::NotApplied { why } => match why {
                Unavailable::NoQuorum
                | Unavailable::LeaderLost
                | Unavailable::Starting
                | Unavailable::Replaying
                // The leader hands over.
                | Unavailable::ClockAhead => true,
                // So it does here, to another node; where there is none, no waiting helps.
                Unavailable::DiskNearlyFull => begun.elapsed() < HAND_OVER_PATIENCE,
                Unavailable::TokenKeyMismatch => {
                    core.believable().is_ok() && begun.elapsed() < HAND_OVER_PATIENCE
                }
                _ => false,
            },
            WriteError::Unknown { why } => {
                perhaps = Some(*why);
                true
            }
        };
        let in_time = again
            && timeout_at(deadline, tokio::time::sleep(RETRY_PAUSE))
                .await
                .is_ok();
        if !in_time {
            return Err(match perhaps {
                Some(why) => WriteError::Unknown { why },
                None => failed,
            });
        }
    }
}

async fn attempt(core: &Core, proposal: &Proposal) -> Result<Outcome, WriteError> {
    core.open().map_err(not_applied)?;
    // The token was made with this node's key: one that is not the cluster's would opt out nobody.
    core.believable().map_err(not_applied)?;
    match core.leader() {
        None => Err(not_applied(Unavailable::NoQuorum)),
        Some((leader, _)) if leader == core.node_id() => propose(core, proposal).await,
        Some((leader, peer)) => forward(core, leader, &peer.peer_address, proposal).await,
    }
}

/// On the leader: gives the command its time and its id, and has it committed.
///
/// # Errors
/// See [`WriteError`].
pub async fn propose(core: &Core, proposal: &Proposal) -> Result<Outcome, WriteError> {
    core.may_propose(&proposal.body).map_err(not_applied)?;
    let begun = Instant::now();
    let now = core.clock.now();
    let command = proposal.clone().into_command(now, core.new_event_id(now));
    let written = core
        .raft
        .client_write(EncodedCommand(command.encode()))
        .instrument(traces::step("consensus.commit"))
        .await;
    let reply = match written {
        Ok(written) => {
            core.meters.commit.note(begun.elapsed());
            written.data.0
        }
        // Exactly this variant was refused before it entered the log. `LogEntryDiscarded` converts to the same type,
        // and may still commit.
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
            return Err(not_applied(Unavailable::LeaderLost));
        }
        Err(RaftError::APIError(_)) => return Err(unknown(Unavailable::LeaderLost)),
        Err(RaftError::Fatal(_)) => return Err(unknown(Unavailable::StorageFailed)),
    };
    understand(&reply)
}

fn understand(reply: &[u8]) -> Result<Outcome, WriteError> {
    match decode_reply(reply) {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(refusal)) => Err(WriteError::Refused(refusal)),
        Err(error) => {
            tracing::error!(%error, "a reply of the state machine cannot be read");
            Err(unknown(Unavailable::LeaderLost))
        }
    }
}

async fn forward(
    core: &Core,
    leader: u64,
    address: &str,
    proposal: &Proposal,
) -> Result<Outcome, WriteError> {
    let not_sent = |_| not_applied(Unavailable::NoQuorum);
    let mut client = core.peers.client(address).map_err(not_sent)?;
    let request = ProposeRequest {
        envelope: core.peers.envelope(leader),
        proposal: proposal.encode(),
    };
    let (request, span) = traced(request, "Propose");
    let answered = client.propose(request).instrument(span.clone()).await;
    if answered.is_err() {
        traces::fail(&span);
    }
    let reply = match answered {
        Ok(reply) => reply.into_inner(),
        // Only the peer service's own refusals have these codes: they stand before the proposal. Every other status may
        // have been made up by a connection that broke.
        Err(status) if status.code() == Code::FailedPrecondition => {
            let why = Unavailable::from_reason(status.message()).unwrap_or_else(|| {
                tracing::warn!(
                    why = status.message(),
                    "the leader refused a forwarded change"
                );
                Unavailable::NoQuorum
            });
            return Err(not_applied(why));
        }
        Err(_) => return Err(unknown(Unavailable::LeaderLost)),
    };
    match reply.outcome {
        Some(propose_reply::Outcome::Reply(reply)) => understand(&reply),
        Some(propose_reply::Outcome::NotApplied(reason)) => Err(not_applied(
            Unavailable::from_reason(&reason).unwrap_or(Unavailable::NoQuorum),
        )),
        Some(propose_reply::Outcome::Unknown(reason)) => Err(unknown(
            Unavailable::from_reason(&reason).unwrap_or(Unavailable::LeaderLost),
        )),
        None => Err(unknown(Unavailable::LeaderLost)),
    }
}

fn not_applied(why: Unavailable) -> WriteError {
    WriteError::NotApplied { why }
}

fn unknown(why: Unavailable) -> WriteError {
    WriteError::Unknown { why }
}
