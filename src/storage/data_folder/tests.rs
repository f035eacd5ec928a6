//! What only the real data folder does.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::Path};

use super::{ASIDE, DataFolder, FolderError, LOCK};
use crate::storage::files::Files;

#[test]
fn a_second_user_of_the_folder_is_told_who_has_it() {
    let root = tempfile::tempdir().unwrap();
    let first = DataFolder::open(root.path()).unwrap();
    let error = DataFolder::open(root.path()).unwrap_err();
    let FolderError::InUse { folder, pid } = &error else {
        panic!("{error}");
    };
    assert_eq!(folder, root.path());
    assert_eq!(*pid, Some(std::process::id()));
    let text = error.to_string();
    assert!(text.contains(&*root.path().to_string_lossy()), "{text}");
    assert!(text.contains(&std::process::id().to_string()), "{text}");

    drop(first);
    // What an earlier process left in the lock file does not count, nor does its length.
    fs::write(root.path().join(LOCK), "4294967295 and more\n").unwrap();
    let _second = DataFolder::open(root.path()).unwrap();
    let content = fs::read_to_string(root.path().join(LOCK)).unwrap();
    assert_eq!(content, format!("{}\n", std::process::id()));
}

#[test]
fn the_folder_is_created_for_its_owner_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x/y/data");
    let folder = DataFolder::open(&path).unwrap();
    assert_eq!(folder.path(), path);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_path_that_cannot_be_a_folder_is_named() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("file");
    fs::write(&path, "x").unwrap();
    let error = DataFolder::open(&path).unwrap_err();
    assert!(matches!(error, FolderError::Io { .. }));
    assert!(
        error.to_string().contains(&*path.to_string_lossy()),
        "{error}"
    );
}

#[test]
fn what_a_crash_left_aside_is_swept() {
    let root = tempfile::tempdir().unwrap();
    let aside = root.path().join(ASIDE);
    {
        let folder = DataFolder::open(root.path()).unwrap();
        let mut writer = folder.create(Path::new("snapshots/1")).unwrap();
        writer.write_all(b"half").unwrap();
        assert_eq!(fs::read_dir(&aside).unwrap().count(), 1);
        // A process that is killed drops nothing.
        std::mem::forget(writer);
        drop(folder);
    }
    let folder = DataFolder::open(root.path()).unwrap();
    assert_eq!(fs::read_dir(&aside).unwrap().count(), 0);
    assert!(folder.list(Path::new("snapshots")).unwrap().is_empty());
}

#[test]
fn nothing_is_left_aside_by_what_succeeds_or_fails() {
    let root = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(root.path()).unwrap();
    folder.write(Path::new("a/b"), b"x").unwrap();
    folder.write_durably(Path::new("a/c"), b"x").unwrap();
    let mut writer = folder.create(Path::new("a/d")).unwrap();
    // More than is written between two syncs.
    let piece = vec![7; 1 << 20];
    for _ in 0..9 {
        writer.write_all(&piece).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(folder.size(Path::new("a/d")).unwrap(), Some(9 << 20));
    // A file stands where a folder would have to be.
    let error = folder.write(Path::new("a/b/c"), b"x").unwrap_err();
    assert!(error.to_string().contains("a/b/c"), "{error}");
    assert_eq!(fs::read_dir(root.path().join(ASIDE)).unwrap().count(), 0);
}

#[test]
fn a_secret_that_is_replaced_is_written_over() {
    let root = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(root.path()).unwrap();
    let path = Path::new("secrets");
    folder.write_secret(path, b"the old one").unwrap();
    // Another name for the same bytes on the disk, which outlives the first.
    let other = root.path().join("other");
    fs::hard_link(root.path().join(path), &other).unwrap();
    folder.write_secret(path, b"new").unwrap();
    assert_eq!(fs::read(root.path().join(path)).unwrap(), b"new");
    assert_eq!(fs::read(&other).unwrap(), [0; 11]);
}
