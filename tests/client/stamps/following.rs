//! Stamps held against a watch that breaks, lags, falls silent and loses its way.

use super::*;

#[tokio::test]
async fn an_opt_out_takes_the_stamps_of_its_subject_and_of_nobody_else() {
    let node = Fake::start();
    ready(&node);
    let live = live(&builder(&[&node], &Wall::at_noon()).build().unwrap()).await;
    let go_ahead = judge(&live, 1, 1).unwrap();
    assert!(go_ahead.age() <= Duration::from_secs(3));
    assert_eq!(go_ahead.allowed().decision_id(), "made-up");

    let changed = opt_out(&node, 1);
    let subject_changed = |why: &NoGoAhead| matches!(why, NoGoAhead::SubjectChanged { .. });
    denied(&live, 1, changed - 1, subject_changed).await;
    goes_ahead(&live, 2, changed - 1).await;
    // The person has opted in again, and was asked about anew.
    let back = node.model().record(EventKind::OptIn.into(), &[token(1)]);
    let again = stamp(1, back, |_| ());
    let whose = Whose::Token("1:01010101010101010101010101010101");
    let judged = live.check(&again, WANTED, whose).await;
    assert!(judged.is_ok(), "{judged:?}");
    assert!(judge(&live, 1, changed).is_err());
}

#[tokio::test]
async fn a_stamp_that_is_ahead_of_the_watch_waits_for_it_and_not_for_ever() {
    let node = Fake::start();
    ready(&node);
    let live = live(&builder(&[&node], &Wall::at_noon()).build().unwrap()).await;
    let not_reached = |why: &NoGoAhead| matches!(why, NoGoAhead::NotReached { .. });
    let fresh = stamp(1, 2, |_| ());
    assert!(not_reached(&judge(&live, 1, 2).unwrap_err()));
    let waiting = {
        let (live, fresh) = (live.clone(), fresh.clone());
        tokio::spawn(async move { live.check(&fresh, WANTED, Whose::TheStamps).await })
    };
    tokio::task::yield_now().await;
    opt_out(&node, 2);
    assert!(waiting.await.unwrap().is_ok());
    let judged = live
        .check(&stamp(1, 99, |_| ()), WANTED, Whose::TheStamps)
        .await;
    assert!(not_reached(&judged.unwrap_err()));
}

#[tokio::test]
async fn without_heartbeats_or_without_the_clusters_word_nothing_goes_ahead() {
    let node = Fake::start();
    ready(&node);
    let live = quick(&builder(&[&node], &Wall::at_noon()).build().unwrap()).await;
    node.model().silent = true;
    denied(&live, 1, 1, |why| matches!(why, NoGoAhead::Silent { .. })).await;
    // In the end the silent watch is given up.
    denied(&live, 1, 1, |why| matches!(why, NoGoAhead::NotFollowing(_))).await;
    node.model().silent = false;
    goes_ahead(&live, 1, 1).await;

    let refused = || Fault::Refuse(refusal(Code::PermissionDenied, "MADE_UP", "not_applied"));
    node.fail((0..1_000).map(|_| refused()));
    denied(&live, 1, 1, |why| matches!(why, NoGoAhead::Silent { .. })).await;
}

#[tokio::test]
async fn what_is_missed_while_a_node_is_down_is_made_up_for() {
    let (one, two) = Fake::pair();
    ready(&one);
    let live = quick(&builder(&[&one, &two], &Wall::at_noon()).build().unwrap()).await;
    goes_ahead(&live, 1, 1).await;
    one.kill();
    opt_out(&two, 1);
    denied(&live, 1, 1, |why| {
        matches!(why, NoGoAhead::SubjectChanged { .. })
    })
    .await;
    // What was made before goes on, since nothing was missed.
    goes_ahead(&live, 2, 1).await;
}

/// The watch's node is cut off and goes on with its heartbeats, while the person opts out on the other side.
#[tokio::test]
async fn a_node_that_is_cut_off_cannot_keep_anybody_going() {
    let (one, two) = Fake::pair();
    ready(&one);
    let live = quick(&builder(&[&one, &two], &Wall::at_noon()).build().unwrap()).await;
    goes_ahead(&live, 1, 1).await;
    one.cut_off();
    opt_out(&two, 1);
    let acknowledged = Instant::now();
    let mut last = acknowledged;
    until("the watch has moved and shows it", || {
        let now = Instant::now();
        match judge(&live, 1, 1) {
            Ok(_) => last = now,
            Err(NoGoAhead::SubjectChanged { .. }) => return Some(()),
            Err(_) => {}
        }
        None
    })
    .await;
    let late = last.duration_since(acknowledged);
    assert!(late <= BOUND, "it went ahead {late:?} after the opt-out");
    goes_ahead(&live, 2, 1).await;
}

#[tokio::test]
async fn a_gap_in_the_history_forgets_all_that_was_before() {
    let node = Fake::start();
    ready(&node);
    let live = quick(&builder(&[&node], &Wall::at_noon()).build().unwrap()).await;
    goes_ahead(&live, 1, 1).await;
    let compacted = [("earliest_revision", "3"), ("outcome", "not_applied")];
    let compacted = refusal_with(Code::OutOfRange, "REVISION_COMPACTED", &compacted);
    // The next feed ends at once, and the one after it cannot go on.
    node.fail_feeds([Fault::Refuse(compacted)]);
    for _ in 0..2 {
        opt_out(&node, 9);
    }
    node.model().silent = true;
    denied(&live, 1, 1, |why| matches!(why, NoGoAhead::NotFollowing(_))).await;
    node.model().silent = false;
    denied(&live, 1, 1, |why| {
        matches!(why, NoGoAhead::BeforeTheWatch { began: 3, .. })
    })
    .await;
    goes_ahead(&live, 1, 3).await;
}

#[tokio::test]
async fn a_cluster_that_has_gone_back_begins_anew() {
    let node = Fake::start();
    ready(&node);
    for _ in 0..5 {
        opt_out(&node, 9);
    }
    let live = live(&builder(&[&node], &Wall::at_noon()).build().unwrap()).await;
    goes_ahead(&live, 1, 6).await;
    // Put back from a backup: opt-outs are lost, revisions are given anew.
    node.model().events.truncate(3);
    denied(&live, 1, 6, |why| {
        matches!(
            why,
            NoGoAhead::NotFollowing(_) | NoGoAhead::NotReached { .. }
        )
    })
    .await;
    until("the watch has begun anew", || {
        (live.revision() == 3).then_some(())
    })
    .await;
    goes_ahead(&live, 1, 3).await;
    assert!(judge(&live, 1, 6).is_err());
}
