//! Receiving a snapshot from a peer: it is verified whole before it counts.

use std::io::{self, Write};

use super::{SnapshotError, SnapshotReader, Snapshots, format::Parser, path};
use crate::storage::files::FileWriter;

/// A snapshot that is being received. Dropped, it leaves nothing.
pub struct SnapshotReceiver {
    snapshots: Snapshots,
    position: u64,
    file: Box<dyn FileWriter>,
    parser: Parser,
}

impl SnapshotReceiver {
    pub(super) fn create(snapshots: Snapshots, position: u64) -> io::Result<Self> {
        let file = snapshots.files.create(&path(position))?;
        Ok(Self {
            snapshots,
            position,
            file,
            parser: Parser::new(),
        })
    }

    /// Takes the next raw piece, of any length.
    ///
    /// # Errors
    /// [`SnapshotError::Received`] as soon as the pieces cannot become a whole snapshot: drop this then.
    /// [`SnapshotError::Io`].
    pub fn push(&mut self, piece: &[u8]) -> Result<(), SnapshotError> {
        self.parser.feed(piece);
        while self
            .parser
            .next()
            .map_err(SnapshotError::Received)?
            .is_some()
        {}
        self.file.write_all(piece)?;
        Ok(())
    }

    /// Ends the transfer.
    ///
    /// # Errors
    /// [`SnapshotError::Received`] if the pieces do not make a whole snapshot.
    pub fn finish(self) -> Result<ReceivedSnapshot, SnapshotError> {
        self.parser.finish().map_err(SnapshotError::Received)?;
        Ok(ReceivedSnapshot {
            snapshots: self.snapshots,
            position: self.position,
            file: self.file,
        })
    }
}

/// A whole snapshot from a peer, which does not count before it is published. Dropped before that, it leaves nothing.
pub struct ReceivedSnapshot {
    snapshots: Snapshots,
    position: u64,
    file: Box<dyn FileWriter>,
}

impl ReceivedSnapshot {
    /// The log index of the last entry that it covers.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Reads it, to install what it holds; it is verified once more, as it lies on this disk.
    ///
    /// # Errors
    /// As [`Snapshots::read`].
    pub fn read(&self) -> Result<SnapshotReader, SnapshotError> {
        SnapshotReader::open(self.file.read_back()?, path(self.position))
    }

    /// Syncs it, lets it appear as a snapshot of this node, and removes the older ones.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn publish(self) -> io::Result<()> {
        self.file.finish()?;
        self.snapshots.keep_newest()
    }
}
