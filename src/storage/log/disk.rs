//! sled, as far as the log uses it: put, remove, read, and the sync that sled itself does not do.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::assemble::Assembler;
use super::guard::guarded;
use super::record::{Header, Packer, Record, RecordError, key};
use super::view::Reading;
use super::{LogEntry, LogOptions, Position, Probe, Sizes, Step};
use crate::metrics::Timer;
use crate::storage::envelope;

/// Where the records are.
const RECORDS_TREE: &str = "records";
/// Where `last_purged` is, in the default tree.
const PURGED_KEY: &str = "purged";
const PURGED_KIND: [u8; 4] = *b"RFPG";
const PURGED_FORMAT: u16 = 1;
/// Removed record bytes at most between two syncs: sled rewrites pages of about that much.
const REMOVED_BYTES: usize = 1 << 20;
/// What sled may keep of its pages in memory.
const CACHE_BYTES: u64 = 64 << 20;

/// The database with our own descriptor of its file.
pub(super) struct Disk {
    db: sled::Db,
    records: sled::Tree,
    /// sled flushes with `sync_file_range`, which leaves the drive's cache and the file's length alone.
    file: File,
    blobs: PathBuf,
    bytes: AtomicU64,
    sizes: Sizes,
    timer: Timer,
    probe: Probe,
}

impl Disk {
    /// Opens the database in `folder`, or makes one. It may panic or hang on damage; call it under guard.
    pub fn open(folder: &Path, options: &LogOptions) -> sled::Result<Self> {
        let sizes = options.sizes;
        let db = sled::Config::new()
            .path(folder)
            .segment_size(sizes.segment)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace)
            .open()?;
        let records = db.open_tree(RECORDS_TREE)?;
        let file = File::options()
            .read(true)
            .write(true)
            .open(folder.join("db"))?;
        Ok(Self {
            db,
            records,
            file,
            blobs: folder.join("blobs"),
            bytes: AtomicU64::new(0),
            sizes,
            timer: options.sync.clone(),
            probe: options.probe.clone(),
        })
    }

    /// The live record bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Notes a record that was found on opening.
    pub fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Every record in the order of the keys.
    pub fn scan(&self) -> impl Iterator<Item = io::Result<(sled::IVec, sled::IVec)>> + use<> {
        self.records
            .iter()
            .map(|item| item.map_err(io::Error::from))
    }

    /// What was purged last; the error says what does not fit.
    pub fn purged(&self) -> Result<Option<Position>, String> {
        let found = self.db.get(PURGED_KEY).map_err(|error| error.to_string())?;
        let Some(bytes) = found else {
            return Ok(None);
        };
        decode_purged(&bytes).map(Some)
    }

    /// Notes what was purged last. Not synced.
    pub fn put_purged(&self, purged: Position) -> io::Result<()> {
        guarded(|| {
            Ok(self
                .db
                .insert(PURGED_KEY, encode_purged(purged))
                .map(drop)?)
        })
    }

    /// Stores a record. Not synced.
    pub fn put(&self, record: Record) -> io::Result<()> {
        self.count(record.value.len());
        let old = guarded(|| Ok(self.records.insert(record.key, record.value)?))?;
        self.forget(old);
        self.probe.at(Step::Put)
    }

    /// Makes all that was put and removed durable.
    pub fn sync(&self) -> io::Result<()> {
        let begun = Instant::now();
        guarded(|| Ok(self.db.flush().map(drop)?))?;
        self.probe.at(Step::Flushed)?;
        self.file.sync_data()?;
        self.timer.note(begun.elapsed());
        self.probe.at(Step::Synced)?;
        self.no_blobs()
    }

    /// Also makes the file's length and times durable; for opening.
    pub fn sync_all(&self) -> io::Result<()> {
        self.sync()?;
        self.file.sync_all()
    }

    /// A blob is a file that sled never syncs: our records are too small for one, and if there is one after all,
    /// nothing may be acknowledged on top of it.
    pub fn no_blobs(&self) -> io::Result<()> {
        match fs::read_dir(&self.blobs)?.next() {
            None => Ok(()),
            Some(_) => Err(io::Error::other(
                "the database wrote a blob file, which it never makes durable",
            )),
        }
    }

    /// Removes some of the records whose entries all come before `next`, and syncs. True if there may be more.
    pub fn purge_some(&self, next: u64) -> io::Result<bool> {
        let doomed = self.some(self.records.iter(), |header| header.last < next)?;
        self.remove(&doomed)?;
        Ok(!doomed.is_empty())
    }

    /// Removes every entry from `next` on: whole records from the end, then the record that `next` cuts in two.
    pub fn cut_from(&self, next: u64) -> io::Result<()> {
        loop {
            let tail = self.records.range(key(next, 0)..).rev();
            let doomed = self.some(tail, |_| true)?;
            if doomed.is_empty() {
                break;
            }
            self.remove(&doomed)?;
        }
        let Some((stored, value)) = guarded(|| Ok(self.records.last()?))? else {
            return Ok(());
        };
        if Header::read(&value).map_err(|error| damaged(&error))?.last < next {
            return Ok(());
        }
        let mut entries = Vec::new();
        Assembler::new(None)
            .accept(&stored, &value, &mut entries)
            .map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
        entries.retain(|entry| entry.index < next);
        let mut packer = Packer::new(self.sizes.record);
        for entry in &entries {
            packer.push(entry, |record| self.put(record))?;
        }
        if let Some(record) = packer.finish() {
            self.put(record)?;
        }
        self.sync()
    }

    /// The keys of as many records as may be removed between two syncs, in order, as long as they are `wanted`.
    fn some(
        &self,
        records: impl Iterator<Item = sled::Result<(sled::IVec, sled::IVec)>>,
        wanted: impl Fn(&Header) -> bool,
    ) -> io::Result<Vec<sled::IVec>> {
        let mut records = records;
        let mut doomed = Vec::new();
        let mut bytes = 0;
        while doomed.len() < self.sizes.removals && bytes < REMOVED_BYTES.min(self.sizes.sync) {
            let Some((key, value)) = guarded(|| Ok(records.next().transpose()?))? else {
                break;
            };
            if !wanted(&Header::read(&value).map_err(|error| damaged(&error))?) {
                break;
            }
            bytes += value.len();
            doomed.push(key);
        }
        Ok(doomed)
    }

    /// Removes records and syncs.
    fn remove(&self, doomed: &[sled::IVec]) -> io::Result<()> {
        if doomed.is_empty() {
            return Ok(());
        }
        for key in doomed {
            let old = guarded(|| Ok(self.records.remove(key)?))?;
            self.forget(old);
            self.probe.at(Step::Removed)?;
        }
        self.sync()
    }

    fn forget(&self, old: Option<sled::IVec>) {
        if let Some(old) = old {
            self.bytes.fetch_sub(old.len() as u64, Ordering::Relaxed);
        }
    }

    /// Reads from `reading.next` up to `end`, as far as there is room. True if there was no room for all.
    pub fn read(&self, reading: &mut Reading, end: u64) -> io::Result<bool> {
        let start = reading.next;
        let containing = guarded(|| {
            let upto = key(start, u16::MAX);
            Ok(self.records.range(..=upto).next_back().transpose()?)
        })?;
        let Some((_, value)) = containing else {
            return Ok(false);
        };
        // A piece's first piece has the same index.
        let begin = key(
            Header::read(&value).map_err(|error| damaged(&error))?.first,
            0,
        );
        let mut records = self.records.range(begin..);
        let mut assembler = Assembler::new(None);
        let mut found: Vec<LogEntry> = Vec::new();
        while let Some((key, value)) = guarded(|| Ok(records.next().transpose()?))? {
            assembler
                .accept(&key, &value, &mut found)
                .map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
            for entry in found.drain(..) {
                if entry.index < reading.next {
                    continue;
                }
                if entry.index >= end {
                    return Ok(false);
                }
                if entry.index > reading.next {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("the entries from {} on are missing", reading.next),
                    ));
                }
                if !reading.take(entry) {
                    return Ok(true);
                }
            }
            if reading.next >= end {
                return Ok(false);
            }
        }
        Ok(false)
    }
}

/// What was purged last, as it is stored: term (8), index (8), big-endian, in an envelope.
pub(super) fn encode_purged((term, index): Position) -> Vec<u8> {
    let body = [term.to_be_bytes(), index.to_be_bytes()].concat();
    envelope::wrap(PURGED_KIND, PURGED_FORMAT, &body)
}

pub(super) fn decode_purged(bytes: &[u8]) -> Result<Position, String> {
    let body = envelope::unwrap(PURGED_KIND, PURGED_FORMAT, bytes)
        .map_err(|error| format!("what it says was purged last: {error}"))?;
    match (body.first_chunk::<8>(), body.last_chunk::<8>()) {
        (Some(term), Some(index)) if body.len() == 16 => {
            Ok((u64::from_be_bytes(*term), u64::from_be_bytes(*index)))
        }
        _ => Err("what it says was purged last makes no sense".to_owned()),
    }
}

fn damaged(error: &RecordError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
