//! A set of numbers that mostly follow one another.

use std::collections::BTreeMap;

/// A set of numbers, kept as ranges that neither touch nor overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    /// The first number of each range, and the first after it.
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    pub(super) fn insert(&mut self, number: u64) {
        self.insert_range(number, number.saturating_add(1));
    }

    /// Adds the numbers from `start` to before `end`.
    pub(super) fn insert_range(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        // Every range that touches the new one is swallowed by it, from the right.
        while let Some((&first, &after)) = self.ranges.range(..=end).next_back() {
            if after < start {
                break;
            }
            self.ranges.remove(&first);
            start = start.min(first);
            end = end.max(after);
        }
        self.ranges.insert(start, end);
    }

    /// Whether all the numbers from `start` to before `end` are in the set.
    pub(super) fn contains_range(&self, start: u64, end: u64) -> bool {
        let range = self.ranges.range(..=start).next_back();
        start >= end || range.is_some_and(|(_, &after)| end <= after)
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.contains_range(number, number.saturating_add(1))
    }

    /// Takes out everything from `end` on.
    pub(super) fn truncate(&mut self, end: u64) {
        self.ranges.split_off(&end);
        if let Some(mut last) = self.ranges.last_entry() {
            let after = last.get_mut();
            *after = end.min(*after);
        }
    }

    /// The numbers below `end` that are not in the set, from the highest down.
    pub(super) fn gaps_below(&self, end: u64) -> impl Iterator<Item = u64> + '_ {
        let below = self.ranges.range(..end).rev();
        let starts = below.clone().map(|(&first, _)| first);
        let ends = below.map(|(_, &after)| after).chain([0]);
        std::iter::once(end)
            .chain(starts)
            .zip(ends)
            .flat_map(|(gap_end, gap_start)| (gap_start..gap_end).rev())
    }

    /// The ranges, each with its first number and the first after it.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(&first, &after)| (first, after))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Ranges;

    proptest! {
        #[test]
        fn behaves_as_a_set(
            inserted in prop::collection::vec((0_u64..60, 0_u64..6), 0..20),
            truncated in 0_u64..70,
            end in 0_u64..70,
        ) {
            let mut ranges = Ranges::default();
            let mut set = BTreeSet::new();
            for (start, length) in inserted {
                ranges.insert_range(start, start + length);
                set.extend(start..start + length);
            }
            ranges.truncate(truncated);
            set.retain(|number| *number < truncated);
            for start in 0..70 {
                prop_assert_eq!(ranges.contains(start), set.contains(&start));
                prop_assert_eq!(
                    ranges.contains_range(start, end),
                    (start..end).all(|number| set.contains(&number))
                );
            }
            let gaps: Vec<u64> = (0..end).rev().filter(|number| !set.contains(number)).collect();
            prop_assert_eq!(ranges.gaps_below(end).collect::<Vec<_>>(), gaps);
            let mut last = None;
            for (first, after) in ranges.iter() {
                prop_assert!(first < after && last.is_none_or(|last| last < first));
                last = Some(after);
            }
        }
    }
}
