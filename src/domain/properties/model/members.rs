//! Who belongs to the cluster, by the model: the last that was said of each node.

use super::Model;
use crate::domain::*;

impl Model {
    /// It counts where it was not known already.
    pub(super) fn remember_member(&mut self, done: &RecordMembership) -> Outcome {
        let said = match done.became {
            Became::Removed { .. } => None,
            Became::Voter => Some((done.peer_address.clone(), true)),
            Became::Learner => Some((done.peer_address.clone(), false)),
        };
        let mut before = self.members.iter().rev();
        let last = before.find(|(node, _)| *node == done.node_id);
        if last.and_then(|(_, said)| said.clone()) != said {
            self.members.push((done.node_id, said));
            self.revision += 1;
        }
        Outcome::Done {
            revision: self.revision,
        }
    }
}
