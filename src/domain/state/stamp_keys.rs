//! The public keys that nodes sign stamps with.

use crate::domain::ids::Millis;
use crate::limits;

/// A node's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StampKey {
    /// The node.
    pub node_id: u64,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
    /// When it was added, by the log's time.
    pub added_at: Millis,
    /// Until when stamps of it are accepted; none while it is in use.
    pub accepted_until: Option<Millis>,
}

impl StampKey {
    /// Whether a stamp of it is accepted.
    pub fn is_accepted(&self, at: Millis) -> bool {
        self.accepted_until.is_none_or(|until| at < until)
    }

    /// Whether it is kept, to judge what was done under its stamps.
    pub(super) fn is_kept(&self, at: Millis) -> bool {
        self.accepted_until
            .is_none_or(|until| at.0 < until.0.saturating_add(limits::STAMP_KEYS_KEPT_MS))
    }

    /// The same key, retired.
    pub(super) fn retired(self, at: Millis) -> Self {
        Self {
            accepted_until: Some(Millis(at.0.saturating_add(limits::STAMP_KEY_OVERLAP_MS))),
            ..self
        }
    }
}
