//! Appending the events that the state machine applies.

use bytes::Bytes;

use super::{
    Journal, JournalError, MAX_LEAF,
    bundle::{Bundle, evidence_is_whole, leaf_hashes},
    edge::Entry,
    lock, path,
    tree::{WIDTH, as_index},
};
use crate::{domain::Revision, proof::merkle::leaf_hash, storage::files::Files};

impl Journal {
    /// Appends an event, and returns its revision. `evidence` is the sealed evidence that the leaf names by its hash.
    /// The event can be read at once. It outlives a power loss by the Raft log, not by this call.
    ///
    /// # Errors
    /// [`JournalError::Refused`] for a leaf longer than [`MAX_LEAF`]. After any other error the journal has stopped,
    /// and the node must: [`JournalError::Diverged`] where the disk holds other events that were recorded before at
    /// these revisions, [`JournalError::Io`], [`JournalError::Stopped`].
    pub fn append(&self, leaf: &[u8], evidence: Option<&[u8]>) -> Result<Revision, JournalError> {
        if leaf.len() > MAX_LEAF {
            return Err(JournalError::Refused(format!(
                "an event of {} bytes is longer than {MAX_LEAF}",
                leaf.len()
            )));
        }
        let hash = leaf_hash(leaf);
        let event = Entry {
            leaf: Bytes::copy_from_slice(leaf),
            evidence: evidence.map(Bytes::copy_from_slice),
        };

        let _writing = lock(&self.writing);
        let (number, mut events, mut hashes) = {
            let mut view = self.view_mut();
            view.check_running()?;
            if view.unfinished.len() + 1 < as_index(WIDTH) {
                view.unfinished.push(event);
                view.tail.push(hash);
                return Ok(view.size());
            }
            let number = view.tree.bundles();
            (number, view.unfinished.clone(), view.tail.clone())
        };
        events.push(event);
        hashes.push(hash);
        self.finish_bundle(&Bundle::gather(number, &events, hashes))
    }

    /// Writes the bundle that is full with its 256th event. Until that is done, readers see 255 events.
    fn finish_bundle(&self, bundle: &Bundle) -> Result<Revision, JournalError> {
        write_over_leftovers(&*self.files, bundle).map_err(|error| self.stop(error))?;
        let size = {
            let mut view = self.view_mut();
            view.unfinished.clear();
            view.tail.clear();
            view.tree.push(bundle.root());
            let digest = bundle.evidence_digest();
            view.evidence
                .extend(digest.map(|digest| (bundle.number, digest)));
            view.complete.insert(bundle.number);
            view.unsynced.extend(bundle.files().map(|(path, _)| path));
            view.recent.push(bundle.number, bundle.entries.clone());
            view.size()
        };
        self.write_tiles_above(bundle.number)?;
        Ok(size)
    }
}

/// Writes a bundle where an earlier life of the node may have left one: replay must give the same again. What the
/// crash tore is written over, what is whole and differs is not.
fn write_over_leftovers(files: &dyn Files, bundle: &Bundle) -> Result<(), JournalError> {
    const OTHER: &str =
        "it was recorded whole, with other contents than the cluster's log gives now";
    let entries = path::entries(bundle.number);
    if let Some(found) = files.read(&entries)?
        && found != bundle.entries
        && let Some(hashes) = leaf_hashes(&found)
        && let Some(tile) = files.read(&path::tile(0, bundle.number))?
        && tile == hashes.as_flattened()
    {
        return Err(JournalError::diverged(entries, OTHER));
    }
    let evidence = path::evidence(bundle.number);
    if let Some(found) = files.read(&evidence)?
        && found != bundle.evidence
        && evidence_is_whole(&found)
    {
        return Err(JournalError::diverged(evidence, OTHER));
    }
    for (path, bytes) in bundle.files() {
        if files.read(&path)?.as_deref() != Some(bytes) {
            files.write(&path, bytes)?;
        }
    }
    Ok(())
}
