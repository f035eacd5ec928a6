//! The last full bundles, kept in memory so that live watchers do not read files.

use std::collections::VecDeque;

use bytes::Bytes;

/// How many bytes of bundles are kept at most.
const LIMIT: usize = 16 << 20;

/// The last full bundles, with ascending numbers.
#[derive(Debug, Default)]
pub(super) struct Recent {
    bundles: VecDeque<(u64, Bytes)>,
    bytes: usize,
}

impl Recent {
    /// Adds the bundle that has just become full, and forgets the oldest past the limit.
    pub(super) fn push(&mut self, number: u64, entries: Bytes) {
        self.bytes += entries.len();
        self.bundles.push_back((number, entries));
        while self.bytes > LIMIT {
            let Some((_, oldest)) = self.bundles.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<Bytes> {
        let at = self
            .bundles
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()?;
        self.bundles.get(at).map(|(_, entries)| entries.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_no_more_than_its_limit() {
        let mut recent = Recent::default();
        let quarter = Bytes::from(vec![0; LIMIT / 4]);
        for number in 0..6 {
            recent.push(number, quarter.clone());
        }
        assert_eq!(recent.get(1), None);
        assert_eq!(recent.get(2), Some(quarter.clone()));
        assert_eq!(recent.get(5), Some(quarter));
        recent.push(6, Bytes::from(vec![0; LIMIT + 1]));
        assert_eq!(
            (recent.get(5), recent.get(6), recent.bytes),
            (None, None, 0)
        );
    }
}
