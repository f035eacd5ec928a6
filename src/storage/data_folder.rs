//! The data folder of a real node: whole files on the operating system's disk, and the lock that keeps a second process out.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::files::{FileWriter, Files, check_path, named};

/// Where files are written before they get their names. Its contents are swept when the folder is opened.
const ASIDE: &str = "aside";

/// The file that a running process holds locked; it tells the process's id.
const LOCK: &str = "lock";

/// A file written in pieces is synced each time that this many bytes have gathered, so that a large snapshot never
/// leaves a heap of dirty pages behind, which the Raft log's own sync would have to wait for.
const SYNC_EVERY: u64 = 8 << 20;

/// The mode of files, before the process's mask takes from it.
const READABLE: u32 = 0o666;

/// The mode of secrets.
const SECRET: u32 = 0o600;

/// A data folder, locked for as long as this value lives.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    /// Closing it is what gives the lock back, whatever way the process ends.
    _lock: File,
    next_aside: Arc<AtomicU64>,
}

/// Why a data folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error(
        "the data folder {} is in use by {}; stop that process, or give this one a data folder of its own",
        .folder.display(),
        .pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process that holds it, as far as the lock file tells.
        pid: Option<u32>,
    },
    /// The disk refused.
    #[error("the data folder {} cannot be used: {source}; check that it exists on a mounted disk and that this user may write to it", .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
}

impl DataFolder {
    /// Opens a data folder, creates it (readable by its owner alone) if need be, and locks it.
    ///
    /// # Errors
    /// [`FolderError::InUse`] while another process, or another value in this one, holds it.
    pub fn open(root: &Path) -> Result<Self, FolderError> {
        let refused = |source| FolderError::Io {
            folder: root.to_owned(),
            source,
        };
        create_root(root).map_err(refused)?;
        let path = root.join(LOCK);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| refused(named(Path::new(LOCK))(error)))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(&path).ok();
                return Err(FolderError::InUse {
                    folder: root.to_owned(),
                    pid: pid.and_then(|text| text.trim().parse().ok()),
                });
            }
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(|error| refused(named(Path::new(LOCK))(error)))?;
        sweep(&root.join(ASIDE)).map_err(refused)?;
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
            next_aside: Arc::default(),
        })
    }

    /// The folder itself, for what keeps its files in a way of its own, such as sled.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// A path that nothing else writes to.
    fn aside(&self) -> PathBuf {
        let number = self.next_aside.fetch_add(1, Ordering::Relaxed);
        self.root.join(ASIDE).join(number.to_string())
    }

    /// Writes a file aside and gives it its name.
    fn replace(&self, path: &Path, bytes: &[u8], durably: bool, mode: u32) -> io::Result<()> {
        check_path(path)?;
        let aside = self.aside();
        let written = (|| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(mode);
            let mut file = options.open(&aside)?;
            file.write_all(bytes)?;
            if durably {
                file.sync_all()?;
            }
            drop(file);
            take_name(&self.root, &aside, path)?;
            if durably {
                sync_folders(&self.root, &folders_of(path))?;
            }
            Ok(())
        })();
        if written.is_err() {
            // What is left aside would be swept at the next start; on a full disk the room is wanted now.
            let _ = fs::remove_file(&aside);
        }
        written.map_err(named(path))
    }
}

impl Files for DataFolder {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        check_path(path)?;
        absent_is_none(fs::read(self.root.join(path))).map_err(named(path))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.replace(path, bytes, false, READABLE)
    }

    fn write_durably(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.replace(path, bytes, true, READABLE)
    }

    fn write_secret(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // Held open, so that it can still be written to once it has lost its name.
        let before = OpenOptions::new().write(true).open(self.root.join(path));
        let before = absent_is_none(before).map_err(named(path))?;
        self.replace(path, bytes, true, SECRET)?;
        before.map_or(Ok(()), blank).map_err(named(path))
    }

    fn sync(&self, paths: &[PathBuf]) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        for path in paths {
            check_path(path)?;
            File::open(self.root.join(path))
                .and_then(|file| file.sync_all())
                .map_err(named(path))?;
            folders.append(&mut folders_of(path));
        }
        sync_folders(&self.root, &folders)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        check_path(path)?;
        let aside = self.aside();
        let file = File::create(&aside).map_err(named(path))?;
        Ok(Box::new(Piecewise {
            root: self.root.clone(),
            path: path.to_owned(),
            aside,
            file,
            unsynced: 0,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn Read + Send>>> {
        check_path(path)?;
        let file = absent_is_none(File::open(self.root.join(path))).map_err(named(path))?;
        Ok(file.map(|file| Box::new(file) as Box<dyn Read + Send>))
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        check_path(path)?;
        let metadata = absent_is_none(fs::metadata(self.root.join(path))).map_err(named(path))?;
        Ok(metadata.map(|metadata| metadata.len()))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        check_path(folder)?;
        let mut names = Vec::new();
        let Some(entries) =
            absent_is_none(fs::read_dir(self.root.join(folder))).map_err(named(folder))?
        else {
            return Ok(names);
        };
        for entry in entries {
            let entry = entry.map_err(named(folder))?;
            if entry.file_type().map_err(named(folder))?.is_file() {
                // A name that is not UTF-8 is none of ours.
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        check_path(path)?;
        absent_is_none(fs::remove_file(self.root.join(path)))
            .map(|_| ())
            .map_err(named(path))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.root)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// A file that is written in pieces, aside.
struct Piecewise {
    root: PathBuf,
    path: PathBuf,
    /// Where the bytes are, until the file has its name.
    aside: PathBuf,
    file: File,
    unsynced: u64,
}

impl Write for Piecewise {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes).map_err(named(&self.path))?;
        self.unsynced += written as u64;
        if self.unsynced >= SYNC_EVERY {
            self.file.sync_data().map_err(named(&self.path))?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Piecewise {
    fn read_back(&self) -> io::Result<Box<dyn Read + Send>> {
        let file = File::open(&self.aside).map_err(named(&self.path))?;
        Ok(Box::new(file))
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.file
            .sync_all()
            .and_then(|()| take_name(&self.root, &self.aside, &self.path))
            .map_err(named(&self.path))?;
        sync_folders(&self.root, &folders_of(&self.path))
    }
}

impl Drop for Piecewise {
    fn drop(&mut self) {
        // Once the file has its name, nothing is left here; and what cannot be removed now is swept when the folder is
        // opened next.
        let _ = fs::remove_file(&self.aside);
    }
}

/// Creates the data folder, and syncs the entries of all that it had to create.
fn create_root(root: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = root
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)?;
    for created in missing {
        let parent = match created.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Writes zeros over what a file holds. Flash and file systems that copy on write may keep it all the same.
fn blank(mut file: File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    file.write_all(&vec![0; length])?;
    file.sync_all()
}

/// Empties the folder for unfinished files, and makes sure that it is there.
fn sweep(aside: &Path) -> io::Result<()> {
    fs::create_dir_all(aside)?;
    for entry in fs::read_dir(aside)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// Renames a file to its name in the data folder, and creates the folders where they are missing.
fn take_name(root: &Path, from: &Path, path: &Path) -> io::Result<()> {
    let to = root.join(path);
    match fs::rename(from, &to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && from.exists() => {
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::rename(from, &to)
        }
        done => done,
    }
}

/// The folders that a path runs through, the data folder itself (an empty path) among them. All of them are synced
/// with the file, because any of them may have been created for it.
fn folders_of(path: &Path) -> BTreeSet<PathBuf> {
    path.ancestors().skip(1).map(Path::to_owned).collect()
}

/// Syncs folders of the data folder.
fn sync_folders(root: &Path, folders: &BTreeSet<PathBuf>) -> io::Result<()> {
    for folder in folders {
        File::open(root.join(folder))
            .and_then(|folder| folder.sync_all())
            .map_err(named(folder))?;
    }
    Ok(())
}

/// Turns "there is no such file" into `None`.
fn absent_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
