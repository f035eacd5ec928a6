//! What only the disk in memory does: crashes, a set size, faults.

use std::{
    io::{ErrorKind, Write},
    path::Path,
};

use super::{Fate, MemoryFiles, Operation};
use crate::storage::files::Files;

fn read(files: &MemoryFiles, path: &str) -> Option<Vec<u8>> {
    files.read(Path::new(path)).unwrap()
}

#[test]
fn a_crash_loses_what_was_not_synced_and_nothing_else() {
    let files = MemoryFiles::new();
    files.write_durably(Path::new("f/durable"), b"1").unwrap();
    files
        .write_durably(Path::new("f/replaced"), b"old")
        .unwrap();
    files.write(Path::new("f/replaced"), b"new").unwrap();
    files.write(Path::new("f/synced"), b"2").unwrap();
    files.sync(&["f/synced".into()]).unwrap();
    files.write(Path::new("f/lost"), b"3").unwrap();
    let mut finished = files.create(Path::new("f/finished")).unwrap();
    finished.write_all(b"4").unwrap();
    finished.finish().unwrap();

    let survivor = files.clone();
    drop(files);
    survivor.crash();
    assert_eq!(read(&survivor, "f/durable").unwrap(), b"1");
    assert_eq!(read(&survivor, "f/replaced").unwrap(), b"old");
    assert_eq!(read(&survivor, "f/synced").unwrap(), b"2");
    assert_eq!(read(&survivor, "f/lost"), None);
    assert_eq!(read(&survivor, "f/finished").unwrap(), b"4");
}

#[test]
fn a_removal_lasts_once_its_folder_was_synced() {
    let files = MemoryFiles::new();
    for name in ["a/1", "a/2", "b/1"] {
        files.write_durably(Path::new(name), b"x").unwrap();
        files.remove(Path::new(name)).unwrap();
        assert_eq!(read(&files, name), None);
    }
    // This syncs folder `a`.
    files.write_durably(Path::new("a/3"), b"x").unwrap();
    files.crash();
    assert_eq!(read(&files, "a/1"), None);
    assert_eq!(read(&files, "a/2"), None);
    assert_eq!(read(&files, "b/1").unwrap(), b"x");
}

#[test]
fn a_crash_can_tear_what_was_not_synced() {
    let files = MemoryFiles::new();
    files.write_durably(Path::new("removed"), b"x").unwrap();
    files.remove(Path::new("removed")).unwrap();
    for name in ["kept", "lost", "torn", "zeroed"] {
        files.write(Path::new(name), b"bytes").unwrap();
    }
    files.crash_with(|path| match path.to_str() {
        Some("lost") => Fate::Lost,
        Some("torn") => Fate::Torn(2),
        Some("zeroed") => Fate::Zeroed(3),
        _ => Fate::Kept,
    });
    assert_eq!(read(&files, "kept").unwrap(), b"bytes");
    assert_eq!(read(&files, "lost"), None);
    assert_eq!(read(&files, "torn").unwrap(), b"by");
    assert_eq!(read(&files, "zeroed").unwrap(), b"byt\0\0");
    assert_eq!(read(&files, "removed"), None);
    files.crash();
    assert_eq!(read(&files, "torn").unwrap(), b"by");
}

#[test]
fn a_full_disk_refuses_and_keeps_what_it_has() {
    let files = MemoryFiles::new();
    files.write(Path::new("a"), b"12345").unwrap();
    files.set_free_bytes(Some(4));
    assert_eq!(files.free_bytes().unwrap(), 4);
    let error = files.write(Path::new("b"), b"12345").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let mut writer = files.create(Path::new("c")).unwrap();
    writer.write_all(b"123").unwrap();
    assert_eq!(
        writer.write_all(b"45").unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    files.write(Path::new("b"), b"1234").unwrap();
    assert_eq!(files.free_bytes().unwrap(), 0);
    files.remove(Path::new("a")).unwrap();
    assert_eq!(files.free_bytes().unwrap(), 5);
    assert_eq!(files.paths(), [Path::new("b")]);
}

#[test]
fn faults_strike_where_the_rule_says() {
    let files = MemoryFiles::new();
    files.fail(|operation, path| {
        (operation == Operation::Sync && path == Path::new("bad")).then_some(ErrorKind::Other)
    });
    files.write(Path::new("bad"), b"x").unwrap();
    files.write_durably(Path::new("good"), b"x").unwrap();
    let error = files.sync(&["good".into(), "bad".into()]).unwrap_err();
    assert!(error.to_string().contains("bad"), "{error}");
    files.heal();
    files.sync(&["bad".into()]).unwrap();
}
