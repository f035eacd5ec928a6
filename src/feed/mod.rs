//! Committed events to those who follow them, and a subject's history: both read from the journal.

mod export;
mod filter;
mod follow;
mod history;
mod proven;

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{Event, Revision, Standing},
    limits,
    storage::{
        self,
        journal::{Journal, JournalError},
    },
};

pub use self::{
    export::{Exported, Selection},
    filter::Filter,
    follow::standing,
    history::{Head, Page},
    proven::Proven,
};

/// The journal, and word of what is new in it.
#[derive(Clone)]
pub struct Feed {
    journal: Arc<Journal>,
    /// The revision up to which this node has applied.
    committed: watch::Receiver<Revision>,
    /// Ends every stream.
    stop: CancellationToken,
}

/// What a follower gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A preference as it stood when the watch began.
    Standing(Standing),
    /// The snapshot is complete as of this revision.
    Synced(Revision),
    /// An event.
    Event(Box<Event>),
    /// Nothing else that passes the filter up to this revision.
    Heartbeat(Revision),
}

/// Why the feed has nothing more to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedEnd {
    /// This node does not have the revision that comes next.
    #[error("revision {asked} is not kept here: the earliest left is {earliest}")]
    Compacted {
        /// What comes next.
        asked: Revision,
        /// What there is.
        earliest: Revision,
    },
    /// The node is about to stop.
    #[error("the node is about to stop")]
    Stopping,
    /// The time was over.
    #[error("the deadline passed")]
    Deadline,
    /// The journal cannot be read. The reason is in the node's log.
    #[error("the journal cannot be read")]
    Unreadable,
}

impl Feed {
    /// A feed from this journal. `committed` wakes the followers, `stop` ends them.
    pub fn new(
        journal: Arc<Journal>,
        committed: watch::Receiver<Revision>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            journal,
            committed,
            stop,
        }
    }

    /// The earliest revision from which on everything can be read here.
    pub fn earliest(&self) -> Revision {
        self.journal.earliest()
    }
}

/// Reads events from the journal, in order; at least one.
fn read(journal: &Journal, from: Revision, to: Revision) -> Result<Vec<Event>, FeedEnd> {
    let leaves = journal
        .read(from, to, limits::FEED_READ_BYTES)
        .map_err(|error| match error {
            JournalError::Missing { earliest } => FeedEnd::Compacted {
                asked: from,
                earliest,
            },
            error => {
                tracing::error!(%error, from, to, "cannot read the journal");
                FeedEnd::Unreadable
            }
        })?;
    let events: Vec<Event> = leaves
        .iter()
        .map(|(revision, leaf)| {
            Event::decode(leaf).map_err(|error| {
                tracing::error!(%error, revision, "cannot read an event of the journal");
                FeedEnd::Unreadable
            })
        })
        .collect::<Result<_, _>>()?;
    if events.is_empty() {
        tracing::error!(from, to, "the journal holds nothing where it should");
        return Err(FeedEnd::Unreadable);
    }
    Ok(events)
}

/// Runs a read of the journal where it may wait for a disk.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FeedEnd> + Send + 'static,
) -> Result<T, FeedEnd> {
    match storage::off_thread(work).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "a read of the journal did not end");
            Err(FeedEnd::Unreadable)
        }
    }
}
