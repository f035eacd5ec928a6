//! Reading events and roots.

use bytes::Bytes;

use super::{
    Journal, JournalError,
    bundle::{Expected, split_entries},
    path,
    tree::{WIDTH, as_index},
};
use crate::{domain::Revision, proof::merkle::Hash};

/// Where events are.
enum Place {
    /// Nowhere yet.
    Beyond,
    /// In the unfinished bundle: all of them from the revision on.
    Unfinished(Vec<Bytes>),
    /// In a full bundle that is in memory.
    Recent(Bytes),
    /// In a full bundle on the disk.
    OnDisk(Expected),
}

impl Journal {
    /// Reads the events from revision `from` to `to`, both included, until their lengths add up to more than
    /// `max_bytes`; at least one, if it exists. Revisions past the end are left out. An event shares the memory of its
    /// bundle, so keep what is decoded of it rather than its bytes.
    ///
    /// # Errors
    /// [`JournalError::Missing`] if the first is still to be fetched from a peer, [`JournalError::Damaged`],
    /// [`JournalError::Io`].
    pub fn read(
        &self,
        from: Revision,
        to: Revision,
        max_bytes: usize,
    ) -> Result<Vec<(Revision, Bytes)>, JournalError> {
        let mut events = Vec::new();
        let mut room = max_bytes;
        let mut next = from.max(1);
        while next <= to {
            let leaves = match self.leaves_from(next) {
                Ok(leaves) if leaves.is_empty() => break,
                Ok(leaves) => leaves,
                Err(JournalError::Missing { .. }) if !events.is_empty() => break,
                Err(error) => return Err(error),
            };
            for leaf in leaves {
                // As it is stored, with its length, so that even empty leaves come to an end.
                let bytes = leaf.len() + 2;
                if next > to || (bytes > room && !events.is_empty()) {
                    return Ok(events);
                }
                room = room.saturating_sub(bytes);
                events.push((next, leaf));
                next += 1;
            }
        }
        Ok(events)
    }

    /// The Merkle root over the first `revision` events; `None` past the end.
    ///
    /// # Errors
    /// [`JournalError::Missing`] if a bundle that is needed for it is still to be fetched from a peer,
    /// [`JournalError::Damaged`], [`JournalError::Io`].
    pub fn root_at(&self, revision: Revision) -> Result<Option<Hash>, JournalError> {
        let (bundle, width) = (revision / WIDTH, as_index(revision % WIDTH));
        let expected = {
            let view = self.view();
            if revision > view.size() {
                return Ok(None);
            }
            let tail = if bundle == view.tree.bundles() {
                view.tail.get(..width)
            } else if width == 0 {
                Some(&[][..])
            } else {
                None
            };
            if let Some(tail) = tail {
                return Ok(Some(view.tree.root(bundle, tail)));
            }
            if !view.complete.contains(bundle) {
                return Err(view.missing());
            }
            let Some(expected) = view.expected(bundle) else {
                return Ok(None);
            };
            expected
        };
        let hashes = expected.read_hashes(&*self.files, bundle)?;
        let tail = hashes.get(..width).unwrap_or_default();
        Ok(Some(self.view().tree.root(bundle, tail)))
    }

    /// The leaves from a revision to the end of its bundle; none past the end of the journal.
    fn leaves_from(&self, revision: Revision) -> Result<Vec<Bytes>, JournalError> {
        let bundle = (revision - 1) / WIDTH;
        let offset = as_index((revision - 1) % WIDTH);
        self.leaves_of(bundle, offset)
    }

    /// The leaves of a bundle, without the first ones; none past the end of the journal.
    pub(super) fn leaves_of(&self, bundle: u64, offset: usize) -> Result<Vec<Bytes>, JournalError> {
        let entries = match self.place(bundle, offset)? {
            Place::Beyond => return Ok(Vec::new()),
            Place::Unfinished(leaves) => return Ok(leaves),
            Place::Recent(entries) => entries,
            Place::OnDisk(expected) => expected.read_entries(&*self.files, bundle)?,
        };
        let Some(leaves) = split_entries(&entries) else {
            let path = path::entries(bundle);
            return Err(JournalError::damaged(
                path,
                "it does not hold 256 whole events",
            ));
        };
        Ok(leaves
            .into_iter()
            .skip(offset)
            .map(|leaf| entries.slice(leaf))
            .collect())
    }

    fn place(&self, bundle: u64, offset: usize) -> Result<Place, JournalError> {
        let view = self.view();
        if bundle == view.tree.bundles() {
            let events = view.unfinished.get(offset..).unwrap_or_default();
            let leaves = events.iter().map(|event| event.leaf.clone()).collect();
            return Ok(Place::Unfinished(leaves));
        }
        if let Some(entries) = view.recent.get(bundle) {
            return Ok(Place::Recent(entries));
        }
        match view.expected(bundle) {
            None => Ok(Place::Beyond),
            Some(_) if !view.complete.contains(bundle) => Err(view.missing()),
            Some(expected) => Ok(Place::OnDisk(expected)),
        }
    }
}
