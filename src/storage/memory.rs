//! A disk in memory for simulations and tests: it tells what was synced from what was not, and loses the latter in a crash.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::files::{FileWriter, Files, check_path};

/// What is free on a disk without a set size.
const PLENTY: u64 = 1 << 50;

/// A disk in memory. Clones share it, so a test keeps one, gives another to a node, lets the node die, calls
/// [`MemoryFiles::crash`] and starts the next node on the same disk.
#[derive(Clone, Default)]
pub struct MemoryFiles {
    disk: Arc<Mutex<Disk>>,
}

/// What a disk is asked to do, as a fault rule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reading, listing or asking for a length.
    Read,
    /// Writing a file or a piece of one, durably or not.
    Write,
    /// Making a file outlive a power loss: a part of `write_durably`, `sync` and `finish`.
    Sync,
    /// Removing a file.
    Remove,
}

/// What becomes of a change that was not synced when the power went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It never happened.
    Lost,
    /// It reached the disk by itself.
    Kept,
    /// The name reached the disk, and this many bytes at the file's beginning.
    Torn(usize),
    /// The name and the length reached the disk, but this many bytes at the beginning only; zeros follow.
    Zeroed(usize),
}

type FaultRule = Arc<dyn Fn(Operation, &Path) -> Option<io::ErrorKind> + Send + Sync>;

#[derive(Default)]
struct Disk {
    /// What a reader sees.
    now: BTreeMap<PathBuf, Arc<Vec<u8>>>,
    /// What a power loss leaves.
    durable: BTreeMap<PathBuf, Arc<Vec<u8>>>,
    /// How many bytes fit; `None` for no limit.
    capacity: Option<u64>,
    fault: Option<FaultRule>,
}

impl MemoryFiles {
    /// An empty disk without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another disk with the same contents, synced and not, without the limit and the fault rule.
    #[must_use]
    pub fn copy(&self) -> Self {
        let disk = self.disk();
        let copy = Disk {
            now: disk.now.clone(),
            durable: disk.durable.clone(),
            capacity: None,
            fault: None,
        };
        Self {
            disk: Arc::new(Mutex::new(copy)),
        }
    }

    /// Cuts the power: every change that was not synced is lost.
    pub fn crash(&self) {
        self.crash_with(|_| Fate::Lost);
    }

    /// Cuts the power, and asks for the fate of each change that was not synced, in the order of the paths.
    /// A removal is a change too: anything but [`Fate::Lost`] lets it stand.
    pub fn crash_with(&self, mut fate: impl FnMut(&Path) -> Fate) {
        let mut disk = self.disk();
        let disk = &mut *disk;
        let mut left = disk.durable.clone();
        for (path, bytes) in &disk.now {
            if disk.durable.get(path) == Some(bytes) {
                continue;
            }
            let cut = |length: usize| bytes[..length.min(bytes.len())].to_vec();
            let bytes = match fate(path) {
                Fate::Lost => continue,
                Fate::Kept => bytes.clone(),
                Fate::Torn(length) => Arc::new(cut(length)),
                Fate::Zeroed(length) => {
                    let mut torn = cut(length);
                    torn.resize(bytes.len(), 0);
                    Arc::new(torn)
                }
            };
            left.insert(path.clone(), bytes);
        }
        for path in disk.durable.keys() {
            if !disk.now.contains_key(path) && fate(path) != Fate::Lost {
                left.remove(path);
            }
        }
        disk.durable = left.clone();
        disk.now = left;
    }

    /// Sets how many bytes can still be written. `None` lifts the limit.
    pub fn set_free_bytes(&self, free: Option<u64>) {
        let mut disk = self.disk();
        disk.capacity = free.map(|free| disk.used().saturating_add(free));
    }

    /// Lets operations fail as the rule says, until [`MemoryFiles::heal`]. The rule is asked before each operation and
    /// may take its time, as a slow disk does; others go on meanwhile.
    pub fn fail(
        &self,
        rule: impl Fn(Operation, &Path) -> Option<io::ErrorKind> + Send + Sync + 'static,
    ) {
        self.disk().fault = Some(Arc::new(rule));
    }

    /// Takes the fault rule away.
    pub fn heal(&self) {
        self.disk().fault = None;
    }

    /// All files that a reader sees, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.disk().now.keys().cloned().collect()
    }

    fn check(&self, operation: Operation, path: &Path) -> io::Result<()> {
        check_path(path)?;
        let rule = self.disk().fault.clone();
        match rule.and_then(|rule| rule(operation, path)) {
            None => Ok(()),
            Some(kind) => {
                let what = format!("{}: injected fault", path.display());
                Err(io::Error::new(kind, what))
            }
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        // A test that panicked while it held the lock left a whole map behind: every change is one insertion.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn used(&self) -> u64 {
        self.now.values().map(|bytes| bytes.len() as u64).sum()
    }

    fn free(&self) -> u64 {
        self.capacity
            .map_or(PLENTY, |capacity| capacity.saturating_sub(self.used()))
    }

    fn check_room(&self, path: &Path, bytes: usize) -> io::Result<()> {
        if bytes as u64 <= self.free() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::StorageFull,
            format!("{}: no space left on device", path.display()),
        ))
    }

    fn put(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.check_room(path, bytes.len())?;
        self.now.insert(path.to_owned(), Arc::new(bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        let bytes = self.now.get(path).ok_or_else(|| absent(path))?;
        self.durable.insert(path.to_owned(), bytes.clone());
        // With the folder, what was removed from it is gone for good.
        let now = &self.now;
        self.durable
            .retain(|other, _| other.parent() != path.parent() || now.contains_key(other));
        Ok(())
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.check(Operation::Read, path)?;
        Ok(self.disk().now.get(path).map(|bytes| bytes.to_vec()))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.check(Operation::Write, path)?;
        self.disk().put(path, bytes)
    }

    fn write_durably(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write(path, bytes)?;
        self.sync(&[path.to_owned()])
    }

    fn sync(&self, paths: &[PathBuf]) -> io::Result<()> {
        for path in paths {
            self.check(Operation::Sync, path)?;
            self.disk().sync(path)?;
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        self.check(Operation::Write, path)?;
        Ok(Box::new(Piecewise {
            disk: self.clone(),
            path: path.to_owned(),
            bytes: Vec::new(),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn Read + Send>>> {
        self.check(Operation::Read, path)?;
        let bytes = self.disk().now.get(path).cloned();
        Ok(bytes.map(|bytes| Box::new(Cursor::new(Shared(bytes))) as Box<dyn Read + Send>))
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        self.check(Operation::Read, path)?;
        Ok(self.disk().now.get(path).map(|bytes| bytes.len() as u64))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.check(Operation::Read, folder)?;
        let disk = self.disk();
        let inside = |path: &&PathBuf| path.parent() == Some(folder);
        let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        Ok(disk.now.keys().filter(inside).filter_map(name).collect())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check(Operation::Remove, path)?;
        self.disk().now.remove(path);
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.disk().free())
    }
}

/// A file that is written in pieces.
struct Piecewise {
    disk: MemoryFiles,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Write for Piecewise {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.check(Operation::Write, &self.path)?;
        let length = self.bytes.len() + bytes.len();
        self.disk.disk().check_room(&self.path, length)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Piecewise {
    fn read_back(&self) -> io::Result<Box<dyn Read + Send>> {
        self.disk.check(Operation::Read, &self.path)?;
        Ok(Box::new(Cursor::new(self.bytes.clone())))
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.disk.write_durably(&self.path, &self.bytes)
    }
}

/// Bytes that an open file shares with the disk.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn absent(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("{}: no such file", path.display()),
    )
}

#[cfg(test)]
mod tests;
