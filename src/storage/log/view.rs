//! The log as it stands in memory: its ends, its terms, and the recent entries, ahead of the disk.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;

use super::terms::Terms;
use super::{LogEnds, LogEntry, MAX_PAYLOAD_BYTES, Position};

/// What an entry takes in memory besides its payload.
const ENTRY_OVERHEAD: usize = 64;

/// What readers see. The storage thread follows behind.
#[derive(Debug, Default)]
pub(super) struct View {
    ends: LogEnds,
    terms: Terms,
    /// The index of the first entry that is held, or the one that comes next if none is.
    first: u64,
    /// The newest entries, without a hole up to the last one; all that are not on disk yet are among them.
    recent: VecDeque<LogEntry>,
    recent_bytes: usize,
    recent_limit: usize,
    /// Every entry below this index is on disk.
    on_disk: u64,
    /// Counts the truncations: what was said about entries before one is void after it.
    pub epoch: u64,
    pub vote: Option<Bytes>,
    pub committed: Option<Position>,
}

/// What a read has found so far.
#[derive(Debug)]
pub(super) struct Reading {
    pub epoch: u64,
    pub next: u64,
    pub end: u64,
    pub budget: usize,
    pub entries: Vec<LogEntry>,
}

impl Reading {
    /// Takes an entry if there is room for it; the first always has room.
    pub fn take(&mut self, entry: LogEntry) -> bool {
        let length = entry.payload.len();
        if !self.entries.is_empty() && length > self.budget {
            return false;
        }
        self.budget = self.budget.saturating_sub(length);
        self.next = entry.index + 1;
        self.entries.push(entry);
        true
    }
}

/// How a read goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Go {
    /// It has all it wants.
    Done,
    /// The entries from `next` to this index have to come from disk.
    Disk(u64),
    /// The log was cut meanwhile: begin again.
    Again,
}

impl View {
    /// An empty log that keeps up to `recent_limit` bytes of its entries in memory.
    pub fn new(recent_limit: usize) -> Self {
        Self {
            recent_limit,
            ..Self::default()
        }
    }

    /// Begins where `purged` ends; for opening.
    pub fn begin_after(&mut self, purged: Option<Position>) {
        self.ends = LogEnds {
            purged,
            last: purged,
        };
        self.first = purged.map_or(0, |(_, index)| index + 1);
        self.on_disk = self.first;
    }

    /// Takes an entry that was found on disk; for opening.
    pub fn found(&mut self, entry: LogEntry) {
        self.on_disk = entry.index + 1;
        self.push(entry);
        self.evict();
    }

    pub fn ends(&self) -> LogEnds {
        self.ends
    }

    /// The index after the last entry.
    pub fn next(&self) -> u64 {
        self.ends.last.map_or(self.first, |(_, index)| index + 1)
    }

    /// What the entries in memory take, roughly.
    pub fn recent_bytes(&self) -> usize {
        self.recent_bytes
    }

    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index >= self.first && index < self.next() {
            return self.terms.at(index);
        }
        match self.ends.purged {
            Some((term, purged)) if purged == index => Some(term),
            _ => None,
        }
    }

    /// Checks that `entries` follow the log and each other.
    pub fn check(&self, entries: &[LogEntry]) -> io::Result<()> {
        let first = match (self.ends.last, entries.first()) {
            (None, Some(first)) => first.index,
            _ => self.next(),
        };
        for (expected, entry) in (first..).zip(entries) {
            if entry.index != expected {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "entry {} was to be appended where {expected} comes next",
                        entry.index
                    ),
                ));
            }
            if entry.payload.len() > MAX_PAYLOAD_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "entry {} has {} bytes; {MAX_PAYLOAD_BYTES} is the most",
                        entry.index,
                        entry.payload.len()
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Appends entries that have been checked.
    pub fn append(&mut self, entries: &[LogEntry]) {
        if let (None, Some(first)) = (self.ends.last, entries.first()) {
            self.first = first.index;
            self.on_disk = first.index;
        }
        for entry in entries {
            self.push(entry.clone());
        }
        self.evict();
    }

    fn push(&mut self, entry: LogEntry) {
        self.ends.last = Some(entry.position());
        self.terms.push(entry.position());
        self.recent_bytes += entry.payload.len() + ENTRY_OVERHEAD;
        self.recent.push_back(entry);
    }

    /// Drops every entry after `index` and gives the new end.
    pub fn truncate_after(&mut self, index: Option<u64>) -> Option<Position> {
        let next = index.map_or(0, |index| index + 1).max(self.first);
        if next >= self.next() {
            return self.ends.last;
        }
        self.epoch += 1;
        while self.recent.back().is_some_and(|entry| entry.index >= next) {
            self.drop_back();
        }
        self.terms.cut_from(next);
        self.on_disk = self.on_disk.min(next);
        self.ends.last = if next == self.first {
            self.ends.purged
        } else {
            self.terms.at(next - 1).map(|term| (term, next - 1))
        };
        if self.ends.last.is_none() {
            self.first = 0;
            self.on_disk = 0;
        }
        self.ends.last
    }

    /// Drops every entry up to `upto`; false if they were gone already.
    pub fn purge(&mut self, upto: Position) -> bool {
        if self.ends.purged.is_some_and(|(_, index)| index >= upto.1) {
            return false;
        }
        let next = upto.1 + 1;
        if self.next() <= next {
            self.recent.clear();
            self.recent_bytes = 0;
            self.terms.clear();
            self.ends.last = Some(upto);
            self.on_disk = next;
        } else {
            while self.recent.front().is_some_and(|entry| entry.index < next) {
                self.drop_front();
            }
            self.terms.cut_before(next);
            self.on_disk = self.on_disk.max(next);
        }
        self.ends.purged = Some(upto);
        self.first = self.first.max(next);
        true
    }

    /// Every entry up to `last`, as it stood in `epoch`, is on disk now.
    pub fn synced(&mut self, epoch: u64, last: u64) {
        if epoch == self.epoch && last < self.next() {
            self.on_disk = self.on_disk.max(last + 1);
            self.evict();
        }
    }

    /// Begins to read.
    pub fn reading(&self, start: u64, end: u64, budget: usize) -> Reading {
        Reading {
            epoch: self.epoch,
            next: start.max(self.first),
            end: end.min(self.next()),
            budget,
            entries: Vec::new(),
        }
    }

    /// Goes on reading from memory, as far as it reaches; where the reading is `full`, only looks whether it holds.
    pub fn go_on(&self, reading: &mut Reading, full: bool) -> Go {
        let begun = reading
            .entries
            .first()
            .map_or(reading.next, |entry| entry.index);
        if self.epoch != reading.epoch || begun < self.first && begun < reading.end {
            return Go::Again;
        }
        let memory = self.recent.front().map_or(self.next(), |entry| entry.index);
        if full || reading.next >= reading.end {
            return Go::Done;
        }
        if reading.next < memory {
            return Go::Disk(memory.min(reading.end));
        }
        let from = usize::try_from(reading.next - memory).unwrap_or(usize::MAX);
        for entry in self.recent.range(from.min(self.recent.len())..) {
            if entry.index >= reading.end || !reading.take(entry.clone()) {
                break;
            }
        }
        Go::Done
    }

    fn evict(&mut self) {
        while self.recent_bytes > self.recent_limit
            && self
                .recent
                .front()
                .is_some_and(|entry| entry.index < self.on_disk)
        {
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        if let Some(entry) = self.recent.pop_front() {
            self.recent_bytes -= entry.payload.len() + ENTRY_OVERHEAD;
        }
    }

    fn drop_back(&mut self) {
        if let Some(entry) = self.recent.pop_back() {
            self.recent_bytes -= entry.payload.len() + ENTRY_OVERHEAD;
        }
    }
}
