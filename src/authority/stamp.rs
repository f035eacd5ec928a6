//! The public keys of the cluster's stamps, and what holds now for whom a stamp is about.

use super::query::{Check, Query};
use crate::{
    admission::{Admissible, Need, Needs, Open, Permission},
    domain::{Millis, Refusal, Revision, StampKey, State, Verdict},
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
    /// The time by which it was judged: the leader's clock or this node's, whichever is later.
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

/// What is decided now about those whom a stamp names, and with which keys is it verified? What the stamp claims is not
/// believed yet, so that a verdict, or a refusal, counts for nothing before it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckStamped(pub Check);

/// Keys and verdict of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampedCheck {
    /// The keys.
    pub keys: StampKeys,
    /// The check, for those who name the answer.
    pub check: Check,
    /// What became of it.
    pub verdict: Result<Verdict, Refusal>,
}

impl Admissible for CheckStamped {
    fn needs(&self) -> Needs<'_> {
        self.0.needs()
    }
    // Its schema version and its revision are demands of the check alone: keys come with any refusal of it.
}

impl Query for CheckStamped {
    type Answer = StampedCheck;

    fn answer(self, state: &State, at: Millis) -> Result<StampedCheck, Refusal> {
        let Self(check) = self;
        Ok(StampedCheck {
            keys: ListStampKeys.answer(state, at)?,
            verdict: check.decide(state, at),
            check,
        })
    }
}
