//! A full bundle as it lies on disk: 256 events, their hashes (the tile of level 0), and the evidence beside them.

use std::{ops::Range, path::PathBuf};

use bytes::{Buf, BufMut, Bytes};
use sha2::{Digest, Sha256};

use super::{
    edge::Entry,
    error::JournalError,
    path,
    tree::{WIDTH, as_index},
};
use crate::{
    proof::merkle::{Hash, leaf_hash, perfect_root},
    storage::{files::Files, frame},
};

/// The longest leaf in bytes: its length is stored in 16 bits.
pub const MAX_LEAF: usize = 65_535;

const EVIDENCE_KIND: [u8; 4] = *b"RFJV";
const EVIDENCE_FORMAT: u32 = 1;

/// A full bundle and all that belongs to it.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) number: u64,
    /// The leaves, each with its length before it in two bytes, big-endian.
    pub(super) entries: Bytes,
    /// The leaves' hashes, 256 of them.
    pub(super) hashes: Vec<Hash>,
    /// The encoded evidence; empty for none.
    pub(super) evidence: Bytes,
}

impl Bundle {
    /// Makes a bundle of 256 events.
    pub(super) fn gather(number: u64, events: &[Entry], hashes: Vec<Hash>) -> Self {
        let length = events.iter().map(|event| event.leaf.len() + 2).sum();
        let mut entries = Vec::with_capacity(length);
        for event in events {
            // Longer leaves were refused when they were appended.
            entries.put_u16(u16::try_from(event.leaf.len()).unwrap_or(u16::MAX));
            entries.put_slice(&event.leaf);
        }
        Self {
            number,
            entries: entries.into(),
            hashes,
            evidence: encode_evidence(events).into(),
        }
    }

    /// Makes a bundle of its parts, and compares them with what the edge says of it.
    ///
    /// # Errors
    /// [`JournalError::Damaged`], with the file that it would be.
    pub(super) fn verify(
        number: u64,
        entries: Bytes,
        evidence: Bytes,
        expected: &Expected,
    ) -> Result<Self, JournalError> {
        let hashes = expected.hashes_of(number, &entries)?;
        let bundle = Self {
            number,
            entries,
            hashes,
            evidence,
        };
        if bundle.evidence_digest() != expected.evidence {
            let path = path::evidence(number);
            return Err(JournalError::damaged(path, "it does not match its digest"));
        }
        Ok(bundle)
    }

    pub(super) fn root(&self) -> Hash {
        perfect_root(&self.hashes)
    }

    /// The digest by which the edge remembers the evidence; `None` where there is none.
    pub(super) fn evidence_digest(&self) -> Option<Hash> {
        (!self.evidence.is_empty()).then(|| Sha256::digest(&self.evidence).into())
    }

    /// The files of the bundle and what they hold.
    pub(super) fn files(&self) -> impl Iterator<Item = (PathBuf, &[u8])> {
        let evidence =
            (!self.evidence.is_empty()).then(|| (path::evidence(self.number), &self.evidence[..]));
        [
            (path::entries(self.number), &self.entries[..]),
            (path::tile(0, self.number), self.hashes.as_flattened()),
        ]
        .into_iter()
        .chain(evidence)
    }
}

/// Where the leaves of a full bundle lie in it; `None` if it does not hold exactly 256 of them.
pub(super) fn split_entries(entries: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut leaves = Vec::with_capacity(as_index(WIDTH));
    let mut rest = entries;
    while leaves.len() < as_index(WIDTH) {
        let length = usize::from(rest.try_get_u16().ok()?);
        let start = entries.len() - rest.len();
        rest = rest.get(length..)?;
        leaves.push(start..start + length);
    }
    rest.is_empty().then_some(leaves)
}

/// The hashes of a full bundle's leaves; `None` if it does not hold exactly 256 of them.
pub(super) fn leaf_hashes(entries: &[u8]) -> Option<Vec<Hash>> {
    let leaves = split_entries(entries)?;
    Some(
        leaves
            .into_iter()
            .map(|leaf| leaf_hash(&entries[leaf]))
            .collect(),
    )
}

/// Encodes the evidence of a bundle's events: index in the bundle (u16), length (u32), bytes, in a frame. Nothing at
/// all for none.
fn encode_evidence(events: &[Entry]) -> Vec<u8> {
    let mut contents = Vec::new();
    for (index, event) in (0..).zip(events) {
        if let Some(evidence) = &event.evidence {
            contents.put_u16(index);
            // Evidence past four gigabytes cannot come out of a command.
            contents.put_u32(u32::try_from(evidence.len()).unwrap_or(u32::MAX));
            contents.put_slice(evidence);
        }
    }
    if contents.is_empty() {
        return contents;
    }
    frame::encode(EVIDENCE_KIND, EVIDENCE_FORMAT, &contents)
}

/// Whether a file of evidence is what was once written, by its own checksum.
pub(super) fn evidence_is_whole(evidence: &[u8]) -> bool {
    frame::decode(EVIDENCE_KIND, EVIDENCE_FORMAT, evidence).is_ok()
}

/// Reads a file that must be there.
fn read(files: &dyn Files, path: PathBuf) -> Result<Bytes, JournalError> {
    match files.read(&path)? {
        Some(bytes) => Ok(bytes.into()),
        None => Err(JournalError::damaged(path, "the file is gone")),
    }
}

/// What the journal's edge says of a bundle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) root: Hash,
    /// The digest of its evidence; `None` where it has none.
    pub(super) evidence: Option<Hash>,
}

impl Expected {
    /// Hashes a bundle's leaves, and compares them with its root.
    fn hashes_of(&self, number: u64, entries: &[u8]) -> Result<Vec<Hash>, JournalError> {
        leaf_hashes(entries)
            .filter(|hashes| perfect_root(hashes) == self.root)
            .ok_or_else(|| {
                let path = path::entries(number);
                JournalError::damaged(path, "it does not hash to the journal's root")
            })
    }

    /// Reads a bundle's entries.
    pub(super) fn read_entries(
        &self,
        files: &dyn Files,
        number: u64,
    ) -> Result<Bytes, JournalError> {
        let entries = read(files, path::entries(number))?;
        self.hashes_of(number, &entries)?;
        Ok(entries)
    }

    /// Reads the hashes of a bundle's leaves.
    pub(super) fn read_hashes(
        &self,
        files: &dyn Files,
        number: u64,
    ) -> Result<Vec<Hash>, JournalError> {
        let path = path::tile(0, number);
        let tile = read(files, path.clone())?;
        match tile.as_chunks::<32>() {
            (hashes, [])
                if hashes.len() == as_index(WIDTH) && perfect_root(hashes) == self.root =>
            {
                Ok(hashes.to_vec())
            }
            _ => Err(JournalError::damaged(
                path,
                "it does not hash to the journal's root",
            )),
        }
    }

    /// Reads a bundle's entries and its evidence.
    pub(super) fn read(&self, files: &dyn Files, number: u64) -> Result<Bundle, JournalError> {
        let entries = read(files, path::entries(number))?;
        let evidence = match self.evidence {
            Some(_) => read(files, path::evidence(number))?,
            None => Bytes::new(),
        };
        Bundle::verify(number, entries, evidence, self)
    }

    /// Checks every file of a bundle.
    pub(super) fn check(&self, files: &dyn Files, number: u64) -> Result<(), JournalError> {
        let bundle = self.read(files, number)?;
        let path = path::tile(0, number);
        if read(files, path.clone())? == bundle.hashes.as_flattened() {
            return Ok(());
        }
        Err(JournalError::damaged(
            path,
            "it does not hold the hashes of its bundle",
        ))
    }
}
