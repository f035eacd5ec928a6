//! What a cluster and its members say of themselves.

use super::outcome::Unavailable;
use crate::domain::{Millis, Revision};
use crate::proto::peer::{PendingErasure, Setting};

/// Whether a node serves, and where not, why; or what it lacks although it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it answers checks.
    pub ready: bool,
    /// `ok`, or why not, such as `no_quorum`. Of a node that answers checks and is short of disk, `disk_nearly_full`.
    pub reason: String,
}

impl Health {
    /// A node that answers checks, and lacks something for its other work.
    pub fn serving_without(what: Unavailable) -> Self {
        Self {
            ready: true,
            reason: what.reason().to_ascii_lowercase(),
        }
    }
}

impl From<Result<(), Unavailable>> for Health {
    fn from(probed: Result<(), Unavailable>) -> Self {
        let reason = probed
            .err()
            .map_or("ok".to_owned(), |why| why.reason().to_ascii_lowercase());
        Self {
            ready: probed.is_ok(),
            reason,
        }
    }
}

/// A cluster, as one of its nodes sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// The cluster's id; `None` on a node that belongs to none yet.
    pub cluster_id: Option<[u8; 16]>,
    /// The node that answers.
    pub answered_by: u64,
    /// The leader, where one is known.
    pub leader: Option<u64>,
    /// The term.
    pub term: u64,
    /// The members, by id.
    pub members: Vec<Member>,
    /// What is wrong with the cluster as a whole, worst first.
    pub alarms: Vec<String>,
    /// The feature level in force.
    pub feature_level: u32,
}

/// One member, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub node_id: u64,
    /// What part it has.
    pub role: Role,
    /// Where it listens for peers.
    pub peer_address: String,
    /// Where it listens for clients.
    pub client_address: String,
    /// What it says, or why it cannot be asked.
    pub report: Result<Report, String>,
}

/// What part a member has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It has a vote.
    Voter,
    /// It holds everything and has no vote.
    Learner,
    /// It waits to be added.
    None,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether it serves.
    pub health: Health,
    /// The revision that it has applied.
    pub revision: Revision,
    /// How many log entries it has still to apply.
    pub applied_lag: u64,
    /// Bytes of its log on disk.
    pub log_bytes: u64,
    /// Bytes of its latest snapshot.
    pub snapshot_bytes: u64,
    /// Events of its journal that can be read.
    pub journal_events: u64,
    /// The state's hash, and the revision that it belongs to.
    pub state_hash: Option<(Revision, [u8; 32])>,
    /// The root of its journal over `revision` events.
    pub journal_root: Option<[u8; 32]>,
    /// The version of its program.
    pub version: String,
    /// Bytes left on the disk of its data folder.
    pub disk_free_bytes: u64,
    /// What it has still to do after evidence was erased.
    pub pending_erasure: Option<PendingErasure>,
    /// Its settings in force; none from a version that does not tell.
    pub settings: Vec<Setting>,
    /// The fingerprint of its token key.
    pub key_fingerprint: Vec<u8>,
    /// Its clock when it was asked; 0 from a version that does not tell.
    pub clock: Millis,
}

/// How far the adding of a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddProgress {
    /// The new node.
    pub node_id: u64,
    /// What is being done.
    pub stage: AddStage,
    /// How many log entries it is behind the leader.
    pub lag: u64,
}

/// What is being done with a new node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddStage {
    /// It was invited, and came.
    Invited,
    /// It catches up.
    CatchingUp,
    /// It is being made a voter.
    Promoting,
    /// It is a member.
    Done,
}
