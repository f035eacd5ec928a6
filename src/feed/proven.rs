//! The journal for those who verify: tiles and bundles as they are served, and events with their proofs.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{Feed, FeedEnd, off_thread};
use crate::{
    domain::Revision,
    proof::{merkle::Hash, path::Resource},
    storage::journal::{Journal, JournalError},
};

/// An event, and the proof that it is in the tree of a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The event's bytes in the journal.
    pub leaf: Bytes,
    /// Its revision.
    pub revision: Revision,
    /// From the leaf to the root.
    pub proof: Vec<Hash>,
    /// How many events the tree has.
    pub size: Revision,
    /// Its root.
    pub root: Hash,
}

impl Feed {
    /// How many events this node has, and the root over them.
    pub fn head(&self) -> (Revision, Hash) {
        self.journal.head()
    }

    /// A tile or a bundle; `None` for what is not there.
    ///
    /// # Errors
    /// [`FeedEnd`]: it is still to be fetched from a peer, or cannot be read.
    pub async fn resource(&self, resource: Resource) -> Result<Option<Bytes>, FeedEnd> {
        let journal = Arc::clone(&self.journal);
        off_thread(move || {
            let read = journal.resource(&resource);
            read.map_err(|error| ended(&error, resource.number.saturating_mul(256) + 1))
        })
        .await
    }

    /// An event with its proof in the tree that this node has now, which is waited for until it holds the event.
    ///
    /// # Errors
    /// [`FeedEnd`]: the time was over, the journal is not whole here, or cannot be read.
    pub async fn prove(&self, revision: Revision, deadline: Instant) -> Result<Proven, FeedEnd> {
        let mut committed = self.committed.clone();
        let there = committed.wait_for(|reached| *reached >= revision);
        match timeout_at(deadline, there).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Err(FeedEnd::Stopping),
            Err(_) => return Err(FeedEnd::Deadline),
        }
        let journal = Arc::clone(&self.journal);
        off_thread(move || prove(&journal, revision)).await
    }
}

fn prove(journal: &Journal, revision: Revision) -> Result<Proven, FeedEnd> {
    let (size, root) = journal.head();
    let failed = |error: JournalError| ended(&error, revision);
    let leaf = journal.read(revision, revision, 0).map_err(failed)?.pop();
    let proof = journal.prove(revision, size).map_err(failed)?;
    let (Some((_, leaf)), Some(proof)) = (leaf, proof) else {
        tracing::error!(revision, size, "the journal holds nothing where it should");
        return Err(FeedEnd::Unreadable);
    };
    Ok(Proven {
        leaf,
        revision,
        proof,
        size,
        root,
    })
}

fn ended(error: &JournalError, asked: Revision) -> FeedEnd {
    if let JournalError::Missing { earliest } = error {
        return FeedEnd::Compacted {
            asked,
            earliest: *earliest,
        };
    }
    tracing::error!(%error, asked, "cannot read the journal");
    FeedEnd::Unreadable
}
