//! What the fuzz target `log_records` does: records of the log and slots of its mark, whole and damaged.

use super::{
    LogEntry,
    assemble::Assembler,
    mark::Mark,
    record::{self, HEADER_BYTES, Packer, Record},
};

/// So small that a few hundred bytes make pieces.
const RECORD_BYTES: usize = 128;

/// Records as they are, records whose checksums are made to fit, entries on their way to the disk and back, and slots of
/// the mark.
pub fn log_records(data: &[u8]) {
    let Some((&kind, bytes)) = data.split_first() else {
        return;
    };
    match kind {
        0 => {
            if let Some((key, value)) = bytes.split_at_checked(10) {
                let _ = record::decode(key, value);
            }
        }
        1 => assembled(bytes),
        2 => mark(bytes),
        _ => packed(kind, bytes),
    }
}

/// Records one after the other: length (16 bits), head without its checksum, body. What is taken has no hole.
fn assembled(mut bytes: &[u8]) {
    let mut assembler = Assembler::new(None);
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (value, rest) = rest.split_at(length);
        bytes = rest;
        let mut value = value.to_vec();
        if value.len() < HEADER_BYTES {
            return;
        }
        record::reseal(&mut value);
        let Ok(header) = record::Header::read(&value) else {
            return;
        };
        let key = record::key(header.first, header.piece);
        if assembler.accept(&key, &value, &mut entries).is_err() {
            return;
        }
    }
    let dense = entries
        .windows(2)
        .all(|pair| pair[0].index.checked_add(1) == Some(pair[1].index));
    assert!(dense, "a hole between entries");
    held(&entries);
}

/// Entries of these bytes: their payloads are as long as each first byte says, twice.
fn packed(kind: u8, mut bytes: &[u8]) {
    let mut entries = Vec::new();
    while let Some((&length, rest)) = bytes.split_first() {
        let length = (usize::from(length) * 2).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        bytes = rest;
        entries.push(LogEntry {
            term: u64::from(kind),
            index: entries.len() as u64,
            payload: payload.to_vec().into(),
        });
    }
    let records = held(&entries);
    // A byte that is changed is noticed, wherever it stands.
    for Record { key, mut value, .. } in records {
        let at = usize::from(kind) % value.len();
        value[at] ^= 1 << (kind % 8);
        assert!(record::decode(&key, &value).is_err(), "changed at {at}");
    }
}

/// The records of entries, from which the same entries come back.
fn held(entries: &[LogEntry]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut packer = Packer::new(RECORD_BYTES);
    let mut store = |record| -> Result<(), ()> {
        records.push(record);
        Ok(())
    };
    for entry in entries {
        assert_eq!(packer.push(entry, &mut store), Ok(()));
    }
    records.extend(packer.finish());
    let mut assembler = Assembler::new(entries.first().map(|first| first.index));
    let mut back = Vec::new();
    for Record { key, value, .. } in &records {
        assert!(value.len() <= RECORD_BYTES, "a record past its limit");
        let taken = assembler.accept(key, value, &mut back);
        assert_eq!(taken, Ok(()), "our own record");
    }
    assert_eq!(back, entries, "other entries come back");
    records
}

fn mark(bytes: &[u8]) {
    let sealed = bytes
        .first_chunk::<48>()
        .map(|said| [&said[..], &crc32c::crc32c(said).to_be_bytes()].concat());
    for slot in [Some(bytes.to_vec()), sealed].into_iter().flatten() {
        if let Ok(Some((sequence, mark))) = Mark::decode(&slot) {
            let again = Mark::decode(&mark.encode(sequence));
            assert_eq!(again, Ok(Some((sequence, mark))), "it is read otherwise");
        }
    }
}
