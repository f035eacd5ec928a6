//! Bundles from and for peers: a node that installed a snapshot fetches what came before it.

use bytes::Bytes;

use super::{Journal, JournalError, bundle::Bundle, lock, path};

/// Files of supplied bundles are synced when this many have gathered, and with the last bundle that was missing.
const SYNC_EVERY: usize = 1024;

impl Journal {
    /// The numbers of at most `limit` full bundles that are not here, the newest first. Once none are missing,
    /// none will be, but for another snapshot that is [installed](Journal::install).
    pub fn missing_bundles(&self, limit: usize) -> Vec<u64> {
        let view = self.view();
        let missing = view.complete.gaps_below(view.tree.bundles());
        missing.take(limit).collect()
    }

    /// A full bundle for a peer: the entries and the encoded evidence (empty where there is none), as they lie on
    /// disk, verified. Typically some 50 kB; at most 16 MB, plus the evidence.
    ///
    /// # Errors
    /// [`JournalError::Refused`] if there is no such full bundle, [`JournalError::Missing`] if it is not here,
    /// [`JournalError::Damaged`], [`JournalError::Io`].
    pub fn bundle(&self, number: u64) -> Result<(Bytes, Bytes), JournalError> {
        let expected = {
            let view = self.view();
            let expected = view.expected(number).ok_or_else(|| no_bundle(number))?;
            if !view.complete.contains(number) {
                return Err(view.missing());
            }
            expected
        };
        let bundle = expected.read(&*self.files, number)?;
        Ok((bundle.entries, bundle.evidence))
    }

    /// Takes a missing bundle from a peer, if it is what the journal's edge says it is. One that is here already is
    /// left as it is. Once the last one that was missing has been taken, all of them outlive a power loss.
    ///
    /// # Errors
    /// [`JournalError::Refused`] for a bundle that does not verify (nothing was written: ask another peer), or that is
    /// not a full bundle of this journal; [`JournalError::Io`], [`JournalError::Stopped`].
    pub fn supply(&self, number: u64, entries: Bytes, evidence: Bytes) -> Result<(), JournalError> {
        let expected = {
            let view = self.view();
            view.check_running()?;
            if view.complete.contains(number) {
                return Ok(());
            }
            view.expected(number).ok_or_else(|| no_bundle(number))?
        };
        let bundle = match Bundle::verify(number, entries, evidence, &expected) {
            Ok(bundle) => bundle,
            Err(JournalError::Damaged { file, what }) => {
                return Err(JournalError::Refused(format!(
                    "what a peer sent for {}: {what}",
                    file.display()
                )));
            }
            Err(other) => return Err(other),
        };
        // Nothing refers to these files yet, so this needs no lock, and an error here leaves the journal as it was.
        for (path, bytes) in bundle.files() {
            self.files.write(&path, bytes)?;
        }
        let due = {
            let _writing = lock(&self.writing);
            self.count_complete(number)?;
            let view = self.view();
            let none_missing = view.complete.contains_range(0, view.tree.bundles());
            none_missing || view.unsynced.len() >= SYNC_EVERY
        };
        if due {
            self.sync()?;
        }
        Ok(())
    }

    /// Counts a bundle among the complete ones, whose files have been written and verified. The caller holds `writing`.
    pub(super) fn count_complete(&self, number: u64) -> Result<(), JournalError> {
        {
            let mut view = self.view_mut();
            let has_evidence = view.evidence.contains_key(&number);
            view.complete.insert(number);
            let files = [path::entries(number), path::tile(0, number)];
            view.unsynced.extend(files);
            view.unsynced
                .extend(has_evidence.then(|| path::evidence(number)));
        }
        self.write_tiles_above(number)
    }
}

fn no_bundle(number: u64) -> JournalError {
    JournalError::Refused(format!("there is no full bundle {number}"))
}
