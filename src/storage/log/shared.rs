//! What the log's callers and its storage thread share: the log in memory, and the queue of what waits for the disk.

use std::collections::VecDeque;
use std::hint;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::view::View;
use super::{Done, FatalHook, LogEntry, Position};

/// What callers and the storage thread share.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// Whether anything is in the queue, to be seen without the lock.
    queued: AtomicBool,
}

/// The log in memory, and what waits for the disk.
#[derive(Default)]
pub(super) struct State {
    pub view: View,
    queue: VecDeque<Op>,
    /// Payload bytes in the queue.
    pub waiting_bytes: usize,
    asleep: bool,
    closed: bool,
    failed: Option<(io::ErrorKind, String)>,
}

/// One operation on its way to the disk.
pub(super) enum Op {
    Append {
        epoch: u64,
        entries: Vec<LogEntry>,
        done: Done,
    },
    /// Drop everything from `next` on; the end is then `end`.
    Cut {
        next: u64,
        end: Option<Position>,
        done: Done,
    },
    Purge {
        upto: Position,
        done: Done,
    },
    Vote {
        vote: Bytes,
        done: Done,
    },
}

/// What the storage thread does next.
pub(super) enum Next {
    Ops(VecDeque<Op>),
    Idle,
    Closed,
    /// A read met damage: nothing may be written any more.
    Failed,
}

impl Op {
    /// About what its entries take in records.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Append { entries, .. } => {
                let sizes = entries.iter().map(|entry| entry.payload.len() + 16);
                sizes.sum()
            }
            Self::Cut { .. } | Self::Purge { .. } | Self::Vote { .. } => 0,
        }
    }

    pub fn done(self) -> Done {
        match self {
            Self::Append { done, .. }
            | Self::Cut { done, .. }
            | Self::Purge { done, .. }
            | Self::Vote { done, .. } => done,
        }
    }
}

impl Shared {
    pub fn new(view: View) -> Self {
        Self {
            state: Mutex::new(State {
                view,
                ..State::default()
            }),
            wake: Condvar::new(),
            queued: AtomicBool::new(false),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an operation to the storage thread.
    pub fn push(&self, mut state: MutexGuard<'_, State>, op: Op) {
        state.queue.push_back(op);
        self.queued.store(true, Ordering::Release);
        drop(state);
        self.wake.notify_one();
    }

    /// Notes the hint. It wakes nobody who is about to look anyway.
    pub fn hint(&self, committed: Option<Position>) {
        let mut state = self.lock();
        state.view.committed = committed;
        if state.asleep {
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Lets the storage thread finish what waits, and end.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Looks out for an operation for a moment, without going to sleep.
    pub fn look_out(&self, patience: Duration) {
        let begun = Instant::now();
        while !self.queued.load(Ordering::Acquire) && begun.elapsed() < patience {
            hint::spin_loop();
        }
        self.queued.store(false, Ordering::Relaxed);
    }

    /// Waits until something happens, or for `patience`.
    pub fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        patience: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        if let Some(patience) = patience {
            return self
                .wake
                .wait_timeout(state, patience)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.asleep = true;
        let mut state = self
            .wake
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
        state.asleep = false;
        state
    }

    /// Refuses everything from now on, and gives what was waiting.
    fn fail(&self, error: &io::Error) -> VecDeque<Op> {
        let mut state = self.lock();
        state.closed = true;
        state
            .failed
            .get_or_insert_with(|| (error.kind(), error.to_string()));
        std::mem::take(&mut state.queue)
    }
}

impl State {
    /// What the storage thread has to do at once.
    pub fn next(&mut self) -> Option<Next> {
        if self.failed.is_some() {
            Some(Next::Failed)
        } else if !self.queue.is_empty() {
            self.waiting_bytes = 0;
            Some(Next::Ops(std::mem::take(&mut self.queue)))
        } else {
            self.closed.then_some(Next::Closed)
        }
    }

    /// An error once the log has failed.
    pub fn usable(&self) -> io::Result<()> {
        match &self.failed {
            None if self.closed => Err(io::Error::other("the log is closed")),
            None => Ok(()),
            Some((kind, text)) => Err(io::Error::new(
                *kind,
                format!("the log failed before: {text}"),
            )),
        }
    }
}

/// Fails a log from outside of its storage thread: a read met damage.
pub(super) fn fail(shared: &Shared, fatal: &FatalHook, error: &io::Error) {
    let first = shared.lock().failed.is_none();
    let ops = shared.fail(error);
    if first {
        tracing::error!(%error, "the log failed");
        fatal(error);
    }
    for op in ops {
        op.done()(Err(io::Error::new(error.kind(), error.to_string())));
    }
}
