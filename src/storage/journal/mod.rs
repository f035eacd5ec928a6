//! The journal: every event for ever, in a Merkle log laid out after C2SP tlog-tiles.
//!
//! It is derived from the Raft log. The state machine appends each event as it is applied. 256 events make a bundle;
//! full bundles, their hashes and the evidence beside them are written as soon as they are full, and synced in one
//! pass before a snapshot is published. The unfinished bundle lives in memory, and in the snapshot's
//! [`JournalEdge`]. After a crash the Raft log is replayed from the latest snapshot on, which writes again what
//! was lost, and compares what was not.
//!
//! What lies at or below the latest snapshot's edge is verified in full when the journal is opened: damage is
//! noticed, and never repaired in silence. Which bundles have once been complete here is kept in a durable mark, so
//! that a node which is still fetching bundles from its peers, after it installed their snapshot, can tell what it
//! never had from what it has lost.
//!
//! Appends, and bundles from peers, are written under one lock; readers never wait for the disk of a writer.

mod append;
mod bundle;
mod edge;
mod error;
mod mark;
mod open;
pub mod path;
mod ranges;
mod read;
mod recent;
mod serve;
mod supply;
mod tree;

use std::{
    collections::BTreeMap,
    mem,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use self::{
    bundle::Expected,
    edge::Entry,
    ranges::Ranges,
    recent::Recent,
    tree::{Tree, WIDTH, bundles_under},
};
pub use self::{bundle::MAX_LEAF, edge::JournalEdge, error::JournalError};
use super::files::Files;
use crate::{domain::Revision, proof::merkle::Hash};

/// The journal of one node. Made by [`Journal::open`].
pub struct Journal {
    files: Arc<dyn Files>,
    /// Held while files are written and the view then follows: one writer at a time.
    writing: Mutex<()>,
    /// Held during a sync: one at a time. It holds the mark, as it is on disk.
    syncing: Mutex<Ranges>,
    view: RwLock<View>,
}

/// What is known without a look at the disk.
struct View {
    tree: Tree,
    /// The events of the unfinished bundle, fewer than 256.
    unfinished: Vec<Entry>,
    /// And the hashes of their leaves.
    tail: Vec<Hash>,
    /// The digests of the evidence of the bundles that have any.
    evidence: BTreeMap<u64, Hash>,
    /// The full bundles whose files have been written.
    complete: Ranges,
    /// Files that have been written since the last sync.
    unsynced: Vec<PathBuf>,
    recent: Recent,
    /// Why nothing is taken any more.
    stopped: Option<String>,
}

impl View {
    fn size(&self) -> Revision {
        self.tree.bundles() * WIDTH + self.unfinished.len() as u64
    }

    fn root(&self) -> Hash {
        self.tree.root(self.tree.bundles(), &self.tail)
    }

    fn edge(&self) -> JournalEdge {
        JournalEdge {
            root: self.root(),
            bundle_roots: self.tree.bundle_roots().to_vec(),
            evidence: self.evidence.clone(),
            unfinished: self.unfinished.clone(),
        }
    }

    /// What the tree says of a full bundle; `None` if there is no such one.
    fn expected(&self, bundle: u64) -> Option<Expected> {
        Some(Expected {
            root: self.tree.bundle_root(bundle)?,
            evidence: self.evidence.get(&bundle).copied(),
        })
    }

    fn earliest(&self) -> Revision {
        let gap = self.complete.gaps_below(self.tree.bundles()).next();
        gap.map_or(1, |bundle| (bundle + 1) * WIDTH + 1)
    }

    fn missing(&self) -> JournalError {
        JournalError::Missing {
            earliest: self.earliest(),
        }
    }

    fn check_running(&self) -> Result<(), JournalError> {
        match &self.stopped {
            None => Ok(()),
            Some(why) => Err(JournalError::Stopped(why.clone())),
        }
    }

    /// The tiles above a bundle for which every bundle is here: they must lie on disk before the mark says so.
    fn tiles_above(&self, bundle: u64) -> Vec<(PathBuf, Vec<u8>)> {
        let mut tiles = Vec::new();
        let mut number = bundle;
        for level in 1.. {
            number /= WIDTH;
            let (first, after) = bundles_under(level, number);
            let Some(tile) = self.tree.tile(level, number) else {
                break;
            };
            if !self.complete.contains_range(first, after) {
                break;
            }
            tiles.push((path::tile(level, number), tile.as_flattened().to_vec()));
        }
        tiles
    }
}

impl Journal {
    /// How many events there are, which is the revision of the last.
    pub fn size(&self) -> Revision {
        self.view().size()
    }

    /// The Merkle root over all of them, computed when it is asked for.
    pub fn root(&self) -> Hash {
        self.view().root()
    }

    /// How many events there are and the root over them, of one moment.
    pub fn head(&self) -> (Revision, Hash) {
        let view = self.view();
        (view.size(), view.root())
    }

    /// The edge as it is now, without syncing anything. A snapshot of the state takes it at the same revision as
    /// the state, and may be published once a [`Journal::sync`] that began later has returned.
    pub fn edge(&self) -> JournalEdge {
        self.view().edge()
    }

    /// Every revision from here to the end can be read. It is 1, but for a node that installed a snapshot and is still
    /// fetching bundles from its peers. Where the last full bundle is missing it may lie past the end.
    pub fn earliest(&self) -> Revision {
        self.view().earliest()
    }

    /// Makes all that has been appended or supplied so far outlive a power loss, but for the unfinished bundle; that
    /// one is in the edge, which is returned as it was when the sync began. Appends and reads go on meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Io`]; the journal has then stopped, because a failed sync must not be tried again.
    pub fn sync(&self) -> Result<JournalEdge, JournalError> {
        let mut marked = lock(&self.syncing);
        let (edge, unsynced, complete) = {
            // Under this lock no bundle is half written, so the mark cannot promise a file that is not there.
            let _writing = lock(&self.writing);
            let edge = self.view().edge();
            let mut view = self.view_mut();
            view.check_running()?;
            (edge, mem::take(&mut view.unsynced), view.complete.clone())
        };
        self.files
            .sync(&unsynced)
            .map_err(|error| self.stop(error))?;
        if *marked != complete {
            mark::save(&*self.files, &complete).map_err(|error| self.stop(error))?;
            *marked = complete;
        }
        Ok(edge)
    }

    /// Writes the tiles that have become complete above a bundle. The caller holds `writing`.
    fn write_tiles_above(&self, bundle: u64) -> Result<(), JournalError> {
        let tiles = self.view().tiles_above(bundle);
        for (path, tile) in tiles {
            self.files
                .write(&path, &tile)
                .map_err(|error| self.stop(error))?;
            self.view_mut().unsynced.push(path);
        }
        Ok(())
    }

    /// Takes nothing more: memory and disk may not agree any longer.
    fn stop(&self, error: impl Into<JournalError>) -> JournalError {
        let error = error.into();
        self.view_mut()
            .stopped
            .get_or_insert_with(|| error.to_string());
        error
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locks; a thread that panicked left nothing half done that opening the journal again would not mend.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
