//! What is written when, and how often it is synced.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::mark::MarkFile;
use super::super::*;
use super::support::*;

fn watched(steps: &Steps) -> LogOptions {
    LogOptions {
        probe: steps.probe(),
        ..small()
    }
}

#[test]
fn a_lone_write_waits_for_one_sync_and_its_mark_follows() {
    let folder = Folder::new();
    let steps = Steps::default();
    let log = folder.try_open(&watched(&steps)).unwrap();
    log.cast(b"vote");
    std::thread::sleep(Duration::from_millis(60));
    steps.take();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (tell, told) = waiter();
    let (at_done, all) = (Arc::clone(&seen), steps.clone());
    log.append(
        entries(1, 0..3, 50),
        Box::new(move |result| {
            *at_done.lock().unwrap() = all.take();
            tell(result);
        }),
    )
    .unwrap();
    wait(&told).unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [Step::Put, Step::Flushed, Step::Synced]
    );
    assert_eq!(steps.await_some(2), [Step::Mark, Step::Marked]);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(steps.take(), [], "an idle log writes nothing");
    // The hint alone is written too, once.
    log.save_committed(Some((1, 2)));
    assert_eq!(steps.await_some(2), [Step::Mark, Step::Marked]);
}

#[test]
fn no_batch_is_told_before_the_mark_of_an_older_one_is_durable() {
    let folder = Folder::new();
    let log = folder.open();
    log.cast(b"vote");
    for round in 0..20 {
        log.put(entries(1, round * 10..round * 10 + 5, 50));
        std::thread::sleep(Duration::from_millis(3));
        let (tell, told) = waiter();
        let path = folder.path().join("log.mark");
        let (done, mark) = std::sync::mpsc::channel();
        log.append(
            entries(1, round * 10 + 5..round * 10 + 10, 50),
            Box::new(move |result| {
                done.send(MarkFile::open(&path).unwrap().unwrap().1)
                    .unwrap();
                tell(result);
            }),
        )
        .unwrap();
        wait(&told).unwrap();
        assert_eq!(mark.recv().unwrap().last, Some((1, round * 10 + 4)));
    }
}

#[test]
fn what_waits_becomes_few_records() {
    let folder = Folder::new();
    let gate = Arc::new(Mutex::new(()));
    let puts = Arc::new(AtomicUsize::new(0));
    let (held, count) = (Arc::clone(&gate), Arc::clone(&puts));
    let options = LogOptions {
        probe: Probe(Some(Arc::new(move |step| {
            if step == Step::Put {
                count.fetch_add(1, Ordering::SeqCst);
                drop(held.lock().unwrap());
            }
            Ok(())
        }))),
        ..LogOptions::default()
    };
    let log = folder.try_open(&options).unwrap();
    log.cast(b"vote");
    let closed = gate.lock().unwrap();
    let mut waits = Vec::new();
    for index in 0..1000 {
        let (done, told) = waiter();
        log.append(vec![entry(1, index, 100)], done).unwrap();
        waits.push(told);
        if index == 0 {
            while puts.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
        }
    }
    drop(closed);
    for told in waits {
        wait(&told).unwrap();
    }
    assert_eq!(
        puts.load(Ordering::SeqCst),
        2,
        "the first, and all that waited meanwhile"
    );
}
