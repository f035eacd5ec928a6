//! Why a node cannot answer just now, whatever it is asked.

use std::fmt;

/// Nothing was done, and nothing is known: the caller denies, and may ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unavailable {
    /// Too few voters answer, or there is no leader.
    NoQuorum,
    /// The node is starting.
    Starting,
    /// The node has a leader, and has yet to apply what it missed.
    Replaying,
    /// The node is about to stop.
    Draining,
    /// The node belongs to no cluster yet.
    WaitingForCluster,
    /// The node's token key is not the cluster's.
    TokenKeyMismatch,
    /// Little disk is left.
    DiskNearlyFull,
    /// The node is no member of its cluster any more.
    Removed,
    /// The deadline passed before an answer was there.
    Deadline,
    /// More waits than the node takes on.
    Overloaded,
    /// The storage has failed; the process is ending.
    StorageFailed,
}

impl Unavailable {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoQuorum,
        Self::Starting,
        Self::Replaying,
        Self::Draining,
        Self::WaitingForCluster,
        Self::TokenKeyMismatch,
        Self::DiskNearlyFull,
        Self::Removed,
        Self::Deadline,
        Self::Overloaded,
        Self::StorageFailed,
    ];

    /// The word for programs, as in health reports.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoQuorum => "no_quorum",
            Self::Starting => "starting",
            Self::Replaying => "replaying",
            Self::Draining => "draining",
            Self::WaitingForCluster => "waiting_for_cluster",
            Self::TokenKeyMismatch => "token_key_mismatch",
            Self::DiskNearlyFull => "disk_nearly_full",
            Self::Removed => "removed",
            Self::Deadline => "deadline",
            Self::Overloaded => "overloaded",
            Self::StorageFailed => "storage_failed",
        }
    }

    /// The reason that `reason` gave the word for.
    pub fn from_reason(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.reason() == word)
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoQuorum => {
                "no majority of the voters can be reached. Deny, and ask again; `refrain cluster status` tells who is missing"
            }
            Self::Starting => "the node is starting. Deny, and ask again, or ask another node",
            Self::Replaying => {
                "the node is still applying what it missed. Deny, and ask again, or ask another node"
            }
            Self::Draining => "the node is about to stop. Ask another node",
            Self::WaitingForCluster => {
                "the node belongs to no cluster yet. Run `refrain cluster init` on one node, or `refrain cluster add` for this one"
            }
            Self::TokenKeyMismatch => {
                "the node's token key is not the cluster's. Give it the same token_key_file as the others and restart it"
            }
            Self::DiskNearlyFull => {
                "little disk is left where the node keeps its data; it takes no writes. Make room"
            }
            Self::Removed => {
                "the node was removed from its cluster. Stop it; to bring it back, wipe its data folder and add it anew"
            }
            Self::Deadline => "the deadline passed. Deny, and ask again with more time",
            Self::Overloaded => "more calls wait than the node takes on. Ask again later, or another node",
            Self::StorageFailed => "the node's storage has failed and the process is ending. Ask another node",
        })
    }
}

impl std::error::Error for Unavailable {}
