//! What every implementation of [`Files`] must do.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::Files;
use crate::storage::{data_folder::DataFolder, memory::MemoryFiles};

fn on_each(check: impl Fn(&dyn Files)) {
    check(&MemoryFiles::new());
    let folder = tempfile::tempdir().unwrap();
    check(&DataFolder::open(folder.path()).unwrap());
}

fn read(files: &dyn Files, path: &str) -> Option<Vec<u8>> {
    files.read(Path::new(path)).unwrap()
}

#[test]
fn files_are_replaced_whole_and_found_again() {
    on_each(|files| {
        let deep = Path::new("a/b/c/file");
        assert_eq!(read(files, "a/b/c/file"), None);
        assert_eq!(files.size(deep).unwrap(), None);
        assert!(files.open(deep).unwrap().is_none());
        files.write(deep, b"first").unwrap();
        assert_eq!(read(files, "a/b/c/file").unwrap(), b"first");
        files.write_durably(deep, b"second one").unwrap();
        assert_eq!(read(files, "a/b/c/file").unwrap(), b"second one");
        assert_eq!(files.size(deep).unwrap(), Some(10));
        files.write(Path::new("a/b/other"), b"").unwrap();
        let paths = [deep.to_owned(), PathBuf::from("a/b/other")];
        files.sync(&paths).unwrap();
        assert_eq!(read(files, "a/b/other").unwrap(), b"");
        files.write_durably(Path::new("top"), b"x").unwrap();
        assert_eq!(read(files, "top").unwrap(), b"x");
    });
}

#[test]
fn a_folder_lists_its_files_sorted_and_nothing_else() {
    on_each(|files| {
        assert!(files.list(Path::new("a")).unwrap().is_empty());
        for name in ["a/2", "a/10", "a/1", "a/b/3"] {
            files.write(Path::new(name), b"x").unwrap();
        }
        assert_eq!(files.list(Path::new("a")).unwrap(), ["1", "10", "2"]);
        files.remove(Path::new("a/10")).unwrap();
        files.remove(Path::new("a/10")).unwrap();
        assert_eq!(files.list(Path::new("a")).unwrap(), ["1", "2"]);
    });
}

#[test]
fn a_file_in_pieces_appears_when_it_is_finished() {
    on_each(|files| {
        let path = Path::new("a/pieces");
        let mut writer = files.create(path).unwrap();
        writer.write_all(b"one ").unwrap();
        writer.write_all(b"two").unwrap();
        let mut back = String::new();
        writer
            .read_back()
            .unwrap()
            .read_to_string(&mut back)
            .unwrap();
        assert_eq!(back, "one two");
        assert_eq!(read(files, "a/pieces"), None);
        writer.finish().unwrap();
        assert_eq!(read(files, "a/pieces").unwrap(), b"one two");

        let mut abandoned = files.create(path).unwrap();
        abandoned.write_all(b"other").unwrap();
        drop(abandoned);
        assert_eq!(read(files, "a/pieces").unwrap(), b"one two");
        assert_eq!(files.list(Path::new("a")).unwrap(), ["pieces"]);
    });
}

#[test]
fn an_open_file_stays_what_it_was() {
    on_each(|files| {
        let path = Path::new("file");
        files.write(path, b"old").unwrap();
        let mut replaced = files.open(path).unwrap().unwrap();
        files.write(path, b"new").unwrap();
        let mut removed = files.open(path).unwrap().unwrap();
        files.remove(path).unwrap();
        let mut bytes = String::new();
        replaced.read_to_string(&mut bytes).unwrap();
        removed.read_to_string(&mut bytes).unwrap();
        assert_eq!(bytes, "oldnew");
    });
}

#[test]
fn paths_that_lead_out_are_refused() {
    on_each(|files| {
        for path in ["../x", "/etc/x", "a/../../x", "", "./x"] {
            let path = Path::new(path);
            let refused = |result: io::Result<()>| {
                let error = result.unwrap_err();
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::InvalidInput,
                    "{}",
                    path.display()
                );
            };
            refused(files.write(path, b"x"));
            refused(files.write_durably(path, b"x"));
            refused(files.read(path).map(drop));
            refused(files.create(path).map(drop));
            refused(files.open(path).map(drop));
            refused(files.size(path).map(drop));
            refused(files.remove(path));
            refused(files.sync(&[path.to_owned()]));
        }
    });
}

#[test]
fn syncing_what_is_not_there_is_an_error_that_names_it() {
    on_each(|files| {
        let error = files.sync(&["a/gone".into()]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("a/gone"), "{error}");
        assert!(files.free_bytes().unwrap() > 0);
    });
}
