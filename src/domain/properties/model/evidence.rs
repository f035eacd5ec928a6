//! Evidence in the model: which events have some that can be opened.

use super::{Answer, Model};
use crate::domain::*;

/// An event with evidence.
pub(super) struct Proven {
    revision: Revision,
    namespace: Namespace,
    tokens: Vec<Token>,
}

impl Model {
    /// Notes the evidence of the newest event, where there is some.
    pub(super) fn prove(&mut self, set: &SetPreference) {
        if set.evidence.is_some() {
            self.proven.push(Proven {
                revision: self.revision,
                namespace: set.namespace.clone(),
                tokens: set.tokens.iter().map(|subject| subject.token).collect(),
            });
        }
    }

    /// The revisions of the events whose evidence can be opened.
    pub(in crate::domain::properties) fn proven(&self) -> Vec<Revision> {
        self.proven.iter().map(|it| it.revision).collect()
    }

    pub(super) fn erase(&mut self, command: &Command, erase: &EraseEvidence) -> Answer {
        if !self.namespaces.contains(&erase.namespace) {
            return Err("NAMESPACE_UNKNOWN");
        }
        let before = self.proven.len();
        self.proven.retain(|it| {
            let named = |subject: &SubjectToken| it.tokens.contains(&subject.token);
            it.namespace != erase.namespace || !erase.tokens.iter().any(named)
        });
        let erased = (before - self.proven.len()) as u64;
        if erased > 0 {
            self.revision += 1;
        }
        Ok(Outcome::Erased {
            event_id: (erased > 0).then_some(command.event_id),
            revision: self.revision,
            erased,
            remaining: 0,
        })
    }
}
