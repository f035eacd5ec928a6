//! What verifiers ask of the journal: its tiles and bundles, full or partial, and the proofs that an event is in it.

use std::ops::Range;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{
    Journal, JournalError,
    tree::{WIDTH, as_index},
};
use crate::{
    domain::Revision,
    proof::{
        merkle::Hash,
        path::Resource,
        tree::{Part, inclusion, parts, range_root},
    },
};

impl Journal {
    /// A hash tile or an entry bundle, as C2SP tlog-tiles has it; `None` for what is not there yet, and for a partial one that
    /// no size of the journal has. The last may be asked for by any width that it once had.
    ///
    /// # Errors
    /// [`JournalError::Missing`] if it is still to be fetched from a peer, [`JournalError::Damaged`], [`JournalError::Io`].
    pub fn resource(&self, resource: &Resource) -> Result<Option<Bytes>, JournalError> {
        let width = u64::from(resource.width);
        let Some(level) = resource.level else {
            return self.entry_bundle(resource.number, as_index(width));
        };
        let Some(first) = resource.number.checked_mul(WIDTH) else {
            return Ok(None);
        };
        let tile = self.hashes(&Part {
            level,
            first,
            count: width,
        })?;
        Ok(tile.map(|hashes| Bytes::copy_from_slice(hashes.as_flattened())))
    }

    /// The proof that the event of a revision is in the tree of the first `size` events (RFC 9162, section 2.1.3), from the
    /// leaf to the root; `None` where there is no such event in a tree of that size.
    ///
    /// # Errors
    /// As [`Journal::resource`].
    pub fn prove(
        &self,
        revision: Revision,
        size: Revision,
    ) -> Result<Option<Vec<Hash>>, JournalError> {
        if revision == 0 || revision > size || size > self.size() {
            return Ok(None);
        }
        let ranges = inclusion(revision - 1, size);
        ranges.iter().map(|range| self.range(range)).collect()
    }

    fn range(&self, range: &Range<u64>) -> Result<Option<Hash>, JournalError> {
        let mut hashes = Vec::new();
        for part in parts(range) {
            let Some(part) = self.hashes(&part)? else {
                return Ok(None);
            };
            hashes.push(part);
        }
        Ok(Some(range_root(hashes.iter().map(Vec::as_slice))))
    }

    /// Hashes of a tile; `None` where the journal is not that long.
    fn hashes(&self, part: &Part) -> Result<Option<Vec<Hash>>, JournalError> {
        if part.level > 0 {
            let view = self.view();
            let hashes = view.tree.hashes(part.level, part.first, part.count);
            return Ok(hashes.map(<[Hash]>::to_vec));
        }
        let bundle = part.first / WIDTH;
        let within = part.within();
        let expected = {
            let view = self.view();
            if bundle >= view.tree.bundles() {
                let hashes = (bundle == view.tree.bundles())
                    .then(|| view.tail.get(within))
                    .flatten();
                return Ok(hashes.map(<[Hash]>::to_vec));
            }
            if !view.complete.contains(bundle) {
                return Err(view.missing());
            }
            view.expected(bundle)
        };
        let Some(expected) = expected else {
            return Ok(None);
        };
        let hashes = expected.read_hashes(&*self.files, bundle)?;
        Ok(hashes.get(within).map(<[Hash]>::to_vec))
    }

    fn entry_bundle(&self, number: u64, width: usize) -> Result<Option<Bytes>, JournalError> {
        let leaves = self.leaves_of(number, 0)?;
        let Some(leaves) = leaves.get(..width) else {
            return Ok(None);
        };
        let length = leaves.iter().map(|leaf| leaf.len() + 2).sum();
        let mut bundle = BytesMut::with_capacity(length);
        for leaf in leaves {
            // Longer leaves were refused when they were appended.
            bundle.put_u16(u16::try_from(leaf.len()).unwrap_or(u16::MAX));
            bundle.put_slice(leaf);
        }
        Ok(Some(bundle.freeze()))
    }
}
