//! One accepted change: immutable, a leaf of the journal, and all that the state is made of.

use super::command::{Change, Create, Signal};
use super::encoding::{self, DecodeError};
use super::ids::{EventId, Millis, Revision};
use super::names::{Namespace, Principal, PurposeName};
use super::purpose::Purpose;
use super::token::SubjectToken;

/// What an event recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The cluster was created: revision 1 of every cluster.
    Created,
    /// A subject opted out.
    OptOut,
    /// A subject opted in.
    OptIn,
    /// A purpose was added or changed.
    Purpose,
    /// A namespace was added.
    Namespace,
    /// The feature level was raised.
    FeatureLevel,
}

/// One token of an event, with the way back through its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventToken {
    /// The token.
    pub subject: SubjectToken,
    /// The revision of its previous event, or 0.
    pub previous: Revision,
}

/// What only some kinds of events carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Nothing more: an opt-out, an opt-in, a namespace.
    None,
    /// How the cluster was created.
    Created(Box<Create>),
    /// The purpose as it stands after the event.
    Purpose(Box<Purpose>),
    /// The feature level that was reached.
    FeatureLevel(u32),
}

/// One accepted change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its place among all events, from 1: the leaf index plus one.
    pub revision: Revision,
    /// What it records.
    pub kind: EventKind,
    /// The namespace; none for what concerns the whole cluster.
    pub namespace: Option<Namespace>,
    /// The subject's tokens; empty unless the kind is an opt-out or an opt-in.
    pub tokens: Vec<EventToken>,
    /// The purposes opted out of or in to; the purpose that was added or changed.
    pub purposes: Vec<PurposeName>,
    /// How the wish arrived; `Operator` for administrative events.
    pub signal: Signal,
    /// Who called.
    pub principal: Principal,
    /// When the leader received it, by the log's time, which never goes back.
    pub received_at: Millis,
    /// SHA-256 of the sealed evidence.
    pub evidence_sha256: Option<[u8; 32]>,
    /// What only its kind carries.
    pub detail: Detail,
}

impl Event {
    /// The bytes of its leaf in the journal: the same on every node, for ever; at most 65,535.
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode_event(self)
    }

    /// Reads what [`Event::encode`] wrote.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        encoding::decode_event(bytes)
    }

    /// What it does to its subject's preferences; none for other kinds.
    pub fn change(&self) -> Option<Change> {
        match self.kind {
            EventKind::OptOut => Some(Change::OptOut),
            EventKind::OptIn => Some(Change::OptIn),
            EventKind::Created
            | EventKind::Purpose
            | EventKind::Namespace
            | EventKind::FeatureLevel => None,
        }
    }
}
