//! The disk for whole files, injected so that a simulation can bring one that loses what was not synced.

use std::{
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

/// Reads and replaces whole files of a data folder.
///
/// Every path is relative to the data folder and made of plain names only; anything else is refused with
/// [`io::ErrorKind::InvalidInput`]. A file is never changed in place: it is written aside and then renamed, so
/// that a reader sees the old bytes or the new ones. Errors name the file.
pub trait Files: Send + Sync + 'static {
    /// The bytes of a file, or `None` where there is no such file.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;

    /// Replaces a file and creates its folders. Nothing is synced: after a power loss the file may hold the old
    /// bytes, the new ones or a part of them, until [`Files::sync`] has named it.
    ///
    /// # Errors
    /// Whatever the disk says; [`io::ErrorKind::StorageFull`] where it is full.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Replaces a file, and returns when it would outlive a power loss: the bytes, the name, and new folders.
    ///
    /// # Errors
    /// Whatever the disk says. The file may then hold the old bytes or the new ones.
    fn write_durably(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// As [`Files::write_durably`], for what nobody but the program's own user may read. What it takes the place of is written over on a
    /// disk, where that can be done.
    ///
    /// # Errors
    /// As there.
    fn write_secret(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write_durably(path, bytes)
    }

    /// Makes files outlive a power loss, and with them what was renamed or removed in their folders. Each folder is
    /// synced once, so one call for many files is the cheap way.
    ///
    /// # Errors
    /// Whatever the disk says; a file that is not there is an error. Never try again after one: the kernel may have
    /// dropped the bytes that it could not write.
    fn sync(&self, paths: &[PathBuf]) -> io::Result<()>;

    /// Begins a file that is written in pieces. It takes its name, durably, in [`FileWriter::finish`]; dropped
    /// before that, it leaves nothing.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>>;

    /// Opens a file to read it in pieces, or `None` where there is no such file. What is read stays what it was when
    /// the file was opened, also when the file is replaced or removed meanwhile.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn Read + Send>>>;

    /// The length of a file in bytes, or `None` where there is no such file.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn size(&self, path: &Path) -> io::Result<Option<u64>>;

    /// The names of the files (not of the folders) in a folder, sorted; none where there is no such folder.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Removes a file; one that is not there is fine. Not synced: the file may be back after a power loss.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The bytes that can still be written to the disk that holds the data folder.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// A file that is being written in pieces.
pub trait FileWriter: Write + Send {
    /// Reads what has been written so far, from the beginning, so that it can be verified before it takes its name.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn read_back(&self) -> io::Result<Box<dyn Read + Send>>;

    /// Syncs the bytes, gives the file its name, and syncs that too.
    ///
    /// # Errors
    /// Whatever the disk says. Never try again.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Refuses a path that could lead out of the data folder.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`].
pub(super) fn check_path(path: &Path) -> io::Result<()> {
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if plain && path.file_name().is_some() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "{}: not a path of plain names inside the data folder",
            path.display()
        ),
    ))
}

/// Puts the file's name into an error of the disk, and keeps its kind.
pub(super) fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
