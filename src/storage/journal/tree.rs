//! The hashes of the tree that are kept in memory: the root of every full bundle, and the tiles above them.

use crate::proof::merkle::{Hash, Peaks, perfect_root};

pub(super) use crate::proof::path::WIDTH;

/// The hash tiles from level 1 up, for a whole number of bundles.
///
/// 32 bytes for each 256 events, and a 256th of that for what lies above: 12.5 MB at 100 million events. That
/// is little enough to keep, and lets any single bundle be verified by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    /// `levels[0]` are the hashes of level 1, the bundles' roots; each level above has one for each full tile below.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    pub(super) fn new(bundle_roots: &[Hash]) -> Self {
        let mut tree = Self::default();
        for root in bundle_roots {
            tree.push(*root);
        }
        tree
    }

    /// Adds the root of the next full bundle.
    pub(super) fn push(&mut self, bundle_root: Hash) {
        let mut carried = bundle_root;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(carried);
            let width = as_index(WIDTH);
            if !hashes.len().is_multiple_of(width) {
                return;
            }
            carried = perfect_root(&hashes[hashes.len() - width..]);
        }
    }

    /// How many full bundles there are.
    pub(super) fn bundles(&self) -> u64 {
        self.bundle_roots().len() as u64
    }

    pub(super) fn bundle_roots(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    pub(super) fn bundle_root(&self, bundle: u64) -> Option<Hash> {
        self.bundle_roots().get(as_index(bundle)).copied()
    }

    /// The hashes of a full tile, from level 1 up.
    pub(super) fn tile(&self, level: u8, number: u64) -> Option<&[Hash]> {
        self.hashes(level, number.checked_mul(WIDTH)?, WIDTH)
    }

    /// Some hashes of a level, from level 1 up, where they are all there.
    pub(super) fn hashes(&self, level: u8, first: u64, count: u64) -> Option<&[Hash]> {
        let hashes = self.levels.get(usize::from(level).checked_sub(1)?)?;
        hashes.get(as_index(first)..as_index(first.checked_add(count)?))
    }

    /// Every full tile, from level 1 up: its level and number.
    pub(super) fn tiles(&self) -> impl Iterator<Item = (u8, u64)> + '_ {
        (1..).zip(&self.levels).flat_map(|(level, hashes)| {
            (0..hashes.len() as u64 / WIDTH).map(move |number| (level, number))
        })
    }

    /// The root over the first `bundles` bundles, and after them the leaves whose hashes are given: less than a bundle.
    pub(super) fn root(&self, bundles: u64, tail: &[Hash]) -> Hash {
        let mut below = vec![bundles];
        while let Some(&last) = below.last()
            && last >= WIDTH
        {
            below.push(last / WIDTH);
        }
        let mut peaks = Peaks::default();
        for (hashes, &count) in self.levels.iter().zip(&below).rev() {
            let unfinished = as_index(count - count % WIDTH)..as_index(count);
            peaks.extend(hashes.get(unfinished).unwrap_or_default());
        }
        peaks.extend(tail);
        peaks.root()
    }
}

/// The bundles that lie under a tile: the first, and the first after them.
pub(super) fn bundles_under(level: u8, number: u64) -> (u64, u64) {
    let each = WIDTH.saturating_pow(u32::from(level));
    (
        number.saturating_mul(each),
        number.saturating_add(1).saturating_mul(each),
    )
}

/// A count as an index; one that no memory could hold is out of every range.
pub(super) fn as_index(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
