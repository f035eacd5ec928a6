//! How often something happened lately, by key: exact to the second, bounded, and the same on every node.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::namespaces::NamespaceId;
use crate::domain::names::Principal;
use crate::domain::token::Token;

/// What is counted by.
pub(super) trait Key: Ord + Clone {
    /// Pieces that the table is in: what is copied at most when a piece is written to that a clone shares.
    const SHARDS: usize;
    /// Keys that a piece holds. When it is full, the one that was counted longest ago is forgotten.
    const PER_SHARD: usize = 1_024;

    /// The piece that it is in.
    fn shard(&self) -> usize;
}

/// A subject, by a token in a namespace.
pub(super) type Subject = (NamespaceId, Token);

impl Key for Subject {
    const SHARDS: usize = 64;

    fn shard(&self) -> usize {
        usize::from(self.1.bytes[0]) % Self::SHARDS
    }
}

impl Key for Principal {
    const SHARDS: usize = 1;

    fn shard(&self) -> usize {
        0
    }
}

/// What a request asks for.
impl Key for [u8; 16] {
    const SHARDS: usize = 16;

    fn shard(&self) -> usize {
        usize::from(self[0]) % Self::SHARDS
    }
}

/// The table.
#[derive(Debug, Clone)]
pub(super) struct Recent<K>(Vec<Arc<Shard<K>>>);

#[derive(Debug, Clone)]
struct Shard<K> {
    by_key: BTreeMap<K, Counted>,
    /// By the second in which each was counted last.
    order: BTreeSet<(u64, K)>,
}

/// What happened to one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Seconds since the epoch, and how often in each; the oldest first.
    pub(super) seconds: VecDeque<(u64, u64)>,
    /// The last second in which something was counted.
    pub(super) last: u64,
    /// Until then nothing is counted: it was told.
    pub(super) quiet_until: u64,
}

impl<K> Default for Shard<K> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<K: Key> Default for Recent<K> {
    fn default() -> Self {
        Self((0..K::SHARDS).map(|_| Arc::default()).collect())
    }
}

impl<K: Key> Recent<K> {
    /// Counts one, and says how many there were within the window where these are enough. Then nothing is counted for as long
    /// as the window. 0 is never enough, and nothing is counted for it.
    pub(super) fn count(&mut self, key: &K, now: u64, window: u32, enough: u32) -> Option<u64> {
        let window = u64::from(window);
        if enough == 0 {
            return None;
        }
        let shard = Arc::make_mut(self.0.get_mut(key.shard())?);
        shard.forget(now, window);
        let counted = shard.by_key.entry(key.clone()).or_default();
        if now < counted.quiet_until {
            return None;
        }
        shard.order.remove(&(counted.last, key.clone()));
        shard.order.insert((now, key.clone()));
        counted.last = now;
        let enough = counted.add(now, window, u64::from(enough));
        while shard.by_key.len() > K::PER_SHARD {
            let Some((_, oldest)) = shard.order.pop_first() else {
                break;
            };
            shard.by_key.remove(&oldest);
        }
        enough
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.by_key.len()).sum()
    }

    /// All that is counted, by shard and key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Counted)> {
        self.0.iter().flat_map(|shard| &shard.by_key)
    }

    /// Puts back what a snapshot holds. False where it comes twice.
    pub(super) fn restore(&mut self, key: K, counted: Counted) -> bool {
        let Some(shard) = self.0.get_mut(key.shard()) else {
            return false;
        };
        let shard = Arc::make_mut(shard);
        shard.order.insert((counted.last, key.clone()));
        shard.by_key.insert(key, counted).is_none()
    }
}

impl<K: Key> Shard<K> {
    /// Drops what was last counted before the window: it counts for nothing any more.
    fn forget(&mut self, now: u64, window: u64) {
        while let Some((last, key)) = self.order.first() {
            if last.saturating_add(window) > now {
                break;
            }
            self.by_key.remove(key);
            self.order.pop_first();
        }
    }
}

impl Counted {
    fn add(&mut self, now: u64, window: u64, enough: u64) -> Option<u64> {
        let gone = |(at, _): &(u64, u64)| at.saturating_add(window) <= now;
        while self.seconds.front().is_some_and(gone) {
            self.seconds.pop_front();
        }
        match self.seconds.back_mut() {
            Some((at, count)) if *at == now => *count = count.saturating_add(1),
            _ => self.seconds.push_back((now, 1)),
        }
        let counts = self.seconds.iter().map(|(_, count)| *count);
        let sum = counts.fold(0, u64::saturating_add);
        if sum < enough {
            return None;
        }
        self.seconds.clear();
        self.quiet_until = now.saturating_add(window);
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_within_the_window_is_told_once_a_window() {
        let mut recent = Recent::<[u8; 16]>::default();
        let mut count = |now| recent.count(&[1; 16], now, 10, 3);
        assert_eq!([100, 101, 110].map(&mut count), [None; 3], "100 is gone");
        assert_eq!(count(110), Some(3));
        assert_eq!([110, 115, 119].map(&mut count), [None; 3], "quiet");
        assert_eq!(
            [120, 121, 121].map(&mut count),
            [None, None, Some(3)],
            "it goes on"
        );
    }

    #[test]
    fn nothing_is_counted_where_nothing_is_enough() {
        let mut recent = Recent::<[u8; 16]>::default();
        for now in 0..9 {
            assert_eq!(recent.count(&[1; 16], now, 10, 0), None);
        }
        assert_eq!(recent.len(), 0);
    }

    #[test]
    fn a_full_table_forgets_who_was_counted_longest_ago() {
        let mut recent = Recent::<[u8; 16]>::default();
        let key = |n: usize| {
            let mut key = [0; 16];
            key[8..].copy_from_slice(&(n as u64).to_be_bytes());
            key
        };
        let full = <[u8; 16]>::PER_SHARD;
        for n in 0..full {
            recent.count(&key(n), 5, 10, 9);
        }
        recent.count(&key(0), 6, 10, 9);
        recent.count(&key(full), 6, 10, 9);
        assert_eq!(recent.len(), full);
        let kept = |n: usize| recent.iter().any(|(known, _)| *known == key(n));
        assert!(kept(0) && !kept(1) && kept(2) && kept(full));
        recent.count(&key(2), 15, 10, 9);
        assert_eq!(recent.len(), 3, "what is past the window is forgotten");
    }
}
