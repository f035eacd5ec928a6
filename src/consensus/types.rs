//! The types that openraft is told to use, and how an entry becomes bytes and back.

use std::{fmt, io};

use bytes::Bytes;
use openraft::{EntryPayload, type_config::alias as of};
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::proto::persisted::{Blank, LogPayload, log_payload::Kind};
use crate::storage::log::LogEntry;

openraft::declare_raft_types!(
    /// Refrain's Raft: one leader a term, commands and replies as bytes, tokio.
    pub Types:
        D = EncodedCommand,
        R = EncodedReply,
        NodeId = u64,
        Node = Peer,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
        AsyncRuntime = super::runtime::Runtime,
);

/// A term and an index.
pub type LogId = of::LogIdOf<Types>;
/// An entry of the log.
pub type Entry = of::EntryOf<Types>;
/// A vote.
pub type Vote = of::VoteOf<Types>;
/// The members, and the log id that made them so.
pub type StoredMembership = of::StoredMembershipOf<Types>;
/// What a snapshot covers.
pub type SnapshotMeta = of::SnapshotMetaOf<Types>;

/// Where a member can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Peer {
    /// Its peer listener, as `host:port`.
    pub peer_address: String,
    /// Its client listener, as `host:port`.
    pub client_address: String,
}

/// A `domain::Command` in its persisted form. Shows its length alone: what is in it must not reach a log line.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodedCommand(pub Bytes);

/// A `domain::Reply` in its persisted form; empty for entries that hold no command.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EncodedReply(pub Bytes);

impl fmt::Debug for EncodedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {} bytes", self.0.len())
    }
}

impl fmt::Display for EncodedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Debug for EncodedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reply of {} bytes", self.0.len())
    }
}

/// A log id from its two numbers.
pub fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(of::CommittedLeaderIdOf::<Types>::new(term), index)
}

/// The two numbers of a log id.
pub fn numbers(id: &LogId) -> (u64, u64) {
    (id.committed_leader_id().term, id.index)
}

/// Turns an entry into what storage keeps.
///
/// # Errors
/// When a membership does not turn into JSON, which would be a defect.
pub fn to_stored(entry: Entry) -> io::Result<LogEntry> {
    let (term, index) = numbers(&entry.log_id);
    let kind = match entry.payload {
        EntryPayload::Blank => Kind::Blank(Blank {}),
        EntryPayload::Normal(EncodedCommand(bytes)) => Kind::Command(bytes),
        EntryPayload::Membership(members) => {
            Kind::Membership(serde_json::to_string(&members).map_err(io::Error::other)?)
        }
    };
    let payload = LogPayload { kind: Some(kind) }.encode_to_vec().into();
    Ok(LogEntry {
        term,
        index,
        payload,
    })
}

/// Turns what storage keeps into an entry.
///
/// # Errors
/// `InvalidData` when the bytes are not an entry.
pub fn from_stored(stored: LogEntry) -> io::Result<Entry> {
    let LogEntry {
        term,
        index,
        payload,
    } = stored;
    let damaged = |why: String| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("log entry {index}: {why}"),
        )
    };
    let payload = LogPayload::decode(payload).map_err(|e| damaged(e.to_string()))?;
    let payload = match payload.kind {
        Some(Kind::Blank(_)) => EntryPayload::Blank,
        Some(Kind::Command(bytes)) => EntryPayload::Normal(EncodedCommand(bytes)),
        Some(Kind::Membership(json)) => EntryPayload::Membership(
            serde_json::from_str(&json).map_err(|e| damaged(e.to_string()))?,
        ),
        None => return Err(damaged("a kind that this version does not know".to_owned())),
    };
    Ok(Entry {
        log_id: log_id(term, index),
        payload,
    })
}
