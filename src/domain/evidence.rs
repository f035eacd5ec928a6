//! What proves an opt-in: sealed at the edge, so that no log, leaf or state holds it in the clear.

use std::fmt;

use bytes::Bytes;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hmac::Mac as _;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::refusal::Refusal;
use super::token::{TokenKey, derive, first_half, keyed};
use crate::limits;
use crate::proto::persisted;

/// How many random bytes one sealing takes: a data key and two nonces.
pub const SEALING_RANDOM_BYTES: usize = 32 + 24 + 24;

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

/// Evidence under a data key of its own, which is wrapped by the sealing key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedEvidence {
    /// What is kept beside the journal.
    pub bytes: Bytes,
    /// A keyed digest of the evidence in the clear, by which a retry is known although it was sealed anew. It takes
    /// part in what is remembered of the request, and is not kept beside the journal.
    pub digest: [u8; 16],
}

/// The secret that wraps data keys: a node's own, never replicated, never shown.
#[derive(Clone)]
pub struct SealingKey {
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
            wrap: derive(secret, b"refrain evidence wrapping key"),
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
        let wrapped_key = XChaCha20Poly1305::new((&*self.wrap).into())
            .encrypt(key_nonce.into(), payload(data_key, KEY_CONTEXT))
            .map_err(failed)?;
        let ciphertext = XChaCha20Poly1305::new(data_key.into())
            .encrypt(nonce.into(), payload(&clear, CONTENT_CONTEXT))
            .map_err(failed)?;
        let sealed = persisted::SealedEvidence {
            format: FORMAT,
            key_nonce: Bytes::copy_from_slice(key_nonce),
            wrapped_key: wrapped_key.into(),
            nonce: Bytes::copy_from_slice(nonce),
            ciphertext: ciphertext.into(),
        };
        let mut digest = keyed(&self.digest);
        digest.update(&clear);
        Ok(SealedEvidence {
            bytes: sealed.encode_to_vec().into(),
            digest: first_half(&digest.finalize().into_bytes().into()),
        })
    }

    /// Opens sealed evidence.
    ///
    /// # Errors
    /// [`CannotUnseal`].
    pub fn unseal(&self, sealed: &[u8]) -> Result<Evidence, CannotUnseal> {
        let sealed = persisted::SealedEvidence::decode(sealed).map_err(|_| CannotUnseal)?;
        let nonces_fit = sealed.key_nonce.len() == 24 && sealed.nonce.len() == 24;
        if sealed.format != FORMAT || !nonces_fit {
            return Err(CannotUnseal);
        }
        let data_key = XChaCha20Poly1305::new((&*self.wrap).into())
            .decrypt(
                sealed.key_nonce.as_ref().into(),
                payload(&sealed.wrapped_key, KEY_CONTEXT),
            )
            .map(Zeroizing::new)
            .map_err(|_| CannotUnseal)?;
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

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        Evidence {
            statement: "ticked the box on the sign-up page".to_owned(),
            ip_address: "192.0.2.1".to_owned(),
            user_agent: "Mozilla".to_owned(),
        }
    }

    #[test]
    fn sealed_and_opened() {
        let key = SealingKey::new(&[1; 32]);
        let sealed = key.seal(&evidence(), &[5; SEALING_RANDOM_BYTES]).unwrap();
        assert_eq!(key.unseal(&sealed.bytes).unwrap(), evidence());
        assert_eq!(
            SealingKey::new(&[2; 32]).unseal(&sealed.bytes),
            Err(CannotUnseal)
        );
        for damaged in 0..sealed.bytes.len() {
            let mut bytes = sealed.bytes.to_vec();
            bytes[damaged] ^= 1;
            assert_ne!(key.unseal(&bytes), Ok(Evidence::default()));
            assert_ne!(key.unseal(&bytes), Ok(evidence()), "byte {damaged}");
        }
        for cut in 0..sealed.bytes.len() {
            assert_eq!(key.unseal(&sealed.bytes[..cut]), Err(CannotUnseal));
        }
    }

    #[test]
    fn nothing_shows() {
        let key = SealingKey::new(&[1; 32]);
        let sealed = key.seal(&evidence(), &[5; SEALING_RANDOM_BYTES]).unwrap();
        let clear = b"ticked";
        assert!(!sealed.bytes.windows(clear.len()).any(|w| w == clear));
        for shown in [
            format!("{:?}", evidence()),
            format!("{sealed:?}"),
            format!("{key:?}"),
        ] {
            assert!(!shown.contains("ticked") && !shown.contains('['), "{shown}");
        }
    }

    #[test]
    fn a_retry_is_known_by_its_digest() {
        let key = SealingKey::new(&[1; 32]);
        let first = key.seal(&evidence(), &[5; SEALING_RANDOM_BYTES]).unwrap();
        let again = key.seal(&evidence(), &[6; SEALING_RANDOM_BYTES]).unwrap();
        assert_ne!(first.bytes, again.bytes);
        assert_eq!(first.digest, again.digest);
        let node = |secret| {
            let key = SealingKey::new(&[secret; 32]).known_by(&TokenKey::new([9; 32]));
            key.seal(&evidence(), &[8; SEALING_RANDOM_BYTES]).unwrap()
        };
        assert_ne!(node(1).bytes, node(2).bytes);
        assert_eq!(node(1).digest, node(2).digest);
        assert_ne!(node(1).digest, first.digest);
        let mut other = evidence();
        other.statement.push('!');
        let other = key.seal(&other, &[7; SEALING_RANDOM_BYTES]).unwrap();
        assert_ne!(first.digest, other.digest);
    }

    #[test]
    fn the_largest_fits_and_more_is_refused() {
        let key = SealingKey::new(&[1; 32]);
        let mut largest = Evidence {
            statement: "s".repeat(limits::EVIDENCE_STATEMENT_BYTES),
            ip_address: "i".repeat(limits::EVIDENCE_IP_ADDRESS_BYTES),
            user_agent: "u".repeat(limits::EVIDENCE_USER_AGENT_BYTES),
        };
        let sealed = key.seal(&largest, &[5; SEALING_RANDOM_BYTES]).unwrap();
        assert!(sealed.bytes.len() <= limits::SEALED_EVIDENCE_BYTES);
        largest.user_agent.push('u');
        let refusal = key.seal(&largest, &[5; SEALING_RANDOM_BYTES]).unwrap_err();
        assert_eq!(refusal.reason(), "EVIDENCE_INVALID");
        let empty = key.seal(&Evidence::default(), &[5; SEALING_RANDOM_BYTES]);
        assert_eq!(empty.unwrap_err().reason(), "EVIDENCE_REQUIRED");
    }
}
