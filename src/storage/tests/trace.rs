//! What the storage does to its disk, recorded step by step: by a [`Files`] of its own, and by looking at the log's files
//! between any two steps of the storage thread.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::storage::data_folder::DataFolder;
use crate::storage::files::{FileWriter, Files};
use crate::storage::log::{Probe, Step as LogStep};

/// What a disk keeps or loses as one.
pub const BLOCK: usize = 512;

/// A file, whatever its name.
pub type FileId = usize;

/// One step towards the disk.
#[derive(Clone, Debug)]
pub enum Step {
    /// A block of a file has new bytes, in the cache.
    Block {
        file: FileId,
        at: usize,
        bytes: Vec<u8>,
    },
    /// A file has a new length, in the cache.
    Length { file: FileId, length: usize },
    /// A file's bytes and length are durable.
    Synced { file: FileId },
    /// A name means this file from here on, in the cache: it was created or renamed.
    Named { path: PathBuf, file: FileId },
    /// A name is gone, in the cache.
    Removed { path: PathBuf },
    /// The names in a folder are durable.
    FolderSynced { folder: PathBuf },
    /// An operation was acknowledged.
    Told,
    /// Its place is kept for what turns out later.
    Later,
}

/// The recording.
#[derive(Clone)]
pub struct Trace {
    root: PathBuf,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    steps: Vec<Step>,
    next_file: FileId,
    /// Of the files that are written in place, what they held when last looked at.
    seen: BTreeMap<PathBuf, (FileId, Vec<u8>)>,
    /// Where the mark began to be written.
    mark_at: Option<usize>,
}

/// The mark's file.
const MARK: &str = "log.mark";
/// sled's file.
const DB: &str = "log/db";

impl Trace {
    /// A recording of what happens in `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            inner: Arc::default(),
        }
    }

    /// Notes an acknowledgement.
    pub fn told(&self) {
        self.inner.lock().unwrap().steps.push(Step::Told);
    }

    /// What was recorded.
    pub fn take(&self) -> Vec<Step> {
        std::mem::take(&mut self.inner.lock().unwrap().steps)
    }

    /// What to hang into the storage thread.
    pub fn probe(&self) -> Probe {
        let trace = self.clone();
        Probe(Some(Arc::new(move |step| {
            trace.at(step);
            Ok(())
        })))
    }

    fn at(&self, step: LogStep) {
        let mut inner = self.inner.lock().unwrap();
        match step {
            LogStep::Put | LogStep::Flushed | LogStep::Removed => inner.look(&self.root),
            LogStep::Synced => {
                // Covers what was there when sled had flushed, which came right before.
                inner.synced(DB);
                inner.look(&self.root);
            }
            LogStep::Mark => {
                inner.mark_at = Some(inner.steps.len());
                inner.steps.push(Step::Later);
            }
            LogStep::Marked => {
                // It may have reached the disk at any time since it was begun.
                let place = inner.mark_at.take().expect("it was begun");
                let before = inner.steps.len();
                inner.look_at(&self.root, MARK);
                let mut written = inner.steps.split_off(before);
                assert!(written.len() <= 1, "a mark lies in one block: {written:?}");
                if let Some(written) = written.pop() {
                    inner.steps[place] = written;
                }
                inner.synced(MARK);
            }
        }
    }

    /// Notes what opening the log makes durable before the database sees its files.
    pub fn before_open(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.look(&self.root);
        inner.synced(DB);
    }

    /// Notes what opening the log has made durable when it returns.
    pub fn opened(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.look(&self.root);
        for file in [DB, "log/conf"] {
            inner.synced(file);
        }
        for folder in ["log", ""] {
            let folder = folder.into();
            inner.steps.push(Step::FolderSynced { folder });
        }
        inner.look_at(&self.root, MARK);
        inner.synced(MARK);
    }
}

impl Inner {
    fn new_file(&mut self) -> FileId {
        self.next_file += 1;
        self.next_file
    }

    fn synced(&mut self, path: &str) {
        if let Some(&(file, _)) = self.seen.get(Path::new(path)) {
            self.steps.push(Step::Synced { file });
        }
    }

    /// Looks at every file of the log.
    fn look(&mut self, root: &Path) {
        // The mark is made before the database, aside; later it is only looked at where it is written.
        let mark = Path::new(MARK);
        if !self.seen.contains_key(mark) && root.join(mark).exists() {
            let bytes = fs::read(root.join(mark)).unwrap();
            self.replaced(mark, &bytes, true);
            self.seen
                .entry(mark.to_owned())
                .and_modify(|it| it.1 = bytes);
        }
        let Ok(entries) = fs::read_dir(root.join("log")) else {
            return;
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".generating"))
            .collect();
        names.sort_unstable();
        for name in &names {
            let path = format!("log/{name}");
            let is_new = !self.seen.contains_key(Path::new(&path));
            self.look_at(root, &path);
            // sled writes such a file aside, syncs and renames it, and syncs no folder.
            if is_new && name.starts_with("snap.") {
                self.synced(&path);
                let (file, _) = self.seen[Path::new(&path)];
                let path = path.into();
                self.steps.push(Step::Named { path, file });
            }
        }
        let gone: Vec<PathBuf> = self
            .seen
            .keys()
            .filter(|path| path.starts_with("log/") && !root.join(path).exists())
            .cloned()
            .collect();
        for path in gone {
            self.seen.remove(&path);
            self.steps.push(Step::Removed { path });
        }
    }

    /// Records what is new in a file that is written in place.
    fn look_at(&mut self, root: &Path, path: &str) {
        let now = fs::read(root.join(path)).unwrap();
        let path = PathBuf::from(path);
        let (file, before) = self.seen.remove(&path).unwrap_or_else(|| {
            let file = self.new_file();
            // What gets its name only once it is whole is named where it is found.
            if !path.to_string_lossy().contains("/snap.") {
                let path = path.clone();
                self.steps.push(Step::Named { path, file });
            }
            (file, Vec::new())
        });
        self.written(file, &before, &now);
        self.seen.insert(path, (file, now));
    }

    /// Records the difference as a length and blocks.
    fn written(&mut self, file: FileId, before: &[u8], now: &[u8]) {
        if before.len() != now.len() {
            let length = now.len();
            self.steps.push(Step::Length { file, length });
        }
        for (number, block) in now.chunks(BLOCK).enumerate() {
            let at = number * BLOCK;
            let old = before.get(at..).unwrap_or_default();
            let old = &old[..old.len().min(block.len())];
            let is_new = if old.len() == block.len() {
                old != block
            } else {
                block.iter().any(|byte| *byte != 0) || old.iter().any(|byte| *byte != 0)
            };
            if is_new {
                let bytes = block.to_vec();
                self.steps.push(Step::Block { file, at, bytes });
            }
        }
    }

    /// Records a file that was written aside and given its name.
    fn replaced(&mut self, path: &Path, bytes: &[u8], durably: bool) {
        let file = self.new_file();
        self.written(file, &[], bytes);
        if durably {
            self.steps.push(Step::Synced { file });
        }
        let name = path.to_owned();
        self.steps.push(Step::Named { path: name, file });
        self.seen.insert(path.to_owned(), (file, Vec::new()));
        if durably {
            self.folders_synced(path);
        }
    }

    fn folders_synced(&mut self, path: &Path) {
        for folder in path.ancestors().skip(1) {
            let folder = folder.to_owned();
            self.steps.push(Step::FolderSynced { folder });
        }
    }
}

/// A data folder whose writes are recorded.
pub struct Recorder {
    inner: DataFolder,
    trace: Trace,
}

impl Recorder {
    /// Records what goes through `inner`.
    pub fn new(inner: DataFolder, trace: Trace) -> Self {
        Self { inner, trace }
    }

    fn record(&self, record: impl FnOnce(&mut Inner)) {
        record(&mut self.trace.inner.lock().unwrap());
    }
}

impl Files for Recorder {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.inner.read(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.inner.write(path, bytes)?;
        self.record(|trace| trace.replaced(path, bytes, false));
        Ok(())
    }

    fn write_durably(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_durably(path, bytes)?;
        self.record(|trace| trace.replaced(path, bytes, true));
        Ok(())
    }

    fn write_secret(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_secret(path, bytes)?;
        self.record(|trace| trace.replaced(path, bytes, true));
        Ok(())
    }

    fn sync(&self, paths: &[PathBuf]) -> io::Result<()> {
        self.inner.sync(paths)?;
        self.record(|trace| {
            for path in paths {
                trace.synced(path.to_str().unwrap());
            }
            for path in paths {
                trace.folders_synced(path);
            }
        });
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        Ok(Box::new(RecordedWriter {
            inner: self.inner.create(path)?,
            path: path.to_owned(),
            bytes: Vec::new(),
            trace: self.trace.clone(),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn Read + Send>>> {
        self.inner.open(path)
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        self.inner.size(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.inner.list(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)?;
        self.record(|trace| {
            let path = path.to_owned();
            if trace.seen.remove(&path).is_some() {
                trace.steps.push(Step::Removed { path });
            }
        });
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.inner.free_bytes()
    }
}

struct RecordedWriter {
    inner: Box<dyn FileWriter>,
    path: PathBuf,
    bytes: Vec<u8>,
    trace: Trace,
}

impl Write for RecordedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl FileWriter for RecordedWriter {
    fn read_back(&self) -> io::Result<Box<dyn Read + Send>> {
        self.inner.read_back()
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        // Nothing can be seen of it before it has its name.
        self.inner.finish()?;
        let mut trace = self.trace.inner.lock().unwrap();
        trace.replaced(&self.path, &self.bytes, true);
        Ok(())
    }
}
