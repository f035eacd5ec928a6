//! What both logs do when nothing goes wrong.

use std::collections::HashMap;

use super::super::*;
use super::support::*;

/// Runs a test on both logs.
fn on_both(test: impl Fn(&dyn Log)) {
    test(&MemoryLog::new());
    let folder = Folder::new();
    test(&folder.open());
    let folder = Folder::new();
    test(&folder.open_small());
}

fn put(log: &dyn Log, entries: Vec<LogEntry>) {
    let (done, told) = waiter();
    log.append(entries, done).unwrap();
    wait(&told).unwrap();
}

fn cut(log: &dyn Log, after: Option<u64>) {
    let (done, told) = waiter();
    log.truncate_after(after, done);
    wait(&told).unwrap();
}

fn purge(log: &dyn Log, upto: Position) {
    let (done, told) = waiter();
    log.purge(upto, done);
    wait(&told).unwrap();
}

fn indexes(log: &dyn Log, range: std::ops::Range<u64>, max_bytes: usize) -> Vec<u64> {
    let entries = log.read(range, max_bytes).unwrap();
    entries.iter().map(|entry| entry.index).collect()
}

#[test]
fn a_new_log_is_empty() {
    on_both(|log| {
        assert_eq!(log.ends(), LogEnds::default());
        assert_eq!(log.read(0..10, 100).unwrap(), []);
        assert_eq!(
            (log.vote(), log.committed(), log.term_at(0)),
            (None, None, None)
        );
        assert_eq!(log.bytes(), 0);
    });
}

#[test]
fn entries_can_be_read_at_once() {
    on_both(|log| {
        let (done, told) = waiter();
        log.append(entries(1, 0..50, 100), done).unwrap();
        assert_eq!(
            log.read(0..100, usize::MAX).unwrap(),
            entries(1, 0..50, 100)
        );
        assert_eq!(log.ends().last, Some((1, 49)));
        wait(&told).unwrap();
    });
}

#[test]
fn a_read_is_bounded_by_bytes_but_gives_at_least_one() {
    on_both(|log| {
        put(log, entries(1, 0..20, 100));
        assert_eq!(indexes(log, 3..20, 1), [3]);
        assert_eq!(indexes(log, 3..20, 199), [3]);
        assert_eq!(indexes(log, 3..20, 200), [3, 4]);
        assert_eq!(indexes(log, 18..99, 1000), [18, 19]);
        assert!(indexes(log, 5..5, 100).is_empty());
        #[allow(clippy::reversed_empty_ranges)]
        {
            assert!(indexes(log, 7..5, 100).is_empty());
        }
    });
}

#[test]
fn a_hole_is_refused_and_changes_nothing() {
    on_both(|log| {
        put(log, entries(1, 0..3, 10));
        for wrong in [
            vec![entry(1, 4, 10)],
            vec![entry(1, 2, 10)],
            vec![entry(1, 3, 10), entry(1, 5, 10)],
        ] {
            let error = log.append(wrong, Box::new(|_| unreachable!())).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(log.ends().last, Some((1, 2)));
        put(log, entries(1, 3..4, 10));
    });
}

#[test]
fn a_conflicting_suffix_is_replaced() {
    on_both(|log| {
        put(log, entries(1, 0..30, 100));
        put(log, entries(2, 30..40, 100));
        cut(log, Some(12));
        assert_eq!(log.ends().last, Some((1, 12)));
        assert_eq!((log.term_at(12), log.term_at(13)), (Some(1), None));
        put(log, entries(3, 13..50, 100));
        let mut expected = entries(1, 0..13, 100);
        expected.extend(entries(3, 13..50, 100));
        assert_eq!(log.read(0..99, usize::MAX).unwrap(), expected);
        cut(log, None);
        assert_eq!(log.ends(), LogEnds::default());
        put(log, entries(4, 0..2, 100));
        assert_eq!(indexes(log, 0..9, 1000), [0, 1]);
    });
}

#[test]
fn what_is_purged_is_gone_and_its_end_is_known() {
    on_both(|log| {
        put(log, entries(1, 0..30, 100));
        put(log, entries(2, 30..60, 100));
        purge(log, (1, 14));
        assert_eq!(
            log.ends(),
            LogEnds {
                purged: Some((1, 14)),
                last: Some((2, 59))
            }
        );
        assert_eq!(indexes(log, 0..18, usize::MAX), [15, 16, 17]);
        assert_eq!(
            (log.term_at(13), log.term_at(14), log.term_at(15)),
            (None, Some(1), Some(1))
        );
        // Purging less is nothing, truncating below drops all that is left.
        purge(log, (1, 3));
        assert_eq!(log.ends().purged, Some((1, 14)));
        cut(log, Some(2));
        assert_eq!(log.ends().last, Some((1, 14)));
        put(log, entries(3, 15..17, 100));
        assert_eq!(indexes(log, 0..99, usize::MAX), [15, 16]);
    });
}

#[test]
fn a_purge_past_the_end_moves_the_log() {
    on_both(|log| {
        put(log, entries(1, 0..10, 100));
        purge(log, (4, 99));
        assert_eq!(
            log.ends(),
            LogEnds {
                purged: Some((4, 99)),
                last: Some((4, 99))
            }
        );
        put(log, entries(4, 100..103, 100));
        assert_eq!(indexes(log, 0..999, usize::MAX), [100, 101, 102]);
    });
}

#[test]
fn everything_comes_back_after_a_restart() {
    for options in [LogOptions::default(), small()] {
        let folder = Folder::new();
        let mut expected = Vec::new();
        {
            let log = folder.try_open(&options).unwrap();
            log.cast(b"vote of term 2");
            for start in (0..400).step_by(40) {
                log.put(entries(1, start..start + 40, 60));
            }
            log.put(entries(2, 400..410, 2000));
            log.drop_upto((1, 33));
            log.save_committed(Some((1, 300)));
            expected.extend(entries(1, 34..400, 60));
            expected.extend(entries(2, 400..410, 2000));
            assert_eq!(log.all(), expected);
        }
        for _ in 0..2 {
            let log = folder.try_open(&options).unwrap();
            assert_eq!(
                log.ends(),
                LogEnds {
                    purged: Some((1, 33)),
                    last: Some((2, 409))
                }
            );
            assert_eq!(log.all(), expected);
            assert_eq!(log.vote().unwrap(), "vote of term 2");
            assert_eq!(log.committed(), Some((1, 300)));
            assert_eq!((log.term_at(34), log.term_at(400)), (Some(1), Some(2)));
        }
    }
}

#[test]
fn an_entry_larger_than_a_record_is_kept_in_pieces() {
    let folder = Folder::new();
    let sizes = [
        1,
        119 << 10,
        (120 << 10) - 52,
        (120 << 10) - 51,
        1 << 20,
        3 << 20,
        17,
    ];
    let large: Vec<_> = (0..)
        .zip(sizes)
        .map(|(index, size)| entry(1, index, size))
        .collect();
    {
        let log = folder.open();
        log.cast(b"vote");
        log.put(large.clone());
    }
    let log = folder.try_open(&LogOptions {
        recent_bytes: 0,
        ..LogOptions::default()
    });
    let log = log.unwrap();
    assert_eq!(log.all(), large);
    assert_eq!(log.read(4..6, 10).unwrap(), large[4..5]);
    log.cut(Some(4));
    assert_eq!(log.all(), large[..5]);
    log.drop_upto((1, 4));
    assert_eq!(log.all(), []);
}

#[test]
fn bytes_follow_what_the_log_holds() {
    let folder = Folder::new();
    let log = folder.open();
    log.cast(b"vote");
    log.put(entries(1, 0..100, 1000));
    let full = log.bytes();
    assert!((100_000..110_000).contains(&full), "{full}");
    log.cut(Some(49));
    let half = log.bytes();
    assert!((50_000..55_000).contains(&half), "{half}");
    log.drop_upto((1, 49));
    let mut waits = 0;
    while log.bytes() > 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
        waits += 1;
        assert!(waits < 1000, "the purge never came to an end");
    }
    drop(log);
    assert_eq!(folder.open().bytes(), 0);
}

#[test]
fn many_appends_in_flight_are_told_in_order() {
    let folder = Folder::new();
    let log = Arc::new(folder.open());
    let (tell, told) = std::sync::mpsc::channel();
    log.cast(b"vote");
    let count = 2000;
    for index in 0..count {
        let tell = tell.clone();
        let log_seen = Arc::downgrade(&log);
        log.append(
            vec![entry(1, index, 150)],
            Box::new(move |result| {
                result.unwrap();
                let readable = log_seen
                    .upgrade()
                    .map(|log| log.read(index..index + 1, 1).unwrap().len());
                tell.send((index, readable)).unwrap();
            }),
        )
        .unwrap();
    }
    for index in 0..count {
        let (told, readable) = told
            .recv_timeout(std::time::Duration::from_secs(30))
            .unwrap();
        assert_eq!(told, index);
        assert_eq!(readable, Some(1));
    }
    drop(log);
    assert_eq!(folder.open().all(), entries(1, 0..count, 150));
}

#[test]
fn readers_beside_the_writer_never_see_a_hole_or_a_mix() {
    let folder = Folder::new();
    let log = Arc::new(folder.open_small());
    log.cast(b"vote");
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|seed| {
            let (log, stop) = (Arc::clone(&log), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut dice = Dice(seed);
                let mut reads = 0;
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    let Some((_, last)) = log.ends().last else {
                        continue;
                    };
                    let start = dice.roll(last + 1);
                    let got = log.read(start..start + 200, 20_000).unwrap();
                    let mut terms = HashMap::new();
                    for (at, found) in got.iter().enumerate() {
                        assert_eq!(found.index, got[0].index + at as u64);
                        assert_eq!(*found, entry(found.term, found.index, found.payload.len()));
                        terms.insert(found.term, found.index);
                    }
                    assert!(got.windows(2).all(|pair| pair[0].term <= pair[1].term));
                    reads += 1;
                }
                assert!(reads > 10);
            })
        })
        .collect();
    let mut dice = Dice(9);
    let (mut next, mut purged) = (0, 0);
    for term in 1..120 {
        for _ in 0..5 {
            let count = 1 + dice.roll(30);
            log.put(entries(term, next..next + count, 90));
            next += count;
        }
        let keep = next - dice.roll(60.min(next - purged));
        log.cut(Some(keep - 1));
        next = keep;
        if term % 10 == 0 {
            purged = next / 2;
            log.drop_upto((log.term_at(purged).unwrap(), purged));
        }
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    for reader in readers {
        reader.join().unwrap();
    }
}
