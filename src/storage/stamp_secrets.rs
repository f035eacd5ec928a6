//! The secrets of the keys that this node signs stamps with: one small file, replaced whole, for its owner's eyes alone.

use std::path::Path;

use zeroize::Zeroizing;

use super::envelope;
use super::files::Files;
use super::refused::Refused;

/// The name of the file in the data folder.
pub const STAMP_SECRETS_FILE: &str = "stamp_secrets";

const KIND: [u8; 4] = *b"RFSK";
/// The one format so far: one secret after the other.
const FORMAT: u16 = 1;

/// The secret half of a key.
pub type StampSecret = Zeroizing<[u8; 32]>;

/// Reads the secrets, the oldest first; none where none was ever made.
///
/// # Errors
///
/// [`Refused`], where the file is damaged or of a later version.
pub fn load(files: &dyn Files) -> Result<Vec<StampSecret>, Refused> {
    let body = envelope::load(files, STAMP_SECRETS_FILE, KIND, FORMAT)?.map(Zeroizing::new);
    let body = body.unwrap_or_default();
    let (secrets, rest) = body.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(Refused::damaged(
            STAMP_SECRETS_FILE,
            "its content makes no sense",
        ));
    }
    Ok(secrets.iter().copied().map(Zeroizing::new).collect())
}

/// Writes the secrets; durable when it returns.
///
/// # Errors
///
/// Whatever the disk says; never try again.
pub fn save(files: &dyn Files, secrets: &[StampSecret]) -> std::io::Result<()> {
    let mut body = Zeroizing::new(Vec::with_capacity(secrets.len() * 32));
    for secret in secrets {
        body.extend_from_slice(&**secret);
    }
    let bytes = Zeroizing::new(envelope::wrap(KIND, FORMAT, &body));
    files.write_secret(Path::new(STAMP_SECRETS_FILE), &bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::storage::data_folder::DataFolder;
    use crate::storage::refused::Cause;

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let dir = tempfile::tempdir().unwrap();
        let files = DataFolder::open(dir.path()).unwrap();
        (dir, files)
    }

    fn secrets(bytes: &[u8]) -> Vec<StampSecret> {
        bytes
            .iter()
            .map(|byte| Zeroizing::new([*byte; 32]))
            .collect()
    }

    #[test]
    fn secrets_come_back_in_their_order_and_nobody_else_can_read_them() {
        let (dir, files) = folder();
        assert_eq!(load(&files).unwrap(), secrets(&[]));
        for bytes in [&[1][..], &[1, 2], &[2], &[]] {
            save(&files, &secrets(bytes)).unwrap();
            assert_eq!(load(&files).unwrap(), secrets(bytes));
            let metadata = std::fs::metadata(dir.path().join(STAMP_SECRETS_FILE)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
        }
    }

    #[test]
    fn damage_is_noticed_and_a_later_format_is_told_apart() {
        let (_dir, files) = folder();
        save(&files, &secrets(&[1, 2])).unwrap();
        let path = Path::new(STAMP_SECRETS_FILE);
        let whole = files.read(path).unwrap().unwrap();
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            files.write(path, &damaged).unwrap();
            assert!(load(&files).unwrap_err().is_damage(), "byte {place}");
        }
        let half = envelope::wrap(KIND, FORMAT, &[1; 33]);
        files.write(path, &half).unwrap();
        assert!(load(&files).unwrap_err().is_damage());
        let later = envelope::wrap(KIND, FORMAT + 1, &[1; 32]);
        files.write(path, &later).unwrap();
        let refused = load(&files).unwrap_err();
        assert!(matches!(refused.cause(), Cause::LaterFormat(2)));
    }

    /// The bytes on disk are for ever: a change here must come with a new format.
    #[test]
    fn the_encoding_is_golden() {
        let (_dir, files) = folder();
        save(&files, &secrets(&[0xab])).unwrap();
        let bytes = files.read(Path::new(STAMP_SECRETS_FILE)).unwrap().unwrap();
        let golden = format!("5246534b0001{}9578237e", "ab".repeat(32));
        assert_eq!(hex::encode(bytes), golden);
    }
}
