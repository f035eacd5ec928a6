//! How a write, a read or an administrative act can fail, free of any transport.

use serde::{Deserialize, Serialize};

use crate::domain::Refusal;

/// Why a node cannot serve right now. Nothing was done unless it is wrapped in [`WriteError::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unavailable {
    /// No majority of the voters can be reached.
    #[error("no majority of the voters can be reached")]
    NoQuorum,
    /// The node is starting.
    #[error("the node is starting")]
    Starting,
    /// The node has found its cluster, and has still to apply what it missed.
    #[error("the node is still applying what it missed")]
    Replaying,
    /// The node is about to stop.
    #[error("the node is about to stop")]
    Draining,
    /// The node belongs to no cluster yet.
    #[error("the node waits for `cluster init` or `cluster add`")]
    WaitingForCluster,
    /// The node's token key is not the cluster's.
    #[error("the node's token key is not the cluster's")]
    TokenKeyMismatch,
    /// Little disk is left, so that nothing more is written.
    #[error("the node's disk is nearly full")]
    DiskNearlyFull,
    /// The node leads, and its clock is far ahead of the members' median.
    #[error("the leader's clock is too far ahead of the other members'")]
    ClockAhead,
    /// The node was taken out of the cluster.
    #[error("the node was taken out of the cluster")]
    Removed,
    /// The call's time was over.
    #[error("the deadline passed")]
    Deadline,
    /// The leader was lost on the way.
    #[error("the leader was lost")]
    LeaderLost,
    /// Too much waits already.
    #[error("the node has too much to do")]
    Overloaded,
    /// The node's storage has failed, and its process is ending.
    #[error("the node's storage has failed")]
    StorageFailed,
}

impl Unavailable {
    /// Every value, for tables and tests.
    pub const ALL: [Self; 13] = [
        Self::NoQuorum,
        Self::Starting,
        Self::Replaying,
        Self::Draining,
        Self::WaitingForCluster,
        Self::TokenKeyMismatch,
        Self::DiskNearlyFull,
        Self::ClockAhead,
        Self::Removed,
        Self::Deadline,
        Self::LeaderLost,
        Self::Overloaded,
        Self::StorageFailed,
    ];

    /// The stable reason, in capitals.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoQuorum => "NO_QUORUM",
            Self::Starting => "STARTING",
            Self::Replaying => "REPLAYING",
            Self::Draining => "DRAINING",
            Self::WaitingForCluster => "WAITING_FOR_CLUSTER",
            Self::TokenKeyMismatch => "TOKEN_KEY_MISMATCH",
            Self::DiskNearlyFull => "DISK_NEARLY_FULL",
            Self::ClockAhead => "CLOCK_AHEAD",
            Self::Removed => "REMOVED",
            Self::Deadline => "DEADLINE",
            Self::LeaderLost => "LEADER_LOST",
            Self::Overloaded => "OVERLOADED",
            Self::StorageFailed => "STORAGE_FAILED",
        }
    }

    /// The value whose stable reason this is.
    pub fn from_reason(reason: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.reason() == reason)
    }
}

/// Why a write has no outcome to report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The state machine refused it: not applied.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// It was not proposed: not applied.
    #[error("{why}")]
    NotApplied {
        /// Why.
        why: Unavailable,
    },
    /// It may have been applied, now or later.
    #[error("{why}, and the change may have been made all the same")]
    Unknown {
        /// What was lost.
        why: Unavailable,
    },
}

/// Why an administrative act was not done. What was refused changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum AdminError {
    /// A write that belongs to it failed. Has a form of its own between nodes.
    #[error("{0}")]
    #[serde(skip)]
    Write(#[from] WriteError),
    /// No member has this id.
    #[error("no member has the id `{id}`: see `refrain cluster status`")]
    NodeUnknown {
        /// What was given.
        id: String,
    },
    /// Several members' ids begin so.
    #[error("several members' ids begin with `{id}`: give more digits")]
    NodeAmbiguous {
        /// What was given.
        id: String,
    },
    /// An address is not of the form `host:port`.
    #[error(
        "the address `{address}` is not of the form `host:port`: give where the node listens for peers"
    )]
    AddressInvalid {
        /// What was given.
        address: String,
    },
    /// The node at an address does not answer.
    #[error(
        "the node at {address} does not answer ({why}): is it running, and is that its peer address?"
    )]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// What the transport said.
        why: String,
    },
    /// The node at an address belongs to another cluster.
    #[error(
        "the node at {address} belongs to another cluster: give it an empty data folder, and start it with --join"
    )]
    OtherCluster {
        /// Where it listens.
        address: String,
    },
    /// The node at an address has another token key.
    #[error(
        "the node at {address} has another token key: give it the cluster's, and start it again"
    )]
    TokenKeyDiffers {
        /// Where it listens.
        address: String,
    },
    /// The node's program does not know the feature level in force.
    #[error(
        "the node at {address} knows feature level {known} and the cluster is at {needed}: upgrade it first"
    )]
    FeatureLevelTooLow {
        /// Where it listens.
        address: String,
        /// What its program knows.
        known: u32,
        /// What is in force.
        needed: u32,
    },
    /// Fewer than a majority of those that stay would hold the whole journal.
    #[error(
        "fewer than a majority of the members that stay hold the whole journal: wait until they have fetched it, or use --force and lose history"
    )]
    JournalAtRisk,
    /// The last voter cannot be taken out.
    #[error("the last voter cannot be taken out: add another first")]
    LastVoter,
    /// The leadership can only go to a voter.
    #[error("the member `{id}` is no voter: leadership goes to voters alone")]
    NotAVoter {
        /// The member's id.
        id: String,
    },
    /// The node has not caught up, so that its vote could stop the cluster.
    #[error("the node `{id}` has not caught up yet and stays a learner: add it again later")]
    NotCaughtUp {
        /// The member's id.
        id: String,
    },
    /// Another node has the address.
    #[error(
        "the member `{id}` has the address {address}, and another node answers there: if that member's data was wiped, `refrain cluster remove {id}` first"
    )]
    AddressTaken {
        /// Where both listen.
        address: String,
        /// The member's id.
        id: String,
    },
    /// There is nobody else to lead.
    #[error("there is no other voter to hand the leadership to")]
    NoOtherVoter,
    /// The voter did not take over.
    #[error("`{id}` did not take the leadership over: see that it runs and has caught up")]
    TransferFailed {
        /// The voter's id.
        id: String,
    },
    /// The cluster has as many members as it can have.
    #[error("the cluster has 256 members already: remove one first")]
    TooManyMembers,
    /// Another change of the membership is under way.
    #[error("another change of the membership is under way: wait for it")]
    ChangeInProgress,
}

impl From<Unavailable> for AdminError {
    fn from(why: Unavailable) -> Self {
        Self::Write(WriteError::NotApplied { why })
    }
}
