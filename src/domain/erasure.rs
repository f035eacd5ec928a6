//! Erasing evidence: its data key is destroyed, and what wrapped that is replaced, so that no old copy opens it either.

use super::evidence::{WrappedKey, WrappingId};
use super::ids::{RequestId, Revision};
use super::names::Namespace;
use super::refusal::Refusal;
use super::token::SubjectToken;
use super::validate::check_tokens;
use crate::limits;

/// Destroys the data keys of a subject's evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EraseEvidence {
    /// Names the request: a retry has one effect.
    pub request_id: RequestId,
    /// The tenant.
    pub namespace: Namespace,
    /// The subject: 1 to 16 tokens, no two alike. Evidence of an event that names any of them is erased.
    pub tokens: Vec<SubjectToken>,
}

/// What was erased: the detail of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedEvidence {
    /// The subject.
    pub tokens: Vec<SubjectToken>,
    /// The revisions of the events whose evidence cannot be opened any more, ascending: 1 to 1,024.
    pub revisions: Vec<Revision>,
}

/// Wraps data keys anew. What is wrapped under something else by now, or erased, stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewrapEvidence {
    /// What they were wrapped under until now.
    pub from: WrappingId,
    /// The keys, by the revision of their event: at most 256.
    pub keys: Vec<(Revision, WrappedKey)>,
}

/// A node has a new wrapping key, and is about to destroy those before: what comes wrapped under one of them from here on is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateWrappingKey {
    /// The node.
    pub node_id: u64,
    /// How many of the commands that left erased keys in the log the new one is younger than.
    pub since: u64,
    /// Those before: at most 64.
    pub retired: Vec<WrappingId>,
    /// The revisions of those still wrapped under them that cannot be opened, ascending: at most 256. Where there are others, nothing is done.
    pub given_up: Vec<Revision>,
}

impl EraseEvidence {
    /// All checks that need no state.
    ///
    /// # Errors
    /// The refusal that says what is wrong.
    pub fn validate(&self) -> Result<(), Refusal> {
        check_tokens(&self.tokens)
    }
}

impl RewrapEvidence {
    /// All checks that need no state.
    ///
    /// # Errors
    /// `COMMAND_TOO_LARGE`.
    pub fn validate(&self) -> Result<(), Refusal> {
        if self.keys.len() > limits::REWRAPPED_KEYS {
            return Err(Refusal::CommandTooLarge);
        }
        Ok(())
    }
}

impl RotateWrappingKey {
    /// All checks that need no state.
    ///
    /// # Errors
    /// `COMMAND_TOO_LARGE`.
    pub fn validate(&self) -> Result<(), Refusal> {
        if self.retired.len() > limits::WRAPPING_KEYS_HELD
            || self.given_up.len() > limits::REWRAPPED_KEYS
            || !self.given_up.is_sorted_by(|a, b| a < b)
        {
            return Err(Refusal::CommandTooLarge);
        }
        Ok(())
    }
}
