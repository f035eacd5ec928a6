//! Reads the rules and the usage of a state back from a snapshot.

use std::sync::Arc;

use super::hash;
use super::journal_keys::JournalKey;
use super::restore::{Fault, Restore};
use super::stamp_keys::StampKey;
use crate::domain::encoding::{
    anomaly_settings, floor, lifted, member, namespace, node_key, r#override, pending,
    purpose_names, seen,
};
use crate::domain::ids::Millis;
use crate::domain::registry::PurposeId;
use crate::proto::persisted::{self, KnownJournalKey, KnownStampKey, RuleSection, UsageSection};

impl Restore {
    pub(super) fn rules(&mut self, section: RuleSection) -> Result<(), Fault> {
        for message in &section.floors {
            let floor = floor(message)?;
            let id = match &floor.purpose {
                None => PurposeId::ROOT,
                Some(name) => self
                    .registry
                    .id(name)
                    .ok_or(Fault::Damaged("a floor of a purpose that is not there"))?,
            };
            let twice = Arc::make_mut(&mut self.state.floors).set(id, floor.version) > 0;
            if twice || floor.version == 0 {
                return Err(Fault::Damaged("a floor that does not fit"));
            }
            self.state.sum.add(hash::floor(id, floor.version));
        }
        for message in &section.settings {
            self.settings(message)?;
        }
        let state = &mut self.state;
        for message in section.pending {
            let pending = pending(message)?;
            state.sum.add(hash::pending(&pending));
            if Arc::make_mut(&mut state.changes)
                .add_pending(pending)
                .is_some()
            {
                return Err(Fault::Damaged("a proposed change comes twice"));
            }
        }
        for message in section.overrides {
            let standing = r#override(message)?;
            state.sum.add(hash::standing_override(&standing));
            if Arc::make_mut(&mut state.changes)
                .add_override(standing)
                .is_some()
            {
                return Err(Fault::Damaged("an override comes twice"));
            }
        }
        for message in &section.stamp_keys {
            let key = known(message)?;
            state.sum.add(hash::stamp_key(&key));
            Arc::make_mut(&mut state.stamp_keys).push(key);
        }
        for message in &section.journal_keys {
            let key = known_journal_key(message)?;
            state.sum.add(hash::journal_key(&key));
            Arc::make_mut(&mut state.journal_keys).push(key);
        }
        if let Some(message) = &section.anomaly_settings {
            let settings = anomaly_settings(message);
            state.sum.add(hash::anomaly_settings(&settings));
            if state.anomaly_settings.replace(settings).is_some() {
                return Err(Fault::Damaged("the settings of anomalies come twice"));
            }
        }
        for message in &section.members {
            if state.put_member(member(message)?).is_some() {
                return Err(Fault::Damaged("a member comes twice"));
            }
        }
        Ok(())
    }

    fn settings(&mut self, message: &persisted::ConfigureNamespace) -> Result<(), Fault> {
        let id = self.namespaces.id(&namespace(&message.namespace)?)?;
        let mut gpc = Vec::new();
        for name in purpose_names(&message.gpc_purposes)? {
            let id = self.registry.id(&name);
            gpc.push(id.ok_or(Fault::Damaged("settings of a purpose that is not there"))?);
        }
        self.state.sum.add(hash::settings(id, &gpc));
        if self.namespaces.configure(id, gpc).is_some() {
            return Err(Fault::Damaged("a namespace's settings come twice"));
        }
        Ok(())
    }

    pub(super) fn usage(&mut self, section: UsageSection) -> Result<(), Fault> {
        let usage = &mut self.state.usage;
        for message in &section.services {
            if !usage.restore_service(seen(message)?) {
                return Err(Fault::Damaged("the services are out of order"));
            }
        }
        for message in &section.lifted {
            if !usage.restore_lifted(lifted(message)?) {
                return Err(Fault::Damaged("the counts of overrides are out of order"));
            }
        }
        for message in &section.reports {
            if !usage.restore_report(message.node_id, message.start, message.number) {
                return Err(Fault::Damaged("the reports are out of order"));
            }
        }
        self.anomalies(&section)?;
        self.evidence(&section)?;
        self.monitor(section)
    }
}

fn known(message: &KnownStampKey) -> Result<StampKey, Fault> {
    let lost = Fault::Damaged("a key for stamps");
    let Some(key) = &message.key else {
        return Err(lost);
    };
    let (node_id, Some(public_key)) = node_key(key)? else {
        return Err(lost);
    };
    Ok(StampKey {
        node_id,
        public_key,
        added_at: Millis(message.added_at_ms),
        accepted_until: message.accepted_until_ms.map(Millis),
    })
}

fn known_journal_key(message: &KnownJournalKey) -> Result<JournalKey, Fault> {
    let lost = Fault::Damaged("a key for the journal's checkpoints");
    let Some(key) = &message.key else {
        return Err(lost);
    };
    let (node_id, Some(public_key)) = node_key(key)? else {
        return Err(lost);
    };
    Ok(JournalKey {
        node_id,
        public_key,
        added_at: message.added_at,
        retired_at: Some(message.retired_at).filter(|at| *at > 0),
    })
}
