//! Which term each entry has, kept as the few places where the term changes.

use super::Position;

/// The terms of a run of entries.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    /// Where a term begins: index, term. Indexes ascend strictly.
    starts: Vec<(u64, u64)>,
}

impl Terms {
    /// Notes the entry after the last one.
    pub fn push(&mut self, (term, index): Position) {
        if self.starts.last().is_none_or(|&(_, last)| last != term) {
            self.starts.push((index, term));
        }
    }

    /// The term at `index`, which the caller knows to be held.
    pub fn at(&self, index: u64) -> Option<u64> {
        let after = self.starts.partition_point(|&(start, _)| start <= index);
        let (_, term) = self.starts.get(after.checked_sub(1)?)?;
        Some(*term)
    }

    /// Forgets everything from `index` on.
    pub fn cut_from(&mut self, index: u64) {
        let keep = self.starts.partition_point(|&(start, _)| start < index);
        self.starts.truncate(keep);
    }

    /// Forgets everything before `index`.
    pub fn cut_before(&mut self, index: u64) {
        let after = self.starts.partition_point(|&(start, _)| start <= index);
        self.starts.drain(..after.saturating_sub(1));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.starts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_and_cut() {
        let mut terms = Terms::default();
        assert_eq!(terms.at(3), None);
        for (term, index) in [(1, 3), (1, 4), (2, 5), (4, 6), (4, 7)] {
            terms.push((term, index));
        }
        assert_eq!(terms.starts.len(), 3);
        assert_eq!(
            [3, 4, 5, 6, 7].map(|at| terms.at(at)),
            [1, 1, 2, 4, 4].map(Some)
        );
        terms.cut_before(4);
        assert_eq!(terms.at(4), Some(1));
        terms.cut_before(6);
        assert_eq!((terms.at(5), terms.at(6)), (None, Some(4)));
        terms.cut_from(7);
        assert_eq!(terms.at(6), Some(4));
        terms.cut_from(6);
        assert_eq!(terms.at(6), None);
    }
}
