//! Reading a snapshot: chunk by chunk to restore from it, or as raw pieces for a peer.

use std::{
    io::{self, Read},
    path::PathBuf,
};

use bytes::Bytes;

use super::{
    Section, SnapshotError, damaged,
    format::{Parser, Record},
};

/// The longest raw piece in bytes.
pub const MAX_PIECE: usize = 1 << 20;

/// How much is read at once.
const BLOCK: usize = 256 << 10;

/// A snapshot that is being read and verified.
pub struct SnapshotReader {
    source: Box<dyn Read + Send>,
    file: PathBuf,
    parser: Parser,
    block: Vec<u8>,
    meta: Bytes,
}

impl SnapshotReader {
    pub(super) fn open(source: Box<dyn Read + Send>, file: PathBuf) -> Result<Self, SnapshotError> {
        let mut reader = Self {
            source,
            file,
            parser: Parser::new(),
            block: vec![0; BLOCK],
            meta: Bytes::new(),
        };
        if let Some(Record::Meta(meta)) = reader.next_record()? {
            reader.meta = meta;
        }
        Ok(reader)
    }

    /// What the snapshot's maker wanted to be known before anything else.
    pub fn meta(&self) -> &Bytes {
        &self.meta
    }

    /// The next chunk; `None` after the last, when the whole file has been verified.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`]: throw away what has been made of the chunks before. [`SnapshotError::Io`].
    pub fn next_chunk(&mut self) -> Result<Option<(Section, Bytes)>, SnapshotError> {
        match self.next_record()? {
            Some(Record::Chunk(section, chunk)) => Ok(Some((section, chunk))),
            _ => Ok(None),
        }
    }

    /// The next record; `None` at the end of the file, if that is where it should end.
    fn next_record(&mut self) -> Result<Option<Record>, SnapshotError> {
        loop {
            match self.parser.next() {
                // What follows must be nothing.
                Ok(Some(Record::End)) => {}
                Ok(Some(record)) => return Ok(Some(record)),
                Ok(None) => match self.source.read(&mut self.block) {
                    Ok(0) => {
                        let whole = self.parser.finish();
                        return whole
                            .map(|()| None)
                            .map_err(|what| damaged(self.file.clone(), what));
                    }
                    Ok(read) => self.parser.feed(&self.block[..read]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                },
                Err(what) => return Err(damaged(self.file.clone(), what)),
            }
        }
    }
}

/// A snapshot file in raw pieces.
pub struct SnapshotPieces {
    source: Box<dyn Read + Send>,
    length: u64,
}

impl SnapshotPieces {
    pub(super) fn new(source: Box<dyn Read + Send>, length: u64) -> Self {
        Self { source, length }
    }

    /// The length of the whole file in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next piece, of [`MAX_PIECE`] bytes or, the last one, fewer; `None` at the end.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        let mut piece = Vec::with_capacity(MAX_PIECE);
        let limit = MAX_PIECE as u64;
        self.source.by_ref().take(limit).read_to_end(&mut piece)?;
        Ok((!piece.is_empty()).then(|| piece.into()))
    }
}
