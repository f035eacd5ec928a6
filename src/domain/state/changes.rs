//! What needs two principals: the changes that wait, and the overrides that were approved.

use std::collections::BTreeMap;

use crate::domain::change::{Override, Pending, ProposedChange};
use crate::domain::ids::{EventId, Millis};
use crate::domain::names::{Namespace, PurposeName, ServiceName};
use crate::domain::token::SubjectToken;

/// Both tables, by the id of the event that proposed the change. Small: see the limits.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    pending: BTreeMap<EventId, Pending>,
    overrides: BTreeMap<EventId, Override>,
}

impl Changes {
    /// A change that waits and has not lapsed.
    pub(super) fn waiting(&self, id: EventId, at: Millis) -> Option<&Pending> {
        self.pending.get(&id).filter(|it| !it.has_lapsed(at))
    }

    /// A change that waits, lapsed or not.
    pub(super) fn proposed(&self, id: EventId) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// How many wait and have not lapsed.
    pub(super) fn waiting_count(&self, at: Millis) -> usize {
        self.pending
            .values()
            .filter(|it| !it.has_lapsed(at))
            .count()
    }

    /// All that wait, the lapsed too, by id.
    pub(super) fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.pending.values()
    }

    /// All overrides, by id.
    pub(super) fn overrides(&self) -> impl Iterator<Item = &Override> {
        self.overrides.values()
    }

    /// An override that was approved and whose last event was not made yet.
    pub(super) fn standing(&self, id: EventId) -> Option<&Override> {
        self.overrides.get(&id)
    }

    /// The first override that lifts the opt-out of a token.
    pub(super) fn lifting(
        &self,
        namespace: &Namespace,
        token: &SubjectToken,
        purpose: &PurposeName,
        service: &ServiceName,
        at: Millis,
    ) -> Option<EventId> {
        self.overrides
            .values()
            .find(|it| it.lifts(namespace, token, purpose, service, at))
            .map(|it| it.id)
    }

    pub(super) fn add_pending(&mut self, pending: Pending) -> Option<Pending> {
        self.pending.insert(pending.id, pending)
    }

    pub(super) fn take_pending(&mut self, id: EventId) -> Option<Pending> {
        self.pending.remove(&id)
    }

    /// Takes out what has lapsed.
    pub(super) fn take_lapsed(&mut self, at: Millis) -> Vec<Pending> {
        let lapsed: Vec<EventId> = self
            .pending
            .values()
            .filter(|it| it.has_lapsed(at))
            .map(|it| it.id)
            .collect();
        lapsed
            .into_iter()
            .filter_map(|id| self.pending.remove(&id))
            .collect()
    }

    pub(super) fn add_override(&mut self, standing: Override) -> Option<Override> {
        self.overrides.insert(standing.id, standing)
    }

    pub(super) fn take_override(&mut self, id: EventId) -> Option<Override> {
        self.overrides.remove(&id)
    }
}

/// What a proposed change is about, for the event that proposes it.
pub(super) fn about(change: &ProposedChange) -> (Option<Namespace>, Vec<PurposeName>) {
    match change {
        ProposedChange::Override(terms) => (Some(terms.namespace.clone()), terms.purposes.clone()),
        ProposedChange::Purpose(purpose) => (None, vec![purpose.name.clone()]),
        ProposedChange::SchemaFloor(floor) => (None, floor.purpose.iter().cloned().collect()),
        ProposedChange::Settings(settings) => (
            Some(settings.namespace.clone()),
            settings.gpc_purposes.clone(),
        ),
    }
}
