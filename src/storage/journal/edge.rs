//! The journal's edge: what a snapshot keeps of it, enough to go on appending and to verify every bundle by itself.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes};

use super::tree::{Tree, WIDTH, as_index};
use crate::{
    domain::Revision,
    proof::merkle::{Hash, empty_root, leaf_hash},
    storage::frame,
};

const KIND: [u8; 4] = *b"RFJE";
const FORMAT: u32 = 1;

/// An event of the unfinished bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) leaf: Bytes,
    pub(super) evidence: Option<Bytes>,
}

/// The journal at a revision, without the events that lie in full bundles.
///
/// It holds the root hash of each full bundle (32 bytes for 256 events), the digests of the bundles' evidence, and the
/// events of the unfinished bundle. Everything else of the tree follows from these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEdge {
    pub(super) root: Hash,
    pub(super) bundle_roots: Vec<Hash>,
    /// Of the bundles that have any.
    pub(super) evidence: BTreeMap<u64, Hash>,
    pub(super) unfinished: Vec<Entry>,
}

impl Default for JournalEdge {
    /// The edge of the journal without events.
    fn default() -> Self {
        Self {
            root: empty_root(),
            bundle_roots: Vec::new(),
            evidence: BTreeMap::new(),
            unfinished: Vec::new(),
        }
    }
}

impl JournalEdge {
    /// How many events the journal had, which is the revision.
    pub fn size(&self) -> Revision {
        self.bundle_roots.len() as u64 * WIDTH + self.unfinished.len() as u64
    }

    /// The root over all of them.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The hashes of the leaves in the unfinished bundle.
    pub(super) fn tail(&self) -> Vec<Hash> {
        let leaves = self.unfinished.iter().map(|entry| &entry.leaf);
        leaves.map(|leaf| leaf_hash(leaf)).collect()
    }

    /// Encodes the edge; the same edge always gives the same bytes. Cut them into chunks to put them into a snapshot.
    ///
    /// All numbers are big-endian, and a frame goes around: size (u64), root, the bundles' roots, the number of evidence
    /// digests (u64), each with its bundle (u64), then the events of the unfinished bundle: length (u16), leaf, a
    /// byte 0 for no evidence or 1, and then the evidence's length (u32) and bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut contents = Vec::new();
        contents.put_u64(self.size());
        contents.put_slice(&self.root);
        contents.put_slice(self.bundle_roots.as_flattened());
        contents.put_u64(self.evidence.len() as u64);
        for (bundle, digest) in &self.evidence {
            contents.put_u64(*bundle);
            contents.put_slice(digest);
        }
        for entry in &self.unfinished {
            contents.put_u16(u16::try_from(entry.leaf.len()).unwrap_or(u16::MAX));
            contents.put_slice(&entry.leaf);
            contents.put_u8(u8::from(entry.evidence.is_some()));
            if let Some(evidence) = &entry.evidence {
                contents.put_u32(u32::try_from(evidence.len()).unwrap_or(u32::MAX));
                contents.put_slice(evidence);
            }
        }
        frame::encode(KIND, FORMAT, &contents)
    }

    /// Decodes an edge, and verifies that what it holds gives its root.
    ///
    /// # Errors
    /// What is wrong with the bytes, in words that follow the name of the file that they came from.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut contents = frame::decode(KIND, FORMAT, bytes)?;
        let edge =
            take_edge(&mut contents).ok_or("it does not hold a whole edge of the journal")?;
        if contents.has_remaining() {
            return Err("it holds more than the edge of the journal".to_owned());
        }
        let tree = Tree::new(&edge.bundle_roots);
        if tree.root(tree.bundles(), &edge.tail()) != edge.root {
            return Err("it holds an edge of the journal that does not give its root".to_owned());
        }
        Ok(edge)
    }
}

/// Takes an edge off the front. Lengths are checked against what is there before anything is allocated for them.
fn take_edge(from: &mut &[u8]) -> Option<JournalEdge> {
    let size = from.try_get_u64().ok()?;
    let root = take_hash(from)?;
    let bundles = as_index(size / WIDTH);
    let (roots, rest) = from.split_at_checked(bundles.checked_mul(32)?)?;
    let (bundle_roots, _) = roots.as_chunks::<32>();
    *from = rest;

    let mut evidence = BTreeMap::new();
    for _ in 0..from.try_get_u64().ok()? {
        let bundle = from.try_get_u64().ok()?;
        let ascending = evidence
            .last_key_value()
            .is_none_or(|(last, _)| *last < bundle);
        if !ascending || bundle >= size / WIDTH {
            return None;
        }
        evidence.insert(bundle, take_hash(from)?);
    }

    let mut unfinished = Vec::new();
    for _ in 0..size % WIDTH {
        let length = usize::from(from.try_get_u16().ok()?);
        let leaf = take_bytes(from, length)?;
        let evidence = match from.try_get_u8().ok()? {
            0 => None,
            1 => {
                let length = usize::try_from(from.try_get_u32().ok()?).ok()?;
                Some(take_bytes(from, length)?)
            }
            _ => return None,
        };
        unfinished.push(Entry { leaf, evidence });
    }
    Some(JournalEdge {
        root,
        bundle_roots: bundle_roots.to_vec(),
        evidence,
        unfinished,
    })
}

fn take_hash(from: &mut &[u8]) -> Option<Hash> {
    let (hash, rest) = from.split_first_chunk::<32>()?;
    *from = rest;
    Some(*hash)
}

fn take_bytes(from: &mut &[u8], length: usize) -> Option<Bytes> {
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(Bytes::copy_from_slice(bytes))
}
