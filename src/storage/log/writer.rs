//! The storage thread: takes all that waits, writes it in order, makes it durable, and only then calls back.

use std::collections::VecDeque;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::guard::message;
use super::mark::{Mark, MarkKeeper};
use super::record::{Packer, Record};
use super::shared::{Next, Op, Shared, State, fail};
use super::{Done, FatalHook, Position, Sizes};
use crate::storage::files::Files;
use crate::storage::identity;

/// How long the storage thread stays awake for the next operation: who waits for one batch mostly sends the next at
/// once, and to be woken costs as much as a good part of a sync.
const AWAKE: Duration = Duration::from_micros(40);
/// How long the log is idle before its mark is written on its own.
const IDLE: Duration = Duration::from_millis(10);
/// A mark goes with the next batch's sync unless the last one is younger than this: on a disk that syncs in a fraction
/// of it, a second sync beside each batch would cost more than it tells.
const MARK_EVERY: Duration = Duration::from_millis(2);

/// Someone who is told when the log is durable up to an entry.
struct Waiting {
    /// `None`: as soon as all before it are told.
    upto: Option<u64>,
    epoch: u64,
    done: Done,
}

/// The storage thread's own state.
pub(super) struct Writer {
    pub shared: Arc<Shared>,
    pub disk: Arc<Disk>,
    pub files: Arc<dyn Files>,
    pub keeper: MarkKeeper,
    pub fatal: FatalHook,
    pub sizes: Sizes,
    /// What the mark says, or is about to.
    pub marked: Mark,
    /// The end of the log on disk, durable.
    pub synced: Option<Position>,
    /// Records before this index are left to remove.
    pub purging: Option<u64>,
    round: Round,
    ops: VecDeque<Op>,
    waiting: VecDeque<Waiting>,
    last_work: Instant,
    last_mark: Instant,
    /// How long to look out for the next operation.
    awake: Duration,
}

/// What was put since the last sync.
#[derive(Default)]
struct Round {
    bytes: usize,
    completes: Option<Position>,
}

impl Writer {
    pub fn new(
        shared: Arc<Shared>,
        files: Arc<dyn Files>,
        disk: Arc<Disk>,
        keeper: MarkKeeper,
        fatal: FatalHook,
        sizes: Sizes,
    ) -> Self {
        Self {
            shared,
            disk,
            files,
            keeper,
            fatal,
            sizes,
            marked: Mark::default(),
            synced: None,
            purging: None,
            round: Round::default(),
            ops: VecDeque::new(),
            waiting: VecDeque::new(),
            last_work: Instant::now(),
            last_mark: Instant::now(),
            // On a single processor it would keep off the very thread that it waits for.
            awake: match std::thread::available_parallelism() {
                Ok(count) if count.get() > 1 => AWAKE,
                _ => Duration::ZERO,
            },
        }
    }

    /// Works until the log is closed or fails.
    pub fn run(mut self) {
        let served = panic::catch_unwind(AssertUnwindSafe(|| self.serve()));
        let result = served.unwrap_or_else(|panic| {
            Err(io::Error::other(format!(
                "the storage thread panicked: {}",
                message(&*panic)
            )))
        });
        if let Err(error) = result {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        // The database writes when its last handle goes; after a failed sync nothing may be written any more.
        std::mem::forget(Arc::clone(&self.disk));
        fail(&self.shared, &self.fatal, error);
        let untold = self.waiting.drain(..).map(|waiting| waiting.done);
        for done in untold.chain(self.ops.drain(..).map(Op::done)) {
            done(Err(io::Error::new(error.kind(), error.to_string())));
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        loop {
            match self.next() {
                Next::Ops(ops) => {
                    self.ops = ops;
                    self.perform()?;
                    self.last_work = Instant::now();
                    self.purge_some()?;
                    self.shared.look_out(self.awake);
                }
                Next::Idle if self.purging.is_some() => self.purge_some()?,
                Next::Idle => {
                    self.begin_mark()?;
                    self.keeper.wait()?;
                    self.last_work = Instant::now();
                }
                Next::Closed => {
                    self.begin_mark()?;
                    return self.keeper.wait();
                }
                Next::Failed => return Ok(()),
            }
        }
    }

    /// Waits for something to do.
    fn next(&self) -> Next {
        let mut state = self.shared.lock();
        loop {
            if let Some(next) = state.next() {
                return next;
            }
            let patience = if self.purging.is_some() {
                Some(Duration::ZERO)
            } else if self.mark(&state) == self.marked {
                None
            } else {
                Some(IDLE.saturating_sub(self.last_work.elapsed()))
            };
            if patience.is_some_and(|patience| patience.is_zero()) {
                return Next::Idle;
            }
            state = self.shared.wait(state, patience);
        }
    }

    fn perform(&mut self) -> io::Result<()> {
        while let Some(op) = self.ops.pop_front() {
            match op {
                Op::Append { .. } => {
                    self.ops.push_front(op);
                    self.append()?;
                }
                Op::Cut { next, end, done } => {
                    self.wait_with(done);
                    self.cut(next, end)?;
                }
                Op::Purge { upto, done } => {
                    self.wait_with(done);
                    self.disk.put_purged(upto)?;
                    self.disk.sync()?;
                    if self.synced.is_none_or(|(_, last)| last < upto.1) {
                        self.synced = Some(upto);
                    }
                    self.purging = Some(upto.1 + 1);
                }
                Op::Vote { vote, done } => {
                    self.wait_with(done);
                    identity::save_vote(&*self.files, &vote)?;
                    self.shared.lock().view.vote = Some(vote);
                }
            }
            self.call_back();
        }
        Ok(())
    }

    fn wait_with(&mut self, done: Done) {
        self.waiting.push_back(Waiting {
            upto: None,
            epoch: 0,
            done,
        });
    }

    /// Writes all the appends that come next, as few records as they fit into.
    fn append(&mut self) -> io::Result<()> {
        let mut packer = Packer::new(self.sizes.record);
        packer.expect(self.ops.iter().map(Op::bytes).sum());
        while let Some(op) = self.ops.pop_front() {
            let Op::Append {
                epoch,
                entries,
                done,
            } = op
            else {
                self.ops.push_front(op);
                break;
            };
            self.waiting.push_back(Waiting {
                upto: entries.last().map(|entry| entry.index),
                epoch,
                done,
            });
            for entry in &entries {
                packer.push(entry, |record| self.put(record))?;
            }
        }
        if let Some(record) = packer.finish() {
            self.put(record)?;
        }
        self.end_round()
    }

    fn put(&mut self, record: Record) -> io::Result<()> {
        if self.round.bytes > 0 && self.round.bytes + record.value.len() > self.sizes.sync {
            self.end_round()?;
        }
        if self.round.bytes == 0 {
            // The mark of what is durable already is written beside this round.
            if self.last_mark.elapsed() >= MARK_EVERY {
                self.begin_mark()?;
            }
        }
        self.round.bytes += record.value.len();
        self.round.completes = record.completes.or(self.round.completes);
        self.disk.put(record)
    }

    /// Makes the round durable and tells those who waited for it.
    fn end_round(&mut self) -> io::Result<()> {
        let round = std::mem::take(&mut self.round);
        if round.bytes > 0 {
            self.disk.sync()?;
            self.keeper.wait()?;
        }
        self.synced = round.completes.or(self.synced);
        self.call_back();
        Ok(())
    }

    fn call_back(&mut self) {
        let synced = self.synced.map(|(_, index)| index);
        let mut told = Vec::new();
        {
            let mut state = self.shared.lock();
            while let Some(waiting) = self.waiting.pop_front() {
                if waiting.upto > synced {
                    self.waiting.push_front(waiting);
                    break;
                }
                if let Some(upto) = waiting.upto {
                    state.view.synced(waiting.epoch, upto);
                }
                told.push(waiting.done);
            }
        }
        for done in told {
            done(Ok(()));
        }
    }

    /// What the mark should say.
    fn mark(&self, state: &State) -> Mark {
        Mark {
            last: self.synced,
            committed: state.view.committed,
            creating: false,
        }
    }

    /// Begins to write the mark, if it has anything new to say.
    fn begin_mark(&mut self) -> io::Result<()> {
        let mark = self.mark(&self.shared.lock());
        if mark != self.marked {
            self.marked = mark;
            self.last_mark = Instant::now();
            self.keeper.begin(mark)?;
        }
        Ok(())
    }

    /// Cuts a conflicting suffix: the mark goes back first, so that it never leads the log.
    fn cut(&mut self, next: u64, end: Option<Position>) -> io::Result<()> {
        if self.synced.is_none_or(|(_, last)| last < next) {
            return Ok(());
        }
        self.synced = end;
        if self.marked.last.is_some_and(|(_, last)| last >= next) {
            self.begin_mark()?;
            self.keeper.wait()?;
        }
        self.disk.cut_from(next)
    }

    fn purge_some(&mut self) -> io::Result<()> {
        if let Some(next) = self.purging
            && !self.disk.purge_some(next)?
        {
            self.purging = None;
        }
        Ok(())
    }
}
