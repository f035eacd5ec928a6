//! Apply for what concerns the whole cluster: its creation, purposes, namespaces, the feature level.

use super::State;
use super::apply::Events;
use super::digest;
use super::requests::Remembered;
use crate::domain::command::{
    AddNamespace, Command, Create, PutPurpose, RaiseFeatureLevel, Signal,
};
use crate::domain::event::{Detail, Event, EventKind};
use crate::domain::ids::EventId;
use crate::domain::names::{Namespace, PurposeName};
use crate::domain::outcome::{Outcome, Reply};
use crate::domain::purpose::Purpose;
use crate::domain::refusal::Refusal;
use crate::domain::registry::Registry;

/// The registry's schema version in a new cluster.
const FIRST_SCHEMA_VERSION: u32 = 1;

impl State {
    pub(super) fn create(
        &mut self,
        command: &Command,
        create: &Create,
        events: &mut Events,
    ) -> Reply {
        if self.cluster.is_some() {
            return Err(Refusal::ClusterAlreadyInitialised);
        }
        let create = Create {
            purposes: first_purposes(&create.purposes)?,
            ..create.clone()
        };
        let detail = Detail::Created(Box::new(create));
        let event = self.event(command, EventKind::Created, None, Vec::new(), detail);
        self.record(event, events)?;
        Ok(Outcome::Done {
            revision: self.revision,
        })
    }

    pub(super) fn put_purpose(
        &mut self,
        command: &Command,
        put: &PutPurpose,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::put_purpose(&command.principal, put);
        let first = self
            .requests
            .find(put.request_id, &digest, command.received_at)?;
        if let Some(outcome) = first {
            return Ok(outcome);
        }
        let event_id = match self.registry.plan(&put.purpose)? {
            None => None,
            Some(purpose) => {
                let names = vec![purpose.name.clone()];
                let detail = Detail::Purpose(Box::new(purpose));
                let event = self.event(command, EventKind::Purpose, None, names, detail);
                Some(self.record(event, events)?)
            }
        };
        let outcome = Outcome::Registry {
            event_id,
            revision: self.revision,
            changed: event_id.is_some(),
            purpose: self.registry.get(&put.purpose.name).cloned(),
        };
        self.requests
            .insert(Remembered::new(put.request_id, digest, &outcome));
        Ok(outcome)
    }

    pub(super) fn add_namespace(
        &mut self,
        command: &Command,
        add: &AddNamespace,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::add_namespace(&command.principal, add);
        let first = self
            .requests
            .find(add.request_id, &digest, command.received_at)?;
        if let Some(outcome) = first {
            return Ok(outcome);
        }
        let event_id = if self.namespaces.contains(&add.namespace) {
            None
        } else {
            let name = Some(add.namespace.clone());
            let event = self.event(
                command,
                EventKind::Namespace,
                name,
                Vec::new(),
                Detail::None,
            );
            Some(self.record(event, events)?)
        };
        let outcome = Outcome::Registry {
            event_id,
            revision: self.revision,
            changed: event_id.is_some(),
            purpose: None,
        };
        self.requests
            .insert(Remembered::new(add.request_id, digest, &outcome));
        Ok(outcome)
    }

    /// Idempotent by nature: a level that is reached stays reached.
    pub(super) fn raise_feature_level(
        &mut self,
        command: &Command,
        raise: RaiseFeatureLevel,
        events: &mut Events,
    ) -> Reply {
        if raise.level > self.feature_level() {
            let detail = Detail::FeatureLevel(raise.level);
            let event = self.event(command, EventKind::FeatureLevel, None, Vec::new(), detail);
            self.record(event, events)?;
        }
        Ok(Outcome::Done {
            revision: self.revision,
        })
    }

    fn event(
        &self,
        command: &Command,
        kind: EventKind,
        namespace: Option<Namespace>,
        purposes: Vec<PurposeName>,
        detail: Detail,
    ) -> Event {
        Event {
            id: command.event_id,
            revision: self.revision + 1,
            kind,
            namespace,
            tokens: Vec::new(),
            purposes,
            signal: Signal::Operator,
            principal: command.principal.clone(),
            received_at: self.log_time,
            evidence_sha256: None,
            detail,
        }
    }

    fn record(&mut self, event: Event, events: &mut Events) -> Result<EventId, Refusal> {
        self.fold(&event)?;
        let id = event.id;
        events.push((event, None));
        Ok(id)
    }
}

/// The purposes of a new cluster, checked one by one as if they were put, all at the first schema version.
fn first_purposes(purposes: &[Purpose]) -> Result<Vec<Purpose>, Refusal> {
    let mut registry = Registry::default();
    for purpose in purposes {
        if registry.get(&purpose.name).is_some() {
            return Err(Refusal::DuplicatePurpose);
        }
        if let Some(planned) = registry.plan(purpose)? {
            registry.put(Purpose {
                schema_version: FIRST_SCHEMA_VERSION,
                ..planned
            })?;
        }
    }
    Ok(registry.in_order().cloned().collect())
}
