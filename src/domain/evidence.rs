//! What proves an opt-in: sealed at the edge, so that no log, leaf or state holds it in the clear.

use std::fmt;

use bytes::Bytes;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hmac::Mac as _;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::ids::NodeId;
use super::refusal::Refusal;
use super::token::{TokenKey, derive, first_half, keyed};
use crate::limits;
use crate::proto::persisted;

/// How many random bytes one sealing takes: a data key and two nonces.
pub const SEALING_RANDOM_BYTES: usize = 32 + 24 + 24;

/// How many random bytes it takes to wrap a data key anew: a nonce.
pub const WRAPPING_RANDOM_BYTES: usize = 24;

/// The layout of sealed evidence that this program writes.
const FORMAT: u32 = 1;

/// Ties a ciphertext to what it is for.
const KEY_CONTEXT: &[u8] = b"refrain evidence data key";
const CONTENT_CONTEXT: &[u8] = b"refrain evidence content";
const DIGEST_CONTEXT: &[u8] = b"refrain evidence digest key";

/// What proves an opt-in, in the clear: never stored, logged or replicated as it is.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// What the person saw and did: 1 to 4,096 bytes.
    pub statement: String,
    /// The person's IP address, at most 64 bytes; may be empty.
    pub ip_address: String,
    /// The person's user agent, at most 1,024 bytes; may be empty.
    pub user_agent: String,
}

/// Evidence under a data key of its own.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedEvidence {
    /// What is kept beside the journal, for ever: worth nothing without the data key.
    pub bytes: Bytes,
    /// The data key. Kept apart, in the state, so that it can be destroyed.
    pub key: WrappedKey,
    /// A keyed digest of the evidence in the clear, by which a retry is known although it was sealed anew. It takes
    /// part in what is remembered of the request, and is not kept beside the journal.
    pub digest: [u8; 16],
}

/// The data key of one piece of evidence, wrapped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WrappedKey {
    /// What it is wrapped under.
    pub under: WrappingId,
    /// The nonce of the wrapping.
    pub nonce: [u8; 24],
    /// The data key under it, with its tag.
    pub wrapped: [u8; 48],
}

/// Names a wrapping key, and tells nothing of it: the node that holds it in 8 bytes, and 8 that are derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WrappingId(pub [u8; 16]);

/// The operator's half of what wraps data keys: a secret of one node, never replicated, never shown.
#[derive(Clone)]
pub struct SealingKey {
    base: Zeroizing<[u8; 32]>,
    digest: Zeroizing<[u8; 32]>,
}

/// A wrapping key, ready to seal: made of the sealing key and of a secret that its node makes, and makes anew where what was wrapped under
/// it has to be lost for good.
#[derive(Clone)]
pub struct Sealer {
    id: WrappingId,
    wrap: Zeroizing<[u8; 32]>,
    digest: Zeroizing<[u8; 32]>,
}

/// Why sealed evidence could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed evidence is damaged, or was sealed under another key")]
pub struct CannotUnseal;

impl Evidence {
    /// Checks the parts.
    ///
    /// # Errors
    /// `EVIDENCE_REQUIRED`, `EVIDENCE_INVALID`.
    pub fn validate(&self) -> Result<(), Refusal> {
        let why = if self.statement.trim().is_empty() {
            return Err(Refusal::EvidenceRequired);
        } else if self.statement.len() > limits::EVIDENCE_STATEMENT_BYTES {
            "its statement is longer than 4,096 bytes"
        } else if self.ip_address.len() > limits::EVIDENCE_IP_ADDRESS_BYTES {
            "its IP address is longer than 64 bytes"
        } else if self.user_agent.len() > limits::EVIDENCE_USER_AGENT_BYTES {
            "its user agent is longer than 1,024 bytes"
        } else {
            return Ok(());
        };
        Err(Refusal::EvidenceInvalid { why })
    }
}

impl SealingKey {
    /// Derives the key from a secret of 32 bytes. The digests are this secret's own: where nodes have different ones,
    /// add [`SealingKey::known_by`], or a retry through another node would look like another request.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self {
            base: derive(secret, b"refrain evidence wrapping key"),
            digest: derive(secret, DIGEST_CONTEXT),
        }
    }

    /// Makes the digests from the cluster's token key, so that all nodes give the same evidence the same digest.
    #[must_use]
    pub fn known_by(self, token_key: &TokenKey) -> Self {
        Self {
            digest: token_key.derive(DIGEST_CONTEXT),
            ..self
        }
    }

    /// The wrapping key that this makes with a secret of the node's own.
    pub fn sealer(&self, node_id: u64, secret: &[u8; 32]) -> Sealer {
        let wrap = derive(&self.base, secret);
        let named = derive(&wrap, b"refrain evidence wrapping key id");
        let mut id = [0; 16];
        id[..8].copy_from_slice(&node_id.to_be_bytes());
        id[8..].copy_from_slice(&named[..8]);
        Sealer {
            id: WrappingId(id),
            wrap,
            digest: self.digest.clone(),
        }
    }
}

impl WrappingId {
    /// The node that holds the key.
    pub fn node_id(self) -> u64 {
        let (node, _) = self.0.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        u64::from_be_bytes(*node)
    }
}

impl Sealer {
    /// What its keys are wrapped under.
    pub fn id(&self) -> WrappingId {
        self.id
    }

    /// Seals evidence under a fresh data key. The random bytes must never be used twice.
    ///
    /// # Errors
    /// What [`Evidence::validate`] says.
    pub fn seal(
        &self,
        evidence: &Evidence,
        random: &[u8; SEALING_RANDOM_BYTES],
    ) -> Result<SealedEvidence, Refusal> {
        evidence.validate()?;
        let clear = Zeroizing::new(
            persisted::Evidence {
                statement: evidence.statement.clone(),
                ip_address: evidence.ip_address.clone(),
                user_agent: evidence.user_agent.clone(),
            }
            .encode_to_vec(),
        );
        let (data_key, nonces) = random.split_at(32);
        let (key_nonce, nonce) = nonces.split_at(24);
        let failed = |_| Refusal::EvidenceInvalid {
            why: "it could not be sealed",
        };
        let key = self.wrap(data_key, key_nonce).map_err(failed)?;
        let ciphertext = XChaCha20Poly1305::new(data_key.into())
            .encrypt(nonce.into(), payload(&clear, CONTENT_CONTEXT))
            .map_err(failed)?;
        let sealed = persisted::SealedEvidence {
            format: FORMAT,
            nonce: Bytes::copy_from_slice(nonce),
            ciphertext: ciphertext.into(),
        };
        let mut digest = keyed(&self.digest);
        digest.update(&clear);
        Ok(SealedEvidence {
            bytes: sealed.encode_to_vec().into(),
            key,
            digest: first_half(&digest.finalize().into_bytes().into()),
        })
    }

    /// Wraps a data key anew, under another wrapping key. The random bytes must never be used twice.
    ///
    /// # Errors
    /// [`CannotUnseal`].
    pub fn rewrap(
        &self,
        key: &WrappedKey,
        under: &Self,
        random: &[u8; WRAPPING_RANDOM_BYTES],
    ) -> Result<WrappedKey, CannotUnseal> {
        let data_key = self.unwrap(key)?;
        under.wrap(&data_key, random).map_err(|_| CannotUnseal)
    }

    /// Opens sealed evidence.
    ///
    /// # Errors
    /// [`CannotUnseal`].
    pub fn unseal(&self, sealed: &[u8], key: &WrappedKey) -> Result<Evidence, CannotUnseal> {
        let sealed = persisted::SealedEvidence::decode(sealed).map_err(|_| CannotUnseal)?;
        if sealed.format != FORMAT || sealed.nonce.len() != 24 {
            return Err(CannotUnseal);
        }
        let data_key = self.unwrap(key)?;
        let clear = XChaCha20Poly1305::new_from_slice(&data_key)
            .map_err(|_| CannotUnseal)?
            .decrypt(
                sealed.nonce.as_ref().into(),
                payload(&sealed.ciphertext, CONTENT_CONTEXT),
            )
            .map(Zeroizing::new)
            .map_err(|_| CannotUnseal)?;
        let clear = persisted::Evidence::decode(clear.as_slice()).map_err(|_| CannotUnseal)?;
        Ok(Evidence {
            statement: clear.statement,
            ip_address: clear.ip_address,
            user_agent: clear.user_agent,
        })
    }

    fn wrap(&self, data_key: &[u8], nonce: &[u8]) -> Result<WrappedKey, chacha20poly1305::Error> {
        let cipher = XChaCha20Poly1305::new((&*self.wrap).into());
        let wrapped = cipher.encrypt(nonce.into(), payload(data_key, KEY_CONTEXT))?;
        Ok(WrappedKey {
            under: self.id,
            nonce: nonce.try_into().map_err(|_| chacha20poly1305::Error)?,
            wrapped: wrapped.try_into().map_err(|_| chacha20poly1305::Error)?,
        })
    }

    fn unwrap(&self, key: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, CannotUnseal> {
        if key.under != self.id {
            return Err(CannotUnseal);
        }
        let cipher = XChaCha20Poly1305::new((&*self.wrap).into());
        cipher
            .decrypt((&key.nonce).into(), payload(&key.wrapped, KEY_CONTEXT))
            .map(Zeroizing::new)
            .map_err(|_| CannotUnseal)
    }
}

impl SealedEvidence {
    /// What stands for it in the event.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }
}

fn payload<'a>(msg: &'a [u8], aad: &'a [u8]) -> Payload<'a, 'a> {
    Payload { msg, aad }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Evidence(redacted)")
    }
}

impl fmt::Debug for SealedEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedEvidence({} bytes)", self.bytes.len())
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey(of {})", NodeId(self.under.node_id()))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(secret)")
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(secret)")
    }
}

#[cfg(test)]
mod tests;
