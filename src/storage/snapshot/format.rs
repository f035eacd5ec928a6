//! The records of a snapshot file.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The longest body of a record in bytes, so that a damaged length cannot make a reader take all memory.
pub const MAX_CHUNK: usize = 2 << 20;

/// What a file begins with: what it is, and the format's number.
pub(super) const BEGINNING: [u8; 8] = *b"RFSN\0\0\0\x01";

/// The length of a record without its body.
const HEAD: usize = 9;

/// What a chunk belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The journal's edge.
    Journal,
    /// The state.
    State,
}

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    Meta(Bytes),
    Chunk(Section, Bytes),
    /// The last one.
    End,
}

/// The kinds of records, as they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Meta = 1,
    Journal = 2,
    State = 3,
    End = 4,
}

impl From<Section> for Kind {
    fn from(section: Section) -> Self {
        match section {
            Section::Journal => Self::Journal,
            Section::State => Self::State,
        }
    }
}

/// The checksum of a file so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checksum(u32);

impl Checksum {
    pub(super) fn new() -> Self {
        Self(crc32c::crc32c(&BEGINNING))
    }

    /// Goes on with a record, and returns the head that stands before its body.
    pub(super) fn head(&mut self, kind: Kind, body: &[u8]) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let mut fields = &mut head[..];
        fields.put_u8(kind as u8);
        // No body is longer than `MAX_CHUNK`.
        fields.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
        self.0 = crc32c::crc32c_append(self.0, &head[..5]);
        self.0 = crc32c::crc32c_append(self.0, body);
        head[5..].copy_from_slice(&self.0.to_be_bytes());
        head
    }
}

/// Takes a file apart as its bytes come in. Errors say what is wrong with the file.
#[derive(Debug)]
pub(super) struct Parser {
    waiting: BytesMut,
    /// `None` until the file's beginning has been seen.
    checksum: Option<Checksum>,
    records: u64,
    ended: bool,
}

impl Parser {
    pub(super) fn new() -> Self {
        Self {
            waiting: BytesMut::new(),
            checksum: None,
            records: 0,
            ended: false,
        }
    }

    /// Takes the next bytes of the file. Call [`Parser::next`] until it wants more, before the next call.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next record; `None` if more bytes are wanted for it.
    pub(super) fn next(&mut self) -> Result<Option<Record>, String> {
        if self.ended {
            return match self.waiting.len() {
                0 => Ok(None),
                _ => Err("it goes on after its end".to_owned()),
            };
        }
        let mut checksum = match self.checksum {
            Some(checksum) => checksum,
            None if self.waiting.len() < BEGINNING.len() => return Ok(None),
            None if self.waiting.starts_with(&BEGINNING) => {
                self.waiting.advance(BEGINNING.len());
                *self.checksum.insert(Checksum::new())
            }
            None => return Err("it is not a snapshot of a format that this program knows".into()),
        };
        let Some(mut head) = self.waiting.get(..HEAD) else {
            return Ok(None);
        };
        let (kind, length, _) = (head.get_u8(), head.get_u32(), head.get_u32());
        let kind = match kind {
            1 => Kind::Meta,
            2 => Kind::Journal,
            3 => Kind::State,
            4 => Kind::End,
            _ => return Err(self.broken("is of no known kind")),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_CHUNK {
            return Err(self.broken("is longer than any"));
        }
        if self.waiting.len() < HEAD + length {
            return Ok(None);
        }
        if checksum.head(kind, &self.waiting[HEAD..HEAD + length]) != self.waiting[..HEAD] {
            return Err(self.broken("does not match its checksum"));
        }
        if (kind == Kind::Meta) != (self.records == 0) {
            return Err(self.broken("is out of order"));
        }
        self.waiting.advance(HEAD);
        let mut body = self.waiting.split_to(length).freeze();
        let record = match kind {
            Kind::Meta => Record::Meta(body),
            Kind::Journal => Record::Chunk(Section::Journal, body),
            Kind::State => Record::Chunk(Section::State, body),
            Kind::End => {
                if body.len() != 8 || body.get_u64() != self.records {
                    return Err(self.broken("does not count the records before it"));
                }
                self.ended = true;
                Record::End
            }
        };
        self.records += 1;
        self.checksum = Some(checksum);
        Ok(Some(record))
    }

    /// To be asked when all bytes have come in.
    pub(super) fn finish(&self) -> Result<(), String> {
        if self.ended && self.waiting.is_empty() {
            return Ok(());
        }
        Err(format!("it is cut off after record {}", self.records))
    }

    fn broken(&self, what: &str) -> String {
        format!("record {} {what}", self.records + 1)
    }
}
