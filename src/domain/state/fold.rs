//! The fold: how an event changes the state; apply uses it, and so does whoever rebuilds a state from its events.

use std::sync::Arc;

use super::namespaces::Namespaces;
use super::record::{Key, Mark, Record};
use super::{Cluster, State, hash};
use crate::domain::command::{Create, FEATURE_LEVEL};
use crate::domain::event::{Detail, Event, EventKind};
use crate::domain::names::{Namespace, PurposeName};
use crate::domain::purpose::Purpose;
use crate::domain::refusal::Refusal;
use crate::domain::registry::{PurposeId, Registry};
use crate::limits;

impl State {
    /// Takes the next event in. The rules were checked when the event was made; here it only has to fit.
    ///
    /// # Errors
    /// `STATE_INCONSISTENT`, or the refusal for a name that is not registered, where the event does not fit this
    /// state. Then nothing has changed.
    pub fn fold(&mut self, event: &Event) -> Result<(), Refusal> {
        if event.revision != self.revision + 1 {
            return inconsistent("an event that is not the next");
        }
        match (event.kind, &event.detail) {
            (EventKind::OptOut | EventKind::OptIn, Detail::None)
            | (EventKind::Preferences, Detail::OptedIn(_)) => self.fold_preference(event)?,
            (EventKind::Created, Detail::Created(create)) => self.fold_created(create)?,
            (EventKind::Purpose, Detail::Purpose(purpose)) => {
                self.fold_purpose(purpose)?;
                self.fold_made(event);
            }
            (EventKind::Namespace, Detail::None) => {
                self.fold_namespace(event.namespace.as_ref())?;
            }
            (EventKind::FeatureLevel, Detail::FeatureLevel(level)) => {
                self.fold_feature_level(*level)?;
            }
            (EventKind::NamespaceSettings, Detail::Settings(gpc)) => {
                self.fold_settings(event.namespace.as_ref(), gpc)?;
                self.fold_made(event);
            }
            (EventKind::SchemaFloor, Detail::SchemaFloor(floor)) => {
                self.fold_floor(floor, event.received_at)?;
                self.fold_made(event);
            }
            (EventKind::ChangeProposed, Detail::Proposed(change, basis)) => {
                self.fold_proposed(event, change, basis.as_ref());
            }
            (EventKind::ChangeWithdrawn, Detail::None) => self.fold_made(event),
            (EventKind::OverrideBegan, Detail::None) => self.fold_override_began(event)?,
            (EventKind::OverrideRevoked, Detail::None) => self.fold_override_revoked(event)?,
            (EventKind::OverrideEnded, Detail::Lifted(_)) => self.fold_override_ended(event)?,
            (
                EventKind::StampKey,
                Detail::StampKey {
                    node_id,
                    public_key,
                },
            ) => self.fold_stamp_key(*node_id, *public_key, event.received_at),
            (
                EventKind::JournalKey,
                Detail::JournalKey {
                    node_id,
                    public_key,
                },
            ) => self.fold_journal_key(*node_id, *public_key, event.revision),
            (EventKind::Membership, Detail::Membership(done)) => self.fold_membership(done)?,
            (EventKind::Violation, Detail::Violation(violations)) => {
                self.fold_violation(event, violations)?;
            }
            (EventKind::Anomaly, Detail::Anomaly(anomaly)) => self.fold_anomaly(event, anomaly),
            (EventKind::AnomalySettings, Detail::AnomalySettings(settings)) => {
                self.fold_anomaly_settings(*settings);
            }
            // What it erases lies in a soft table: there the command does its work.
            (EventKind::EvidenceErased, Detail::ErasedEvidence(_)) => {}
            _ => return inconsistent("an event whose detail is not of its kind"),
        }
        self.revision = event.revision;
        self.log_time = self.log_time.max(event.received_at);
        if self.revision.is_multiple_of(limits::HASH_POINT_EVERY) {
            while self.hash_points.len() >= limits::HASH_POINTS {
                self.hash_points.pop_front();
            }
            let hash = self.hash();
            self.hash_points.push_back((self.revision, hash));
        }
        Ok(())
    }

    pub(super) fn fold_preference(&mut self, event: &Event) -> Result<(), Refusal> {
        let Some(name) = &event.namespace else {
            return inconsistent("a preference without a namespace");
        };
        let namespace = self.namespaces.id(name)?;
        let mut marks = Vec::new();
        for (purpose, change) in event.changes() {
            marks.push((self.purpose_id(purpose)?, Mark::of(change, event.signal)));
        }
        for token in &event.tokens {
            let key = Key::new(namespace, token.subject.token);
            for (purpose, mark) in &marks {
                let outweighed =
                    *mark == Mark::Signalled && self.outweighed(self.shards.get(&key), *purpose);
                if outweighed {
                    continue;
                }
                let record =
                    Record::new(*purpose, *mark, event.id, event.revision, event.received_at);
                if let Some(before) = self.shards.put(key, record) {
                    self.sum.sub(hash::record(&key, &before));
                }
                self.sum.add(hash::record(&key, &record));
            }
        }
        Ok(())
    }

    pub(super) fn purpose_id(&self, name: &PurposeName) -> Result<PurposeId, Refusal> {
        self.registry
            .id(name)
            .ok_or_else(|| Refusal::PurposeUnknown {
                purpose: name.to_string(),
            })
    }

    fn fold_created(&mut self, create: &Create) -> Result<(), Refusal> {
        if self.cluster.is_some() {
            return Err(Refusal::ClusterAlreadyInitialised);
        }
        check_known(create.feature_level)?;
        // Built aside, so that a bad list changes nothing.
        let mut sum = self.sum;
        let mut registry = Registry::default();
        for purpose in &create.purposes {
            let (id, before) = registry.put(purpose.clone())?;
            if before.is_some() {
                return Err(Refusal::DuplicatePurpose);
            }
            sum.add(hash::purpose(id, purpose));
        }
        let mut namespaces = Namespaces::default();
        for name in &create.namespaces {
            let id = namespaces.add(name.clone())?;
            sum.add(hash::namespace(id, name));
        }
        self.sum = sum;
        if let Some(founder) = &create.founder {
            self.put_member(founder.clone());
        }
        self.registry = Arc::new(registry);
        self.namespaces = Arc::new(namespaces);
        self.cluster = Some(Cluster {
            id: create.cluster_id,
            key_fingerprint: create.key_fingerprint,
            feature_level: create.feature_level,
        });
        Ok(())
    }

    fn fold_purpose(&mut self, purpose: &Purpose) -> Result<(), Refusal> {
        let (id, before) = Arc::make_mut(&mut self.registry).put(purpose.clone())?;
        if let Some(before) = before {
            self.sum.sub(hash::purpose(id, &before));
        }
        self.sum.add(hash::purpose(id, purpose));
        Ok(())
    }

    fn fold_namespace(&mut self, name: Option<&Namespace>) -> Result<(), Refusal> {
        let Some(name) = name else {
            return inconsistent("a namespace without a name");
        };
        let id = Arc::make_mut(&mut self.namespaces).add(name.clone())?;
        self.sum.add(hash::namespace(id, name));
        Ok(())
    }

    fn fold_feature_level(&mut self, level: u32) -> Result<(), Refusal> {
        check_known(level)?;
        match &mut self.cluster {
            Some(cluster) if cluster.feature_level < level => {
                cluster.feature_level = level;
                Ok(())
            }
            _ => inconsistent("a feature level that is not higher"),
        }
    }
}

/// A state of a level whose rules this program does not have would be another state than the other nodes'.
fn check_known(level: u32) -> Result<(), Refusal> {
    if level <= FEATURE_LEVEL {
        Ok(())
    } else {
        Err(Refusal::FeatureLevelUnknown { level })
    }
}

pub(super) fn inconsistent<T>(what: &'static str) -> Result<T, Refusal> {
    Err(Refusal::StateInconsistent { what })
}
