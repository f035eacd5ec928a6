//! Writing a snapshot of this node's own state.

use std::io::{self, Write};

use super::{
    Section, Snapshots,
    format::{BEGINNING, Checksum, Kind, MAX_CHUNK},
    path,
};
use crate::storage::files::FileWriter;

/// A snapshot that is being written. Dropped before [`SnapshotWriter::finish`], it leaves nothing.
pub struct SnapshotWriter {
    snapshots: Snapshots,
    file: Box<dyn FileWriter>,
    checksum: Checksum,
    records: u64,
    bytes: u64,
}

impl SnapshotWriter {
    pub(super) fn create(snapshots: Snapshots, position: u64, meta: &[u8]) -> io::Result<Self> {
        let mut file = snapshots.files.create(&path(position))?;
        file.write_all(&BEGINNING)?;
        let mut writer = Self {
            snapshots,
            file,
            checksum: Checksum::new(),
            records: 0,
            bytes: BEGINNING.len() as u64,
        };
        writer.put(Kind::Meta, meta)?;
        Ok(writer)
    }

    /// Adds a chunk of at most [`MAX_CHUNK`] bytes. The reader gets the chunks as they were added.
    ///
    /// # Errors
    /// Whatever the disk says; [`io::ErrorKind::InvalidInput`] for a longer one.
    pub fn push(&mut self, section: Section, chunk: &[u8]) -> io::Result<()> {
        self.put(section.into(), chunk)
    }

    /// Syncs the snapshot, lets it appear as the newest, and removes the older ones. Returns its length in bytes.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn finish(mut self) -> io::Result<u64> {
        let records = self.records.to_be_bytes();
        self.put(Kind::End, &records)?;
        self.file.finish()?;
        self.snapshots.keep_newest()?;
        Ok(self.bytes)
    }

    fn put(&mut self, kind: Kind, body: &[u8]) -> io::Result<()> {
        if body.len() > MAX_CHUNK {
            let what = format!("a chunk of {} bytes is longer than {MAX_CHUNK}", body.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let head = self.checksum.head(kind, body);
        self.file.write_all(&head)?;
        self.file.write_all(body)?;
        self.records += 1;
        self.bytes += (head.len() + body.len()) as u64;
        Ok(())
    }
}
