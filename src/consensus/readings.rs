//! What can be read off a node at one moment, for whoever watches it from outside.

use openraft::async_runtime::WatchReceiver as _;

use super::core::Core;
use super::report::Health;
use crate::domain::{Revision, State};
use crate::storage::space::ACCEPT_FROM;

/// A node at one moment.
#[derive(Debug, Clone)]
pub struct Readings {
    /// Its id.
    pub node_id: u64,
    /// The cluster that it belongs to.
    pub cluster_id: Option<[u8; 16]>,
    /// Whether it serves.
    pub health: Health,
    /// Whether it leads.
    pub leads: bool,
    /// Whether it knows a leader.
    pub leader_known: bool,
    /// The term that it is in.
    pub term: u64,
    /// The revision that it has applied.
    pub revision: Revision,
    /// The log index that it has applied.
    pub applied_index: u64,
    /// The last log index that it has.
    pub last_index: u64,
    /// Voters and learners that it knows, itself among them.
    pub voters: usize,
    /// As `voters`.
    pub learners: usize,
    /// The other members, and whether each answered when it was last asked.
    pub peers: Vec<(u64, bool)>,
    /// Bytes of log on disk.
    pub log_bytes: u64,
    /// Bytes of the latest snapshot.
    pub snapshot_bytes: u64,
    /// Events of the journal that can be read.
    pub journal_events: u64,
    /// Bytes left on the disk of the data folder.
    pub disk_free_bytes: u64,
    /// Bytes that have to be left for changes to be taken.
    pub disk_reserve_bytes: u64,
    /// How far its clock is ahead of the members' median, in milliseconds; none where nobody else was asked.
    pub clock_ahead_ms: Option<i64>,
    /// Settings on which it is not with most of the members.
    pub drift: usize,
    /// The feature level in force.
    pub feature_level: u32,
    /// Overrides in force, by the log's time.
    pub overrides: usize,
    /// Subjects with a preference on record, by token.
    pub subjects: usize,
    /// Violations that were reported within the time for which counts are kept, by kind.
    pub violations: [u64; 6],
    /// Anomalies that there ever were, by kind.
    pub anomalies: [u64; 5],
}

/// Reads a node off.
pub fn readings(core: &Core) -> Readings {
    let (term, last_index) = {
        let metrics = core.raft.metrics();
        let metrics = metrics.borrow_watched();
        (metrics.current_term, metrics.last_log_index.unwrap_or(0))
    };
    let progress = *core.replica.progress().borrow();
    let members = core.members();
    let voters = members.iter().filter(|(.., votes)| *votes).count();
    let journal = core.replica.journal();
    let now = core.clock.now();
    let (feature_level, overrides, subjects, violations, anomalies) =
        core.replica.with_state(|state: &State| {
            (
                state.feature_level(),
                state.overrides().filter(|it| it.is_active(now)).count(),
                state.subjects(),
                state.violation_counts(),
                state.anomaly_counts(),
            )
        });
    Readings {
        node_id: core.node_id(),
        cluster_id: core.peers.cluster_id(),
        health: core.health.borrow().clone(),
        leads: core.leads(),
        leader_known: core.leader().is_some(),
        term,
        revision: progress.revision,
        applied_index: progress.index,
        last_index,
        voters,
        learners: members.len() - voters,
        peers: core.neighbours.reached(),
        log_bytes: core.log.bytes(),
        snapshot_bytes: core.snapshots.bytes(),
        journal_events: (journal.size() + 1).saturating_sub(journal.earliest()),
        // A disk that cannot be asked has nothing to offer.
        disk_free_bytes: core.files.free_bytes().unwrap_or(0),
        disk_reserve_bytes: ACCEPT_FROM,
        clock_ahead_ms: core.clocks.ahead_by(now),
        drift: core.neighbours.drift(core.node_id(), &core.settings).len(),
        feature_level,
        overrides,
        subjects,
        violations,
        anomalies,
    }
}
