//! What an auditor takes along.

use super::query::Query;
use crate::{
    admission::{Admissible, Need, Needs, Permission, Touches},
    domain::{Millis, Namespace, Refusal, Revision, State},
};

/// May these events be exported, and up to which revision are there any?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportEvents {
    /// Of this namespace; none for all, and what concerns the whole cluster.
    pub namespace: Option<Namespace>,
    /// The first revision that is looked at, or 0.
    pub from: Revision,
}

impl Admissible for ExportEvents {
    fn needs(&self) -> Needs<'_> {
        Needs::one(match &self.namespace {
            Some(namespace) => Need::within(Permission::Audit, namespace, Touches::All),
            None => Need::everywhere(Permission::Audit),
        })
    }
}

impl Query for ExportEvents {
    /// The newest revision.
    type Answer = Revision;

    fn answer(self, state: &State, _at: Millis) -> Result<Revision, Refusal> {
        if let Some(namespace) = &self.namespace
            && !state.namespaces().any(|known| known == namespace)
        {
            let namespace = namespace.to_string();
            return Err(Refusal::NamespaceUnknown { namespace });
        }
        let (asked, reached) = (self.from, state.revision());
        // The one after the newest: there is nothing new since.
        if asked > reached + 1 {
            return Err(Refusal::RevisionAhead { asked, reached });
        }
        Ok(reached)
    }
}
