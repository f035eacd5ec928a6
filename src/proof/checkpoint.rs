//! A checkpoint: how large the journal was, and the root of its tree; a C2SP tlog-checkpoint, signed as a C2SP signed-note.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::keys::VerifierKeys;
use super::merkle::Hash;
use super::note::{self, JournalSigner, NoteInvalid, VerifierKey};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose it is, see [`origin`](super::origin).
    pub origin: String,
    /// How many events the journal had: the revision of the last.
    pub size: u64,
    /// The root of the Merkle tree over them (RFC 6962, section 2.1).
    pub root: Hash,
}

/// Why a checkpoint is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointInvalid {
    /// It is no note, or nobody who is known signed it.
    #[error(transparent)]
    Note(#[from] NoteInvalid),
    /// Its text is not one of a checkpoint.
    #[error("it is not a checkpoint: {0}")]
    Text(&'static str),
    /// The key that signed it is of another journal.
    #[error("it is of the journal {found}, and was signed by a key of {wanted}")]
    OtherOrigin {
        /// What it says.
        found: String,
        /// What the key is for.
        wanted: String,
    },
    /// The key that signed it was retired before, and signs nothing more.
    #[error(
        "it is of {size} events, and was signed by a key that was retired at revision {retired_at}: whoever has that key now is no node of the \
         cluster, and what it signs proves nothing"
    )]
    Retired {
        /// How many events it is of.
        size: u64,
        /// When the key was retired.
        retired_at: u64,
    },
}

impl Checkpoint {
    /// Its text, which is what is signed.
    pub fn text(&self) -> String {
        let root = BASE64_STANDARD.encode(self.root);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads a text.
    fn parse(text: &str) -> Result<Self, CheckpointInvalid> {
        let wrong = |what| CheckpointInvalid::Text(what);
        let mut lines = text.lines();
        let origin = lines.next().filter(|line| !line.is_empty());
        let origin = origin.ok_or(wrong("it names no journal"))?.to_owned();
        let size = lines.next().unwrap_or_default();
        let digits = size.bytes().all(|byte| byte.is_ascii_digit());
        let canonical = digits && (size == "0" || !size.starts_with('0'));
        let size = size.parse().ok().filter(|_| canonical);
        let size = size.ok_or(wrong("its second line is not a size"))?;
        let root = BASE64_STANDARD.decode(lines.next().unwrap_or_default());
        let root = root.ok().and_then(|root| root.try_into().ok());
        let root = root.ok_or(wrong("its third line is not a root"))?;
        // Extension lines say nothing here, and a text that was read is the text that was signed.
        if lines.next().is_some() {
            return Err(wrong("it has lines that are not known"));
        }
        let read = Self { origin, size, root };
        if read.text() != text {
            return Err(wrong("it is written in another way than it has to be"));
        }
        Ok(read)
    }

    /// Signs it.
    ///
    /// # Errors
    /// Where the name of the journal cannot stand in a note.
    pub fn sign(&self, signer: &JournalSigner) -> Result<String, NoteInvalid> {
        note::sign(&self.text(), signer)
    }

    /// Reads a signed checkpoint that one of these keys signed; also brings that key.
    ///
    /// # Errors
    /// [`CheckpointInvalid`]. A signature that is wrong is refused also where another is right, and so is one by a key that was retired by then.
    pub fn verify(
        signed: &str,
        keys: &VerifierKeys,
    ) -> Result<(Self, VerifierKey), CheckpointInvalid> {
        let (text, key) = note::verify(signed, keys)?;
        let checkpoint = Self::parse(&text)?;
        if checkpoint.origin != key.origin() {
            return Err(CheckpointInvalid::OtherOrigin {
                wanted: key.origin().to_owned(),
                found: checkpoint.origin,
            });
        }
        // A node signs with a key only while its own journal does not hold the event that retires it.
        match keys.retired_at(&key) {
            Some(retired_at) if checkpoint.size >= retired_at => Err(CheckpointInvalid::Retired {
                size: checkpoint.size,
                retired_at,
            }),
            _ => Ok((checkpoint, key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{KnownKey, origin};
    use super::*;

    fn signer(byte: u8) -> JournalSigner {
        JournalSigner::new(&origin([1; 16]), &[byte; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: origin([1; 16]),
            size: 70_000,
            root: [7; 32],
        }
    }

    fn keys(bytes: &[u8]) -> VerifierKeys {
        VerifierKeys::new(bytes.iter().map(|byte| signer(*byte).verifier_key()))
    }

    #[test]
    fn what_was_signed_is_read_back_with_the_key_that_signed_it() {
        let signed = checkpoint().sign(&signer(2)).unwrap();
        let (read, key) = Checkpoint::verify(&signed, &keys(&[1, 2, 3])).unwrap();
        assert_eq!((read, key), (checkpoint(), signer(2).verifier_key()));
        assert!(signed.starts_with("refrain/01010101010101010101010101010101\n70000\n"));
    }

    #[test]
    fn no_byte_of_it_can_be_another() {
        let signed = checkpoint().sign(&signer(2)).unwrap();
        for place in 0..signed.len() {
            for bit in 0..8 {
                let mut bytes = signed.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let Ok(damaged) = String::from_utf8(bytes) else {
                    continue;
                };
                let read = Checkpoint::verify(&damaged, &keys(&[2]));
                assert!(read.is_err(), "byte {place}, bit {bit}: {read:?}");
            }
        }
        for (end, _) in signed.char_indices() {
            assert!(Checkpoint::verify(&signed[..end], &keys(&[2])).is_err());
        }
    }

    #[test]
    fn a_key_that_is_not_known_proves_nothing() {
        let signed = checkpoint().sign(&signer(2)).unwrap();
        for known in [&[][..], &[1], &[1, 3]] {
            let read = Checkpoint::verify(&signed, &keys(known));
            assert_eq!(read, Err(NoteInvalid::SignedByNobodyKnown.into()));
        }
    }

    #[test]
    fn what_a_key_signs_after_its_retirement_proves_nothing() {
        let signed = checkpoint().sign(&signer(2)).unwrap();
        let size = checkpoint().size;
        for (retired_at, wanted) in [
            (None, Ok(())),
            (Some(size + 1), Ok(())),
            (Some(size), Err(size)),
            (Some(3), Err(3)),
        ] {
            let key = signer(2).verifier_key();
            let known = [
                KnownKey { key, retired_at },
                signer(1).verifier_key().into(),
            ];
            let read = Checkpoint::verify(&signed, &VerifierKeys::new(known));
            let wanted =
                wanted.map_err(|retired_at| CheckpointInvalid::Retired { size, retired_at });
            assert_eq!(read.map(drop), wanted, "{retired_at:?}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_journal_is_told_apart() {
        let foreign = Checkpoint {
            origin: origin([2; 16]),
            ..checkpoint()
        };
        let signed = foreign.sign(&signer(2)).unwrap();
        let read = Checkpoint::verify(&signed, &keys(&[2]));
        assert!(
            matches!(read, Err(CheckpointInvalid::OtherOrigin { .. })),
            "{read:?}"
        );
    }

    #[test]
    fn there_is_one_way_to_write_it() {
        let root = BASE64_STANDARD.encode([7; 32]);
        for text in [
            format!("a\n1\n{root}\n\n"),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n1\n{}\n", &root[1..]),
            format!("a\n1\n{root}\nmore\n"),
            format!("a\r\n1\n{root}\n"),
            format!("\n1\n{root}\n"),
            format!("a\n18446744073709551616\n{root}\n"),
            "a\n1\n".to_owned(),
        ] {
            assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
        }
        let whole = format!("a\n0\n{root}\n");
        assert_eq!(Checkpoint::parse(&whole).unwrap().text(), whole);
    }
}
