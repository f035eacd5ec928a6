//! The first storage error is the last operation: everything after it fails, and the process is told to end.

use std::sync::Mutex;
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
        let mut next = 10;
        let error = loop {
            let (done, told) = waiter();
            match log.append(entries(1, next..next + 1, 50), done) {
                Ok(()) => {}
                Err(error) => break error,
            }
            if let Err(error) = wait(&told) {
                break error;
            }
            // Only a mark may come a little later than the batch that it tells of.
            assert!(
                matches!(step, Step::Mark | Step::Marked) && next < 500,
                "{step:?}"
            );
            std::thread::sleep(Duration::from_millis(1));
            next += 1;
        };
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
