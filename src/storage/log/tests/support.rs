//! What the log's tests share: a data folder, entries, and callbacks that can be waited for.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::*;
use crate::storage::data_folder::DataFolder;
use crate::storage::files::Files;
use crate::storage::refused::Refused;

/// Sizes a hundredth of the real ones, so that a few entries fill segments.
pub const SMALL: Sizes = Sizes {
    segment: 64 << 10,
    record: 800,
    sync: 8 << 10,
    removals: 20,
};

/// A data folder that goes away with the test.
pub struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn files(&self) -> Arc<dyn Files> {
        Arc::new(DataFolder::open(&self.path()).unwrap())
    }

    pub fn try_open(&self, options: &LogOptions) -> Result<SledLog, Refused> {
        SledLog::open(self.files(), &self.path(), options, no_fatal())
    }

    pub fn open(&self) -> SledLog {
        self.try_open(&LogOptions::default()).unwrap()
    }

    pub fn open_small(&self) -> SledLog {
        self.try_open(&small()).unwrap()
    }

    /// A copy of the folder as it is now; the mark first, so that it never leads.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        let (from, to) = (self.path(), copy.path());
        std::fs::create_dir_all(to.join("log/blobs")).unwrap();
        for name in ["log.mark", "vote", "identity"] {
            if from.join(name).exists() {
                std::fs::copy(from.join(name), to.join(name)).unwrap();
            }
        }
        for entry in std::fs::read_dir(from.join("log")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), to.join("log").join(entry.file_name())).unwrap();
            }
        }
        copy
    }
}

/// Options with [`SMALL`] sizes and little memory, so that reads go to disk.
pub fn small() -> LogOptions {
    LogOptions {
        sizes: SMALL,
        recent_bytes: 4 << 10,
        ..LogOptions::default()
    }
}

pub fn no_fatal() -> FatalHook {
    Arc::new(|error| panic!("the log failed: {error}"))
}

/// An entry whose payload tells its place and is `length` bytes long.
pub fn entry(term: u64, index: u64, length: usize) -> LogEntry {
    let mut payload = format!("{term}.{index}.").into_bytes();
    let mut next = (index * 31 + term).to_le_bytes()[0];
    payload.resize_with(length.max(payload.len()), || {
        next = next.wrapping_mul(13).wrapping_add(7);
        next
    });
    LogEntry {
        term,
        index,
        payload: payload.into(),
    }
}

pub fn entries(term: u64, indexes: std::ops::Range<u64>, length: usize) -> Vec<LogEntry> {
    indexes.map(|index| entry(term, index, length)).collect()
}

/// A callback, and the way to wait for it.
pub fn waiter() -> (Done, Receiver<io::Result<()>>) {
    let (tell, told) = channel();
    (Box::new(move |result| tell.send(result).unwrap()), told)
}

pub fn wait(told: &Receiver<io::Result<()>>) -> io::Result<()> {
    told.recv_timeout(Duration::from_secs(30))
        .expect("the callback never came")
}

/// The log with calls that wait until they are durable.
pub trait Waiting: Log {
    fn put(&self, entries: Vec<LogEntry>) {
        let (done, told) = waiter();
        self.append(entries, done).unwrap();
        wait(&told).unwrap();
    }

    fn cut(&self, after: Option<u64>) {
        let (done, told) = waiter();
        self.truncate_after(after, done);
        wait(&told).unwrap();
    }

    fn drop_upto(&self, upto: Position) {
        let (done, told) = waiter();
        self.purge(upto, done);
        wait(&told).unwrap();
    }

    fn cast(&self, vote: &'static [u8]) {
        let (done, told) = waiter();
        self.save_vote(Bytes::from_static(vote), done);
        wait(&told).unwrap();
    }

    fn all(&self) -> Vec<LogEntry> {
        self.read(0..u64::MAX, usize::MAX).unwrap()
    }
}

impl<T: Log> Waiting for T {}

/// Overwrites a part of a file.
pub fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

/// Counts steps of the storage thread, and fails one of them.
#[derive(Clone, Default)]
pub struct Steps(Arc<StepsInner>);

#[derive(Default)]
struct StepsInner {
    seen: Mutex<Vec<Step>>,
    fail: Mutex<Option<Step>>,
    failed: AtomicUsize,
}

impl Steps {
    pub fn probe(&self) -> Probe {
        let inner = Arc::clone(&self.0);
        Probe(Some(Arc::new(move |step| {
            inner.seen.lock().unwrap().push(step);
            if *inner.fail.lock().unwrap() == Some(step) {
                inner.failed.fetch_add(1, Ordering::SeqCst);
                return Err(io::Error::other("the disk says no"));
            }
            Ok(())
        })))
    }

    pub fn take(&self) -> Vec<Step> {
        std::mem::take(&mut self.0.seen.lock().unwrap())
    }

    /// The next steps, `count` of them or more.
    pub fn await_some(&self, count: usize) -> Vec<Step> {
        let mut seen = Vec::new();
        for _ in 0..5000 {
            seen.extend(self.take());
            if seen.len() >= count {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        seen
    }

    pub fn fail_at(&self, step: Step) {
        *self.0.fail.lock().unwrap() = Some(step);
    }
}

/// A small generator of reproducible numbers.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}
