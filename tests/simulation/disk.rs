//! A simulated disk: it takes its time to sync, and loses or tears in a crash what it had not synced; it can fail, and fill up.

use std::collections::VecDeque;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use std::{io, time::Duration};

use rand::{Rng as _, rngs::StdRng};
use refrain::storage::log::MemoryLog;
use refrain::storage::memory::{Fate, MemoryFiles, Operation};

/// How long a sync of a healthy disk takes at most.
const QUICK: Duration = Duration::from_millis(4);

/// A node's disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    /// The replicated log.
    pub log: MemoryLog,
    /// Whole files.
    pub files: MemoryFiles,
    work: Arc<Mutex<Work>>,
}

struct Work {
    random: StdRng,
    /// How long a sync takes.
    takes: (Duration, Duration),
    /// When how many of the log's pending operations are synced.
    due: VecDeque<(Duration, usize)>,
}

impl SimulatedDisk {
    /// An empty disk that draws from `random`.
    pub fn new(random: StdRng) -> Self {
        let log = MemoryLog::new();
        log.hold();
        Self {
            log,
            files: MemoryFiles::new(),
            work: Arc::new(Mutex::new(Work {
                random,
                takes: (Duration::ZERO, QUICK),
                due: VecDeque::new(),
            })),
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs what is due.
    pub fn advance(&self, now: Duration) {
        let ready = {
            let mut work = self.work();
            let known: usize = work.due.iter().map(|(_, count)| count).sum();
            let new = self.log.pending().saturating_sub(known);
            if new > 0 {
                let (least, most) = work.takes;
                let at = now + work.random.random_range(least..=most);
                // One thread syncs in order: nothing overtakes.
                let at = work.due.back().map_or(at, |(last, _)| at.max(*last));
                work.due.push_back((at, new));
            }
            let mut ready = 0;
            while work.due.front().is_some_and(|(at, _)| *at <= now) {
                ready += work.due.pop_front().map_or(0, |(_, count)| count);
            }
            ready
        };
        self.log.settle(ready);
    }

    /// From now on a sync takes so long.
    pub fn slow(&self, takes: (Duration, Duration)) {
        self.work().takes = takes;
    }

    /// Nothing is slow, full or broken any more.
    pub fn heal(&self) {
        self.slow((Duration::ZERO, QUICK));
        self.files.heal();
        self.files.set_free_bytes(None);
    }

    /// Cuts the power: of what was not synced all is lost, or some is lost, some is kept, and some is torn.
    pub fn crash(&self, loses_all: bool) {
        let mut work = self.work();
        work.due.clear();
        if loses_all {
            self.log.crash();
            self.files.crash();
            self.log.hold();
            return;
        }
        let reached = work.random.random_range(0..=self.log.pending());
        let torn = work.random.random_range(0..4);
        self.log.crash_within(reached, torn);
        self.log.hold();
        let random = &mut work.random;
        self.files
            .crash_with(|_| match random.random_range(0..4_u8) {
                0 => Fate::Kept,
                1 => Fate::Torn(random.random_range(0..2_000)),
                2 => Fate::Zeroed(random.random_range(0..2_000)),
                _ => Fate::Lost,
            });
    }

    /// The log fails, until the node has crashed.
    pub fn fail_log(&self) {
        self.log.fail();
    }

    /// The next write or sync of a file fails, once.
    pub fn fail_files_once(&self) {
        let left = AtomicBool::new(true);
        self.files.fail(move |operation, _| {
            let hit = matches!(operation, Operation::Write | Operation::Sync);
            (hit && left.swap(false, Ordering::SeqCst)).then_some(io::ErrorKind::Other)
        });
    }

    /// So many bytes are left.
    pub fn fill(&self, left: u64) {
        self.files.set_free_bytes(Some(left));
    }
}
