//! Damage to any file at any place is refused or repaired by replay, and never passes in silence.

use std::path::{Path, PathBuf};

use super::{JournalEdge, assert_straight, evidence, fill, leaf, open, straight, try_fill};
use crate::storage::{
    files::Files,
    journal::{JournalError, MAX_LEAF, path, tree::WIDTH},
    memory::MemoryFiles,
};

/// Ways to damage a file; `None` removes it.
fn damages(bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut damaged = vec![None, Some(Vec::new())];
    for at in [0, 1, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 0x20;
        damaged.push(Some(flipped));
        damaged.push(Some(bytes[..at].to_vec()));
        let mut zeroed = bytes.to_vec();
        zeroed[at..].fill(0);
        damaged.push(Some(zeroed));
    }
    damaged.push(Some([bytes, b"\0\0"].concat()));
    damaged.retain(|damaged| damaged.as_deref() != Some(bytes));
    damaged
}

fn put(disk: &MemoryFiles, path: &Path, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => disk.write_durably(path, bytes).unwrap(),
        None => disk.remove(path).unwrap(),
    }
}

/// A disk with events up to `size` and a snapshot's edge at `edge`.
fn prepared(edge: u64, size: u64) -> (MemoryFiles, JournalEdge) {
    let (disk, journal) = straight(edge);
    let edge = journal.sync().unwrap();
    fill(&journal, size);
    (disk, edge)
}

/// The files that the edge vouches for.
fn files_below(disk: &MemoryFiles, edge: &JournalEdge) -> Vec<PathBuf> {
    let bundles = edge.size() / WIDTH;
    let beyond: Vec<PathBuf> = (bundles..bundles + 10)
        .flat_map(|bundle| {
            [
                path::entries(bundle),
                path::tile(0, bundle),
                path::evidence(bundle),
            ]
        })
        .collect();
    let mut paths = disk.paths();
    paths.retain(|path| !beyond.contains(path));
    paths
}

#[test]
fn damage_below_the_edge_is_refused_and_the_file_named() {
    let size = 3 * WIDTH + 100;
    let (disk, edge) = prepared(size, size);
    let paths = files_below(&disk, &edge);
    assert_eq!(
        paths.len(),
        3 * 2 + 2 + 1,
        "entries and tiles, evidence for two, the mark"
    );
    for path in paths {
        let whole = disk.read(&path).unwrap().unwrap();
        for damaged in damages(&whole) {
            put(&disk, &path, damaged.as_deref());
            let Err(error) = open(&disk, &edge) else {
                panic!("damage to {} went unnoticed", path.display());
            };
            let JournalError::Damaged { file, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(file, &path);
            let text = error.to_string();
            assert!(
                text.contains(path.to_str().unwrap()) && text.contains("rejoin"),
                "{text}"
            );
        }
        put(&disk, &path, Some(&whole));
    }
    assert_straight(&open(&disk, &edge).unwrap(), &disk, size);
}

#[test]
fn damage_to_an_upper_tile_is_refused() {
    let (disk, journal) = straight(256 * WIDTH);
    let edge = journal.sync().unwrap();
    let tile = path::tile(1, 0);
    let whole = disk.read(&tile).unwrap().unwrap();
    // A few are enough: each opening hashes the whole journal.
    for damaged in damages(&whole).into_iter().step_by(4) {
        put(&disk, &tile, damaged.as_deref());
        let error = open(&disk, &edge).err().unwrap();
        assert!(
            matches!(&error, JournalError::Damaged { file, .. } if *file == tile),
            "{error}"
        );
    }
    put(&disk, &tile, Some(&whole));
    open(&disk, &edge).unwrap();
}

#[test]
fn damage_beyond_the_edge_is_repaired_by_replay() {
    let size = 3 * WIDTH + 100;
    let (pristine, edge) = prepared(WIDTH + 3, size);
    let vouched = files_below(&pristine, &edge);
    let mut beyond = pristine.paths();
    beyond.retain(|path| !vouched.contains(path));
    assert_eq!(beyond.len(), 2 * 2 + 1, "evidence for one");
    for path in beyond {
        let whole = pristine.read(&path).unwrap().unwrap();
        for damaged in damages(&whole) {
            let (disk, edge) = prepared(WIDTH + 3, size);
            put(&disk, &path, damaged.as_deref());
            let journal = open(&disk, &edge).unwrap();
            fill(&journal, size);
            assert_straight(&journal, &disk, size);
            let edge = journal.sync().unwrap();
            disk.crash();
            assert_straight(&open(&disk, &edge).unwrap(), &disk, size);
        }
    }
}

#[test]
fn whole_bundles_with_other_contents_stop_the_replay() {
    let size = 2 * WIDTH + 1;
    let other = |revision: u64| match revision {
        300 => b"another event".to_vec(),
        revision => leaf(revision),
    };
    let (disk, edge) = prepared(WIDTH + 3, WIDTH + 3);
    let journal = open(&disk, &edge).unwrap();
    for revision in journal.size() + 1..=size {
        journal
            .append(&other(revision), evidence(revision).as_deref())
            .unwrap();
    }
    drop(journal);

    let journal = open(&disk, &edge).unwrap();
    let error = try_fill(&journal, size).unwrap_err();
    let JournalError::Diverged { file, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*file, path::entries(1));
    assert_eq!(
        journal.size(),
        2 * WIDTH - 1,
        "the event that showed it is not taken"
    );
    let stopped = journal.append(b"x", None).unwrap_err();
    assert!(matches!(stopped, JournalError::Stopped(_)), "{stopped}");
    let stopped = journal.sync().unwrap_err();
    assert!(matches!(stopped, JournalError::Stopped(_)), "{stopped}");
}

#[test]
fn whole_evidence_with_other_contents_stops_the_replay() {
    let (disk, journal) = straight(0);
    for revision in 1..=WIDTH {
        journal
            .append(&leaf(revision), Some(b"other evidence"))
            .unwrap();
    }
    drop(journal);
    let journal = open(&disk, &JournalEdge::default()).unwrap();
    let error = try_fill(&journal, WIDTH).unwrap_err();
    assert!(
        matches!(&error, JournalError::Diverged { file, .. } if *file == path::evidence(0)),
        "{error}"
    );
}

#[test]
fn damage_while_running_is_noticed_by_who_reads() {
    let (disk, edge) = prepared(2 * WIDTH, 2 * WIDTH);
    let journal = open(&disk, &edge).unwrap();
    for (path, damages_reading) in [(path::entries(1), true), (path::tile(0, 1), false)] {
        let whole = disk.read(&path).unwrap().unwrap();
        let mut flipped = whole.clone();
        flipped[100] ^= 1;
        put(&disk, &path, Some(&flipped));
        let is_damage = |error: JournalError| {
            assert!(matches!(&error, JournalError::Damaged { file, .. } if *file == path));
        };
        if damages_reading {
            is_damage(journal.read(300, 300, MAX_LEAF).unwrap_err());
            is_damage(journal.bundle(1).unwrap_err());
        } else {
            is_damage(journal.root_at(300).unwrap_err());
        }
        put(&disk, &path, Some(&whole));
    }
    assert_straight(&journal, &disk, 2 * WIDTH);
}

#[test]
fn a_bundle_that_was_once_complete_is_never_fetched_again() {
    let (disk, edge) = prepared(2 * WIDTH, 2 * WIDTH);
    for path in [path::entries(0), path::tile(0, 0), path::evidence(0)] {
        disk.remove(&path).unwrap();
    }
    assert!(matches!(
        open(&disk, &edge),
        Err(JournalError::Damaged { .. })
    ));
    // And without its mark, a journal does not pass for one that was never filled.
    disk.remove(Path::new(path::MARK)).unwrap();
    let error = open(&disk, &edge).err().unwrap();
    assert!(
        matches!(&error, JournalError::Damaged { file, .. } if file == Path::new(path::MARK)),
        "{error}"
    );
}
