//! The table of preference records: 1,024 shards, each shared between clones until it is written to.

use std::sync::Arc;

use hashbrown::HashMap;

use super::record::{Key, Record};
use crate::domain::ids::Revision;
use crate::domain::registry::PurposeId;

/// How many shards there are: a power of two.
pub(super) const SHARDS: usize = 1_024;

/// All records.
#[derive(Debug, Clone)]
pub(super) struct Shards(Vec<Arc<Shard>>);

/// The records of some subjects. Most have one record, which lies in the table itself.
#[derive(Debug, Clone, Default)]
struct Shard {
    first: HashMap<Key, First>,
    /// The records of a subject after its first.
    more: HashMap<Key, Vec<Record>>,
    records: u64,
}

/// A subject's first record.
#[derive(Debug, Clone, Copy)]
struct First {
    record: Record,
    /// Whether there are more.
    more: bool,
}

/// The records of one subject.
#[derive(Debug, Clone, Copy)]
pub(super) struct Records<'a> {
    first: Option<&'a Record>,
    more: &'a [Record],
}

impl Default for Shards {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Arc::default()).collect())
    }
}

impl Shards {
    /// The records of a subject; empty where there are none.
    pub(super) fn get(&self, key: &Key) -> Records<'_> {
        let none = Records {
            first: None,
            more: &[],
        };
        let Some(shard) = self.0.get(shard_of(key)) else {
            return none;
        };
        shard
            .first
            .get(key)
            .map_or(none, |first| shard.records(key, first))
    }

    /// Sets a record, and says which stood there before.
    pub(super) fn put(&mut self, key: Key, record: Record) -> Option<Record> {
        let shard = self.0.get_mut(shard_of(&key))?;
        Arc::make_mut(shard).put(key, record)
    }

    /// The records of one shard, by key and place; none past the last shard.
    pub(super) fn sorted(&self, shard: usize) -> Option<Vec<(Key, Record)>> {
        let shard = self.0.get(shard)?;
        let mut sorted: Vec<(Key, Record)> = shard
            .first
            .iter()
            .flat_map(|(key, first)| {
                let records = shard.records(key, first);
                records.iter().map(|record| (*key, *record))
            })
            .collect();
        sorted.sort_unstable_by_key(|(key, record)| (*key, record.place()));
        Some(sorted)
    }

    /// How many subjects have a record.
    pub(super) fn subjects(&self) -> usize {
        self.0.iter().map(|shard| shard.first.len()).sum()
    }

    /// Bytes that the tables take, less the few of their heads.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let of = |shard: &Arc<Shard>| {
            let more: usize = shard
                .more
                .values()
                .map(|records| records.capacity() * size_of::<Record>())
                .sum();
            shard.first.allocation_size() + shard.more.allocation_size() + more
        };
        self.0.iter().map(of).sum()
    }

    /// How many records there are.
    pub(super) fn records(&self) -> u64 {
        self.0.iter().map(|shard| shard.records).sum()
    }
}

/// The shard in which a subject lies; the same on every node, because snapshots go shard by shard.
pub(super) fn shard_of(key: &Key) -> usize {
    key.spread() % SHARDS
}

impl Shard {
    fn records<'a>(&'a self, key: &Key, first: &'a First) -> Records<'a> {
        let more = if first.more {
            self.more.get(key).map_or(&[][..], Vec::as_slice)
        } else {
            &[]
        };
        Records {
            first: Some(&first.record),
            more,
        }
    }

    fn put(&mut self, key: Key, record: Record) -> Option<Record> {
        let Some(first) = self.first.get_mut(&key) else {
            self.first.insert(
                key,
                First {
                    record,
                    more: false,
                },
            );
            self.records += 1;
            return None;
        };
        if first.record.place() == record.place() {
            return Some(std::mem::replace(&mut first.record, record));
        }
        first.more = true;
        let more = self.more.entry(key).or_default();
        if let Some(standing) = more.iter_mut().find(|r| r.place() == record.place()) {
            return Some(std::mem::replace(standing, record));
        }
        more.reserve_exact(1);
        more.push(record);
        self.records += 1;
        None
    }
}

impl<'a> Records<'a> {
    /// Records that lie elsewhere, at most one in a place.
    pub(super) fn of(records: &'a [Record]) -> Self {
        match records.split_first() {
            Some((first, more)) => Self {
                first: Some(first),
                more,
            },
            None => Self {
                first: None,
                more: &[],
            },
        }
    }

    /// All of them, in no order that means anything.
    pub(super) fn iter(self) -> impl Iterator<Item = &'a Record> {
        self.first.into_iter().chain(self.more)
    }

    /// What the person said at exactly this purpose.
    pub(super) fn at(self, purpose: PurposeId) -> Option<&'a Record> {
        self.in_place((purpose, false))
    }

    /// What a signal said at exactly this purpose.
    pub(super) fn signalled_at(self, purpose: PurposeId) -> Option<&'a Record> {
        self.in_place((purpose, true))
    }

    fn in_place(self, place: (PurposeId, bool)) -> Option<&'a Record> {
        self.iter().find(|record| record.place() == place)
    }

    /// The revision of the subject's latest event, or 0: an event sets a record at each of its purposes, so that the
    /// latest always stands.
    pub(super) fn last_revision(self) -> Revision {
        self.iter().map(Record::revision).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher as _;

    use super::super::namespaces::NamespaceId;
    use super::super::record::Mark;
    use super::*;
    use crate::domain::ids::{EventId, Millis};
    use crate::domain::token::Token;

    fn key(n: u8) -> Key {
        let token = Token {
            generation: 1,
            bytes: [n; 16],
        };
        Key::new(NamespaceId(0), token)
    }

    fn record(purpose: u16, revision: Revision) -> Record {
        let id = EventId::new(Millis(0), [0; 10]);
        Record::new(PurposeId(purpose), Mark::OptOut, id, revision, Millis(0))
    }

    #[test]
    fn one_record_a_subject_lies_in_the_table() {
        assert_eq!(size_of::<(Key, First)>(), 52);
        let mut shards = Shards::default();
        assert_eq!(shards.put(key(1), record(1, 1)), None);
        assert_eq!(shards.put(key(1), record(1, 2)), Some(record(1, 1)));
        assert_eq!(shards.put(key(1), record(2, 3)), None);
        assert_eq!(shards.put(key(1), record(3, 4)), None);
        assert_eq!(shards.put(key(1), record(2, 5)), Some(record(2, 3)));
        assert_eq!((shards.subjects(), shards.records()), (1, 3));
        let records = shards.get(&key(1));
        assert_eq!(records.at(PurposeId(2)), Some(&record(2, 5)));
        assert_eq!(records.last_revision(), 5);
        assert_eq!(shards.get(&key(2)).last_revision(), 0);
    }

    #[test]
    fn two_states_hash_their_keys_otherwise() {
        // What the tests of equal states rest on: tables are filled in another order on every node.
        let hash = |shard: Shard| shard.first.hasher().hash_one(key(1));
        assert_ne!(hash(Shard::default()), hash(Shard::default()));
    }
}
