//! Signed notes (C2SP signed-note, Ed25519): who signs the journal's checkpoints, and by what signatures are verified.

use std::fmt;
use std::str::FromStr;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use signed_note::{
    Note, NoteError, Signer, StandardVerifier, Verifier, VerifierList, new_ed25519_verifier_key,
};

use super::keys::VerifierKeys;
use crate::limits;

/// The type of signatures that are Ed25519 over the text, as signed-note numbers them.
const ED25519: u8 = 0x01;

/// Why a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteInvalid {
    /// It is not a signed note.
    #[error("it is not a signed note")]
    Malformed,
    /// No key that is known signed it.
    #[error("none of the keys that were given signed it")]
    SignedByNobodyKnown,
    /// A key that is known is named, and did not sign this.
    #[error("its signature by {key} is wrong: it was changed after it was signed")]
    WrongSignature {
        /// The name and the id of the key.
        key: String,
    },
    /// A text that is not a key.
    #[error("it is not a verifier key: one has the form <name>+<8 hex digits>+<base64>")]
    KeyMalformed,
    /// A line that should say whose the next key is.
    #[error(
        "it is not what a list says before a key: `# node <16 hex digits>, added at revision <number>`, and where it was retired, \
         `, retired at <number>`"
    )]
    RemarkMalformed,
}

/// What a node signs checkpoints with.
#[derive(Clone)]
pub struct JournalSigner {
    key: VerifierKey,
    secret: SigningKey,
}

impl JournalSigner {
    /// A signer for the journal of this origin.
    pub fn new(origin: &str, secret: &[u8; 32]) -> Self {
        let secret = SigningKey::from_bytes(secret);
        Self {
            key: VerifierKey::new(origin, &secret.verifying_key()),
            secret,
        }
    }

    /// By what its signatures are verified.
    pub fn verifier_key(&self) -> VerifierKey {
        self.key.clone()
    }

    /// The public half of the key.
    pub fn public(&self) -> [u8; 32] {
        self.secret.verifying_key().to_bytes()
    }
}

impl fmt::Debug for JournalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JournalSigner")
            .field(&self.key.to_string())
            .finish()
    }
}

impl Signer for JournalSigner {
    fn name(&self) -> &str {
        &self.key.origin
    }

    fn key_id(&self) -> u32 {
        self.key.id
    }

    fn sign(&self, msg: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        Ok(self.secret.try_sign(msg)?.to_vec())
    }
}

/// A public key with the name of the journal that it is for: what signed-note calls a verifier key, `<name>+<id>+<key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    origin: String,
    id: u32,
    text: String,
}

impl VerifierKey {
    /// A node's key for the journal of this origin.
    pub fn new(origin: &str, key: &VerifyingKey) -> Self {
        let mut encoded = vec![ED25519];
        encoded.extend_from_slice(key.as_bytes());
        Self {
            origin: origin.to_owned(),
            id: signed_note::key_id(origin, &encoded),
            text: new_ed25519_verifier_key(origin, key),
        }
    }

    /// A key by its bytes; none where they are no key.
    pub fn of(origin: &str, public: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(public).ok()?;
        Some(Self::new(origin, &key))
    }

    /// Which journal it is for.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for VerifierKey {
    type Err = NoteInvalid;

    fn from_str(text: &str) -> Result<Self, NoteInvalid> {
        let text = text.trim();
        let verifier = StandardVerifier::new(text).map_err(|_| NoteInvalid::KeyMalformed)?;
        // Base64 has a `+` of its own.
        let key = text.splitn(3, '+').nth(2).unwrap_or_default();
        let key = BASE64_STANDARD.decode(key).unwrap_or_default();
        let public = key.strip_prefix(&[ED25519]);
        let public = public.and_then(|it| it.try_into().ok());
        let read = public.and_then(|public| Self::of(verifier.name(), public));
        // One text for each key: whoever compares texts compares keys.
        read.filter(|read| read.text == text)
            .ok_or(NoteInvalid::KeyMalformed)
    }
}

fn verifiers(keys: &VerifierKeys) -> VerifierList {
    let verifiers = keys.iter().filter_map(|key| {
        let verifier = StandardVerifier::new(&key.text).ok()?;
        Some(Box::new(verifier) as Box<dyn Verifier>)
    });
    VerifierList::new(verifiers.collect())
}

/// Signs a text.
pub(super) fn sign(text: &str, signer: &JournalSigner) -> Result<String, NoteInvalid> {
    let malformed = |_| NoteInvalid::Malformed;
    let mut note = Note::new(text.as_bytes(), &[]).map_err(malformed)?;
    note.add_sigs(&[signer]).map_err(malformed)?;
    String::from_utf8(note.to_bytes()).map_err(|_| NoteInvalid::Malformed)
}

/// The text of a signed note, and the first of the keys that signed it.
pub(super) fn verify(
    signed: &str,
    keys: &VerifierKeys,
) -> Result<(String, VerifierKey), NoteInvalid> {
    if signed.len() > limits::CHECKPOINT_BYTES {
        return Err(NoteInvalid::Malformed);
    }
    let note = Note::from_bytes(signed.as_bytes()).map_err(|_| NoteInvalid::Malformed)?;
    // What was parsed leniently is not what was signed.
    if note.to_bytes() != signed.as_bytes() {
        return Err(NoteInvalid::Malformed);
    }
    let (verified, unknown) = note.verify(&verifiers(keys)).map_err(|error| match error {
        NoteError::InvalidSignature { name, id } => NoteInvalid::WrongSignature {
            key: format!("{name}+{id:08x}"),
        },
        NoteError::UnverifiedNote => NoteInvalid::SignedByNobodyKnown,
        _ => NoteInvalid::Malformed,
    })?;
    // A note of this journal has one signature. Others could be added by anybody, and would say nothing.
    let [signature] = &verified[..] else {
        return Err(NoteInvalid::Malformed);
    };
    if !unknown.is_empty() {
        return Err(NoteInvalid::Malformed);
    }
    let signs = |key: &&VerifierKey| key.origin == signature.name() && key.id == signature.id();
    let key = keys.iter().find(signs);
    let key = key.ok_or(NoteInvalid::SignedByNobodyKnown)?.clone();
    let text = String::from_utf8(note.text().to_vec()).map_err(|_| NoteInvalid::Malformed)?;
    Ok((text, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_as_they_are_written() {
        // So many that some have a `+` or a `/` in their base64.
        for byte in 0..=255 {
            let signer = JournalSigner::new("refrain/ab", &[byte; 32]);
            let key = signer.verifier_key();
            assert_eq!(key.to_string().parse(), Ok(key.clone()));
            assert_eq!(VerifierKey::of("refrain/ab", &signer.public()), Some(key));
        }
        let signer = JournalSigner::new("refrain/ab", &[3; 32]);
        assert!(!format!("{signer:?}").contains("secret"));
    }

    #[test]
    fn a_key_that_was_changed_is_no_key() {
        let key = JournalSigner::new("refrain/ab", &[3; 32]).verifier_key();
        let text = key.to_string();
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            assert_eq!(
                changed.parse::<VerifierKey>(),
                Err(NoteInvalid::KeyMalformed),
                "byte {place}"
            );
        }
        for wrong in ["", "a+b", &text[1..], &text[..text.len() - 4]] {
            assert!(wrong.parse::<VerifierKey>().is_err(), "{wrong:?}");
        }
    }
}
