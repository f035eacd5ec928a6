//! Snapshot files: streamed chunks, each with a checksum that also vouches for all before it; only the newest file is kept.
//!
//! A file is named after its position, the log index of the last entry that it covers. It begins with `RFSN` and the
//! format's number (u32), and goes on in records: kind (u8), length (u32), CRC32C (u32), body. The CRC of a record
//! continues that of the record before, so records cannot be lost, swapped or mixed unnoticed. The first record holds
//! what the caller wants to know before anything else (meta), the last one says how many there were.

mod format;
mod read;
mod receive;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::{
    format::{MAX_CHUNK, Section},
    read::{MAX_PIECE, SnapshotPieces, SnapshotReader},
    receive::{ReceivedSnapshot, SnapshotReceiver},
    write::SnapshotWriter,
};
use super::files::Files;

const FOLDER: &str = "snapshots";
const SUFFIX: &str = ".snapshot";

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file of this node is not what was written.
    #[error(
        "the snapshot is damaged: {}: {what}. To rejoin: stop this node, move its data folder away, start it with an \
         empty one, and add it to the cluster again",
        .file.display()
    )]
    Damaged {
        /// The file, relative to the data folder.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// What a peer sent is not a whole snapshot. Nothing of it is kept.
    #[error("what the peer sent is not a whole snapshot: {0}; it has to be sent again")]
    Received(String),
    /// The disk refused.
    #[error("cannot use the disk for a snapshot: {0}")]
    Io(#[from] io::Error),
}

impl From<SnapshotError> for io::Error {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// The snapshots of one node.
#[derive(Clone)]
pub struct Snapshots {
    files: Arc<dyn Files>,
}

impl Snapshots {
    /// Opens the folder of snapshots, and removes those that a crash kept from being removed.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn open(files: Arc<dyn Files>) -> io::Result<Self> {
        let snapshots = Self { files };
        snapshots.keep_newest()?;
        Ok(snapshots)
    }

    /// The position of the newest snapshot. If that one is damaged, there is no older one to fall back to: the log may
    /// have been purged up to it.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn latest(&self) -> io::Result<Option<u64>> {
        Ok(self.positions()?.into_iter().max())
    }

    /// The length of a snapshot in bytes; `None` if there is no such one.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn size(&self, position: u64) -> io::Result<Option<u64>> {
        self.files.size(&path(position))
    }

    /// Begins a snapshot of this node's own state. `meta` is at most [`MAX_CHUNK`] bytes.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn create(&self, position: u64, meta: &[u8]) -> io::Result<SnapshotWriter> {
        SnapshotWriter::create(self.clone(), position, meta)
    }

    /// Opens a snapshot to restore from it.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`], also where there is no such snapshot; [`SnapshotError::Io`].
    pub fn read(&self, position: u64) -> Result<SnapshotReader, SnapshotError> {
        let file = path(position);
        match self.files.open(&file)? {
            Some(source) => SnapshotReader::open(source, file),
            None => Err(damaged(file, "the file is gone")),
        }
    }

    /// Opens a snapshot to send it to a peer as it lies on disk; the peer verifies it. It can be read to its end also
    /// when a newer one takes its place meanwhile.
    ///
    /// # Errors
    /// Whatever the disk says; [`io::ErrorKind::NotFound`] if there is no such snapshot.
    pub fn pieces(&self, position: u64) -> io::Result<SnapshotPieces> {
        let file = path(position);
        let (Some(source), Some(length)) = (self.files.open(&file)?, self.files.size(&file)?)
        else {
            let what = format!("{}: no such snapshot", file.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        };
        Ok(SnapshotPieces::new(source, length))
    }

    /// Begins a snapshot that a peer sends.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn receive(&self, position: u64) -> io::Result<SnapshotReceiver> {
        SnapshotReceiver::create(self.clone(), position)
    }

    /// Removes all snapshots but the newest.
    fn keep_newest(&self) -> io::Result<()> {
        let mut positions = self.positions()?;
        positions.sort_unstable();
        positions.pop();
        positions
            .into_iter()
            .try_for_each(|position| self.files.remove(&path(position)))
    }

    fn positions(&self) -> io::Result<Vec<u64>> {
        let names = self.files.list(Path::new(FOLDER))?;
        let position = |name: String| name.strip_suffix(SUFFIX)?.parse().ok();
        Ok(names.into_iter().filter_map(position).collect())
    }
}

fn path(position: u64) -> PathBuf {
    format!("{FOLDER}/{position:020}{SUFFIX}").into()
}

fn damaged(file: PathBuf, what: impl Into<String>) -> SnapshotError {
    SnapshotError::Damaged {
        file,
        what: what.into(),
    }
}

#[cfg(test)]
mod tests;
