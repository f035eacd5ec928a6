//! The Merkle tree hash of RFC 6962, section 2.1, with SHA-256.

use sha2::{Digest, Sha256};

/// A node of the tree.
pub type Hash = [u8; 32];

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The hash of a leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(leaf)
        .finalize()
        .into()
}

/// The hash of an inner node.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut node = [1; 65];
    node[1..33].copy_from_slice(left);
    node[33..].copy_from_slice(right);
    Sha256::digest(node).into()
}

/// The root of a perfect subtree, given the hashes of one of its levels: their number is a power of two.
pub fn perfect_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two());
    match hashes {
        [] => empty_root(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            node_hash(&perfect_root(left), &perfect_root(right))
        }
    }
}

/// The roots of the perfect subtrees that a tree of any size falls into, the largest first. Of the whole tree they are
/// what [`Peaks::root`] needs, and they can be gathered from the tiles' hashes, level by level from the top.
#[derive(Debug, Default)]
pub struct Peaks(Vec<Hash>);

impl Peaks {
    /// Adds the next hashes to the right: fewer than were needed for the level above.
    pub fn extend(&mut self, mut hashes: &[Hash]) {
        while !hashes.is_empty() {
            let largest = 1 << hashes.len().ilog2();
            let (perfect, rest) = hashes.split_at(largest);
            self.0.push(perfect_root(perfect));
            hashes = rest;
        }
    }

    /// The root of the whole tree.
    pub fn root(&self) -> Hash {
        // RFC 6962 splits at the largest power of two below the size, which is where the first peak ends.
        self.0
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}
