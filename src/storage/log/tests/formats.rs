//! The stored forms: golden bytes, round trips, and what is noticed in a damaged one.

use super::super::assemble::Assembler;
use super::super::disk::{decode_purged, encode_purged};
use super::super::mark::{Mark, MarkFile};
use super::super::record::{HEADER_BYTES, Packer, Record, RecordError, decode};
use super::super::*;
use super::support::*;

/// The golden bytes with this name.
fn golden(name: &str) -> Vec<u8> {
    let line = include_str!("golden/log.hex")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    hex::decode(line.unwrap()).unwrap()
}

fn pack(entries: &[LogEntry], limit: usize) -> Vec<Record> {
    let mut packer = Packer::new(limit);
    let mut records = Vec::new();
    for entry in entries {
        let stored = packer.push(entry, |record| {
            records.push(record);
            Ok::<_, ()>(())
        });
        stored.unwrap();
    }
    records.extend(packer.finish());
    records
}

fn join(records: &[Record]) -> Result<Vec<LogEntry>, String> {
    let mut assembler = Assembler::new(None);
    let mut entries = Vec::new();
    for record in records {
        assembler.accept(&record.key, &record.value, &mut entries)?;
    }
    Ok(entries)
}

fn stored(record: &Record) -> Vec<u8> {
    [&record.key[..], &record.value].concat()
}

#[test]
fn records_have_their_golden_bytes() {
    let texts: [(u64, &[u8]); 3] = [(3, b"first"), (3, b""), (5, b"\xff\0third")];
    let mut entries: Vec<_> = (258..)
        .zip(texts)
        .map(|(index, (term, payload))| LogEntry {
            term,
            index,
            payload: payload.into(),
        })
        .collect();
    entries.push(LogEntry {
        term: 5,
        index: 261,
        payload: (0..200u8).map(|byte| byte % 251).collect::<Vec<_>>().into(),
    });
    let records = pack(&entries, HEADER_BYTES + 84);
    assert_eq!(records.len(), 4);
    assert_eq!(stored(&records[0]), golden("run"));
    assert_eq!(stored(&records[1]), golden("piece0"));
    assert_eq!(stored(&records[3]), golden("piece2"));
    assert_eq!(
        records
            .iter()
            .map(|record| record.completes)
            .collect::<Vec<_>>(),
        [Some((5, 260)), None, None, Some((5, 261))]
    );
}

#[test]
fn an_entry_at_the_last_index_of_all_is_refused() {
    let entry = |index, payload: &'static [u8]| LogEntry {
        term: 1,
        index,
        payload: payload.into(),
    };
    for entries in [
        vec![entry(u64::MAX, b"a run")],
        vec![entry(u64::MAX - 1, b"a longer"), entry(u64::MAX, b"run")],
        vec![entry(u64::MAX, &[0; 200])],
    ] {
        assert!(join(&pack(&entries, HEADER_BYTES + 84)).is_err());
    }
    assert!(join(&pack(&[entry(u64::MAX - 1, b"")], HEADER_BYTES + 84)).is_ok());
}

#[test]
fn marks_have_their_golden_bytes() {
    let creating = Mark {
        creating: true,
        ..Mark::default()
    };
    assert_eq!(creating.encode(0).to_vec(), golden("slot0"));
    let mark = Mark {
        last: Some((5, 260)),
        committed: Some((5, 259)),
        creating: false,
    };
    assert_eq!(mark.encode(9).to_vec(), golden("slot9"));
    assert_eq!(Mark::decode(&golden("slot0")), Ok(Some((0, creating))));
    assert_eq!(Mark::decode(&golden("slot9")), Ok(Some((9, mark))));
}

#[test]
fn what_was_purged_has_its_golden_bytes() {
    assert_eq!(encode_purged((7, 300)), golden("purged"));
    assert_eq!(decode_purged(&golden("purged")), Ok((7, 300)));
    let mut damaged = golden("purged");
    damaged[10] ^= 1;
    assert!(decode_purged(&damaged).is_err());
}

#[test]
fn entries_of_any_size_come_back_from_records() {
    let mut dice = Dice(1);
    for round in 0..200 {
        let limit = 100 + usize::try_from(dice.roll(400)).unwrap();
        let mut term = 1;
        let entries: Vec<_> = (round..round + 40)
            .map(|index| {
                term += dice.roll(2);
                let most = if dice.roll(8) == 0 { 2000 } else { 60 };
                let length = dice.roll(most);
                entry(term, index, usize::try_from(length).unwrap())
            })
            .collect();
        let records = pack(&entries, limit);
        assert!(records.iter().all(|record| record.value.len() <= limit));
        assert!(records.windows(2).all(|pair| pair[0].key < pair[1].key));
        assert_eq!(join(&records).unwrap(), entries);
    }
}

#[test]
fn any_changed_byte_of_a_record_is_noticed() {
    for entries in [entries(1, 5..8, 20), vec![entry(1, 5, 200)]] {
        let record = &pack(&entries, 150)[0];
        for place in 0..record.value.len() {
            let mut value = record.value.clone();
            value[place] ^= 0x40;
            assert_eq!(
                decode(&record.key, &value),
                Err(RecordError::Checksum),
                "byte {place}"
            );
            assert!(decode(&record.key, &record.value[..place]).is_err());
        }
        let mut key = record.key;
        key[7] += 1;
        assert_eq!(decode(&key, &record.value), Err(RecordError::Key));
    }
}

#[test]
fn missing_and_repeated_records_are_noticed() {
    let entries = [
        entries(1, 0..3, 90),
        vec![entry(1, 3, 400)],
        entries(1, 4..6, 90),
    ]
    .concat();
    let records = pack(&entries, 160);
    assert_eq!(join(&records).unwrap(), entries);
    for gone in 1..records.len() - 1 {
        let mut left = records.clone();
        left.remove(gone);
        assert!(join(&left).is_err(), "record {gone} was not missed");
        let mut twice = records.clone();
        twice.insert(gone, records[gone].clone());
        assert!(join(&twice).is_err(), "record {gone} came twice");
    }
}

#[test]
fn any_changed_byte_of_a_slot_is_noticed() {
    let slot = golden("slot9");
    for place in 0..slot.len() {
        let mut damaged = slot.clone();
        damaged[place] ^= 2;
        assert_eq!(Mark::decode(&damaged), Ok(None), "byte {place}");
        assert_eq!(Mark::decode(&slot[..place]), Ok(None));
    }
}

#[test]
fn the_newest_whole_slot_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mark");
    assert!(MarkFile::open(&path).unwrap().is_none());
    let mut file = MarkFile::create(&path).unwrap();
    let mark = |index| Mark {
        last: Some((1, index)),
        ..Mark::default()
    };
    let read = || MarkFile::open(&path).unwrap().unwrap().1;
    assert!(read().creating);
    for index in 1..6 {
        file.write(&mark(index)).unwrap();
        assert_eq!(read(), mark(index));
    }
    // The fifth write went to the second slot, the fourth to the first.
    let whole = std::fs::read(&path).unwrap();
    overwrite(&path, 0, &[0; 64]);
    assert_eq!(read(), mark(5));
    std::fs::write(&path, &whole).unwrap();
    overwrite(&path, 4096, &[0xff; 64]);
    assert_eq!(read(), mark(4));
    overwrite(&path, 10, &[0xff]);
    assert!(MarkFile::open(&path).unwrap_err().is_damage());
    // What is written after a reopen outnumbers what was found.
    std::fs::write(&path, &whole).unwrap();
    let (mut file, _) = MarkFile::open(&path).unwrap().unwrap();
    file.write(&mark(2)).unwrap();
    assert_eq!(read(), mark(2));
}
