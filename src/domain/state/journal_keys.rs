//! The public keys that nodes sign the journal's checkpoints with: added, retired, and never forgotten.

use std::sync::Arc;

use super::State;
use super::apply::Events;
use super::hash;
use crate::domain::command::{AddJournalKey, Command, RetireJournalKey};
use crate::domain::event::{Detail, EventKind};
use crate::domain::ids::Revision;
use crate::domain::outcome::Reply;
use crate::domain::refusal::Refusal;
use crate::limits;

/// A node's public key. One that was retired signs nothing more, and what it signed before is verified by it for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalKey {
    /// The node.
    pub node_id: u64,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
    /// The revision of the event that added it.
    pub added_at: Revision,
    /// The revision of the event that retired it; none while it is in use.
    pub retired_at: Option<Revision>,
}

impl State {
    /// The keys, retired ones too, in the order in which they were added.
    pub fn journal_keys(&self) -> &[JournalKey] {
        &self.journal_keys
    }

    /// The key that a node signs with.
    pub fn journal_key_of(&self, node_id: u64) -> Option<&JournalKey> {
        let mut keys = self.journal_keys.iter();
        keys.find(|key| key.node_id == node_id && key.retired_at.is_none())
    }

    /// Nodes make keys by themselves, so that there is no request to name: a key that is in use stays so.
    pub(super) fn add_journal_key(
        &mut self,
        command: &Command,
        add: &AddJournalKey,
        events: &mut Events,
    ) -> Reply {
        let invalid = |why| Err(Refusal::JournalKeyInvalid { why });
        let mut keys = self.journal_keys.iter();
        if let Some(known) = keys.find(|key| key.public_key == add.public_key) {
            return if known.node_id == add.node_id && known.retired_at.is_none() {
                Ok(self.registered(None, None))
            } else {
                invalid("it is another node's, or was retired")
            };
        }
        if self.journal_keys.len() >= limits::JOURNAL_KEYS {
            return invalid("there have been 1,024 already");
        }
        let detail = Detail::JournalKey {
            node_id: add.node_id,
            public_key: Some(add.public_key),
        };
        let event = self.event(command, EventKind::JournalKey, detail);
        let event_id = self.record(event, events)?;
        Ok(self.registered(Some(event_id), None))
    }

    pub(super) fn retire_journal_key(
        &mut self,
        command: &Command,
        retire: RetireJournalKey,
        events: &mut Events,
    ) -> Reply {
        let event_id = if self.journal_key_of(retire.node_id).is_some() {
            let detail = Detail::JournalKey {
                node_id: retire.node_id,
                public_key: None,
            };
            let event = self.event(command, EventKind::JournalKey, detail);
            Some(self.record(event, events)?)
        } else {
            None
        };
        Ok(self.registered(event_id, None))
    }

    pub(super) fn fold_journal_key(
        &mut self,
        node_id: u64,
        public_key: Option<[u8; 32]>,
        revision: Revision,
    ) {
        let keys = Arc::make_mut(&mut self.journal_keys);
        let mut in_use = keys.iter_mut();
        if let Some(before) = in_use.find(|key| key.node_id == node_id && key.retired_at.is_none())
        {
            self.sum.sub(hash::journal_key(before));
            before.retired_at = Some(revision);
            self.sum.add(hash::journal_key(before));
        }
        if let Some(public_key) = public_key {
            let key = JournalKey {
                node_id,
                public_key,
                added_at: revision,
                retired_at: None,
            };
            self.sum.add(hash::journal_key(&key));
            keys.push(key);
        }
    }
}
