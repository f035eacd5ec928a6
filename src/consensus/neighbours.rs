//! What the other members said of themselves when they were last asked, and which of them did not answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::drift::{Drift, Told, drift};
use crate::proto::peer::{DescribeReply, Setting};

/// The other members, as this node last found them. They are asked every few seconds, see `leadership`.
#[derive(Default)]
pub struct Neighbours(Mutex<BTreeMap<u64, Neighbour>>);

/// One other member.
#[derive(Default)]
struct Neighbour {
    reached: bool,
    /// What it said when it last answered: a node that is away for a while has not changed its settings.
    settings: Vec<Setting>,
}

impl Neighbours {
    /// Notes who answered, of all who were asked. Members that are gone are forgotten.
    pub fn note<'a>(&self, answers: impl IntoIterator<Item = (u64, Option<&'a DescribeReply>)>) {
        let mut known = self.known();
        let mut before = std::mem::take(&mut *known);
        for (id, answer) in answers {
            let mut neighbour = before.remove(&id).unwrap_or_default();
            neighbour.reached = answer.is_some();
            if let Some(answer) = answer {
                neighbour.settings.clone_from(&answer.settings);
            }
            known.insert(id, neighbour);
        }
    }

    /// Who there is, and whether each answered.
    pub fn reached(&self) -> Vec<(u64, bool)> {
        let known = self.known();
        known.iter().map(|(id, it)| (*id, it.reached)).collect()
    }

    /// On which settings this node is not with most of them.
    pub fn drift(&self, id: u64, own: &[Setting]) -> Vec<Drift> {
        let known = self.known();
        let others = known.iter().map(|(id, it)| Told {
            node: *id,
            settings: &it.settings,
        });
        let this = Told {
            node: id,
            settings: own,
        };
        let nodes: Vec<Told<'_>> = others.chain([this]).collect();
        let mut drift = drift(&nodes);
        drift.retain(|one| one.node == id);
        drift
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u64, Neighbour>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(value: &str) -> DescribeReply {
        DescribeReply {
            settings: vec![Setting {
                name: "max_calls".to_owned(),
                value: value.to_owned(),
                own: false,
            }],
            ..DescribeReply::default()
        }
    }

    #[test]
    fn who_is_away_is_remembered_by_what_it_said_until_it_is_no_member() {
        let (neighbours, own) = (Neighbours::default(), says("8").settings);
        let (one, two) = (says("9"), says("9"));
        neighbours.note([(1, Some(&one)), (2, Some(&two))]);
        assert_eq!(neighbours.drift(3, &own).len(), 1);
        neighbours.note([(1, None), (2, Some(&two))]);
        assert_eq!(neighbours.reached(), [(1, false), (2, true)]);
        assert_eq!(neighbours.drift(3, &own).len(), 1);
        // Of two that differ nobody can tell which is the odd one.
        neighbours.note([(2, Some(&two))]);
        assert_eq!(neighbours.reached(), [(2, true)]);
        assert_eq!(neighbours.drift(3, &own).len(), 1);
        neighbours.note([]);
        assert!(neighbours.drift(3, &own).is_empty());
    }
}
