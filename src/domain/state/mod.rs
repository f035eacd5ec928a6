//! The replicated state: a fold of events, with soft tables beside it for what changes without events.

mod administer;
mod anomalies;
mod apply;
mod changes;
mod decide;
mod digest;
mod evidence;
mod evidence_keys;
mod fold;
mod fold_rules;
mod govern;
mod hash;
mod imports;
mod journal_keys;
mod judge;
mod members;
mod monitor;
mod namespaces;
mod past;
mod query;
mod recent;
mod record;
mod requests;
mod restore;
mod restore_rules;
mod shards;
mod snapshot;
mod snapshot_anomalies;
mod snapshot_evidence;
mod snapshot_monitor;
mod snapshot_rules;
mod stamp_keys;
#[cfg(test)]
mod tests;
mod usage;
mod wish;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::anomaly::AnomalySettings;
use super::floors::Floors;
use super::ids::{Millis, RequestId, Revision};
use super::names::Namespace;
use super::refusal::Refusal;
use super::registry::Registry;
use super::token::KeyFingerprint;
use anomalies::Anomalies;
use changes::Changes;
use evidence_keys::EvidenceKeys;
use hash::Sum;
use imports::Imports;
use members::Members;
use monitor::Monitor;
use namespaces::Namespaces;
use requests::Requests;
use shards::Shards;
use usage::Usage;

pub use anomalies::FoundAnomaly;
pub use decide::{Decision, Question, Reason, Verdict};
pub use journal_keys::JournalKey;
pub use monitor::Found;
pub use query::{PreferenceRecord, Preferences, PurposeDecision, Standing};
pub use restore::RestoreError;
pub use stamp_keys::StampKey;

/// All that is known of a cluster. Cheap to clone: what it is made of is shared, and copied piece by piece when one of
/// the two is written to.
#[derive(Clone, Default)]
pub struct State {
    /// None before the first command.
    cluster: Option<Cluster>,
    revision: Revision,
    registry: Arc<Registry>,
    namespaces: Arc<Namespaces>,
    floors: Arc<Floors>,
    changes: Arc<Changes>,
    stamp_keys: Arc<Vec<StampKey>>,
    journal_keys: Arc<Vec<JournalKey>>,
    members: Arc<Members>,
    /// None where it was never set.
    anomaly_settings: Option<AnomalySettings>,
    shards: Shards,
    /// The sum of the hashes of all of the above, one by one.
    sum: Sum,
    /// The newest last.
    hash_points: VecDeque<(Revision, [u8; 32])>,
    // The soft tables: not a part of the hash, because they change without events.
    log_time: Millis,
    repeats: u64,
    requests: Requests,
    imports: Imports,
    usage: Usage,
    monitor: Monitor,
    anomalies: Anomalies,
    evidence: EvidenceKeys,
}

/// What a cluster was created with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cluster {
    id: [u8; 16],
    key_fingerprint: KeyFingerprint,
    feature_level: u32,
}

/// Shows how much there is, and nothing of it: tokens are personal data.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("revision", &self.revision)
            .field("subjects", &self.subjects())
            .finish_non_exhaustive()
    }
}

impl State {
    /// How many events there have been.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The cluster's id; none before it was created.
    pub fn cluster_id(&self) -> Option<[u8; 16]> {
        self.cluster.map(|cluster| cluster.id)
    }

    /// Which token key the cluster lives with; none before it was created.
    pub fn key_fingerprint(&self) -> Option<KeyFingerprint> {
        self.cluster.map(|cluster| cluster.key_fingerprint)
    }

    /// The feature level in force; 0 before the cluster was created.
    pub fn feature_level(&self) -> u32 {
        self.cluster.map_or(0, |cluster| cluster.feature_level)
    }

    /// The purposes.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The namespaces, by name.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.namespaces.sorted()
    }

    /// The latest time that a command brought. It never goes back.
    pub fn log_time(&self) -> Millis {
        self.log_time
    }

    /// How many requests were repeats and answered with the event that stands.
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    /// How many tokens have a preference.
    pub fn subjects(&self) -> usize {
        self.shards.subjects()
    }

    /// How many preferences stand.
    pub fn records(&self) -> u64 {
        self.shards.records()
    }

    /// The row that an import goes on with; 0 where the id is not known in this namespace.
    pub fn import_next_row(&self, namespace: &Namespace, import_id: &RequestId) -> u64 {
        self.imports.next_row(namespace, *import_id)
    }

    /// The hash over all that events make: the same on every node at the same revision.
    pub fn hash(&self) -> [u8; 32] {
        hash::whole(self)
    }

    /// The hashes that are kept for comparison, the oldest first: at every 1,024th revision, the last 64.
    pub fn hash_points(&self) -> impl Iterator<Item = (Revision, [u8; 32])> + '_ {
        self.hash_points.iter().copied()
    }

    /// Refuses what comes before the cluster was created.
    fn check_created(&self) -> Result<(), Refusal> {
        match self.cluster {
            Some(_) => Ok(()),
            None => Err(Refusal::ClusterNotInitialised),
        }
    }

    /// Refuses a revision that was not reached.
    fn check_reached(&self, asked: Revision) -> Result<(), Refusal> {
        if asked <= self.revision {
            Ok(())
        } else {
            Err(Refusal::RevisionAhead {
                asked,
                reached: self.revision,
            })
        }
    }

    /// Has Global Privacy Control mean nothing in a namespace, so that what is configured next narrows it, as it could before
    /// that took two principals.
    #[cfg(test)]
    pub(super) fn forget_signals(&mut self, namespace: &Namespace) {
        self.fold_settings(Some(namespace), &[]).unwrap();
    }

    /// Sets the size of the tables of requests and imports: small ones overflow before a test's eyes.
    #[cfg(test)]
    pub(super) fn size_tables(&mut self, requests: usize, imports: usize) {
        self.requests.set_capacity(requests);
        self.imports.set_capacity(imports);
    }
}
