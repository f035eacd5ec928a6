//! The record format: a run of entries, or one piece of an entry too large for a record, with a checksum.
//!
//! ```text
//! key   index of the first entry (8), number of the piece (2)
//! value format (1)  kind (1)  piece (2)  pieces (2)  nothing (2)
//!       term of the last entry (8)  first index (8)  last index (8)  body length (4)
//!       CRC32C of all above and of the body (4)
//!       body: a run: for each entry term (8), payload length (4), payload; a piece: a part of the payload
//! ```
//! All numbers are big-endian, so that keys sort by index.

use bytes::Bytes;

use super::{LogEntry, Position};

/// The format's version.
const FORMAT: u8 = 1;
/// A run of whole entries.
const RUN: u8 = 0;
/// A piece of one entry.
const PIECE: u8 = 1;
/// What comes before the body.
pub(super) const HEADER_BYTES: usize = 40;
/// Where the checksum stands.
const CRC_AT: usize = 36;
/// What comes before each payload of a run.
const ENTRY_BYTES: usize = 12;

/// A record's key.
pub(super) type Key = [u8; 10];

/// The key of the record that begins at `index`, or of that entry's piece.
pub(super) fn key(index: u64, piece: u16) -> Key {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&index.to_be_bytes());
    key[8..].copy_from_slice(&piece.to_be_bytes());
    key
}

/// A record, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub key: Key,
    pub value: Vec<u8>,
    /// The last entry that is whole once this record is stored.
    pub completes: Option<Position>,
}

/// What does not fit in a stored record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("it is too short to be whole")]
    Short,
    #[error("its checksum does not match its content")]
    Checksum,
    #[error("it has format {0}, which this version does not know")]
    Format(u8),
    #[error("its key is not its own")]
    Key,
    #[error("its content makes no sense")]
    Content,
}

/// A record's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    kind: u8,
    pub piece: u16,
    pub pieces: u16,
    pub term: u64,
    pub first: u64,
    pub last: u64,
}

impl Header {
    /// Reads the head alone, without the checksum over the body.
    pub fn read(value: &[u8]) -> Result<Self, RecordError> {
        let head = value
            .first_chunk::<HEADER_BYTES>()
            .ok_or(RecordError::Short)?;
        if head[0] != FORMAT {
            return Err(RecordError::Format(head[0]));
        }
        Ok(Self {
            kind: head[1],
            piece: u16::from_be_bytes([head[2], head[3]]),
            pieces: u16::from_be_bytes([head[4], head[5]]),
            term: be64(head, 8),
            first: be64(head, 16),
            last: be64(head, 24),
        })
    }
}

fn be64(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(number)
}

/// A decoded record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Run(Vec<LogEntry>),
    Piece(Header, Bytes),
}

/// Decodes a record and checks all of it.
pub(super) fn decode(stored: &[u8], value: &[u8]) -> Result<Content, RecordError> {
    let Some((head, body)) = value.split_first_chunk::<HEADER_BYTES>() else {
        return Err(RecordError::Short);
    };
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head[..CRC_AT]), body);
    if head[CRC_AT..] != crc.to_be_bytes() {
        return Err(RecordError::Checksum);
    }
    let header = Header::read(value)?;
    let length = u32::from_be_bytes([head[32], head[33], head[34], head[35]]);
    if usize::try_from(length) != Ok(body.len()) {
        return Err(RecordError::Short);
    }
    if stored != key(header.first, header.piece) {
        return Err(RecordError::Key);
    }
    match header.kind {
        RUN => decode_run(&header, Bytes::copy_from_slice(body)).map(Content::Run),
        PIECE
            if header.first == header.last
                && header.last < u64::MAX
                && header.piece < header.pieces =>
        {
            Ok(Content::Piece(header, Bytes::copy_from_slice(body)))
        }
        _ => Err(RecordError::Content),
    }
}

fn decode_run(header: &Header, mut body: Bytes) -> Result<Vec<LogEntry>, RecordError> {
    let mut entries = Vec::new();
    let mut index = header.first;
    while !body.is_empty() {
        if body.len() < ENTRY_BYTES {
            return Err(RecordError::Content);
        }
        let head = body.split_to(ENTRY_BYTES);
        let (Some(term), Some(length)) = (head.first_chunk(), head.last_chunk()) else {
            return Err(RecordError::Content);
        };
        let length =
            usize::try_from(u32::from_be_bytes(*length)).map_err(|_| RecordError::Content)?;
        if body.len() < length {
            return Err(RecordError::Content);
        }
        entries.push(LogEntry {
            term: u64::from_be_bytes(*term),
            index,
            payload: body.split_to(length),
        });
        // An index past which there is none is no entry's: somebody would count on.
        index = index.checked_add(1).ok_or(RecordError::Content)?;
    }
    match entries.last() {
        Some(last) if last.position() == (header.term, header.last) => Ok(entries),
        _ => Err(RecordError::Content),
    }
}

/// Packs entries that follow each other into records, as many into one as fit.
pub(super) struct Packer {
    limit: usize,
    /// About how many bytes are still to come.
    expected: usize,
    value: Vec<u8>,
    first: u64,
    last: Position,
}

impl Packer {
    /// Packs into records of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        debug_assert!(limit > HEADER_BYTES + ENTRY_BYTES);
        Self {
            limit,
            expected: 0,
            value: Vec::new(),
            first: 0,
            last: (0, 0),
        }
    }

    /// Tells that about this many bytes will come, so that they need not be moved about.
    pub fn expect(&mut self, bytes: usize) {
        self.expected = bytes + HEADER_BYTES;
    }

    /// Takes the next entry; `store` gets each record that is full.
    pub fn push<E>(
        &mut self,
        entry: &LogEntry,
        mut store: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let added = ENTRY_BYTES + entry.payload.len();
        if self.value.len().max(HEADER_BYTES) + added > self.limit
            && let Some(full) = self.finish()
        {
            store(full)?;
        }
        if HEADER_BYTES + added > self.limit {
            return self.pieces(entry, store);
        }
        if self.value.is_empty() {
            self.value.reserve(self.expected.min(self.limit));
            self.value.resize(HEADER_BYTES, 0);
            self.first = entry.index;
        }
        self.value.extend_from_slice(&entry.term.to_be_bytes());
        self.value
            .extend_from_slice(&length(entry.payload.len()).to_be_bytes());
        self.value.extend_from_slice(&entry.payload);
        self.last = entry.position();
        Ok(())
    }

    /// The record that is being filled, if there is one.
    pub fn finish(&mut self) -> Option<Record> {
        if self.value.is_empty() {
            return None;
        }
        let header = Header {
            kind: RUN,
            piece: 0,
            pieces: 1,
            term: self.last.0,
            first: self.first,
            last: self.last.1,
        };
        let value = std::mem::take(&mut self.value);
        self.expected = self.expected.saturating_sub(value.len());
        Some(seal(&header, value, Some(self.last)))
    }

    /// An entry that does not fit into a record of its own is cut into pieces.
    fn pieces<E>(
        &self,
        entry: &LogEntry,
        mut store: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let parts = entry.payload.chunks(self.limit - HEADER_BYTES);
        let pieces = u16::try_from(parts.len()).unwrap_or(u16::MAX);
        for (piece, part) in (0..pieces).zip(parts) {
            let header = Header {
                kind: PIECE,
                piece,
                pieces,
                term: entry.term,
                first: entry.index,
                last: entry.index,
            };
            let mut value = vec![0; HEADER_BYTES];
            value.extend_from_slice(part);
            let completes = (piece + 1 == pieces).then(|| entry.position());
            store(seal(&header, value, completes))?;
        }
        Ok(())
    }
}

fn length(bytes: usize) -> u32 {
    // Appending checks payloads against a limit far below this.
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Fills in the length of the body and the checksum, whatever else the head says.
pub(super) fn reseal(value: &mut [u8]) {
    let body = length(value.len() - HEADER_BYTES);
    value[32..36].copy_from_slice(&body.to_be_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&value[..CRC_AT]), &value[HEADER_BYTES..]);
    value[CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_be_bytes());
}

/// Fills in the head of a value whose body is in place.
fn seal(header: &Header, mut value: Vec<u8>, completes: Option<Position>) -> Record {
    value[0] = FORMAT;
    value[1] = header.kind;
    value[2..4].copy_from_slice(&header.piece.to_be_bytes());
    value[4..6].copy_from_slice(&header.pieces.to_be_bytes());
    value[8..16].copy_from_slice(&header.term.to_be_bytes());
    value[16..24].copy_from_slice(&header.first.to_be_bytes());
    value[24..32].copy_from_slice(&header.last.to_be_bytes());
    reseal(&mut value);
    Record {
        key: key(header.first, header.piece),
        value,
        completes,
    }
}
