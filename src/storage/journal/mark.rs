//! The durable mark: which bundles were once complete here, so that one lost later is noticed instead of fetched again.

use std::path::Path;

use bytes::{Buf, BufMut};

use super::{error::JournalError, path::MARK, ranges::Ranges};
use crate::storage::{files::Files, frame};

const KIND: [u8; 4] = *b"RFJC";
const FORMAT: u32 = 1;

/// Encodes the mark: each range as its first bundle and the first after it, 8 bytes each, big-endian, in a frame.
pub(super) fn encode(complete: &Ranges) -> Vec<u8> {
    let mut contents = Vec::with_capacity(complete.iter().len() * 16);
    for (first, after) in complete.iter() {
        contents.put_u64(first);
        contents.put_u64(after);
    }
    frame::encode(KIND, FORMAT, &contents)
}

/// Decodes the mark, or says what is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Result<Ranges, String> {
    let mut contents = frame::decode(KIND, FORMAT, bytes)?;
    let mut complete = Ranges::default();
    while contents.has_remaining() {
        let (Ok(first), Ok(after)) = (contents.try_get_u64(), contents.try_get_u64()) else {
            return Err("it is cut off".to_owned());
        };
        complete.insert_range(first, after);
    }
    Ok(complete)
}

/// Reads the mark; `None` where the journal was never opened before.
pub(super) fn load(files: &dyn Files) -> Result<Option<Ranges>, JournalError> {
    let bytes = files.read(Path::new(MARK))?;
    bytes
        .map(|bytes| decode(&bytes))
        .transpose()
        .map_err(|what| JournalError::damaged(MARK, what))
}

/// Replaces the mark, durably. The bundles that it names must have been synced before.
pub(super) fn save(files: &dyn Files, complete: &Ranges) -> std::io::Result<()> {
    files.write_durably(Path::new(MARK), &encode(complete))
}
