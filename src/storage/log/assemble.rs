//! From stored records, in the order of their keys, back to entries: no hole, no overlap, no missing piece.

use super::LogEntry;
use super::record::{self, Content, Header};

/// Takes records one by one and gives their entries.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// The index that has to come next; `None` takes any.
    next: Option<u64>,
    /// The large entry whose pieces are being gathered.
    open: Option<Large>,
}

#[derive(Debug)]
struct Large {
    term: u64,
    index: u64,
    pieces: u16,
    found: u16,
    payload: Vec<u8>,
}

impl Assembler {
    /// Expects the entry at `next` first, or any where it is `None`.
    pub fn new(next: Option<u64>) -> Self {
        Self { next, open: None }
    }

    /// Takes the next record; its entries go to `out`. The error says what does not fit, in words.
    pub fn accept(
        &mut self,
        key: &[u8],
        value: &[u8],
        out: &mut Vec<LogEntry>,
    ) -> Result<(), String> {
        match decoded(key, value)? {
            Content::Run(entries) => {
                if let Some(first) = entries.first() {
                    self.expect(first.index)?;
                }
                self.next = entries.last().map(|last| last.index + 1);
                out.extend(entries);
            }
            Content::Piece(header, body) => self.piece(&header, &body, out)?,
        }
        Ok(())
    }

    /// Checks a record by itself, without its neighbours.
    pub fn check_alone(key: &[u8], value: &[u8]) -> Result<(), String> {
        decoded(key, value).map(drop)
    }

    fn expect(&self, index: u64) -> Result<(), String> {
        if let Some(large) = &self.open {
            return Err(format!(
                "entry {} has only {} of its {} pieces",
                large.index, large.found, large.pieces
            ));
        }
        match self.next {
            Some(next) if next < index => {
                Err(format!("the entries {next} to {} are missing", index - 1))
            }
            Some(next) if next > index => Err(format!("entry {index} is there twice")),
            _ => Ok(()),
        }
    }

    fn piece(
        &mut self,
        header: &Header,
        body: &[u8],
        out: &mut Vec<LogEntry>,
    ) -> Result<(), String> {
        let mut large = match self.open.take() {
            Some(large)
                if (large.index, large.term, large.pieces, large.found)
                    == (header.first, header.term, header.pieces, header.piece) =>
            {
                large
            }
            Some(large) => {
                self.open = Some(large);
                return self.expect(header.first);
            }
            None => {
                self.expect(header.first)?;
                if header.piece != 0 {
                    return Err(format!("entry {} lacks its first pieces", header.first));
                }
                Large {
                    term: header.term,
                    index: header.first,
                    pieces: header.pieces,
                    found: 0,
                    payload: Vec::new(),
                }
            }
        };
        large.payload.extend_from_slice(body);
        large.found += 1;
        if large.found < large.pieces {
            self.open = Some(large);
            return Ok(());
        }
        self.next = Some(large.index + 1);
        out.push(LogEntry {
            term: large.term,
            index: large.index,
            payload: large.payload.into(),
        });
        Ok(())
    }
}

fn decoded(key: &[u8], value: &[u8]) -> Result<Content, String> {
    record::decode(key, value).map_err(|error| format!("the record {}: {error}", name(key)))
}

/// A key in words, for an error.
fn name(key: &[u8]) -> String {
    match (key.first_chunk::<8>(), key.get(8..)) {
        (Some(index), Some([0, 0])) => format!("from entry {}", u64::from_be_bytes(*index)),
        (Some(index), Some(&[high, low])) => format!(
            "of entry {}, piece {}",
            u64::from_be_bytes(*index),
            u16::from_be_bytes([high, low])
        ),
        _ => "with a key that is none of ours".to_owned(),
    }
}
