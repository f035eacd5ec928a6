//! Who this node is, and what it voted: two small files, each replaced at once and durably.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::envelope;
use super::files::Files;
use super::refused::{Cause, Refused};
use crate::clock::Entropy;

/// The name of the identity's file in the data folder.
pub const IDENTITY_FILE: &str = "identity";
/// The name of the vote's file in the data folder.
pub const VOTE_FILE: &str = "vote";

const IDENTITY_KIND: [u8; 4] = *b"RFID";
const VOTE_KIND: [u8; 4] = *b"RFVT";
/// The one format of both files so far.
const FORMAT: u16 = 1;

/// Who this node is. A data folder has one for life; a wiped node gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The node's id in the cluster: random, never zero, never configured.
    pub node_id: u64,
    /// The cluster it belongs to; `None` until it has been told.
    pub cluster_id: Option<[u8; 16]>,
    /// The format of the whole data folder, raised when its layout changes.
    pub format: u32,
}

/// The format of a data folder that this version makes.
pub const FOLDER_FORMAT: u32 = 1;

impl Identity {
    /// A new identity with a random id.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        while bytes == [0; 8] {
            entropy.fill(&mut bytes);
        }
        Self {
            node_id: u64::from_be_bytes(bytes),
            cluster_id: None,
            format: FOLDER_FORMAT,
        }
    }

    /// Reads the identity; `None` in a folder that has none yet.
    ///
    /// # Errors
    ///
    /// [`Refused`], where it is damaged or of a later version.
    pub fn load(files: &dyn Files) -> Result<Option<Self>, Refused> {
        let Some(body) = envelope::load(files, IDENTITY_FILE, IDENTITY_KIND, FORMAT)? else {
            return Ok(None);
        };
        let identity = Self::decode(&body)
            .ok_or_else(|| Refused::damaged(IDENTITY_FILE, "its content makes no sense"))?;
        if identity.format > FOLDER_FORMAT {
            let format = u16::try_from(identity.format).unwrap_or(u16::MAX);
            return Err(Refused::new(IDENTITY_FILE, Cause::LaterFormat(format)));
        }
        Ok(Some(identity))
    }

    /// Writes the identity; durable when it returns.
    ///
    /// # Errors
    ///
    /// Whatever the disk says; never try again.
    pub fn save(&self, files: &dyn Files) -> std::io::Result<()> {
        let bytes = envelope::wrap(IDENTITY_KIND, FORMAT, &self.encode());
        files.write_durably(Path::new(IDENTITY_FILE), &bytes)
    }

    /// Folder format (4), node id (8), then 0, or 1 and the cluster's id (16). Big-endian.
    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(29);
        body.extend_from_slice(&self.format.to_be_bytes());
        body.extend_from_slice(&self.node_id.to_be_bytes());
        match &self.cluster_id {
            None => body.push(0),
            Some(id) => {
                body.push(1);
                body.extend_from_slice(id);
            }
        }
        body
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let (format, rest) = body.split_first_chunk::<4>()?;
        let (node_id, rest) = rest.split_first_chunk::<8>()?;
        let cluster_id = match rest {
            [0] => None,
            [1, id @ ..] => Some(id.try_into().ok()?),
            _ => return None,
        };
        let node_id = u64::from_be_bytes(*node_id);
        (node_id != 0).then_some(Self {
            node_id,
            cluster_id,
            format: u32::from_be_bytes(*format),
        })
    }
}

/// Reads the vote, as consensus encoded it; `None` where none was ever saved.
///
/// # Errors
///
/// [`Refused`], where it is damaged or of a later version.
pub fn load_vote(files: &dyn Files) -> Result<Option<Bytes>, Refused> {
    let Some(body) = envelope::load(files, VOTE_FILE, VOTE_KIND, FORMAT)? else {
        return Ok(None);
    };
    // A process that was killed between the rename and the folder's fsync leaves a vote that can be read
    // and yet be lost with the power; nobody may act on it before it is durable.
    files
        .sync(&[PathBuf::from(VOTE_FILE)])
        .map_err(|error| Refused::io(VOTE_FILE, error))?;
    Ok(Some(body.into()))
}

/// Writes the vote; durable when it returns.
///
/// # Errors
///
/// Whatever the disk says; never try again.
pub fn save_vote(files: &dyn Files, vote: &[u8]) -> std::io::Result<()> {
    let bytes = envelope::wrap(VOTE_KIND, FORMAT, vote);
    files.write_durably(Path::new(VOTE_FILE), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::storage::data_folder::DataFolder;

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let dir = tempfile::tempdir().unwrap();
        let files = DataFolder::open(dir.path()).unwrap();
        (dir, files)
    }

    #[test]
    fn an_identity_comes_back_and_keeps_its_id_when_it_joins() {
        let (_dir, files) = folder();
        assert_eq!(Identity::load(&files).unwrap(), None);
        let mut identity = Identity::random(&SystemEntropy);
        assert_ne!(identity.node_id, 0);
        identity.save(&files).unwrap();
        assert_eq!(Identity::load(&files).unwrap(), Some(identity));
        identity.cluster_id = Some([9; 16]);
        identity.save(&files).unwrap();
        assert_eq!(Identity::load(&files).unwrap(), Some(identity));
    }

    #[test]
    fn a_vote_comes_back() {
        let (_dir, files) = folder();
        assert_eq!(load_vote(&files).unwrap(), None);
        save_vote(&files, b"first").unwrap();
        save_vote(&files, b"").unwrap();
        assert_eq!(load_vote(&files).unwrap(), Some(Bytes::new()));
        save_vote(&files, b"a longer vote").unwrap();
        assert_eq!(load_vote(&files).unwrap().unwrap(), "a longer vote");
    }

    #[test]
    fn damage_in_either_file_is_refused() {
        let (_dir, files) = folder();
        Identity::random(&SystemEntropy).save(&files).unwrap();
        save_vote(&files, b"vote").unwrap();
        for name in [IDENTITY_FILE, VOTE_FILE] {
            let whole = files.read(Path::new(name)).unwrap().unwrap();
            for place in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[place] ^= 1;
                files.write(Path::new(name), &damaged).unwrap();
                let refused = if name == VOTE_FILE {
                    load_vote(&files).unwrap_err()
                } else {
                    Identity::load(&files).unwrap_err()
                };
                assert!(refused.is_damage(), "{name} byte {place}: {refused}");
            }
            files.write(Path::new(name), &whole).unwrap();
        }
    }

    #[test]
    fn a_later_format_is_refused_without_talk_of_damage() {
        let (_dir, files) = folder();
        let mut identity = Identity::random(&SystemEntropy);
        identity.format = FOLDER_FORMAT + 1;
        identity.save(&files).unwrap();
        let refused = Identity::load(&files).unwrap_err();
        assert!(matches!(refused.cause(), Cause::LaterFormat(2)));
        let vote = envelope::wrap(VOTE_KIND, FORMAT + 1, b"vote");
        files.write(Path::new(VOTE_FILE), &vote).unwrap();
        let refused = load_vote(&files).unwrap_err();
        assert!(matches!(refused.cause(), Cause::LaterFormat(2)));
    }

    /// The bytes on disk are for ever: a change here must come with a new format.
    #[test]
    fn the_encodings_are_golden() {
        let identity = Identity {
            node_id: 0x0102_0304_0506_0708,
            cluster_id: Some([0xab; 16]),
            format: 1,
        };
        let bytes = envelope::wrap(IDENTITY_KIND, FORMAT, &identity.encode());
        assert_eq!(hex::encode(bytes), IDENTITY_GOLDEN);
        let bytes = envelope::wrap(VOTE_KIND, FORMAT, b"\x01\x02\x03");
        assert_eq!(hex::encode(bytes), VOTE_GOLDEN);
    }

    const IDENTITY_GOLDEN: &str =
        "52464944000100000001010203040506070801abababababababababababababababab3c834cbc";
    const VOTE_GOLDEN: &str = "524656540001010203f83e6d62";
}
