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
    /// The time by which it was judged: the latest that the leader, this node or the log makes likely.
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
        // As decisions are: a stamp bears the time by which its decision was made.
        let at = state.judged_at(at);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        AddStampKey, Body, Command, Create, EventId, FEATURE_LEVEL, KeyFingerprint, Namespace,
        Principal, RetireStampKeys,
    };

    #[test]
    fn the_logs_time_counts_where_every_clock_is_behind() {
        let mut state = State::default();
        let create = Create {
            cluster_id: [1; 16],
            key_fingerprint: KeyFingerprint([2; 16]),
            purposes: Vec::new(),
            namespaces: vec![Namespace::default_namespace()],
            feature_level: FEATURE_LEVEL,
            founder: None,
        };
        let key = |public_key, node_id| AddStampKey {
            node_id,
            public_key: [public_key; 32],
        };
        let retire = RetireStampKeys { node_id: 1 };
        let late = 1_000_000_000;
        let bodies = [
            (1, Body::Create(create)),
            (2, Body::AddStampKey(key(1, 1))),
            (3, Body::RetireStampKeys(retire)),
            (late, Body::AddStampKey(key(2, 2))),
        ];
        for (at, body) in bodies {
            let applied = state.apply(&Command {
                received_at: Millis(at),
                event_id: EventId::new(Millis(at), [0; 10]),
                principal: Principal::cluster(),
                body,
            });
            assert!(applied.reply.is_ok(), "{:?}", applied.reply);
        }
        let told = ListStampKeys.answer(&state, Millis(4)).expect("keys");
        assert_eq!(told.at, Millis(late));
        let keys: Vec<u8> = told.keys.iter().map(|key| key.public_key[0]).collect();
        assert_eq!(keys, [2], "the retired key's time is over");
    }
}
