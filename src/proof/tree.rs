//! Proofs of the Merkle tree: that an event is in it, and that a later tree only adds to an earlier one.
//!
//! A proof is the roots of some ranges of leaves, after RFC 9162, sections 2.1.3 and 2.1.4. Which ranges, is worked out here; where
//! their hashes come from, is for others: the node has them on its disk, a verifier fetches tiles.

use std::ops::Range;

use super::merkle::{Hash, Peaks, leaf_hash, node_hash};
use super::path::{Resource, WIDTH};

/// Some hashes of one tile, side by side, which are a perfect subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The level of the tile.
    pub level: u8,
    /// The number of the first hash in its level.
    pub first: u64,
    /// How many hashes: a power of two, at most 128, or one.
    pub count: u64,
}

impl Part {
    /// The tile that holds it, as it stands in a tree of so many leaves.
    pub fn tile(&self, size: u64) -> Resource {
        let number = self.first / WIDTH;
        let hashes = size >> (8 * u32::from(self.level));
        let width = hashes.saturating_sub(number * WIDTH).min(WIDTH);
        Resource {
            level: Some(self.level),
            number,
            width: u16::try_from(width).unwrap_or(256),
        }
    }

    /// Where it lies in its tile.
    pub fn within(&self) -> Range<usize> {
        let start = usize::try_from(self.first % WIDTH).unwrap_or(0);
        let count = usize::try_from(self.count).unwrap_or(0);
        start..start + count
    }
}

/// The perfect subtrees that a range of leaves falls into, from the left.
pub fn parts(range: &Range<u64>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut next = range.start;
    while next < range.end {
        let fits = (range.end - next).ilog2();
        let aligned = if next == 0 {
            fits
        } else {
            next.trailing_zeros()
        };
        let height = fits.min(aligned);
        parts.push(Part {
            level: u8::try_from(height / 8).unwrap_or(u8::MAX),
            first: next >> (height / 8 * 8),
            count: 1 << (height % 8),
        });
        next += 1 << height;
    }
    parts
}

/// The root of a range that is a subtree of some tree, from the hashes of its [`parts`], in order.
pub fn range_root<'a>(hashes: impl IntoIterator<Item = &'a [Hash]>) -> Hash {
    let mut peaks = Peaks::default();
    for part in hashes {
        peaks.extend(part);
    }
    peaks.root()
}

/// Where the tree over so many leaves, at least two, is split: at the largest power of two below.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The ranges whose roots prove that a leaf is in the tree of a size: PATH of RFC 9162, section 2.1.3.1.
pub fn inclusion(leaf: u64, size: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    if leaf >= size {
        return ranges;
    }
    let mut within = 0..size;
    while within.end - within.start > 1 {
        let middle = within.start + split(within.end - within.start);
        if leaf < middle {
            ranges.push(middle..within.end);
            within.end = middle;
        } else {
            ranges.push(within.start..middle);
            within.start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges whose roots prove that the tree of `newer` leaves begins with that of `older`: PROOF of RFC 9162, section 2.1.4.1.
/// None are needed where one is empty, or both are the same.
pub fn consistency(older: u64, newer: u64) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    if older == 0 || older >= newer {
        return ranges;
    }
    let mut within = 0..newer;
    // Whether what is left begins where the older tree does, so that its root is known to who verifies.
    let mut whole = true;
    while older != within.end {
        let middle = within.start + split(within.end - within.start);
        if older <= middle {
            ranges.push(middle..within.end);
            within.end = middle;
        } else {
            ranges.push(within.start..middle);
            within.start = middle;
            whole = false;
        }
    }
    if !whole {
        ranges.push(within);
    }
    ranges.reverse();
    ranges
}

/// Whether a leaf is in a tree, by RFC 9162, section 2.1.3.2.
pub fn includes(leaf: &[u8], index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf_hash(leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node % 2 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node % 2 == 0 && node != 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node /= 2;
        last /= 2;
    }
    last == 0 && hash == *root
}

/// Whether one tree begins with another, by RFC 9162, section 2.1.4.2. The empty tree is the beginning of every tree, and a tree
/// that of itself; that takes no proof.
pub fn extends(older: (u64, &Hash), newer: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((first, first_root), (second, second_root)) = (older, newer);
    if first > second {
        return false;
    }
    if first == 0 {
        return proof.is_empty() && *first_root == super::merkle::empty_root();
    }
    if first == second {
        return proof.is_empty() && first_root == second_root;
    }
    // Of a perfect tree its root is the first of the proof, and is left out.
    let mut proof = proof.iter();
    let begins = if first.is_power_of_two() {
        Some(first_root)
    } else {
        proof.next()
    };
    let Some(begins) = begins else {
        return false;
    };
    let (mut node, mut last) = (first - 1, second - 1);
    while node % 2 == 1 {
        node /= 2;
        last /= 2;
    }
    let (mut before, mut after) = (*begins, *begins);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node % 2 == 1 || node == last {
            before = node_hash(sibling, &before);
            after = node_hash(sibling, &after);
            while node % 2 == 0 && node != 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            after = node_hash(&after, sibling);
        }
        node /= 2;
        last /= 2;
    }
    last == 0 && before == *first_root && after == *second_root
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::merkle::empty_root;
    use super::*;

    fn leaf(number: u64) -> [u8; 8] {
        number.to_be_bytes()
    }

    /// The root of a range as RFC 9162 defines it, section 2.1.1: slow and plain.
    fn naive(range: Range<u64>) -> Hash {
        match range.end - range.start {
            0 => empty_root(),
            1 => leaf_hash(&leaf(range.start)),
            leaves => {
                let middle = range.start + split(leaves);
                node_hash(&naive(range.start..middle), &naive(middle..range.end))
            }
        }
    }

    fn prove(ranges: Vec<Range<u64>>) -> Vec<Hash> {
        ranges.into_iter().map(naive).collect()
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proven_and_nothing_else_is() {
        for size in 1..70 {
            let root = naive(0..size);
            for index in 0..size {
                let proof = prove(inclusion(index, size));
                assert!(includes(&leaf(index), index, size, &proof, &root));
                assert!(!includes(&leaf(index + 1), index, size, &proof, &root));
                for other in (0..size).filter(|other| *other != index) {
                    assert!(!includes(&leaf(index), other, size, &proof, &root));
                }
                for longer in [size + 1, size * 2, u64::MAX] {
                    let taken = includes(&leaf(index), index, longer, &proof, &root);
                    // A leaf that has the same path in a larger tree has no larger tree's root.
                    assert!(!taken || prove(inclusion(index, longer)).len() == proof.len());
                }
                let mut more = proof.clone();
                more.push([0; 32]);
                assert!(!includes(&leaf(index), index, size, &more, &root));
                if let Some((_, less)) = proof.split_last() {
                    assert!(!includes(&leaf(index), index, size, less, &root));
                }
            }
            assert!(!includes(&leaf(size), size, size, &[], &root));
        }
    }

    #[test]
    fn every_small_tree_extends_those_before_it_and_no_other() {
        for newer in 0..70 {
            let root = naive(0..newer);
            for older in 0..=newer {
                let before = naive(0..older);
                let proof = prove(consistency(older, newer));
                assert!(
                    extends((older, &before), (newer, &root), &proof),
                    "{older} {newer}"
                );
                let forked = leaf_hash(b"forked");
                assert!(!extends((older, &forked), (newer, &root), &proof));
                assert!(older == 0 || !extends((older, &before), (newer, &forked), &proof));
                assert!(older == newer || !extends((newer, &root), (older, &before), &proof));
                for place in 0..proof.len() {
                    let mut damaged = proof.clone();
                    damaged[place][0] ^= 1;
                    assert!(!extends((older, &before), (newer, &root), &damaged));
                }
                if let Some((_, less)) = proof.split_last() {
                    assert!(!extends((older, &before), (newer, &root), less));
                }
            }
        }
    }

    #[test]
    fn the_parts_of_a_range_lie_in_one_tile_each() {
        let large = (1 << 40) + (1 << 20) + 77;
        for range in [0..large, 0..256, 256..512, 0..1, 0..65_536, 512..517] {
            let mut next = range.start;
            for part in parts(&range) {
                let leaves = 1_u64 << (8 * part.level);
                assert_eq!(part.first * leaves, next, "{range:?} {part:?}");
                assert_eq!(part.first / WIDTH, (part.first + part.count - 1) / WIDTH);
                next += part.count * leaves;
            }
            assert_eq!(next, range.end);
        }
        assert!(parts(&(5..5)).is_empty());
        let whole = Part {
            level: 0,
            first: 256,
            count: 128,
        }
        .tile(300);
        assert_eq!((whole.number, whole.width), (1, 44));
    }

    proptest! {
        #[test]
        fn ranges_are_hashed_by_their_parts(start in 0..600_u64, height in 0..10_u32, cut in 0..600_u64) {
            // A subtree of some tree: aligned, and cut off at the right.
            let start = start >> height << height;
            let end = start + (1 << height).min(cut + 1);
            let range = start..end;
            let hashes: Vec<Vec<Hash>> = parts(&range)
                .iter()
                .map(|part| {
                    let leaves = 1 << (8 * part.level);
                    let hash = |it| naive(it * leaves..(it + 1) * leaves);
                    (part.first..part.first + part.count).map(hash).collect()
                })
                .collect();
            prop_assert_eq!(range_root(hashes.iter().map(Vec::as_slice)), naive(range));
        }
    }
}
