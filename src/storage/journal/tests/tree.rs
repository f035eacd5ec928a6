//! Hashes, roots and tiles, against the published vectors and the plainest possible tree.

use std::path::Path;

use proptest::prelude::*;

use super::{naive_root, naive_root_at, straight};
use crate::proof::merkle::{Hash, Peaks, empty_root, leaf_hash};
use crate::storage::{
    files::Files,
    journal::{
        bundle::leaf_hashes,
        path,
        tree::{Tree, bundles_under},
    },
};

/// The vectors of the Certificate Transparency project for RFC 6962.
const VECTORS: [(&str, &str); 8] = [
    (
        "",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    ),
    (
        "00",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    ),
    (
        "10",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    ),
    (
        "2021",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (
        "3031",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    ),
    (
        "40414243",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    ),
    (
        "5051525354555657",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    ),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

fn peaks_root(hashes: &[Hash]) -> Hash {
    let mut peaks = Peaks::default();
    peaks.extend(hashes);
    peaks.root()
}

/// Hashes that are as good as any.
fn hashes(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|number| leaf_hash(&number.to_be_bytes()))
        .collect()
}

#[test]
fn roots_are_those_of_the_published_vectors() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hex::encode(empty_root()), empty);
    assert_eq!(peaks_root(&[]), empty_root());
    let disk = crate::storage::memory::MemoryFiles::new();
    let journal = super::open(&disk, &super::JournalEdge::default()).unwrap();
    assert_eq!(journal.root(), empty_root());
    let mut leaves = Vec::new();
    for (leaf, root) in VECTORS {
        let leaf = hex::decode(leaf).unwrap();
        leaves.push(leaf_hash(&leaf));
        assert_eq!(hex::encode(peaks_root(&leaves)), root);
        let size = journal.append(&leaf, None).unwrap();
        assert_eq!(hex::encode(journal.root()), root);
        assert_eq!(journal.root_at(size).unwrap(), Some(journal.root()));
    }
}

#[test]
fn roots_of_all_small_trees_are_the_naive_ones() {
    let hashes = hashes(600);
    for size in 0..=hashes.len() {
        assert_eq!(peaks_root(&hashes[..size]), naive_root(&hashes[..size]));
    }
}

#[test]
fn the_root_at_every_revision_is_the_naive_one() {
    let size = 2 * 256 + 20;
    let (_, journal) = straight(size);
    for revision in 0..=size {
        assert_eq!(
            journal.root_at(revision).unwrap(),
            Some(naive_root_at(revision))
        );
    }
    assert_eq!(journal.root_at(size + 1).unwrap(), None);
    assert_eq!(journal.root_at(u64::MAX).unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// As a tree of the bundles' roots, because every bundle is a perfect subtree; up to three levels of tiles.
    #[test]
    fn roots_of_large_trees_are_the_naive_ones(
        bundles in prop_oneof![0_u64..2_000, 65_000_u64..67_000],
        less in 0_u64..70_000,
    ) {
        let roots = hashes(bundles);
        let tree = Tree::new(&roots);
        prop_assert_eq!(tree.bundles(), bundles);
        prop_assert_eq!(tree.root(bundles, &[]), naive_root(&roots));
        let earlier = bundles.saturating_sub(less);
        let first = &roots[..usize::try_from(earlier).unwrap()];
        prop_assert_eq!(tree.root(earlier, &[]), naive_root(first));
    }

    #[test]
    fn roots_with_an_unfinished_bundle_are_the_naive_ones(size in 0_u64..3000) {
        let leaves = hashes(size);
        let (full, tail) = leaves.as_chunks::<256>();
        let roots: Vec<Hash> = full.iter().map(|bundle| naive_root(bundle)).collect();
        let tree = Tree::new(&roots);
        prop_assert_eq!(tree.root(tree.bundles(), tail), naive_root(&leaves));
    }
}

#[test]
fn tiles_are_the_subtrees_that_the_specification_says() {
    let roots = hashes(65_536 + 300);
    let tree = Tree::new(&roots);
    let tiles: Vec<(u8, u64)> = tree.tiles().collect();
    assert_eq!(tiles.len(), 257 + 1);
    for (level, number) in tiles {
        let tile = tree.tile(level, number).unwrap();
        let (first, after) = bundles_under(level, number);
        let under = usize::try_from(first).unwrap()..usize::try_from(after).unwrap();
        let each = under.len() / 256;
        for (hash, part) in tile.iter().zip(roots[under].chunks(each)) {
            assert_eq!(*hash, naive_root(part));
        }
    }
    assert_eq!(tree.tile(0, 0), None);
    assert_eq!(tree.tile(1, 257), None, "it is not full");
    assert_eq!(tree.tile(2, 1), None);
    assert_eq!(tree.tile(9, u64::MAX), None);
}

#[test]
fn another_reader_of_the_files_finds_the_root() {
    // Past the first full tile of level 1, as in the example of the specification.
    let (disk, journal) = straight(70_000);
    let read = |path: &Path| disk.read(path).unwrap().unwrap();
    let mut leaves = Vec::new();
    for bundle in 0..273 {
        let entries = read(&path::entries(bundle));
        let hashes = leaf_hashes(&entries).unwrap();
        assert_eq!(read(&path::tile(0, bundle)), hashes.as_flattened());
        leaves.extend(hashes);
    }
    let bundle_roots: Vec<Hash> = leaves.chunks(256).map(naive_root).collect();
    assert_eq!(
        read(Path::new("journal/tile/1/000")),
        bundle_roots[..256].as_flattened()
    );
    assert!(disk.read(&path::tile(0, 273)).unwrap().is_none());
    assert!(disk.read(&path::tile(1, 1)).unwrap().is_none());
    assert!(disk.read(&path::tile(2, 0)).unwrap().is_none());

    leaves.extend((273 * 256 + 1..=70_000).map(|revision| leaf_hash(&super::leaf(revision))));
    assert_eq!(leaves.len(), 70_000);
    assert_eq!(journal.root(), naive_root(&leaves));
    for revision in [1, 65_535, 65_536, 65_537, 69_888, 69_999] {
        let naive = naive_root(&leaves[..revision]);
        assert_eq!(journal.root_at(revision as u64).unwrap(), Some(naive));
    }
}
