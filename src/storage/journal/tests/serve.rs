//! Tiles, bundles and proofs, held against the plainest possible tree.

use super::{leaf, naive_root_at, straight};
use crate::{
    proof::{
        merkle::leaf_hash,
        path::{Resource, WIDTH},
        tiles,
        tree::{Part, consistency, extends, includes, parts, range_root},
    },
    storage::journal::Journal,
};

const SIZE: u64 = 3 * 256 + 45;

fn served(journal: &Journal, resource: Resource) -> Option<Vec<u8>> {
    journal.resource(&resource).unwrap().map(|it| it.to_vec())
}

#[test]
fn every_width_that_a_bundle_and_its_tile_ever_had_is_served_and_no_other() {
    let (_disk, journal) = straight(SIZE);
    for number in 0..6 {
        for width in 1..=256_u16 {
            let first = number * WIDTH;
            let there = first + u64::from(width) <= SIZE;
            let entries = served(
                &journal,
                Resource {
                    level: None,
                    number,
                    width,
                },
            );
            let hashes = served(
                &journal,
                Resource {
                    level: Some(0),
                    number,
                    width,
                },
            );
            assert_eq!((entries.is_some(), hashes.is_some()), (there, there));
            let (Some(entries), Some(hashes)) = (entries, hashes) else {
                continue;
            };
            let entries = tiles::entries(&entries, width).unwrap();
            let hashes = tiles::hashes(&hashes, width).unwrap();
            for (revision, (entry, hash)) in (first + 1..).zip(entries.iter().zip(hashes)) {
                assert_eq!(*entry, leaf(revision));
                assert_eq!(hash, leaf_hash(entry));
            }
        }
    }
    let above = |width| {
        let level = Some(1);
        served(
            &journal,
            Resource {
                level,
                number: 0,
                width,
            },
        )
    };
    assert!(above(3).is_some() && above(4).is_none());
    for level in 2..8 {
        let resource = Resource {
            level: Some(level),
            number: 0,
            width: 1,
        };
        assert_eq!(served(&journal, resource), None);
    }
    let far = Resource {
        level: Some(0),
        number: u64::MAX,
        width: 256,
    };
    assert_eq!(served(&journal, far), None);
}

#[test]
fn every_event_is_proven_in_trees_of_many_sizes() {
    let (_disk, journal) = straight(SIZE);
    for size in [1, 2, 255, 256, 257, 511, 512, 700, SIZE - 1, SIZE] {
        let root = naive_root_at(size);
        for revision in [1, 2, 100, 256, 257, 300, 512, 513, 700, 768, 769, size] {
            let proof = journal.prove(revision, size).unwrap();
            assert_eq!(proof.is_some(), revision <= size);
            let Some(proof) = proof else { continue };
            assert!(includes(&leaf(revision), revision - 1, size, &proof, &root));
        }
    }
    assert_eq!(journal.prove(0, SIZE).unwrap(), None);
    assert_eq!(journal.prove(1, SIZE + 1).unwrap(), None);
}

/// The hashes of a part, out of the tile that a verifier would fetch.
fn fetched(journal: &Journal, part: &Part, size: u64) -> Vec<[u8; 32]> {
    let tile = part.tile(size);
    let bytes = served(journal, tile).unwrap();
    tiles::hashes(&bytes, tile.width).unwrap()[part.within()].to_vec()
}

#[test]
fn tiles_alone_show_that_the_journal_only_grew() {
    let (_disk, journal) = straight(SIZE);
    for (older, newer) in [
        (1, 2),
        (255, 256),
        (200, 300),
        (256, 512),
        (300, SIZE),
        (5, SIZE),
    ] {
        let proof: Vec<_> = consistency(older, newer)
            .iter()
            .map(|range| {
                let parts = parts(range);
                let hashes: Vec<_> = parts
                    .iter()
                    .map(|part| fetched(&journal, part, newer))
                    .collect();
                range_root(hashes.iter().map(Vec::as_slice))
            })
            .collect();
        let roots = (naive_root_at(older), naive_root_at(newer));
        assert!(
            extends((older, &roots.0), (newer, &roots.1), &proof),
            "{older} {newer}"
        );
    }
}
