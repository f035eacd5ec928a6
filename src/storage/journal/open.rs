//! Opening the journal: all that lies at or below the edge is verified before anything is served from it.

use std::{
    panic,
    path::Path,
    sync::{Arc, Mutex, RwLock},
    thread,
};

use super::{
    Journal, JournalEdge, JournalError, View,
    bundle::Expected,
    mark, path,
    ranges::Ranges,
    recent::Recent,
    tree::{Tree, bundles_under},
};
use crate::storage::files::Files;

/// How many threads verify at most: past that the disk is what is slow.
const MAX_THREADS: u64 = 8;

/// A thread is not worth its start for fewer bundles than this.
const BUNDLES_PER_THREAD: u64 = 64;

impl Journal {
    /// Opens the journal at the edge that the latest snapshot holds, or at [`JournalEdge::default`] where there is no
    /// snapshot yet. The Raft log is then replayed with [`Journal::append`].
    ///
    /// Every bundle below the edge that was once complete here is read whole and hashed, on several threads: a million
    /// events or more a second and core, where the disk can give them. Bundles that were never complete here are
    /// looked at too, and left
    /// [missing](Journal::missing_bundles) where they are not whole. What lies beyond the edge is not looked at:
    /// replay compares or replaces it.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] with the file's name, and how to rejoin; [`JournalError::Io`].
    pub fn open(files: Arc<dyn Files>, edge: &JournalEdge) -> Result<Self, JournalError> {
        let tree = Tree::new(&edge.bundle_roots);
        let marked = load_mark(&*files, edge)?;
        let found = whole_bundles(&*files, edge, 0, &marked)?;
        check_tiles(&*files, &tree, &marked)?;
        let journal = Self {
            files,
            writing: Mutex::default(),
            syncing: Mutex::new(marked.clone()),
            view: RwLock::new(View {
                tail: edge.tail(),
                unfinished: edge.unfinished.clone(),
                tree,
                evidence: edge.evidence.clone(),
                complete: marked,
                unsynced: Vec::new(),
                recent: Recent::default(),
                stopped: None,
            }),
        };
        journal.adopt(&found)?;
        Ok(journal)
    }

    /// Goes on at the edge of a snapshot that came from the leader. Bundles that this node never had are then
    /// [missing](Journal::missing_bundles), until they are [supplied](Journal::supply); what it has, it keeps.
    ///
    /// # Errors
    /// [`JournalError::Refused`] for an edge that lies before this journal's end; [`JournalError::Diverged`] where this
    /// journal is not a beginning of the leader's; [`JournalError::Io`].
    pub fn install(&self, edge: &JournalEdge) -> Result<(), JournalError> {
        let writing = super::lock(&self.writing);
        let own = {
            let view = self.view();
            view.check_running()?;
            check_beginning(&view, edge)?;
            view.tree.bundles()
        };
        let found = whole_bundles(&*self.files, edge, own, &Ranges::default())?;
        {
            let mut view = self.view_mut();
            view.tree = Tree::new(&edge.bundle_roots);
            view.evidence.clone_from(&edge.evidence);
            view.unfinished.clone_from(&edge.unfinished);
            view.tail = edge.tail();
        }
        drop(writing);
        self.adopt(&found)
    }

    /// Counts bundles among the complete ones that were found whole on the disk, and makes that durable.
    fn adopt(&self, found: &[u64]) -> Result<(), JournalError> {
        if found.is_empty() {
            return Ok(());
        }
        {
            let _writing = super::lock(&self.writing);
            for &bundle in found {
                self.count_complete(bundle)?;
            }
        }
        self.sync().map(drop)
    }
}

/// Reads the mark, and lets it promise nothing beyond the edge: there, replay may write anew.
fn load_mark(files: &dyn Files, edge: &JournalEdge) -> Result<Ranges, JournalError> {
    let loaded = match mark::load(files)? {
        Some(mark) => mark,
        // Only a journal that never had a snapshot may be without a mark.
        None if edge.size() == 0 => {
            mark::save(files, &Ranges::default())?;
            return Ok(Ranges::default());
        }
        None => return Err(JournalError::damaged(path::MARK, "the file is gone")),
    };
    let mut marked = loaded.clone();
    marked.truncate(edge.bundle_roots.len() as u64);
    if marked != loaded {
        mark::save(files, &marked)?;
    }
    Ok(marked)
}

/// Checks the bundles from number `from` on, and returns those that are whole though they are not marked. A marked
/// one that is not whole is an error.
fn whole_bundles(
    files: &dyn Files,
    edge: &JournalEdge,
    from: u64,
    marked: &Ranges,
) -> Result<Vec<u64>, JournalError> {
    let end = edge.bundle_roots.len() as u64;
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let useful = end.saturating_sub(from) / BUNDLES_PER_THREAD + 1;
    let threads = cores.min(MAX_THREADS).min(useful);
    let share = end.saturating_sub(from).div_ceil(threads);
    let check = |thread: u64| {
        let start = from + thread * share;
        check_bundles(files, edge, start, end.min(start + share), marked)
    };
    if threads == 1 {
        return check(0);
    }
    thread::scope(|scope| {
        let check = &check;
        let workers: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || check(thread)))
            .collect();
        let mut whole = Vec::new();
        for worker in workers {
            whole.extend(
                worker
                    .join()
                    .unwrap_or_else(|panic| panic::resume_unwind(panic))?,
            );
        }
        Ok(whole)
    })
}

/// One thread's share of [`whole_bundles`].
fn check_bundles(
    files: &dyn Files,
    edge: &JournalEdge,
    start: u64,
    end: u64,
    marked: &Ranges,
) -> Result<Vec<u64>, JournalError> {
    let mut whole = Vec::new();
    let roots = (0..end).zip(&edge.bundle_roots);
    for (bundle, &root) in roots.skip(super::tree::as_index(start)) {
        let expected = Expected {
            root,
            evidence: edge.evidence.get(&bundle).copied(),
        };
        match expected.check(files, bundle) {
            Ok(()) if marked.contains(bundle) => {}
            Ok(()) => whole.push(bundle),
            Err(JournalError::Damaged { .. }) if !marked.contains(bundle) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(whole)
}

/// Checks the tiles from level 1 up that have only marked bundles below them: the others may not be written yet.
fn check_tiles(files: &dyn Files, tree: &Tree, marked: &Ranges) -> Result<(), JournalError> {
    for (level, number) in tree.tiles() {
        let (first, after) = bundles_under(level, number);
        if !marked.contains_range(first, after) {
            continue;
        }
        let path = path::tile(level, number);
        let expected = tree.tile(level, number).unwrap_or_default();
        match files.read(&path)? {
            Some(tile) if tile == expected.as_flattened() => {}
            Some(_) => {
                return Err(JournalError::damaged(
                    path,
                    "it does not hash to the journal's root",
                ));
            }
            None => return Err(JournalError::damaged(path, "the file is gone")),
        }
    }
    Ok(())
}

/// Checks that the journal, as far as it goes, is the beginning of the one that an edge ends.
fn check_beginning(view: &View, edge: &JournalEdge) -> Result<(), JournalError> {
    if edge.size() < view.size() {
        return Err(JournalError::Refused(format!(
            "a snapshot at revision {} would take it back from revision {}",
            edge.size(),
            view.size()
        )));
    }
    let diverged = |bundle| {
        let path = path::entries(bundle);
        JournalError::diverged(path, "it is not what the leader's snapshot says it is")
    };
    for (bundle, (own, theirs)) in
        (0..).zip(view.tree.bundle_roots().iter().zip(&edge.bundle_roots))
    {
        if own != theirs {
            return Err(diverged(bundle));
        }
    }
    let common = ..view.tree.bundles();
    if (view.evidence.range(common)).ne(edge.evidence.range(common)) {
        return Err(JournalError::diverged(
            Path::new("journal/evidence"),
            "it is not what the leader's snapshot says it is",
        ));
    }
    // Where the leader's has finished the bundle that is unfinished here, only its root is known.
    let same_bundle = view.tree.bundles() == edge.bundle_roots.len() as u64;
    if same_bundle && !edge.unfinished.starts_with(&view.unfinished) {
        return Err(JournalError::diverged(
            Path::new("journal"),
            "it has other unfinished events than the leader's snapshot",
        ));
    }
    Ok(())
}
