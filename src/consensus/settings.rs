//! How openraft is set up.

use super::StartError;
use crate::limits::APPEND_ENTRIES;

/// How long Raft waits, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between two heartbeats of a leader.
    pub heartbeat_ms: u64,
    /// The shortest and the longest time without a leader before a node stands for election; each is drawn between them.
    pub election_timeout_ms: (u64, u64),
    /// Bytes of commands after which a snapshot is made.
    pub snapshot_log_bytes: u64,
    /// Log entries that stay behind a snapshot.
    pub log_entries_kept: u64,
    /// Between two reports of usage.
    pub usage_report_ms: u64,
    /// By the log's time, until a node changes its key for stamps.
    pub stamp_key_ms: u64,
}

/// What openraft is told.
///
/// # Errors
/// Where the times do not fit together.
pub(super) fn settings(timing: &Timing) -> Result<openraft::Config, StartError> {
    let (election_timeout_min, election_timeout_max) = timing.election_timeout_ms;
    openraft::Config {
        cluster_name: "refrain".to_owned(),
        heartbeat_interval: timing.heartbeat_ms,
        election_timeout_min,
        election_timeout_max,
        // Without it a node that was cut off comes back with a higher term and deposes a leader that serves.
        enable_pre_vote: Some(true),
        // Snapshots are made by bytes, see `duties`.
        snapshot_policy: openraft::SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: timing.log_entries_kept,
        purge_batch_size: timing.log_entries_kept.max(1),
        max_payload_entries: APPEND_ENTRIES,
        // A restored leader knows how far the log is committed only from a hint that may be old, and would let reads go by
        // it. In a new term it first commits an entry of its own.
        enable_leader_restore: Some(false),
        // A leader that no majority answers sends no heartbeats by turns, so that one which is heard and hears nobody does not keep
        // the others from electing another. In one turn their lease ends, the longest of them has waited, and they have voted.
        quorum_loss_probe_interval: Some(election_timeout_max.saturating_mul(3)),
        backoff: "100ms".to_owned(),
        ..openraft::Config::default()
    }
    .validate()
    .map_err(|e| StartError::Settings(e.to_string()))
}
