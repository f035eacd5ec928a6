//! The fold of what is no preference: floors, settings, proposed changes, overrides, keys for stamps.

use std::sync::Arc;

use super::fold::inconsistent;
use super::stamp_keys::StampKey;
use super::{State, hash};
use crate::domain::basis::Basis;
use crate::domain::change::{Override, Pending, ProposedChange, SchemaFloor};
use crate::domain::event::Event;
use crate::domain::ids::Millis;
use crate::domain::names::{Namespace, PurposeName};
use crate::domain::refusal::Refusal;
use crate::domain::registry::PurposeId;
use crate::limits;

impl State {
    /// Where a floor stands.
    pub(super) fn floor_place(&self, floor: &SchemaFloor) -> Result<PurposeId, Refusal> {
        match &floor.purpose {
            None => Ok(PurposeId::ROOT),
            Some(name) => self
                .registry
                .id(name)
                .ok_or_else(|| Refusal::PurposeUnknown {
                    purpose: name.to_string(),
                }),
        }
    }

    pub(super) fn fold_floor(&mut self, floor: &SchemaFloor, at: Millis) -> Result<(), Refusal> {
        let id = self.floor_place(floor)?;
        let before = Arc::make_mut(&mut self.floors).set(id, floor.version);
        self.monitor.floor_set(id, at, before);
        if before > 0 {
            self.sum.sub(hash::floor(id, before));
        }
        if floor.version > 0 {
            self.sum.add(hash::floor(id, floor.version));
        }
        Ok(())
    }

    pub(super) fn fold_settings(
        &mut self,
        namespace: Option<&Namespace>,
        gpc: &[PurposeName],
    ) -> Result<(), Refusal> {
        let Some(name) = namespace else {
            return inconsistent("settings without a namespace");
        };
        let id = self.namespaces.id(name)?;
        let purposes = gpc.iter().map(|name| self.registry.preferable(name));
        let purposes: Vec<PurposeId> = purposes.collect::<Result<_, _>>()?;
        self.sum.add(hash::settings(id, &purposes));
        if let Some(before) = Arc::make_mut(&mut self.namespaces).configure(id, purposes) {
            self.sum.sub(hash::settings(id, &before));
        }
        Ok(())
    }

    pub(super) fn fold_proposed(
        &mut self,
        event: &Event,
        change: &ProposedChange,
        basis: Option<&Basis>,
    ) {
        let changes = Arc::make_mut(&mut self.changes);
        for lapsed in changes.take_lapsed(event.received_at) {
            self.sum.sub(hash::pending(&lapsed));
        }
        let pending = Pending {
            id: event.id,
            change: change.clone(),
            proposed_by: event.principal.clone(),
            proposed_at: event.received_at,
            basis: basis.cloned(),
        };
        self.sum.add(hash::pending(&pending));
        if let Some(before) = changes.add_pending(pending) {
            self.sum.sub(hash::pending(&before));
        }
    }

    /// The change that was proposed waits no more: it was made, or withdrawn.
    pub(super) fn fold_made(&mut self, event: &Event) {
        let Some(id) = event.change_id else {
            return;
        };
        if let Some(pending) = Arc::make_mut(&mut self.changes).take_pending(id) {
            self.sum.sub(hash::pending(&pending));
        }
    }

    pub(super) fn fold_override_began(&mut self, event: &Event) -> Result<(), Refusal> {
        let waits = event.change_id.and_then(|id| self.changes.proposed(id));
        let Some(Pending {
            id,
            change: ProposedChange::Override(terms),
            proposed_by,
            proposed_at,
            basis: _,
        }) = waits
        else {
            return inconsistent("an override that was not proposed");
        };
        let standing = Override {
            id: *id,
            terms: terms.clone(),
            proposed_by: proposed_by.clone(),
            proposed_at: *proposed_at,
            approved_by: event.principal.clone(),
            since: event.revision,
            revoked_at: None,
        };
        self.fold_made(event);
        self.monitor.began(standing.id, event.received_at);
        self.put_override(standing);
        Ok(())
    }

    pub(super) fn fold_override_revoked(&mut self, event: &Event) -> Result<(), Refusal> {
        let standing = self.take_override(event)?;
        self.put_override(Override {
            revoked_at: Some(event.received_at),
            ..standing
        });
        Ok(())
    }

    pub(super) fn fold_override_ended(&mut self, event: &Event) -> Result<(), Refusal> {
        let ended = self.take_override(event)?;
        self.monitor.ended(ended);
        Ok(())
    }

    fn put_override(&mut self, standing: Override) {
        self.sum.add(hash::standing_override(&standing));
        if let Some(before) = Arc::make_mut(&mut self.changes).add_override(standing) {
            self.sum.sub(hash::standing_override(&before));
        }
    }

    fn take_override(&mut self, event: &Event) -> Result<Override, Refusal> {
        let changes = Arc::make_mut(&mut self.changes);
        let standing = event.change_id.and_then(|id| changes.take_override(id));
        let Some(standing) = standing else {
            return inconsistent("an override that does not stand");
        };
        self.sum.sub(hash::standing_override(&standing));
        Ok(standing)
    }

    pub(super) fn fold_stamp_key(
        &mut self,
        node_id: u64,
        public_key: Option<[u8; 32]>,
        at: Millis,
    ) {
        let before = std::mem::take(&mut self.stamp_keys);
        let mut keys = Vec::with_capacity(before.len() + 1);
        for key in before.iter() {
            self.sum.sub(hash::stamp_key(key));
            if key.node_id == node_id && key.accepted_until.is_none() {
                keys.push(key.retired(at));
            } else if key.is_kept(at) {
                keys.push(*key);
            }
        }
        let over = keys.iter().filter(|key| !key.is_accepted(at)).count();
        let mut too_many = over.saturating_sub(limits::STAMP_KEYS_KEPT);
        keys.retain(|key| {
            let goes = too_many > 0 && !key.is_accepted(at);
            too_many -= usize::from(goes);
            !goes
        });
        keys.extend(public_key.map(|public_key| StampKey {
            node_id,
            public_key,
            added_at: at,
            accepted_until: None,
        }));
        for key in &keys {
            self.sum.add(hash::stamp_key(key));
        }
        self.stamp_keys = Arc::new(keys);
    }
}
