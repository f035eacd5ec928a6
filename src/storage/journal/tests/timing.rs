//! How long a large journal takes to write, to sync and to open with full verification, on a real disk.

use std::{sync::Arc, time::Instant};

use crate::storage::{
    data_folder::DataFolder,
    files::Files,
    journal::{Journal, JournalEdge},
};

/// `REFRAIN_TIMING_EVENTS=1000000 cargo test --release --lib journal::tests::timing -- --nocapture` gives a figure
/// worth quoting; otherwise it is small. `REFRAIN_TIMING_FOLDER` names another disk than that of temporary files.
#[test]
fn a_large_journal_on_a_real_disk() {
    let events =
        std::env::var("REFRAIN_TIMING_EVENTS").map_or(20_000, |events| events.parse().unwrap());
    let folder = std::env::var_os("REFRAIN_TIMING_FOLDER")
        .map_or_else(tempfile::tempdir, tempfile::tempdir_in)
        .unwrap();
    let files: Arc<dyn Files> = Arc::new(DataFolder::open(folder.path()).unwrap());
    let mut leaf = [0x5a; 150];
    let start = Instant::now();
    let journal = Journal::open(files.clone(), &JournalEdge::default()).unwrap();
    for event in 0..events {
        leaf[..8].copy_from_slice(&u64::to_be_bytes(event));
        journal.append(&leaf, None).unwrap();
    }
    let appended = start.elapsed();
    let start = Instant::now();
    let edge = journal.sync().unwrap();
    let synced = start.elapsed();
    let root = journal.root();
    drop(journal);

    let start = Instant::now();
    let journal = Journal::open(files, &edge).unwrap();
    let opened = start.elapsed();
    assert_eq!(journal.root(), root);

    let start = Instant::now();
    let mut next = 1;
    while next <= events {
        next += journal.read(next, events, 1 << 20).unwrap().len() as u64;
    }
    let read = start.elapsed();
    println!(
        "{events} events of {} bytes: appended in {appended:?}, synced in {synced:?}, opened and verified in \
         {opened:?}, read in {read:?}",
        leaf.len()
    );
}
