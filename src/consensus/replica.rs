//! What every node derives from the log: the state in memory and the journal of its events, changed together.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::watch;

use crate::domain::{Command, DecodeError, Detail, Revision, State, encode_reply};
use crate::storage::journal::{Journal, JournalEdge};

/// How far a node has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The log index that was applied last.
    pub index: u64,
    /// The revision of the state after it.
    pub revision: Revision,
}

/// The state, its journal, and who waits for them to move.
pub struct Replica {
    state: RwLock<State>,
    journal: Arc<Journal>,
    progress: watch::Sender<Progress>,
    committed: watch::Sender<Revision>,
    applied_bytes: AtomicU64,
    stale_index: AtomicU64,
}

impl Replica {
    /// Takes a state and its journal as they were at a log index.
    pub fn new(state: State, journal: Arc<Journal>, index: u64) -> Self {
        let progress = Progress {
            index,
            revision: state.revision(),
        };
        // Whatever lay in the log before, and was not purged yet, may have keys of evidence that were erased since.
        let has_stale = state.stale_evidence_keys() > 0;
        Self {
            stale_index: AtomicU64::new(if has_stale { index } else { 0 }),
            state: RwLock::new(state),
            journal,
            progress: watch::Sender::new(progress),
            committed: watch::Sender::new(progress.revision),
            applied_bytes: AtomicU64::new(0),
        }
    }

    /// Looks at the state. What `look` does must be short: nothing is applied meanwhile.
    pub fn with_state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        // A poisoned lock means that an apply panicked half-way. `poisoned` makes the node refuse from then on.
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a change of the state broke off half-way, so that nothing of it may be believed.
    pub fn poisoned(&self) -> bool {
        self.state.is_poisoned()
    }

    /// The journal of the events.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// How far the node has come, and news of it.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Applies the command of the entry at `index`, and returns its encoded reply.
    ///
    /// # Errors
    /// When the command cannot be read (a newer version wrote it), or the journal has other events than this: the node
    /// must stop, since to skip one would make it differ from the others.
    pub fn apply(&self, index: u64, command: &[u8]) -> io::Result<Bytes> {
        self.applied_bytes
            .fetch_add(command.len() as u64, Ordering::Relaxed);
        let command = Command::decode(command).map_err(|e| unreadable(index, &e))?;
        let mut state = self.state.write().map_err(|_| half_applied())?;
        let stale_before = state.stale_evidence_keys();
        let applied = state.apply(&command);
        if state.stale_evidence_keys() > stale_before {
            self.stale_index.store(index, Ordering::Release);
        }
        for (event, evidence) in &applied.events {
            // Within the lock: whoever sees the new revision finds its events in the journal.
            let evidence = evidence.as_ref().map(|sealed| &sealed.bytes[..]);
            self.journal.append(&event.encode(), evidence)?;
            tracing::debug!(
                event_id = %event.id,
                revision = event.revision,
                kind = ?event.kind,
                principal = %event.principal,
                "recorded"
            );
            if let Detail::Anomaly(found) = &event.detail {
                tracing::warn!(
                    event_id = %event.id,
                    kind = ?found.kind,
                    namespace = event.namespace.as_ref().map(tracing::field::display),
                    principal = %event.principal,
                    count = found.count,
                    expected = found.expected,
                    window_s = found.window_s,
                    "something out of the ordinary"
                );
            }
        }
        self.arrive(index, state.revision());
        drop(state);
        Ok(encode_reply(&applied.reply))
    }

    /// The revision that the node has come to, and news of it.
    pub fn committed(&self) -> watch::Receiver<Revision> {
        self.committed.subscribe()
    }

    fn arrive(&self, index: u64, revision: Revision) {
        self.progress.send_replace(Progress { index, revision });
        self.committed
            .send_if_modified(|current| std::mem::replace(current, revision) != revision);
    }

    /// Up to which index the log may hold keys of evidence that were erased; 0 for none.
    pub fn stale_index(&self) -> u64 {
        self.stale_index.load(Ordering::Acquire)
    }

    /// Bytes of the commands that were applied since the start.
    pub fn applied_bytes(&self) -> u64 {
        self.applied_bytes.load(Ordering::Relaxed)
    }

    /// Notes that the entry at `index` holds no command.
    pub fn skip(&self, index: u64) {
        self.progress.send_modify(|progress| progress.index = index);
    }

    /// A cheap copy of the state with the journal's edge at the same revision, for a snapshot.
    pub fn freeze(&self) -> (State, JournalEdge) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        (state.clone(), self.journal.edge())
    }

    /// Puts a snapshot in the place of everything.
    ///
    /// # Errors
    /// When the journal cannot take the edge.
    pub fn install(&self, state: State, edge: &JournalEdge, index: u64) -> io::Result<()> {
        let mut current = self.state.write().map_err(|_| half_applied())?;
        self.journal.install(edge)?;
        if state.stale_evidence_keys() > 0 {
            self.stale_index.store(index, Ordering::Release);
        }
        *current = state;
        self.arrive(index, current.revision());
        Ok(())
    }
}

fn half_applied() -> io::Error {
    io::Error::other("an earlier change broke off half-way; the state cannot be believed")
}

fn unreadable(index: u64, error: &DecodeError) -> io::Error {
    let what = format!(
        "log entry {index} cannot be applied: {error}. Start a version of refrain that knows it."
    );
    io::Error::new(io::ErrorKind::InvalidData, what)
}
