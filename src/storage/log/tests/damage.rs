//! Whatever is damaged, missing or too short is refused with a clear word, and what merely was never acknowledged is not.

use std::fs;
use std::time::Duration;

use super::super::record::{Packer, key};
use super::super::*;
use super::support::*;
use crate::storage::refused::{Cause, Refused};

/// A folder whose log holds 0..`count`, all of it acknowledged and marked.
fn written(count: u64) -> Folder {
    let folder = Folder::new();
    let log = folder.open_small();
    log.cast(b"vote");
    for start in (0..count).step_by(10) {
        log.put(entries(1, start..start + 10, 100));
    }
    drop(log);
    folder
}

/// Opens the sled database by itself and does something to it.
fn in_sled(folder: &Folder, work: impl FnOnce(&sled::Tree)) {
    let db = sled::Config::new()
        .path(folder.path().join("log"))
        .segment_size(SMALL.segment)
        .flush_every_ms(None)
        .open()
        .unwrap();
    work(&db.open_tree("records").unwrap());
    db.flush().unwrap();
}

fn refused(folder: &Folder) -> Refused {
    folder.try_open(&small()).err().expect("it opened")
}

#[track_caller]
fn assert_refused(folder: &Folder, words: &str) {
    let refused = refused(folder);
    let text = refused.to_string();
    assert!(refused.is_damage(), "{text}");
    assert!(text.contains(words), "{words:?} is missing in:\n{text}");
    assert!(text.contains("refrain cluster remove"), "{text}");
    assert!(
        text.contains(&folder.path().display().to_string()),
        "{text}"
    );
}

/// Removes sled's own snapshots, which would make it look no further.
fn forget_snapshots(folder: &Folder) {
    for file in fs::read_dir(folder.path().join("log")).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("snap.") {
            fs::remove_file(file.path()).unwrap();
        }
    }
}

/// Where the live end of the database's file is: the last byte that is not nought.
fn tail(folder: &Folder) -> u64 {
    let bytes = fs::read(folder.path().join("log/db")).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    end as u64
}

#[test]
fn a_tail_that_sled_drops_in_silence_is_noticed() {
    let folder = written(100);
    // In one message of sled's log: sled finds its checksum wrong and forgets it and all after it.
    overwrite(
        &folder.path().join("log/db"),
        tail(&folder) - 20,
        &[0xee; 8],
    );
    forget_snapshots(&folder);
    assert_refused(&folder, "had been made durable");
}

#[test]
fn a_log_that_ends_before_the_mark_is_refused_and_one_that_goes_past_it_opens() {
    let folder = written(100);
    let end_before = |next: u64| {
        in_sled(&folder, |records| {
            let doomed: Vec<_> = records.range(key(next, 0)..).keys().collect();
            for key in doomed {
                records.remove(key.unwrap()).unwrap();
            }
        });
    };
    let mark = fs::read(folder.path().join("log.mark")).unwrap();
    end_before(90);
    assert_refused(
        &folder,
        "ends at entry 89, but entry 99 had been made durable",
    );
    end_before(0);
    assert_refused(&folder, "is empty, but entry 99 had been made durable");
    drop(folder);

    // Past the mark lies what was written and perhaps never acknowledged: it stays.
    let folder = written(100);
    let log = folder.open_small();
    log.put(entries(1, 100..110, 100));
    drop(log);
    fs::write(folder.path().join("log.mark"), mark).unwrap();
    assert_eq!(folder.open_small().ends().last, Some((1, 109)));
}

#[test]
fn an_unacknowledged_half_of_a_large_entry_is_dropped() {
    let folder = written(20);
    let mut pieces = Vec::new();
    let large = entry(2, 20, 3000);
    let stored = Packer::new(SMALL.record).push(&large, |record| {
        pieces.push(record);
        Ok::<_, ()>(())
    });
    stored.unwrap();
    assert!(pieces.len() > 3);
    pieces.pop();
    in_sled(&folder, |records| {
        for piece in pieces {
            records.insert(piece.key, piece.value).unwrap();
        }
    });
    let log = folder.open_small();
    assert_eq!(log.ends().last, Some((1, 19)));
    log.put(vec![entry(3, 20, 2000), entry(3, 21, 20)]);
    drop(log);
    assert_eq!(
        folder.open_small().read(20..30, 9999).unwrap(),
        [entry(3, 20, 2000), entry(3, 21, 20)]
    );
}

#[test]
fn a_damaged_record_is_refused() {
    let change = |records: &sled::Tree, change: fn(&mut Vec<u8>)| {
        let (key, value) = records.range(key(40, 0)..).next().unwrap().unwrap();
        let mut value = value.to_vec();
        change(&mut value);
        records.insert(key, value).unwrap();
    };
    let folder = written(100);
    in_sled(&folder, |records| change(records, |value| value[60] ^= 1));
    assert_refused(&folder, "checksum");
    let folder = written(100);
    in_sled(&folder, |records| {
        change(records, |value| value.truncate(30));
    });
    assert_refused(&folder, "too short");
    let folder = written(100);
    in_sled(&folder, |records| {
        records.insert(b"something else", b"of no use").unwrap();
    });
    assert_refused(&folder, "too short");
}

#[test]
fn a_hole_is_refused() {
    for gone in [0, 50] {
        let folder = written(100);
        in_sled(&folder, |records| {
            let key = records.range(key(gone, 0)..).next().unwrap().unwrap().0;
            records.remove(key).unwrap();
        });
        assert_refused(&folder, "are missing");
    }
}

#[test]
fn another_entry_than_the_acknowledged_one_is_refused() {
    let folder = written(20);
    in_sled(&folder, |records| {
        let mut packer = Packer::new(SMALL.record);
        for entry in entries(2, 10..20, 20) {
            packer.push(&entry, |_| Ok::<_, ()>(())).unwrap();
        }
        let record = packer.finish().unwrap();
        records.insert(record.key, record.value).unwrap();
    });
    // The same places hold another term.
    let text = refused(&folder).to_string();
    assert!(text.contains("term 2") || text.contains("twice"), "{text}");
}

#[test]
fn the_mark_may_lose_one_slot_but_not_both() {
    let folder = written(50);
    let path = folder.path().join("log.mark");
    for slot in [0, 4096] {
        overwrite(&path, slot, &[0x77; 52]);
        assert_eq!(folder.open_small().ends().last, Some((1, 49)));
    }
    overwrite(&path, 0, &[0x77; 52]);
    overwrite(&path, 4096, &[0x77; 52]);
    assert_refused(&folder, "neither of its two slots");
    fs::remove_file(&path).unwrap();
    assert_refused(&folder, "log.mark is damaged: it is missing");
}

#[test]
fn missing_parts_are_refused() {
    let folder = written(20);
    fs::rename(folder.path().join("log"), folder.path().join("away")).unwrap();
    assert_refused(&folder, "`db` is missing");
    fs::rename(folder.path().join("away"), folder.path().join("log")).unwrap();
    fs::rename(folder.path().join("vote"), folder.path().join("away")).unwrap();
    assert_refused(&folder, "vote is damaged: it is missing");
    fs::rename(folder.path().join("away"), folder.path().join("vote")).unwrap();
    folder.open_small();

    // All of it gone, but the node is known to have been in use.
    let folder = Folder::new();
    let options = LogOptions {
        must_exist: true,
        ..small()
    };
    let refused = folder.try_open(&options).err().unwrap();
    assert!(refused.is_damage(), "{refused}");
}

#[test]
fn a_creation_that_was_cut_short_is_begun_anew() {
    let folder = Folder::new();
    drop(folder.open_small());
    super::super::mark::MarkFile::create(&folder.path().join("log.mark")).unwrap();
    fs::write(folder.path().join("log/conf"), b"half a").unwrap();
    let log = folder.open_small();
    assert_eq!(log.ends(), LogEnds::default());
    log.cast(b"vote");
    log.put(entries(1, 0..3, 10));
    drop(log);
    assert_eq!(folder.open_small().all().len(), 3);
}

#[test]
fn half_made_snapshots_of_sled_are_removed() {
    let folder = written(20);
    let path = folder.path().join("log/snap.00000000FFFFFFFF.generating");
    fs::write(&path, b"half").unwrap();
    assert_eq!(folder.open_small().ends().last, Some((1, 19)));
    assert!(!path.exists());
}

#[test]
fn a_log_in_use_is_refused_without_talk_of_damage() {
    let folder = written(20);
    let copy = folder.copy();
    let db = sled::Config::new()
        .path(copy.path().join("log"))
        .segment_size(SMALL.segment)
        .flush_every_ms(None)
        .open()
        .unwrap();
    assert!(matches!(refused(&copy).cause(), Cause::InUse));
    drop(db);
    copy.open_small();
}

#[test]
fn a_hang_on_opening_is_refused() {
    let folder = written(20);
    let options = LogOptions {
        patience: Duration::from_millis(50),
        probe: Probe(Some(Arc::new(|step| {
            if step == Step::Flushed {
                std::thread::sleep(Duration::from_millis(400));
            }
            Ok(())
        }))),
        ..small()
    };
    let refused = folder.try_open(&options).err().unwrap();
    assert!(matches!(refused.cause(), Cause::Hung(_)), "{refused}");
    std::thread::sleep(Duration::from_millis(600));
}

#[test]
fn garbage_instead_of_a_database_is_refused() {
    let folder = written(20);
    fs::write(folder.path().join("log/db"), vec![0x5a; 200_000]).unwrap();
    let refused = refused(&folder);
    assert!(refused.is_damage(), "{refused}");
}

#[test]
fn whatever_byte_flips_the_log_is_whole_or_refused() {
    let folder = written(300);
    let whole = folder.open_small().all();
    let db = fs::read(folder.path().join("log/db")).unwrap();
    let used = tail(&folder);
    let mut dice = Dice(77);
    let mut refusals = 0;
    for _ in 0..40 {
        let copy = folder.copy();
        let at = dice.roll(used);
        let byte = db[usize::try_from(at).unwrap()] ^ (1 << dice.roll(8));
        overwrite(&copy.path().join("log/db"), at, &[byte]);
        if dice.roll(2) == 0 {
            forget_snapshots(&copy);
        }
        match copy.try_open(&small()) {
            Ok(log) => assert_eq!(log.all(), whole, "byte {at}"),
            Err(refused) => {
                assert!(refused.is_damage(), "byte {at}: {refused}");
                refusals += 1;
            }
        }
    }
    assert!(
        (10..40).contains(&refusals),
        "{refusals} of 40 were refused"
    );
}
