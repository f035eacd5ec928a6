//! Receipts: an event, the proof that it is in the journal, and the checkpoint that a node signed; made and verified.
//!
//! What a receipt says to people is worked out from the leaf, the event's bytes in the journal, when it is made; and again when it is
//! verified. So nothing that can be read in it can differ from what was recorded.

pub(crate) mod contract;
mod document;
mod strict;
mod words;

use crate::{
    domain::{DecodeError, Event},
    limits,
    proof::{
        Checkpoint, CheckpointInvalid, JournalSigner, NoteInvalid, VerifierKey, VerifierKeys,
        merkle::Hash, tree,
    },
    proto::v1,
};

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The event that was recorded.
    pub event: Event,
    /// The journal that it is in.
    pub checkpoint: Checkpoint,
    /// Whose signature says so.
    pub key: VerifierKey,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptInvalid {
    /// It is not a receipt.
    #[error("it is not a receipt: {0}")]
    Malformed(String),
    /// Its checkpoint is not believed.
    #[error("its checkpoint proves nothing: {0}")]
    Checkpoint(#[from] CheckpointInvalid),
    /// The event is not in the journal that the checkpoint is of.
    #[error(
        "the event is not in the journal that its checkpoint is of: it was changed, or its proof was"
    )]
    NotIncluded,
    /// The event cannot be read.
    #[error("its event cannot be read: {0}")]
    Event(#[from] DecodeError),
    /// What can be read in it is not what was recorded.
    #[error("what it says is not what was recorded: it was changed")]
    Differs,
}

/// Makes the receipt of an event, by its leaf and the proof that it is in the tree which the checkpoint is of.
///
/// # Errors
/// Where the leaf cannot be read, or the checkpoint cannot be signed.
pub fn make(
    leaf: &[u8],
    proof: &[Hash],
    checkpoint: &Checkpoint,
    signer: &JournalSigner,
) -> Result<v1::Receipt, ReceiptInvalid> {
    let event = Event::decode(leaf)?;
    let note = checkpoint.sign(signer).map_err(CheckpointInvalid::from)?;
    Ok(v1::Receipt {
        leaf: leaf.to_vec(),
        inclusion_proof: proof.iter().map(|hash| hash.to_vec()).collect(),
        checkpoint: note,
        event: Some(contract::event(event)),
    })
}

/// Verifies a receipt with the keys that are believed, and nothing else.
///
/// # Errors
/// [`ReceiptInvalid`].
pub fn verify(receipt: &v1::Receipt, keys: &VerifierKeys) -> Result<Verified, ReceiptInvalid> {
    let malformed = |what: &str| ReceiptInvalid::Malformed(what.to_owned());
    if receipt.inclusion_proof.len() > 64 || receipt.leaf.len() > limits::LEAF_BYTES {
        return Err(malformed("it is larger than one can be"));
    }
    let proof: Option<Vec<Hash>> = receipt
        .inclusion_proof
        .iter()
        .map(|hash| hash[..].try_into().ok())
        .collect();
    let proof = proof.ok_or_else(|| malformed("a hash of its proof has not 32 bytes"))?;
    let (checkpoint, key) = Checkpoint::verify(&receipt.checkpoint, keys)?;
    let event = Event::decode(&receipt.leaf)?;
    let index = event.revision.checked_sub(1);
    let index = index.ok_or_else(|| malformed("its event has no revision"))?;
    let (size, root) = (checkpoint.size, &checkpoint.root);
    if !tree::includes(&receipt.leaf, index, size, &proof, root) {
        return Err(ReceiptInvalid::NotIncluded);
    }
    // Only now is the leaf known to be what the journal holds.
    if event.encode() != receipt.leaf
        || receipt.event.as_ref() != Some(&contract::event(event.clone()))
    {
        return Err(ReceiptInvalid::Differs);
    }
    Ok(Verified {
        event,
        checkpoint,
        key,
    })
}

/// A receipt as a JSON document, after the fields of ISO/IEC TS 27560.
///
/// # Errors
/// Where its leaf cannot be read.
pub fn to_json(receipt: &v1::Receipt) -> Result<serde_json::Value, ReceiptInvalid> {
    document::of(receipt)
}

/// Verifies a receipt in JSON with the keys that are believed, and nothing else.
///
/// # Errors
/// [`ReceiptInvalid`]; also where the document has a member more or less or twice, or says one thing otherwise, than the receipt
/// that its proof gives.
pub fn verify_json(json: &[u8], keys: &VerifierKeys) -> Result<Verified, ReceiptInvalid> {
    if json.len() > limits::RECEIPT_BYTES {
        let what = format!("it is longer than {} bytes", limits::RECEIPT_BYTES);
        return Err(ReceiptInvalid::Malformed(what));
    }
    let (document, receipt) = document::read(json)?;
    let verified = verify(&receipt, keys)?;
    if document::of(&receipt)? != document {
        return Err(ReceiptInvalid::Differs);
    }
    Ok(verified)
}

impl From<NoteInvalid> for ReceiptInvalid {
    fn from(invalid: NoteInvalid) -> Self {
        Self::Checkpoint(invalid.into())
    }
}

#[cfg(test)]
pub(crate) mod tests;
