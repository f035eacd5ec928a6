//! A log that is built anew, leaf by leaf: its tiles and its root, with nothing kept but the tiles that are not full.

use super::{
    merkle::Hash,
    path::{Resource, WIDTH},
    tree::range_root,
};

/// A tile, and what it must hold.
pub type Tile = (Resource, Vec<Hash>);

/// The hashes of one level that no full tile holds yet.
#[derive(Debug, Default)]
struct Level {
    full: u64,
    hashes: Vec<Hash>,
}

/// A log that grows.
#[derive(Debug, Default)]
pub struct Growing {
    levels: Vec<Level>,
}

impl Growing {
    /// Adds the hash of the next leaf. Returns the tiles that it made full.
    pub fn push(&mut self, leaf: Hash) -> Vec<Tile> {
        let mut full = Vec::new();
        let mut carried = Some(leaf);
        for number in 0.. {
            let Some(hash) = carried.take() else {
                break;
            };
            if self.levels.len() == number {
                self.levels.push(Level::default());
            }
            let Some(level) = self.levels.get_mut(number) else {
                break;
            };
            level.hashes.push(hash);
            if level.hashes.len() as u64 == WIDTH {
                let hashes = std::mem::take(&mut level.hashes);
                carried = Some(range_root([hashes.as_slice()]));
                full.push((resource(number, level.full, hashes.len()), hashes));
                level.full += 1;
            }
        }
        full
    }

    /// The tiles that are not full.
    pub fn edge(&self) -> impl Iterator<Item = Tile> {
        let levels = self.levels.iter().enumerate();
        levels
            .filter(|(_, level)| !level.hashes.is_empty())
            .map(|(number, level)| {
                let tile = resource(number, level.full, level.hashes.len());
                (tile, level.hashes.clone())
            })
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        let levels = self.levels.iter().rev();
        range_root(levels.map(|level| level.hashes.as_slice()))
    }
}

fn resource(level: usize, number: u64, width: usize) -> Resource {
    Resource {
        // Not even a log of 2^64 leaves has a level above the seventh.
        level: Some(u8::try_from(level).unwrap_or(u8::MAX)),
        number,
        width: u16::try_from(width).unwrap_or(256),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::merkle::{empty_root, leaf_hash, node_hash};

    /// MTH of RFC 6962, section 2.1.
    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            more => {
                let (left, right) = more.split_at(1 << (more.len() - 1).ilog2());
                node_hash(&naive(left), &naive(right))
            }
        }
    }

    #[test]
    fn each_size_has_the_root_and_the_tiles_of_the_tree() {
        let leaves: Vec<Hash> = (0..700_u64)
            .map(|leaf| leaf_hash(&leaf.to_be_bytes()))
            .collect();
        let mut growing = Growing::default();
        let mut full = Vec::new();
        for (size, leaf) in leaves.iter().enumerate() {
            if size % 50 < 3 || size % 256 < 2 {
                assert_eq!(growing.root(), naive(&leaves[..size]), "{size}");
            }
            full.extend(growing.push(*leaf));
        }
        let tile = |level, number, width| Resource {
            level: Some(level),
            number,
            width,
        };
        let made: Vec<Resource> = full.iter().map(|(tile, _)| *tile).collect();
        assert_eq!(made, [tile(0, 0, 256), tile(0, 1, 256)]);
        let edge: Vec<Tile> = growing.edge().collect();
        let roots: Vec<Hash> = leaves[..512].chunks(256).map(naive).collect();
        let wanted = [
            (tile(0, 2, 188), leaves[512..].to_vec()),
            (tile(1, 0, 2), roots),
        ];
        assert_eq!(edge, wanted);
    }
}
