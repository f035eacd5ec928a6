//! Reading: pages, bounds, from memory and from the disk.

use bytes::Bytes;

use super::{leaf, open, straight};
use crate::storage::journal::{Journal, JournalError, MAX_LEAF, tree::WIDTH};

fn revisions(journal: &Journal, from: u64, to: u64, max_bytes: usize) -> Vec<u64> {
    let page = journal.read(from, to, max_bytes).unwrap();
    for (revision, event) in &page {
        assert_eq!(*event, leaf(*revision), "event {revision}");
    }
    page.into_iter().map(|(revision, _)| revision).collect()
}

#[test]
fn any_range_can_be_read_from_memory_and_from_the_disk() {
    let size = 3 * WIDTH + 10;
    let (disk, journal) = straight(size);
    let reopened = open(&disk, &journal.sync().unwrap()).unwrap();
    for journal in [&journal, &reopened] {
        for (from, to) in [
            (1, 1),
            (1, 255),
            (1, 256),
            (255, 258),
            (256, 256),
            (257, size),
        ] {
            let all: Vec<u64> = (from..=to).collect();
            assert_eq!(revisions(journal, from, to, usize::MAX), all);
        }
        assert_eq!(revisions(journal, 0, 2, usize::MAX), [1, 2]);
        assert_eq!(
            revisions(journal, size - 1, u64::MAX, usize::MAX),
            [size - 1, size]
        );
        assert_eq!(
            revisions(journal, size + 1, u64::MAX, usize::MAX),
            Vec::<u64>::new()
        );
        assert_eq!(
            revisions(journal, u64::MAX, u64::MAX, usize::MAX),
            Vec::<u64>::new()
        );
        assert_eq!(revisions(journal, 5, 4, usize::MAX), Vec::<u64>::new());
    }
}

#[test]
fn a_page_is_bounded_and_never_empty() {
    let (_, journal) = straight(600);
    assert_eq!(revisions(&journal, 1, 600, 0), [1]);
    for max_bytes in [1, 50, 100, 3000] {
        let page = revisions(&journal, 200, 600, max_bytes);
        let bytes: usize = page.iter().map(|revision| leaf(*revision).len() + 2).sum();
        assert!(bytes <= max_bytes || page.len() == 1, "{bytes} bytes");
        let next = leaf(page.last().unwrap() + 1).len() + 2;
        assert!(bytes + next > max_bytes, "one more would have gone in");
    }
}

#[test]
fn the_longest_leaves_go_in_and_longer_ones_do_not() {
    let (disk, journal) = straight(0);
    let long = vec![7; MAX_LEAF];
    for revision in 1..=WIDTH {
        assert_eq!(journal.append(&long, None).unwrap(), revision);
    }
    let refused = journal.append(&vec![7; MAX_LEAF + 1], None).unwrap_err();
    assert!(matches!(refused, JournalError::Refused(_)), "{refused}");
    assert_eq!(
        journal.append(&[], None).unwrap(),
        WIDTH + 1,
        "it goes on after that"
    );
    let reopened = open(&disk, &journal.sync().unwrap()).unwrap();
    for journal in [journal, reopened] {
        let page = journal.read(WIDTH, WIDTH + 1, usize::MAX).unwrap();
        assert_eq!(
            page,
            [
                (WIDTH, Bytes::from(long.clone())),
                (WIDTH + 1, Bytes::new())
            ]
        );
    }
}

#[test]
fn an_edge_survives_its_encoding_at_any_size() {
    for size in [0, 1, 255, 256, 257, 700] {
        let (_, journal) = straight(size);
        let edge = journal.edge();
        assert_eq!((edge.size(), edge.root()), (size, journal.root()));
        let decoded = super::JournalEdge::decode(&edge.encode()).unwrap();
        assert_eq!(decoded, edge);
    }
}

#[test]
fn a_damaged_edge_is_refused() {
    use crate::storage::frame;

    let (_, journal) = straight(260);
    let edge = journal.edge();
    let encoded = edge.encode();
    for at in 0..encoded.len() {
        let mut flipped = encoded.clone();
        flipped[at] ^= 4;
        assert!(super::JournalEdge::decode(&flipped).is_err());
        assert!(super::JournalEdge::decode(&encoded[..at]).is_err());
    }
    // Also where the checksum was made to fit: the root vouches for the hashes and the leaves.
    let contents = frame::decode(*b"RFJE", 1, &encoded).unwrap();
    for at in [0, 7, 8, 40, contents.len() - 1] {
        let mut forged = contents.to_vec();
        forged[at] ^= 1;
        let forged = frame::encode(*b"RFJE", 1, &forged);
        assert!(super::JournalEdge::decode(&forged).is_err(), "byte {at}");
    }
    let mut long = contents.to_vec();
    long.push(0);
    assert!(super::JournalEdge::decode(&frame::encode(*b"RFJE", 1, &long)).is_err());
}
