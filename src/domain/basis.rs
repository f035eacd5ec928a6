//! What a proposed change rests on, kept with it until it is approved.

use super::change::ProposedChange;

/// What a principal has proven itself by. It tells whether two callers hold the same, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credential(pub [u8; 16]);

/// What a proposed change rests on. Where a proposal tells no credential, as none did at first, nothing is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// What its proposer proved itself by: one person may go by two names, on two nodes or one after the other.
    pub credential: Credential,
    /// How far from now an override may end, in minutes, as the node was set that took the proposal.
    pub max_minutes: u32,
    /// What stood where the change is to be made; none where nothing did, and for an override.
    pub stood: Option<Box<ProposedChange>>,
}
