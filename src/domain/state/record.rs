//! One preference record, packed for memory, and its row: the bytes that are hashed and that lie in snapshots.

use uuid::Uuid;

use super::namespaces::NamespaceId;
use crate::domain::command::{Change, Signal};
use crate::domain::ids::{EventId, Millis, Revision};
use crate::domain::registry::PurposeId;
use crate::domain::token::Token;

/// Bytes of a row. With the padding of SHA-256 they fill one block exactly, which makes the state's hash cheap.
pub(super) const ROW_BYTES: usize = 55;

/// The first byte of a row.
const OPT_OUT: u8 = 1;
const OPT_IN: u8 = 2;
const SIGNALLED: u8 = 3;

/// What a record says, and who says it. What a signal says is kept apart from what the person says: both may stand at one
/// purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The person opted out.
    OptOut,
    /// The person opted in.
    OptIn,
    /// A signal opted out for the person.
    Signalled,
}

impl Mark {
    /// What a change marks that arrived by a signal, or by the person's own word.
    pub(super) fn of(change: Change, signal: Signal) -> Self {
        match (change, signal) {
            (Change::OptIn, _) => Self::OptIn,
            (Change::OptOut, Signal::Gpc) => Self::Signalled,
            (Change::OptOut, _) => Self::OptOut,
        }
    }
}

/// Under what a subject is known: a token in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    token: [u8; 16],
    generation: u16,
    namespace: u16,
}

/// What stands at one purpose for one subject. 31 bytes without alignment, because there are many millions of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    event_id: [u8; 16],
    revision: U48,
    received_at: U48,
    purpose: [u8; 2],
    change: u8,
}

/// 48 bits: room for a revision (8,900 years at 1,000 events a second) and for the time in a `UUIDv7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct U48([u8; 6]);

impl U48 {
    fn new(value: u64) -> Self {
        let [_, _, bytes @ ..] = value.to_be_bytes();
        Self(bytes)
    }

    fn get(self) -> u64 {
        let mut bytes = [0; 8];
        bytes[2..].copy_from_slice(&self.0);
        u64::from_be_bytes(bytes)
    }
}

impl Key {
    pub(super) fn new(namespace: NamespaceId, token: Token) -> Self {
        Self {
            token: token.bytes,
            generation: token.generation,
            namespace: namespace.0,
        }
    }

    pub(super) fn namespace(&self) -> NamespaceId {
        NamespaceId(self.namespace)
    }

    pub(super) fn token(&self) -> Token {
        Token {
            generation: self.generation,
            bytes: self.token,
        }
    }

    /// A number that spreads keys evenly: tokens are the output of a keyed hash.
    pub(super) fn spread(&self) -> usize {
        usize::from(u16::from_be_bytes([self.token[0], self.token[1]]))
    }
}

impl Record {
    /// Packs a record. Revisions and times past 48 bits do not occur: apply caps the one and cannot reach the other.
    pub(super) fn new(
        purpose: PurposeId,
        mark: Mark,
        event_id: EventId,
        revision: Revision,
        received_at: Millis,
    ) -> Self {
        Self {
            event_id: event_id.0.into_bytes(),
            revision: U48::new(revision),
            received_at: U48::new(received_at.0),
            purpose: purpose.0.to_be_bytes(),
            change: match mark {
                Mark::OptOut => OPT_OUT,
                Mark::OptIn => OPT_IN,
                Mark::Signalled => SIGNALLED,
            },
        }
    }

    pub(super) fn purpose(&self) -> PurposeId {
        PurposeId(u16::from_be_bytes(self.purpose))
    }

    pub(super) fn change(&self) -> Change {
        // What is not an opt-in denies.
        if self.change == OPT_IN {
            Change::OptIn
        } else {
            Change::OptOut
        }
    }

    /// Whether a signal said it, and not the person.
    pub(super) fn signalled(&self) -> bool {
        self.change == SIGNALLED
    }

    /// Where it stands among the records of its subject: at most one has a place.
    pub(super) fn place(&self) -> (PurposeId, bool) {
        (self.purpose(), self.signalled())
    }

    pub(super) fn event_id(&self) -> EventId {
        EventId(Uuid::from_bytes(self.event_id))
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision.get()
    }

    pub(super) fn received_at(&self) -> Millis {
        Millis(self.received_at.get())
    }
}

/// A record with its key, as bytes: change (1), namespace (2), purpose (2), generation (2), token (16), event id (16),
/// revision (8), time (8); all big-endian.
pub(super) fn row(key: &Key, record: &Record) -> [u8; ROW_BYTES] {
    let mut row = [0; ROW_BYTES];
    row[0] = record.change;
    row[1..3].copy_from_slice(&key.namespace.to_be_bytes());
    row[3..5].copy_from_slice(&record.purpose);
    row[5..7].copy_from_slice(&key.generation.to_be_bytes());
    row[7..23].copy_from_slice(&key.token);
    row[23..39].copy_from_slice(&record.event_id);
    row[39..47].copy_from_slice(&record.revision().to_be_bytes());
    row[47..55].copy_from_slice(&record.received_at().0.to_be_bytes());
    row
}

/// Reads a row; none where it is not one that [`row`] can have written.
pub(super) fn from_row(row: &[u8; ROW_BYTES]) -> Option<(Key, Record)> {
    let two = |at: usize| u16::from_be_bytes([row[at], row[at + 1]]);
    let mut token = [0; 16];
    token.copy_from_slice(&row[7..23]);
    let mut event_id = [0; 16];
    event_id.copy_from_slice(&row[23..39]);
    let (_, revision) = row[..47].split_last_chunk::<8>()?;
    let (_, received_at) = row.split_last_chunk::<8>()?;
    let mark = match row[0] {
        OPT_OUT => Mark::OptOut,
        OPT_IN => Mark::OptIn,
        SIGNALLED => Mark::Signalled,
        _ => return None,
    };
    let revision = u64::from_be_bytes(*revision);
    let received_at = Millis(u64::from_be_bytes(*received_at));
    if revision >> 48 != 0 || received_at > Millis::MAX {
        return None;
    }
    let key = Key {
        token,
        generation: two(5),
        namespace: two(1),
    };
    let record = Record::new(
        PurposeId(two(3)),
        mark,
        EventId(Uuid::from_bytes(event_id)),
        revision,
        received_at,
    );
    Some((key, record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed() {
        assert_eq!(size_of::<Record>(), 31);
        assert_eq!(size_of::<Key>(), 20);
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let key = Key::new(
            NamespaceId(0x0102),
            Token {
                generation: 0x0304,
                bytes: [5; 16],
            },
        );
        let id = EventId::new(Millis(6), [7; 10]);
        let record = Record::new(PurposeId(0x0809), Mark::OptIn, id, 10, Millis(11));
        let mut bytes = row(&key, &record);
        assert_eq!(from_row(&bytes), Some((key, record)));
        assert_eq!(record.event_id(), id);
        assert_eq!(record.revision(), 10);
        assert_eq!(record.received_at(), Millis(11));
        assert_eq!(record.purpose(), PurposeId(0x0809));
        bytes[0] = 3;
        let (_, signalled) = from_row(&bytes).unwrap();
        assert_eq!(signalled.change(), Change::OptOut);
        assert!(signalled.signalled() && !record.signalled());
        bytes[0] = 4;
        assert_eq!(from_row(&bytes), None);
        bytes[0] = 1;
        bytes[39] = 1;
        assert_eq!(from_row(&bytes), None);
    }
}
