//! The secrets that this node makes by itself, to sign stamps and the journal's checkpoints with and to wrap keys of evidence: a small file
//! each, replaced whole, for its owner's eyes alone.

use std::path::Path;

use zeroize::Zeroizing;

use super::envelope;
use super::files::Files;
use super::refused::{Cause, Refused};

/// The one format so far: one secret after the other.
const FORMAT: u16 = 1;

/// The secret half of a key.
pub type Secret = Zeroizing<[u8; 32]>;

/// A file of secrets.
#[derive(Debug, Clone, Copy)]
pub struct SecretsFile {
    /// Its name in the data folder.
    pub name: &'static str,
    kind: [u8; 4],
}

/// Those of the keys for stamps.
pub const STAMPS: SecretsFile = SecretsFile {
    name: "stamp_secrets",
    kind: *b"RFSK",
};

/// Those of the keys for the journal's checkpoints.
pub const JOURNAL: SecretsFile = SecretsFile {
    name: "journal_secrets",
    kind: *b"RFJK",
};

/// Those of the keys that wrap evidence's keys, together with the sealing key.
pub const EVIDENCE: SecretsFile = SecretsFile {
    name: "evidence_secrets",
    kind: *b"RFEK",
};

impl SecretsFile {
    /// Reads the secrets, the oldest first; none where none was ever made.
    ///
    /// # Errors
    ///
    /// [`Refused`], where the file is damaged or of a later version.
    pub fn load(&self, files: &dyn Files) -> Result<Vec<Secret>, Refused> {
        let body = envelope::load(files, self.name, self.kind, FORMAT)?.map(Zeroizing::new);
        let body = body.unwrap_or_default();
        let (secrets, rest) = body.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(Refused::damaged(self.name, "its content makes no sense"));
        }
        Ok(secrets.iter().copied().map(Zeroizing::new).collect())
    }

    /// Reads the secrets; of a damaged file none, which the log then says. Nothing is lost with them but keys that others can take
    /// the place of.
    ///
    /// # Errors
    ///
    /// [`Refused`], where the file is of a later version, or cannot be read.
    pub fn load_or_forget(&self, files: &dyn Files) -> Result<Vec<Secret>, Refused> {
        match self.load(files) {
            Err(refused) => match refused.cause() {
                Cause::Damaged(what) => {
                    let file = self.name;
                    tracing::error!(
                        file,
                        what,
                        "this node makes a new key in place of the damaged one"
                    );
                    Ok(Vec::new())
                }
                _ => Err(refused),
            },
            loaded => loaded,
        }
    }

    /// Writes the secrets; durable when it returns.
    ///
    /// # Errors
    ///
    /// Whatever the disk says; never try again.
    pub fn save(&self, files: &dyn Files, secrets: &[Secret]) -> std::io::Result<()> {
        let mut body = Zeroizing::new(Vec::with_capacity(secrets.len() * 32));
        for secret in secrets {
            body.extend_from_slice(&**secret);
        }
        let bytes = Zeroizing::new(envelope::wrap(self.kind, FORMAT, &body));
        files.write_secret(Path::new(self.name), &bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::storage::data_folder::DataFolder;

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let dir = tempfile::tempdir().unwrap();
        let files = DataFolder::open(dir.path()).unwrap();
        (dir, files)
    }

    fn secrets(bytes: &[u8]) -> Vec<Secret> {
        bytes
            .iter()
            .map(|byte| Zeroizing::new([*byte; 32]))
            .collect()
    }

    #[test]
    fn secrets_come_back_in_their_order_and_nobody_else_can_read_them() {
        let (dir, files) = folder();
        assert_eq!(STAMPS.load(&files).unwrap(), secrets(&[]));
        for bytes in [&[1][..], &[1, 2], &[2], &[]] {
            STAMPS.save(&files, &secrets(bytes)).unwrap();
            assert_eq!(STAMPS.load(&files).unwrap(), secrets(bytes));
            let metadata = std::fs::metadata(dir.path().join(STAMPS.name)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
        }
    }

    #[test]
    fn damage_is_noticed_and_a_later_format_is_told_apart() {
        let (_dir, files) = folder();
        STAMPS.save(&files, &secrets(&[1, 2])).unwrap();
        let path = Path::new(STAMPS.name);
        let whole = files.read(path).unwrap().unwrap();
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            files.write(path, &damaged).unwrap();
            assert!(STAMPS.load(&files).unwrap_err().is_damage(), "byte {place}");
        }
        let half = envelope::wrap(STAMPS.kind, FORMAT, &[1; 33]);
        files.write(path, &half).unwrap();
        assert!(STAMPS.load(&files).unwrap_err().is_damage());
        let later = envelope::wrap(STAMPS.kind, FORMAT + 1, &[1; 32]);
        files.write(path, &later).unwrap();
        let refused = STAMPS.load(&files).unwrap_err();
        assert!(matches!(refused.cause(), Cause::LaterFormat(2)));
    }

    /// The bytes on disk are for ever: a change here must come with a new format.
    #[test]
    fn the_encoding_is_golden() {
        let (_dir, files) = folder();
        STAMPS.save(&files, &secrets(&[0xab])).unwrap();
        let bytes = files.read(Path::new(STAMPS.name)).unwrap().unwrap();
        let golden = format!("5246534b0001{}9578237e", "ab".repeat(32));
        assert_eq!(hex::encode(bytes), golden);
        JOURNAL.save(&files, &secrets(&[0xab])).unwrap();
        let bytes = files.read(Path::new(JOURNAL.name)).unwrap().unwrap();
        assert!(hex::encode(bytes).starts_with("52464a4b0001"));
        assert_eq!(JOURNAL.load(&files).unwrap(), secrets(&[0xab]));
    }
}
