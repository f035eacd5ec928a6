//! The public keys of the cluster's stamps.

use super::query::Query;
use crate::{
    admission::{Admissible, Need, Needs, Open, Permission},
    domain::{Millis, Refusal, Revision, StampKey, State},
};

/// With which keys are stamps verified?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListStampKeys;

/// The keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampKeys {
    /// The cluster's id.
    pub cluster_id: [u8; 16],
    /// Those whose stamps are accepted, by the time at which they were added.
    pub keys: Vec<StampKey>,
    /// The revision at which this holds.
    pub revision: Revision,
    /// The time by which it was judged: the latest that the leader or this node makes likely.
    pub at: Millis,
}

impl Admissible for ListStampKeys {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::anywhere(Permission::Check))
    }
}

impl Open for ListStampKeys {}

impl Query for ListStampKeys {
    type Answer = StampKeys;

    fn answer(self, state: &State, at: Millis) -> Result<StampKeys, Refusal> {
        let keys = state.stamp_keys().iter();
        let mut keys: Vec<StampKey> = keys.filter(|key| key.is_accepted(at)).copied().collect();
        keys.sort_by_key(|key| (key.added_at, key.node_id));
        Ok(StampKeys {
            cluster_id: state.cluster_id().ok_or(Refusal::ClusterNotInitialised)?,
            keys,
            revision: state.revision(),
            at,
        })
    }
}
