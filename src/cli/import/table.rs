//! Reading a CSV line by line: what a row means, and why one is refused.

use std::io::{self, BufRead, Read as _};

use refrain::{client::identifier, proto::v1::ImportRow};
use sha2::{Digest as _, Sha256};

/// The longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// What some programs write before the first character of a UTF-8 file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the columns of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    known: Vec<(usize, Column)>,
    width: usize,
    /// The names of the others.
    pub ignored: Vec<String>,
}

/// A column that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Email,
    Phone,
    Sha256Email,
    Sha256Phone,
    Id,
    Purposes,
}

/// One line of the file.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// A row, with the number of its line.
    Row(u64, ImportRow),
    /// A line that is no row.
    Refused(Refused),
}

/// A row that was refused, here or by the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The line of the file, the first being 1.
    pub line: u64,
    /// The stable reason.
    pub reason: String,
    /// What is wrong. Holds nothing of the row itself.
    pub message: String,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The disk's or pipe's own word.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// No usable header.
    #[error("{0}")]
    Header(String),
}

/// The rows of a file.
pub struct Table<R> {
    lines: Lines<R>,
    /// What the header says.
    pub columns: Columns,
    default_purposes: Vec<String>,
}

impl<R: BufRead> Table<R> {
    /// Reads up to and with the header.
    pub fn open(from: R, default_purposes: Vec<String>) -> Result<Self, Unusable> {
        let mut lines = Lines::new(from);
        let header = match lines.next()? {
            Some((_, Ok(bytes))) => fields(bytes),
            Some((_, Err(_))) => Err("the first line is longer than any header"),
            None => Err("the file is empty; its first line must name the columns"),
        };
        let columns = header
            .map_err(str::to_owned)
            .and_then(|names| Columns::named(&names))
            .map_err(Unusable::Header)?;
        let has_purposes = columns.known.iter().any(|it| it.1 == Column::Purposes);
        if !has_purposes && default_purposes.is_empty() {
            return Err(Unusable::Header(
                "it has no column `purposes`; say with --purpose what its rows opt out of"
                    .to_owned(),
            ));
        }
        Ok(Self {
            lines,
            columns,
            default_purposes,
        })
    }

    /// The SHA-256 of every byte up to the end of the line that was read last.
    pub fn sha256(&self) -> [u8; 32] {
        self.lines.read.clone().finalize().into()
    }

    /// The next line that is no comment; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        let Some((line, bytes)) = self.lines.next()? else {
            return Ok(None);
        };
        let row = bytes.and_then(|bytes| self.columns.row(bytes, &self.default_purposes));
        Ok(Some(match row {
            Ok(row) => Line::Row(line, row),
            Err((reason, message)) => Line::Refused(Refused {
                line,
                reason: reason.to_owned(),
                message: message.to_owned(),
            }),
        }))
    }
}

/// A stable reason and what it means.
type Why = (&'static str, &'static str);

const TOO_LONG: Why = ("ROW_TOO_LONG", "the line is longer than 65,536 bytes");
const NOT_UTF8: Why = ("ROW_NOT_UTF8", "the line is not UTF-8");
const OPEN_QUOTE: Why = (
    "ROW_QUOTE_OPEN",
    "a quotation mark is never closed; a row must not go over several lines",
);
const FIELD_COUNT: Why = (
    "ROW_FIELD_COUNT",
    "the line has more or fewer fields than the header",
);
const NOBODY: Why = ("ROW_WITHOUT_IDENTIFIER", "no identifier stands in the line");
const NOTHING: Why = (
    "ROW_WITHOUT_PURPOSE",
    "no purpose stands in the line, and --purpose gives none",
);
const BAD_HASH: Why = ("IDENTIFIER_INVALID", "a SHA-256 must have 64 hex digits");
const BAD_ID: Why = ("IDENTIFIER_INVALID", "an `id` must be TYPE:VALUE");

impl Columns {
    fn named(names: &[String]) -> Result<Self, String> {
        let mut known: Vec<(usize, Column)> = Vec::new();
        let mut ignored = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let column = match name.to_ascii_lowercase().as_str() {
                "email" => Column::Email,
                "phone" => Column::Phone,
                "sha256_email" => Column::Sha256Email,
                "sha256_phone" => Column::Sha256Phone,
                "id" => Column::Id,
                "purposes" => Column::Purposes,
                _ => {
                    ignored.push(name.clone());
                    continue;
                }
            };
            if known.iter().any(|it| it.1 == column) {
                return Err(format!("the header names the column `{name}` twice"));
            }
            known.push((at, column));
        }
        if known.iter().all(|it| it.1 == Column::Purposes) {
            // The header is not repeated: where it is missing, the first line is somebody's row.
            return Err(
                "its first line names none of the columns email, phone, sha256_email, sha256_phone and id, separated \
                 by commas"
                    .to_owned(),
            );
        }
        Ok(Self {
            known,
            width: names.len(),
            ignored,
        })
    }

    fn row(&self, bytes: &[u8], default_purposes: &[String]) -> Result<ImportRow, Why> {
        if std::str::from_utf8(bytes).is_err() {
            return Err(NOT_UTF8);
        }
        let fields = fields(bytes).map_err(|_| OPEN_QUOTE)?;
        if fields.len() != self.width {
            return Err(FIELD_COUNT);
        }
        let mut row = ImportRow::default();
        for &(at, column) in &self.known {
            let text = fields[at].trim();
            if text.is_empty() {
                continue;
            }
            let who = match column {
                Column::Email => identifier::email(text),
                Column::Phone => identifier::phone(text),
                Column::Sha256Email => {
                    identifier::sha256("email", parse_sha256(text).ok_or(BAD_HASH)?)
                }
                Column::Sha256Phone => {
                    identifier::sha256("phone", parse_sha256(text).ok_or(BAD_HASH)?)
                }
                Column::Id => match text.split_once(':') {
                    Some((kind, value)) => identifier::value(kind, value),
                    None => return Err(BAD_ID),
                },
                Column::Purposes => {
                    row.purposes = purposes(text);
                    continue;
                }
            };
            row.identifiers.push(who);
        }
        if row.identifiers.is_empty() {
            return Err(NOBODY);
        }
        if row.purposes.is_empty() {
            row.purposes = default_purposes.to_vec();
        }
        if row.purposes.is_empty() {
            return Err(NOTHING);
        }
        Ok(row)
    }
}

/// Reads 64 hex digits.
pub fn parse_sha256(digits: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(digits.trim(), &mut hash).ok()?;
    Some(hash)
}

/// Splits at semicolons and blanks; a purpose that stands twice counts once.
fn purposes(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in text.split(|c: char| c == ';' || c.is_whitespace()) {
        if !name.is_empty() && !all.iter().any(|known| known == name) {
            all.push(name.to_owned());
        }
    }
    all
}

/// The fields of one line.
fn fields(line: &[u8]) -> Result<Vec<String>, &'static str> {
    let quotes = line.iter().filter(|byte| **byte == b'"');
    if quotes.fold(false, |open, _| !open) {
        return Err("a quotation mark is never closed");
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len().clamp(64, LINE_BYTES_MAX))
        .from_reader(line);
    let mut record = csv::ByteRecord::new();
    reader
        .read_byte_record(&mut record)
        .map_err(|_| "it is no CSV")?;
    Ok(record
        .iter()
        .map(|field| String::from_utf8_lossy(field).trim().to_owned())
        .collect())
}

/// What the fuzz target `tables` calls: a table is read to its end whatever it holds, and the lines that it gives are in
/// order, each a row with somebody and something in it or a refusal with its reason.
#[cfg(any(test, fuzzing))]
pub fn tables(data: &[u8]) {
    for default in [vec![], vec!["marketing".to_owned()]] {
        let Ok(mut table) = Table::open(data, default) else {
            continue;
        };
        let mut before = 0;
        while let Ok(Some(line)) = table.next() {
            let number = match line {
                Line::Row(number, row) => {
                    assert!(!row.identifiers.is_empty() && !row.purposes.is_empty());
                    number
                }
                Line::Refused(Refused { line, reason, .. }) => {
                    assert!(!reason.is_empty());
                    line
                }
            };
            assert!(number > before, "lines out of order");
            before = number;
        }
        let whole: [u8; 32] = Sha256::digest(data).into();
        assert_eq!(table.sha256(), whole, "not all of it was read");
    }
}

/// A line with its number, or why it cannot be looked at.
type Numbered<'a> = (u64, Result<&'a [u8], Why>);

/// The lines of a file that are neither empty nor comments. A record never goes over several lines, so that a stray
/// quotation mark costs its own line and not the rest of the file.
struct Lines<R> {
    from: R,
    line: u64,
    bytes: Vec<u8>,
    /// All that was read.
    read: Sha256,
}

impl<R: BufRead> Lines<R> {
    fn new(from: R) -> Self {
        Self {
            from,
            line: 0,
            bytes: Vec::new(),
            read: Sha256::new(),
        }
    }

    /// The number and the bytes of the next line, without its end.
    fn next(&mut self) -> io::Result<Option<Numbered<'_>>> {
        loop {
            self.bytes.clear();
            let limit = LINE_BYTES_MAX as u64 + 1;
            let read = (&mut self.from)
                .take(limit)
                .read_until(b'\n', &mut self.bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            self.read.update(&self.bytes);
            if read > LINE_BYTES_MAX && self.bytes.last() != Some(&b'\n') {
                self.pass_over()?;
                return Ok(Some((self.line, Err(TOO_LONG))));
            }
            if self.line == 1 && self.bytes.starts_with(BYTE_ORDER_MARK) {
                self.bytes.drain(..BYTE_ORDER_MARK.len());
            }
            let length = self.bytes.trim_ascii_end().len();
            self.bytes.truncate(length);
            if !self.bytes.is_empty() && !self.bytes.starts_with(b"#") {
                return Ok(Some((self.line, Ok(&self.bytes))));
            }
        }
    }

    /// Reads on to the end of the line without keeping it.
    fn pass_over(&mut self) -> io::Result<()> {
        loop {
            let part = self.from.fill_buf()?;
            if part.is_empty() {
                return Ok(());
            }
            let end = part.iter().position(|&byte| byte == b'\n');
            let length = end.map_or(part.len(), |at| at + 1);
            self.read.update(&part[..length]);
            self.from.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
