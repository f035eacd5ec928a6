//! The first storage error is the last operation: everything after it fails, and the process is told to end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::*;
use super::support::*;

struct Failing {
    log: SledLog,
    steps: Steps,
    fatal: Arc<Mutex<Vec<String>>>,
}

fn failing(folder: &Folder) -> Failing {
    let steps = Steps::default();
    let fatal: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&fatal);
    let options = LogOptions {
        probe: steps.probe(),
        ..small()
    };
    let hook: FatalHook = Arc::new(move |error| told.lock().unwrap().push(error.to_string()));
    let log = SledLog::open(folder.files(), &folder.path(), &options, hook).unwrap();
    Failing { log, steps, fatal }
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_nothing_tried_again() {
    for step in [
        Step::Put,
        Step::Flushed,
        Step::Synced,
        Step::Mark,
        Step::Marked,
    ] {
        let folder = Folder::new();
        let Failing { log, steps, fatal } = failing(&folder);
        log.cast(b"vote");
        log.put(entries(1, 0..10, 50));
        steps.fail_at(step);
        let (done, told) = waiter();
        log.append(entries(1, 10..20, 50), done).unwrap();
        let (done, told_next) = waiter();
        // It may be refused at once or when its turn comes, but never acknowledged.
        if log.append(entries(1, 20..30, 50), done).is_ok() {
            wait(&told_next).unwrap_err();
        }
        let error = wait(&told).unwrap_err();
        assert!(
            error.to_string().contains("the disk says no"),
            "{step:?}: {error}"
        );
        steps.take();

        let error = log
            .append(entries(1, 30..31, 5), Box::new(|_| unreachable!()))
            .unwrap_err();
        assert!(error.to_string().contains("failed before"), "{error}");
        log.read(0..5, 100).unwrap_err();
        for operation in 0..3 {
            let (done, told) = waiter();
            match operation {
                0 => log.truncate_after(Some(3), done),
                1 => log.purge((1, 3), done),
                _ => log.save_vote(Bytes::from_static(b"other"), done),
            }
            wait(&told).unwrap_err();
        }
        assert_eq!(fatal.lock().unwrap().len(), 1, "{step:?}");
        drop(log);
        // A mark that was begun beside the failure may have ended meanwhile.
        let mut after = steps.take();
        after.retain(|step| !matches!(step, Step::Mark | Step::Marked));
        assert_eq!(
            after,
            [],
            "{step:?}: nothing may be written after a failure"
        );
    }
}

#[test]
fn a_failed_vote_or_cut_is_final_too() {
    for cut in [false, true] {
        let folder = Folder::new();
        let Failing { log, steps, fatal } = failing(&folder);
        log.cast(b"vote");
        log.put(entries(1, 0..40, 50));
        let (done, told) = waiter();
        if cut {
            steps.fail_at(Step::Removed);
            log.truncate_after(Some(3), done);
        } else {
            // A folder in the place of the file: the rename fails.
            std::fs::remove_file(folder.path().join("vote")).unwrap();
            std::fs::create_dir(folder.path().join("vote")).unwrap();
            log.save_vote(Bytes::from_static(b"second"), done);
        }
        wait(&told).unwrap_err();
        assert_eq!(fatal.lock().unwrap().len(), 1);
        assert_eq!(
            log.vote().unwrap(),
            "vote",
            "the vote that is not durable is not told"
        );
        log.append(entries(1, 40..41, 5), Box::new(|_| unreachable!()))
            .unwrap_err();
    }
}

#[test]
fn a_blob_file_is_a_failure() {
    let folder = Folder::new();
    let Failing { log, fatal, .. } = failing(&folder);
    log.cast(b"vote");
    log.put(entries(1, 0..5, 50));
    std::fs::write(folder.path().join("log/blobs/123"), b"blob").unwrap();
    let (done, told) = waiter();
    log.append(entries(1, 5..6, 50), done).unwrap();
    assert!(wait(&told).unwrap_err().to_string().contains("blob"));
    assert_eq!(fatal.lock().unwrap().len(), 1);
}

#[test]
fn a_panic_on_the_storage_thread_is_a_failure() {
    let folder = Folder::new();
    let Failing { log, fatal, .. } = failing(&folder);
    log.cast(b"vote");
    log.append(
        entries(1, 0..1, 5),
        Box::new(|_| panic!("a callback that panics")),
    )
    .unwrap();
    let mut waits = 0;
    while fatal.lock().unwrap().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
        waits += 1;
        assert!(waits < 1000);
    }
    assert!(fatal.lock().unwrap()[0].contains("a callback that panics"));
    log.append(entries(1, 1..2, 5), Box::new(|_| unreachable!()))
        .unwrap_err();
}

#[test]
fn a_lone_write_waits_for_one_sync_and_its_mark_follows() {
    let folder = Folder::new();
    let Failing { log, steps, .. } = failing(&folder);
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
    let mut marked = Vec::new();
    for _ in 0..1000 {
        std::thread::sleep(Duration::from_millis(2));
        marked.extend(steps.take());
        if marked.len() >= 2 {
            break;
        }
    }
    assert_eq!(marked, [Step::Mark, Step::Marked]);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(steps.take(), [], "an idle log writes nothing");
    // The hint alone is written too, once.
    log.save_committed(Some((1, 2)));
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(steps.take(), [Step::Mark, Step::Marked]);
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
