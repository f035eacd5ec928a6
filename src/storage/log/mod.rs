//! The replicated log: what consensus asks of it, the durable store, and the one for simulation.
//!
//! [`SledLog`] keeps the log in sled, which by itself promises less than a log needs. One storage thread does
//! all its writing, in order: it takes all that waits, writes it as a few records, flushes, makes sled's file
//! durable through a descriptor of its own, and only then calls back. A high-water mark in a file of its own
//! notices a tail that sled dropped. Whatever does not fit on opening is one clear refusal to start.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::metrics::Timer;

mod assemble;
mod disk;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod guard;
mod mark;
mod memory;
mod open;
mod record;
mod shared;
mod sled_log;
mod terms;
mod view;
mod writer;

#[cfg(test)]
mod tests;

pub use memory::MemoryLog;
pub use sled_log::SledLog;

/// A place in the log: the entry's term, then its index.
pub type Position = (u64, u64);

/// One entry of the replicated log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The term of the leader that made it.
    pub term: u64,
    /// Its place: dense, the first entry of a cluster is 0.
    pub index: u64,
    /// What it holds, as consensus encoded it.
    pub payload: Bytes,
}

impl LogEntry {
    /// The entry's term and index.
    pub fn position(&self) -> Position {
        (self.term, self.index)
    }
}

/// Where the log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogEnds {
    /// The last entry that was purged; `None` if none ever was.
    pub purged: Option<Position>,
    /// The last entry, or what was purged last if nothing is left; `None` in an empty log.
    pub last: Option<Position>,
}

/// Called once when the operation is durable, or has failed. It runs on the storage thread: keep it short.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// Called once, with the first storage error: the process has to end, because what is on disk is not known any more.
pub type FatalHook = Arc<dyn Fn(&io::Error) + Send + Sync>;

/// The log of one node, with its vote. Every operation takes effect in memory when the call returns, and on disk in
/// the order of the calls; `done` tells when it is durable. After the first error every operation fails.
pub trait Log: Send + Sync + 'static {
    /// Where the log begins and ends, entries not yet durable included.
    fn ends(&self) -> LogEnds;

    /// Appends entries, which follow the last one and each other without a hole. They can be read when it returns.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a hole or an oversized payload, `QuotaExceeded` where absurdly much waits for the disk
    /// already, and any error once the log has failed. Nothing was appended then, and `done` is dropped.
    fn append(&self, entries: Vec<LogEntry>, done: Done) -> io::Result<()>;

    /// Drops every entry after `index`; `None` drops all. What was purged cannot be brought back.
    fn truncate_after(&self, index: Option<u64>, done: Done);

    /// Drops every entry up to and with `upto`, which may lie past the end: the log then goes on after it.
    fn purge(&self, upto: Position, done: Done);

    /// The entries in `range` that the log holds, from the first of them on, up to `max_bytes` of payload but at
    /// least one. What was purged, and what is past the end, is left out; the indexes tell. Entries that have left
    /// memory are read from disk, so an asynchronous caller that reads far back should do it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// Damage on disk, which fails the log, and any error once the log has failed.
    fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogEntry>>;

    /// The term of the entry at `index`, where the log holds it or purged it last.
    fn term_at(&self, index: u64) -> Option<u64>;

    /// Saves the vote, in order with the log's own operations.
    fn save_vote(&self, vote: Bytes, done: Done);

    /// The last vote that is durable.
    fn vote(&self) -> Option<Bytes>;

    /// Notes how far the log is known to be committed. A hint: written with the next mark, lost without harm.
    fn save_committed(&self, committed: Option<Position>);

    /// The last hint; after a restart never past the end of the log.
    fn committed(&self) -> Option<Position>;

    /// The live bytes: what is in the log's records, without what the database adds.
    fn bytes(&self) -> u64;
}

/// How a [`SledLog`] is opened.
#[derive(Clone)]
pub struct LogOptions {
    /// The data folder is known to have a log (its identity exists), so a missing one is damage.
    pub must_exist: bool,
    /// How many payload bytes of recent entries stay in memory.
    pub recent_bytes: usize,
    /// How long opening may go on without a step forward before it counts as hung.
    pub patience: std::time::Duration,
    /// Times what it takes to make a batch durable.
    pub sync: Timer,
    /// The sizes that hold together; tests shrink them.
    pub(crate) sizes: Sizes,
    /// Lets tests look at, hold up and fail the storage thread.
    pub(crate) probe: Probe,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            must_exist: false,
            recent_bytes: 64 << 20,
            patience: std::time::Duration::from_secs(60),
            sync: Timer::default(),
            sizes: Sizes::REAL,
            probe: Probe::default(),
        }
    }
}

/// Sizes that hold together: sled recovers a prefix of its log only if less than a segment is written between two
/// syncs, and it turns what is larger than a quarter of a segment into a blob file that it never syncs. A leaf page
/// takes up to 17 records and is rewritten whole, so 17 records have to stay below that quarter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// sled's segment, in bytes.
    pub segment: usize,
    /// A record at most, in bytes.
    pub record: usize,
    /// Record bytes at most between two syncs.
    pub sync: usize,
    /// Keys removed at most between two syncs.
    pub removals: usize,
}

impl Sizes {
    /// What every node uses; the segment's size is part of the format on disk.
    pub const REAL: Self = Self {
        segment: 8 << 20,
        record: 120 << 10,
        sync: 1 << 20,
        removals: 500,
    };
}

/// The most bytes that may wait for the storage thread; consensus bounds what is in flight far below.
const MAX_WAITING_BYTES: usize = 512 << 20;

/// The largest payload of one entry.
const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// A step of the storage thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Records were handed to sled.
    Put,
    /// sled wrote them to its file.
    Flushed,
    /// The file is durable.
    Synced,
    /// The mark is about to be written.
    Mark,
    /// The mark is durable.
    Marked,
    /// Records were removed.
    Removed,
}

/// What tests hang into the storage thread.
#[derive(Clone, Default)]
pub(crate) struct Probe(pub Option<Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>>);

impl Probe {
    fn at(&self, step: Step) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |probe| probe(step))
    }
}
