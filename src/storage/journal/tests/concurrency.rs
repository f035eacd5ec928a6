//! Readers, syncs and fetches while events are appended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use super::{assert_straight, fill, leaf, open, straight};
use crate::storage::{
    files::Files,
    journal::{mark, path, tree::WIDTH},
    memory::Operation,
};

#[test]
fn readers_see_a_growing_prefix_while_syncs_run() {
    let size = 20 * WIDTH + 77;
    let (disk, journal) = straight(0);
    let done = AtomicBool::new(false);
    let edge = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut next = 1;
                while next <= size {
                    let (before, page) = (journal.size(), journal.read(next, size, 5000).unwrap());
                    let after = journal.size();
                    assert!(before >= next - 1 && page.len() as u64 <= after - (next - 1));
                    for (revision, event) in page {
                        assert_eq!((revision, &event[..]), (next, &leaf(next)[..]));
                        next += 1;
                    }
                    assert!(journal.root_at(next - 1).unwrap().is_some());
                }
            });
        }
        let syncing = scope.spawn(|| {
            let mut edge = journal.sync().unwrap();
            while !done.load(Ordering::Relaxed) {
                edge = journal.sync().unwrap();
            }
            edge
        });
        fill(&journal, size);
        done.store(true, Ordering::Relaxed);
        syncing.join().unwrap()
    });
    drop(journal);
    // Whatever the last sync's edge was, it can be opened after a power loss.
    disk.crash();
    let journal = open(&disk, &edge).unwrap();
    fill(&journal, size);
    assert_straight(&journal, &disk, size);
}

#[test]
fn a_sync_never_promises_what_is_not_written_yet() {
    let (disk, journal) = straight(256 * WIDTH - 1);
    let journal = Arc::new(journal);
    // So that the one that matters has little to do.
    journal.sync().unwrap();
    let (syncing, probe) = (journal.clone(), disk.clone());
    disk.fail(move |operation, path| {
        if operation == Operation::Write && path == path::tile(1, 0) {
            // The 256th bundle has been written, and the tile above it not yet: the best time for a sync to go wrong.
            let syncing = syncing.clone();
            let (done, waited) = mpsc::channel();
            thread::spawn(move || done.send(syncing.sync().is_ok()));
            let _ = waited.recv_timeout(Duration::from_millis(300));
            let marked = mark::load(&probe).unwrap().unwrap();
            assert!(!marked.contains(255) || probe.read(&path::tile(1, 0)).unwrap().is_some());
        }
        None
    });
    fill(&journal, 256 * WIDTH);
    disk.heal();
    let edge = journal.sync().unwrap();
    disk.crash();
    open(&disk, &edge).unwrap();
}

#[test]
fn bundles_are_fetched_while_events_are_appended() {
    let (_, leader) = straight(256 * WIDTH);
    let (disk, journal) = straight(0);
    journal.install(&leader.sync().unwrap()).unwrap();
    let size = 300 * WIDTH;
    let fetch = |bundles: Vec<u64>| {
        for bundle in bundles {
            let (entries, evidence) = leader.bundle(bundle).unwrap();
            journal.supply(bundle, entries, evidence).unwrap();
        }
    };
    let missing = journal.missing_bundles(1000);
    let (some, others) = missing.split_at(missing.len() / 2);
    thread::scope(|scope| {
        scope.spawn(|| fetch(some.to_vec()));
        scope.spawn(|| fetch(others.to_vec()));
        fill(&journal, size);
    });
    assert_straight(&journal, &disk, size);
}
