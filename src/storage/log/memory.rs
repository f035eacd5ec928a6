//! The log for simulation: no thread and no disk, but the same difference between written and durable.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::view::{Go, View};
use super::{Done, Log, LogEnds, LogEntry, Position};

/// A log in memory. A clone is the same log: keep one to outlive the node, [`crash`](Self::crash) it, and hand it to
/// the node's next life.
#[derive(Clone, Default)]
pub struct MemoryLog(Arc<Mutex<Inner>>);

struct Inner {
    /// What callers see.
    now: View,
    /// What a crash leaves.
    durable: Contents,
    /// What is on its way from one to the other.
    pending: VecDeque<(Op, Done)>,
    /// Whether operations wait to be made durable by hand.
    held: bool,
    failed: bool,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            now: Contents::default().view(),
            durable: Contents::default(),
            pending: VecDeque::new(),
            held: false,
            failed: false,
        }
    }
}

#[derive(Default)]
struct Contents {
    purged: Option<Position>,
    /// Without a hole.
    entries: VecDeque<LogEntry>,
    vote: Option<Bytes>,
    committed: Option<Position>,
}

enum Op {
    Append(Vec<LogEntry>),
    TruncateAfter(Option<u64>),
    Purge(Position),
    Vote(Bytes),
}

impl Contents {
    fn apply(&mut self, op: Op) {
        match op {
            Op::Append(entries) => self.entries.extend(entries),
            Op::TruncateAfter(index) => {
                let next = index.map_or(0, |index| index + 1);
                let keep = self.entries.partition_point(|entry| entry.index < next);
                self.entries.truncate(keep);
            }
            Op::Purge(upto) => {
                if self.purged.is_none_or(|(_, index)| index < upto.1) {
                    let gone = self.entries.partition_point(|entry| entry.index <= upto.1);
                    self.entries.drain(..gone);
                    self.purged = Some(upto);
                }
            }
            Op::Vote(vote) => self.vote = Some(vote),
        }
    }

    /// What a node sees that opens this.
    fn view(&self) -> View {
        let mut view = View::new(usize::MAX);
        view.begin_after(self.purged);
        let entries: Vec<_> = self.entries.iter().cloned().collect();
        view.append(&entries);
        view.vote.clone_from(&self.vote);
        let end = view.ends().last;
        view.committed = match (self.committed, end) {
            (Some(committed), Some(end)) if committed.1 <= end.1 => Some(committed),
            (Some(_), end) => end,
            (None, _) => None,
        };
        view
    }
}

impl Inner {
    fn usable(&self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("the log failed before"));
        }
        Ok(())
    }

    /// The oldest pending operation becomes durable; who waits for it is to be told after the lock is gone.
    fn settle_one(&mut self) -> Option<Done> {
        let (op, done) = self.pending.pop_front()?;
        self.durable.apply(op);
        self.now.vote.clone_from(&self.durable.vote);
        Some(done)
    }
}

impl MemoryLog {
    /// An empty log whose operations are durable at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on operations stay pending until [`settle`](Self::settle) or [`release`](Self::release).
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// How many operations are pending.
    pub fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    /// Makes the `count` oldest pending operations durable and tells those who wait for them.
    pub fn settle(&self, count: usize) {
        for _ in 0..count {
            let Some(done) = self.lock().settle_one() else {
                break;
            };
            done(Ok(()));
        }
    }

    /// Makes all pending operations durable, and those to come at once.
    pub fn release(&self) {
        self.lock().held = false;
        self.settle(usize::MAX);
    }

    /// The node dies: what is not durable is lost, and nobody is told.
    pub fn crash(&self) {
        self.crash_after(0);
    }

    /// The node dies when the `count` oldest pending operations had reached the disk, but nobody had been told.
    pub fn crash_after(&self, count: usize) {
        self.crash_within(count, 0);
    }

    /// The same, in the midst of one more operation: of an append, the first `entries` had reached the disk.
    pub fn crash_within(&self, count: usize, entries: usize) {
        let mut inner = self.lock();
        for _ in 0..count {
            inner.settle_one();
        }
        if let Some((Op::Append(torn), _)) = inner.pending.front_mut() {
            let mut reached = std::mem::take(torn);
            reached.truncate(entries);
            inner.durable.apply(Op::Append(reached));
        }
        inner.now = inner.durable.view();
        inner.held = false;
        inner.failed = false;
        let lost = std::mem::take(&mut inner.pending);
        drop(inner);
        drop(lost);
    }

    /// The disk fails: what is pending and everything to come gets an error, until the node has crashed.
    pub fn fail(&self) {
        let mut inner = self.lock();
        inner.failed = true;
        let pending = std::mem::take(&mut inner.pending);
        drop(inner);
        for (_, done) in pending {
            done(Err(io::Error::other("the disk failed")));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `change` in memory and `op` on the disk; an error goes to `done`.
    fn submit(&self, op: Op, done: Done, change: impl FnOnce(&mut View)) {
        let mut inner = self.lock();
        if let Err(error) = inner.usable() {
            drop(inner);
            return done(Err(error));
        }
        change(&mut inner.now);
        self.pend(inner, op, done);
    }

    fn pend(&self, mut inner: MutexGuard<'_, Inner>, op: Op, done: Done) {
        inner.pending.push_back((op, done));
        let held = inner.held;
        drop(inner);
        if !held {
            self.settle(usize::MAX);
        }
    }
}

impl Log for MemoryLog {
    fn ends(&self) -> LogEnds {
        self.lock().now.ends()
    }

    fn append(&self, entries: Vec<LogEntry>, done: Done) -> io::Result<()> {
        let mut inner = self.lock();
        inner.usable()?;
        inner.now.check(&entries)?;
        inner.now.append(&entries);
        self.pend(inner, Op::Append(entries), done);
        Ok(())
    }

    fn truncate_after(&self, index: Option<u64>, done: Done) {
        self.submit(Op::TruncateAfter(index), done, |view| {
            view.truncate_after(index);
        });
    }

    fn purge(&self, upto: Position, done: Done) {
        self.submit(Op::Purge(upto), done, |view| {
            view.purge(upto);
        });
    }

    fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogEntry>> {
        let inner = self.lock();
        inner.usable()?;
        let mut reading = inner.now.reading(range.start, range.end, max_bytes);
        match inner.now.go_on(&mut reading, false) {
            Go::Done => Ok(reading.entries),
            // All of it is in memory, and the lock is held.
            Go::Again | Go::Disk(_) => Err(io::Error::other("the log in memory has a hole")),
        }
    }

    fn term_at(&self, index: u64) -> Option<u64> {
        self.lock().now.term_at(index)
    }

    fn save_vote(&self, vote: Bytes, done: Done) {
        self.submit(Op::Vote(vote), done, |_| {});
    }

    fn vote(&self) -> Option<Bytes> {
        self.lock().now.vote.clone()
    }

    fn save_committed(&self, committed: Option<Position>) {
        let mut inner = self.lock();
        inner.now.committed = committed;
        inner.durable.committed = committed;
    }

    fn committed(&self) -> Option<Position> {
        self.lock().now.committed
    }

    fn bytes(&self) -> u64 {
        self.lock().now.recent_bytes() as u64
    }
}
