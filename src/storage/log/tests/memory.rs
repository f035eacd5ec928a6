//! The log in memory: what a crash leaves of what was on its way.

use super::super::*;
use super::support::*;

#[test]
fn a_crash_loses_what_is_not_durable_and_tells_nobody() {
    let log = MemoryLog::new();
    log.cast(b"first");
    log.put(entries(1, 0..5, 10));
    log.hold();
    let (done, told) = waiter();
    log.append(entries(1, 5..8, 10), done).unwrap();
    log.truncate_after(Some(2), Box::new(|_| unreachable!()));
    log.save_vote(Bytes::from_static(b"second"), Box::new(|_| unreachable!()));
    assert_eq!(log.pending(), 3);
    assert_eq!(log.ends().last, Some((1, 2)));
    assert_eq!(
        log.vote().unwrap(),
        "first",
        "a vote counts when it is durable"
    );

    let next_life = log.clone();
    log.crash();
    assert!(told.try_recv().is_err());
    assert_eq!(next_life.all(), entries(1, 0..5, 10));
    assert_eq!(next_life.vote().unwrap(), "first");
    next_life.put(entries(2, 5..6, 10));
}

#[test]
fn a_crash_may_leave_what_nobody_was_told_of() {
    let log = MemoryLog::new();
    log.hold();
    log.append(entries(1, 0..5, 10), Box::new(|_| unreachable!()))
        .unwrap();
    log.append(entries(1, 5..9, 10), Box::new(|_| unreachable!()))
        .unwrap();
    log.crash_after(1);
    assert_eq!(log.ends().last, Some((1, 4)));
    assert_eq!(log.pending(), 0);
}

#[test]
fn pending_operations_settle_in_order() {
    let log = MemoryLog::new();
    log.hold();
    let (first, told_first) = waiter();
    let (second, told_second) = waiter();
    log.append(entries(1, 0..5, 10), first).unwrap();
    log.purge((1, 1), second);
    log.settle(1);
    wait(&told_first).unwrap();
    assert!(told_second.try_recv().is_err());
    log.release();
    wait(&told_second).unwrap();
    log.put(entries(1, 5..6, 10));
}

#[test]
fn the_hint_never_leads_the_log_that_a_crash_left() {
    let log = MemoryLog::new();
    log.put(entries(1, 0..5, 10));
    log.hold();
    log.append(entries(1, 5..9, 10), Box::new(|_| unreachable!()))
        .unwrap();
    log.save_committed(Some((1, 8)));
    assert_eq!(log.committed(), Some((1, 8)));
    log.crash();
    assert_eq!(log.committed(), Some((1, 4)));
}

#[test]
fn a_failed_disk_fails_everything_until_the_node_is_new() {
    let log = MemoryLog::new();
    log.put(entries(1, 0..5, 10));
    log.hold();
    let (done, told) = waiter();
    log.append(entries(1, 5..6, 10), done).unwrap();
    log.fail();
    wait(&told).unwrap_err();
    log.append(entries(1, 6..7, 10), Box::new(|_| unreachable!()))
        .unwrap_err();
    log.read(0..1, 1).unwrap_err();
    let (done, told) = waiter();
    log.save_vote(Bytes::new(), done);
    wait(&told).unwrap_err();
    log.crash();
    assert_eq!(log.all(), entries(1, 0..5, 10));
}

#[test]
fn a_crash_may_tear_an_append() {
    let log = MemoryLog::new();
    log.hold();
    log.append(entries(1, 0..5, 10), Box::new(|_| unreachable!()))
        .unwrap();
    log.append(entries(1, 5..9, 10), Box::new(|_| unreachable!()))
        .unwrap();
    log.crash_within(1, 3);
    assert_eq!(log.ends().last, Some((1, 7)));
    assert_eq!(log.all(), entries(1, 0..8, 10));
}
