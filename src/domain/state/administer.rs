//! Apply for what concerns the whole cluster: its creation, purposes, namespaces, floors, keys, the feature level.

use std::sync::Arc;

use super::State;
use super::apply::Events;
use super::digest;
use super::stamp_keys::StampKey;
use super::wish::Named;
use crate::domain::change::{NamespaceSettings, SchemaFloor};
use crate::domain::command::{
    AddNamespace, AddStampKey, Command, ConfigureNamespace, Create, PutPurpose, RaiseFeatureLevel,
    RetireStampKeys, SetSchemaFloor, Signal,
};
use crate::domain::event::{Detail, Event, EventKind};
use crate::domain::ids::EventId;
use crate::domain::names::{PurposeName, ServiceName};
use crate::domain::outcome::{Outcome, Reply};
use crate::domain::purpose::Purpose;
use crate::domain::refusal::Refusal;
use crate::domain::registry::Registry;
use crate::domain::usage::ReportUsage;
use crate::limits;

/// What a change of settings would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planned {
    /// They stand so.
    Nothing,
    /// It would deny more, or as much.
    Narrowing,
    /// It would deny less: that needs two principals.
    Widening,
}

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
        let event = self.event(command, EventKind::Created, detail);
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
        self.once(put.request_id, digest, |state| {
            let event_id = match state.registry.plan(&put.purpose)? {
                None => None,
                Some(plan) if plan.widens => {
                    let what = format!("the purpose `{}`", put.purpose.name);
                    return Err(Refusal::WidensAllow { what });
                }
                Some(plan) => {
                    let event = state.purpose_event(command, plan.purpose);
                    Some(state.record(event, events)?)
                }
            };
            let purpose = state.registry.get(&put.purpose.name).cloned();
            Ok(state.registered(event_id, purpose))
        })
    }

    pub(super) fn add_namespace(
        &mut self,
        command: &Command,
        add: &AddNamespace,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::add_namespace(&command.principal, add);
        self.once(add.request_id, digest, |state| {
            let event_id = if state.namespaces.contains(&add.namespace) {
                None
            } else {
                let event = Event {
                    namespace: Some(add.namespace.clone()),
                    ..state.event(command, EventKind::Namespace, Detail::None)
                };
                Some(state.record(event, events)?)
            };
            Ok(state.registered(event_id, None))
        })
    }

    pub(super) fn configure(
        &mut self,
        command: &Command,
        configure: &ConfigureNamespace,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::configure(&command.principal, configure);
        self.once(configure.request_id, digest, |state| {
            let settings = NamespaceSettings {
                namespace: configure.namespace.clone(),
                gpc_purposes: configure.gpc_purposes.clone(),
            };
            let event_id = match state.plan_settings(&settings)? {
                Planned::Nothing => None,
                Planned::Widening => {
                    let namespace = &settings.namespace;
                    let what =
                        format!("less that Global Privacy Control opts out of in `{namespace}`");
                    return Err(Refusal::WidensAllow { what });
                }
                Planned::Narrowing => {
                    let event = state.settings_event(command, settings);
                    Some(state.record(event, events)?)
                }
            };
            Ok(state.registered(event_id, None))
        })
    }

    /// Looks whether a namespace can be set so, and whether a signal would then opt out of less than it does.
    pub(super) fn plan_settings(&self, settings: &NamespaceSettings) -> Result<Planned, Refusal> {
        let namespace = self.namespaces.id(&settings.namespace)?;
        let ids = Named::of(&self.registry, &settings.gpc_purposes)?;
        let standing = self.signal_settings(namespace);
        let kept = |name: &PurposeName| settings.gpc_purposes.iter().any(|it| name.is_within(it));
        let mut names = standing.iter().filter_map(|id| self.registry.name(*id));
        Ok(if !names.all(|name| kept(&name)) {
            Planned::Widening
        } else if self.namespaces.gpc(namespace).is_some() && ids.ids().eq(standing) {
            Planned::Nothing
        } else {
            Planned::Narrowing
        })
    }

    pub(super) fn settings_event(&self, command: &Command, settings: NamespaceSettings) -> Event {
        let detail = Detail::Settings(settings.gpc_purposes);
        Event {
            namespace: Some(settings.namespace),
            ..self.event(command, EventKind::NamespaceSettings, detail)
        }
    }

    pub(super) fn set_schema_floor(
        &mut self,
        command: &Command,
        set: &SetSchemaFloor,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::set_schema_floor(&command.principal, set);
        self.once(set.request_id, digest, |state| {
            let standing = state.plan_floor(&set.floor)?;
            if set.floor.version < standing {
                let what = match &set.floor.purpose {
                    Some(purpose) => format!("a lower schema floor of `{purpose}`"),
                    None => "a lower schema floor of the cluster".to_owned(),
                };
                return Err(Refusal::WidensAllow { what });
            }
            let event_id = if set.floor.version == standing {
                None
            } else {
                let event = state.floor_event(command, set.floor.clone());
                Some(state.record(event, events)?)
            };
            Ok(state.registered(event_id, None))
        })
    }

    /// Looks whether a floor can be set, and says which stands.
    pub(super) fn plan_floor(&self, floor: &SchemaFloor) -> Result<u32, Refusal> {
        self.registry.check_schema(floor.version)?;
        self.floor_place(floor).map(|id| self.floors.at(id))
    }

    /// Nodes make keys by themselves, so that there is no request to name: a key that is in use stays so.
    pub(super) fn add_stamp_key(
        &mut self,
        command: &Command,
        add: &AddStampKey,
        events: &mut Events,
    ) -> Reply {
        let invalid = |why| Err(Refusal::StampKeyInvalid { why });
        let mut keys = self.stamp_keys.iter();
        if let Some(known) = keys.find(|key| key.public_key == add.public_key) {
            return if known.node_id == add.node_id && known.accepted_until.is_none() {
                Ok(self.registered(None, None))
            } else {
                invalid("it is another node's, or was retired")
            };
        }
        let accepted = |key: &&StampKey| key.is_accepted(self.log_time);
        if self.stamp_keys.iter().filter(accepted).count() >= limits::STAMP_KEYS {
            return invalid("there are 256 already");
        }
        let event = self.stamp_key_event(command, add.node_id, Some(add.public_key));
        let event_id = self.record(event, events)?;
        Ok(self.registered(Some(event_id), None))
    }

    pub(super) fn retire_stamp_keys(
        &mut self,
        command: &Command,
        retire: RetireStampKeys,
        events: &mut Events,
    ) -> Reply {
        let in_use = |key: &StampKey| key.node_id == retire.node_id && key.accepted_until.is_none();
        let event_id = if self.stamp_keys.iter().any(in_use) {
            let event = self.stamp_key_event(command, retire.node_id, None);
            Some(self.record(event, events)?)
        } else {
            None
        };
        Ok(self.registered(event_id, None))
    }

    fn stamp_key_event(
        &self,
        command: &Command,
        node_id: u64,
        public_key: Option<[u8; 32]>,
    ) -> Event {
        let detail = Detail::StampKey {
            node_id,
            public_key,
        };
        self.event(command, EventKind::StampKey, detail)
    }

    /// Counts what a node has counted: no event, since it changes nothing that decides.
    pub(super) fn report_usage(&mut self, report: &ReportUsage) -> Outcome {
        let changes = Arc::clone(&self.changes);
        let stands = |id| changes.standing(id).is_some();
        self.usage.take(report, self.log_time, stands);
        Outcome::Done {
            revision: self.revision,
        }
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
            let event = self.event(command, EventKind::FeatureLevel, detail);
            self.record(event, events)?;
        }
        Ok(Outcome::Done {
            revision: self.revision,
        })
    }

    pub(super) fn purpose_event(&self, command: &Command, purpose: Purpose) -> Event {
        let names = vec![purpose.name.clone()];
        Event {
            purposes: names,
            ..self.event(
                command,
                EventKind::Purpose,
                Detail::Purpose(Box::new(purpose)),
            )
        }
    }

    pub(super) fn floor_event(&self, command: &Command, floor: SchemaFloor) -> Event {
        Event {
            purposes: floor.purpose.iter().cloned().collect(),
            ..self.event(command, EventKind::SchemaFloor, Detail::SchemaFloor(floor))
        }
    }

    /// What became of a change of the registry, or of what belongs to it.
    pub(super) fn registered(
        &self,
        event_id: Option<EventId>,
        purpose: Option<Purpose>,
    ) -> Outcome {
        Outcome::Registry {
            event_id,
            revision: self.revision,
            changed: event_id.is_some(),
            purpose,
        }
    }

    /// The next event, about the whole cluster and no subject.
    pub(super) fn event(&self, command: &Command, kind: EventKind, detail: Detail) -> Event {
        Event {
            id: command.event_id,
            revision: self.revision + 1,
            kind,
            namespace: None,
            tokens: Vec::new(),
            purposes: Vec::new(),
            signal: Signal::Operator,
            principal: command.principal.clone(),
            received_at: self.log_time,
            evidence_sha256: None,
            detail,
            change_id: None,
            proposed_by: None,
            service: ServiceName::none(),
        }
    }

    pub(super) fn record(&mut self, event: Event, events: &mut Events) -> Result<EventId, Refusal> {
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
        if let Some(plan) = registry.plan(purpose)? {
            registry.put(Purpose {
                schema_version: FIRST_SCHEMA_VERSION,
                ..plan.purpose
            })?;
        }
    }
    Ok(registry.in_order().cloned().collect())
}
