//! The durable log: its callers' side.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;

use super::disk::Disk;
use super::mark::MarkKeeper;
use super::open::{LOG_FOLDER, open};
use super::shared::{Op, Shared, fail};
use super::view::Go;
use super::writer::Writer;
use super::{Done, FatalHook, Log, LogEnds, LogEntry, LogOptions, MAX_WAITING_BYTES, Position};
use crate::storage::files::Files;
use crate::storage::refused::Refused;

/// A log in a data folder. Dropping it finishes what waits.
pub struct SledLog {
    shared: Arc<Shared>,
    disk: Arc<Disk>,
    fatal: FatalHook,
    thread: Option<JoinHandle<()>>,
}

impl SledLog {
    /// Opens the log in the data folder `folder`, or makes one there; `files` is the same folder, for the vote.
    /// `fatal` is called with the first storage error: the process has to end then.
    ///
    /// # Errors
    ///
    /// [`Refused`], where anything on disk is not as it was acknowledged, or cannot be opened.
    pub fn open(
        files: Arc<dyn Files>,
        folder: &Path,
        options: &LogOptions,
        fatal: FatalHook,
    ) -> Result<Self, Refused> {
        let opened = open(&*files, folder, options)?;
        let io = |error| Refused::io(LOG_FOLDER, error).in_folder(folder);
        let keeper = MarkKeeper::start(opened.mark_file, options.probe.clone()).map_err(io)?;
        let disk = opened.disk;
        let synced = opened.view.ends().last;
        let shared = Arc::new(Shared::new(opened.view));
        let mut writer = Writer::new(
            Arc::clone(&shared),
            files,
            Arc::clone(&disk),
            keeper,
            Arc::clone(&fatal),
            options.sizes,
        );
        writer.marked = opened.mark;
        writer.synced = synced;
        writer.purging = opened.purging;
        let thread = thread::Builder::new()
            .name("refrain-storage".to_owned())
            .spawn(move || writer.run())
            .map_err(io)?;
        Ok(Self {
            shared,
            disk,
            fatal,
            thread: Some(thread),
        })
    }

    fn read_on(&self, range: &Range<u64>, max_bytes: usize) -> io::Result<Vec<LogEntry>> {
        loop {
            let mut reading = {
                let state = self.shared.lock();
                state.usable()?;
                state.view.reading(range.start, range.end, max_bytes)
            };
            let mut full = false;
            loop {
                let go = self.shared.lock().view.go_on(&mut reading, full);
                let end = match go {
                    Go::Done => return Ok(reading.entries),
                    Go::Again => break,
                    Go::Disk(end) => end,
                };
                let before = reading.next;
                let read = self.disk.read(&mut reading, end);
                if read.is_ok() && (reading.next > before || matches!(read, Ok(true))) {
                    full = matches!(read, Ok(true));
                    continue;
                }
                // Nothing there: it was cut or purged meanwhile, or it is gone and that is damage.
                if self.shared.lock().view.go_on(&mut reading, true) == Go::Again {
                    break;
                }
                return Err(read.err().unwrap_or_else(|| {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("entry {before} is missing in the log"),
                    )
                }));
            }
        }
    }
}

impl Log for SledLog {
    fn ends(&self) -> LogEnds {
        self.shared.lock().view.ends()
    }

    fn append(&self, entries: Vec<LogEntry>, done: Done) -> io::Result<()> {
        let bytes: usize = entries.iter().map(|entry| entry.payload.len()).sum();
        let mut state = self.shared.lock();
        state.usable()?;
        state.view.check(&entries)?;
        if state.waiting_bytes > 0 && state.waiting_bytes + bytes > MAX_WAITING_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "more waits for the disk than may",
            ));
        }
        state.waiting_bytes += bytes;
        state.view.append(&entries);
        let epoch = state.view.epoch;
        self.shared.push(
            state,
            Op::Append {
                epoch,
                entries,
                done,
            },
        );
        Ok(())
    }

    fn truncate_after(&self, index: Option<u64>, done: Done) {
        let mut state = self.shared.lock();
        if let Err(error) = state.usable() {
            drop(state);
            return done(Err(error));
        }
        let end = state.view.truncate_after(index);
        let next = state.view.next();
        self.shared.push(state, Op::Cut { next, end, done });
    }

    fn purge(&self, upto: Position, done: Done) {
        let mut state = self.shared.lock();
        if let Err(error) = state.usable() {
            drop(state);
            return done(Err(error));
        }
        let op = if state.view.purge(upto) {
            Op::Purge { upto, done }
        } else {
            // Gone already: told when what is before it is.
            Op::Append {
                epoch: state.view.epoch,
                entries: Vec::new(),
                done,
            }
        };
        self.shared.push(state, op);
    }

    fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogEntry>> {
        self.read_on(&range, max_bytes).inspect_err(|error| {
            if self.shared.lock().usable().is_ok() {
                // The next read may find it whole, or not: what was acknowledged is not there as it was.
                std::mem::forget(Arc::clone(&self.disk));
                fail(&self.shared, &self.fatal, error);
            }
        })
    }

    fn term_at(&self, index: u64) -> Option<u64> {
        self.shared.lock().view.term_at(index)
    }

    fn save_vote(&self, vote: Bytes, done: Done) {
        let state = self.shared.lock();
        if let Err(error) = state.usable() {
            drop(state);
            return done(Err(error));
        }
        self.shared.push(state, Op::Vote { vote, done });
    }

    fn vote(&self) -> Option<Bytes> {
        self.shared.lock().view.vote.clone()
    }

    fn save_committed(&self, committed: Option<Position>) {
        self.shared.hint(committed);
    }

    fn committed(&self) -> Option<Position> {
        self.shared.lock().view.committed
    }

    fn bytes(&self) -> u64 {
        self.disk.bytes()
    }
}

impl Drop for SledLog {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take()
            // The last handle may go with a callback, on the storage thread itself.
            && thread.thread().id() != thread::current().id()
        {
            // A panic there was caught and told.
            let _ = thread.join();
        }
    }
}
