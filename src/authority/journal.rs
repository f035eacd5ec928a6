//! What is asked of the journal: who may read its tiles, by which keys it is signed, and whether an event is there to be proven.

use super::query::Query;
use crate::{
    admission::{Admissible, Need, Needs, Open, Permission, Touches},
    domain::{JournalKey, Millis, Namespace, Refusal, Revision, State},
};

/// By which keys are checkpoints verified?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListJournalKeys;

/// The keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalKeys {
    /// The cluster's id.
    pub cluster_id: [u8; 16],
    /// All that there ever were, in the order in which they were added.
    pub keys: Vec<JournalKey>,
}

impl Admissible for ListJournalKeys {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::anywhere(Permission::Audit))
    }
}

impl Open for ListJournalKeys {}

impl Query for ListJournalKeys {
    type Answer = JournalKeys;

    fn answer(self, state: &State, _at: Millis) -> Result<JournalKeys, Refusal> {
        Ok(JournalKeys {
            cluster_id: state.cluster_id().ok_or(Refusal::ClusterNotInitialised)?,
            keys: state.journal_keys().to_vec(),
        })
    }
}

/// May the journal be read as it is: every event of every namespace?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadJournal;

impl Admissible for ReadJournal {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::everywhere(Permission::Audit))
    }
}

/// Is there an event of this revision, whose receipt can be made?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindEvent {
    /// The namespace that it is of; none for the whole cluster.
    pub namespace: Option<Namespace>,
    /// Its revision.
    pub revision: Revision,
}

impl Admissible for FindEvent {
    fn needs(&self) -> Needs<'_> {
        Needs::one(match &self.namespace {
            Some(namespace) => Need::within(Permission::Audit, namespace, Touches::All),
            None => Need::everywhere(Permission::Audit),
        })
    }
}

impl Query for FindEvent {
    /// Its revision, which the state has come to.
    type Answer = Revision;

    fn answer(self, state: &State, _at: Millis) -> Result<Revision, Refusal> {
        let (asked, reached) = (self.revision, state.revision());
        if asked > reached {
            return Err(Refusal::RevisionAhead { asked, reached });
        }
        Ok(asked)
    }
}
