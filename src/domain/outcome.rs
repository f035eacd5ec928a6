//! What became of a command: the state machine's answer, which also travels to a follower that forwarded it.

use bytes::Bytes;

use super::encoding::{self, DecodeError};
use super::event::Event;
use super::evidence::SealedEvidence;
use super::ids::{EventId, Millis, Revision};
use super::names::PurposeName;
use super::purpose::Purpose;
use super::refusal::Refusal;

/// What an accepted command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Of `SetPreference`.
    Preference {
        /// The event that records the wish: the new one, or the one that stands where nothing changed.
        event_id: EventId,
        /// Its revision.
        revision: Revision,
        /// Whether anything changed.
        changed: bool,
        /// When the leader received what the event records.
        received_at: Millis,
    },
    /// Of `ReportSignal`.
    Signal {
        /// The event that records the signal: the new one, or the one that stands.
        event_id: EventId,
        /// Its revision.
        revision: Revision,
        /// Whether anything changed.
        changed: bool,
        /// When the leader received what the event records.
        received_at: Millis,
        /// What the signal opts out of in this namespace.
        purposes: Vec<PurposeName>,
    },
    /// Of `ImportChunk`.
    Import {
        /// Rows that made an event.
        changed: u64,
        /// Rows that were standing already.
        unchanged: u64,
        /// Rows that had been taken before.
        skipped: u64,
        /// Rows that were refused, by number; not those that the edge had refused.
        refusals: Vec<(u64, Refusal)>,
        /// The row to go on with.
        next_row: u64,
        /// The revision after the chunk.
        revision: Revision,
    },
    /// Of what concerns the registry, overrides and keys.
    Registry {
        /// The event, whose id is that of a proposed change; none where nothing changed.
        event_id: Option<EventId>,
        /// The revision after it.
        revision: Revision,
        /// Whether anything changed.
        changed: bool,
        /// The purpose as it stands, for `PutPurpose`.
        purpose: Option<Purpose>,
    },
    /// Of `EraseEvidence`.
    Erased {
        /// The event; none where there was nothing to erase.
        event_id: Option<EventId>,
        /// The revision after it.
        revision: Revision,
        /// How many events' evidence was erased.
        erased: u64,
        /// How many of the subject's events have theirs still.
        remaining: u64,
    },
    /// Of `Create`, `ReportUsage`, `RaiseFeatureLevel`, and of keys of evidence that are wrapped anew.
    Done {
        /// The revision after it.
        revision: Revision,
    },
}

impl Outcome {
    /// The event that records what was asked for, where it is one.
    pub fn event_id(&self) -> Option<EventId> {
        match self {
            Self::Preference { event_id, .. } | Self::Signal { event_id, .. } => Some(*event_id),
            Self::Registry { event_id, .. } | Self::Erased { event_id, .. } => *event_id,
            Self::Import { .. } | Self::Done { .. } => None,
        }
    }
}

/// What became of a command. A refusal means that nothing was done.
pub type Reply = Result<Outcome, Refusal>;

/// What applying a command brought.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The answer to the caller.
    pub reply: Reply,
    /// The new events in order, each with the evidence that is kept beside it. A refusal, a retry and a repeat make none of
    /// their own; the end of an override may come before any command's.
    pub events: Vec<(Event, Option<SealedEvidence>)>,
}

/// The bytes of a reply, as they go to the node that forwarded the proposal.
pub fn encode_reply(reply: &Reply) -> Bytes {
    encoding::encode_reply(reply)
}

/// Reads what [`encode_reply`] wrote.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode_reply(bytes: &[u8]) -> Result<Reply, DecodeError> {
    encoding::decode_reply(bytes)
}
