//! What the journal's tests share: events, the plainest possible Merkle tree, and a node that can crash.

mod concurrency;
mod damage;
mod faults;
mod fetch;
mod golden;
mod reading;
mod replay;
mod serve;
mod timing;
mod tree;

use std::sync::Arc;

use bytes::Bytes;

use super::{Journal, JournalEdge, JournalError};
use crate::{
    domain::Revision,
    proof::merkle::{Hash, empty_root, leaf_hash, node_hash},
    storage::memory::MemoryFiles,
};

/// The event of a revision: of various lengths, some of them empty.
fn leaf(revision: Revision) -> Vec<u8> {
    let length = usize::try_from(revision * 7 % 61).unwrap();
    format!("event {revision}")
        .into_bytes()
        .into_iter()
        .cycle()
        .take(length)
        .collect()
}

/// The evidence of a revision: few have any, and most bundles none.
fn evidence(revision: Revision) -> Option<Vec<u8>> {
    let has_any = revision % 97 == 5 && revision / 256 % 3 != 1;
    has_any.then(|| format!("evidence {revision}").into_bytes())
}

/// RFC 6962, section 2.1, word by word.
fn naive_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [one] => *one,
        more => {
            let mut split = 1;
            while split * 2 < more.len() {
                split *= 2;
            }
            node_hash(&naive_root(&more[..split]), &naive_root(&more[split..]))
        }
    }
}

fn naive_root_at(revision: Revision) -> Hash {
    let hashes: Vec<Hash> = (1..=revision)
        .map(|revision| leaf_hash(&leaf(revision)))
        .collect();
    naive_root(&hashes)
}

fn open(disk: &MemoryFiles, edge: &JournalEdge) -> Result<Journal, JournalError> {
    Journal::open(Arc::new(disk.clone()), edge)
}

/// Applies the events up to a revision, as the replay of the Raft log does.
fn try_fill(journal: &Journal, to: Revision) -> Result<(), JournalError> {
    for revision in journal.size() + 1..=to {
        let appended = journal.append(&leaf(revision), evidence(revision).as_deref())?;
        assert_eq!(appended, revision);
    }
    Ok(())
}

fn fill(journal: &Journal, to: Revision) {
    try_fill(journal, to).unwrap();
}

/// A journal that never crashed.
fn straight(size: Revision) -> (MemoryFiles, Journal) {
    let disk = MemoryFiles::new();
    let journal = open(&disk, &JournalEdge::default()).unwrap();
    fill(&journal, size);
    (disk, journal)
}

/// All events of a journal, read in pages.
fn read_all(journal: &Journal) -> Vec<Bytes> {
    let mut events = Vec::new();
    loop {
        let next = events.len() as u64 + 1;
        let page = journal.read(next, u64::MAX, 10_000).unwrap();
        if page.is_empty() {
            return events;
        }
        for (revision, event) in page {
            assert_eq!(revision, events.len() as u64 + 1);
            events.push(event);
        }
    }
}

/// Checks that a journal is what a straight run gives, files and all.
fn assert_straight(journal: &Journal, disk: &MemoryFiles, size: Revision) {
    use crate::storage::files::Files;

    let (straight_disk, straight) = straight(size);
    assert_eq!(journal.size(), size);
    assert_eq!(journal.edge(), straight.edge());
    assert_eq!(journal.earliest(), 1);
    assert!(journal.missing_bundles(1).is_empty());
    assert!(read_all(journal) == read_all(&straight));
    for path in straight_disk.paths() {
        if path == std::path::Path::new(super::path::MARK) {
            continue;
        }
        let (is, should_be) = (
            disk.read(&path).unwrap(),
            straight_disk.read(&path).unwrap(),
        );
        assert!(is == should_be, "{} differs", path.display());
    }
}
