//! A watch that is starved, whose node is left behind, or whose bookmark is ahead of its node: each event comes once and in order, or none does.

use std::time::Duration;

use refrain::proto::v1::watch_response::Item;
use tokio::time::Instant;
use tonic::Status;

use super::stage::{
    INSTALLED, PATIENCE, agree, cut, id, import, join, leader, opt_out, others, revision, tell,
};
use crate::calls::reason;
use crate::feed::Feed;
use crate::invariants::history::{Filter, Revision};
use crate::operator::{form, until};
use crate::world::channel;

async fn watch(node: usize, from: Revision) -> Result<Feed, Status> {
    let silence = Duration::from_secs(8);
    Feed::open(channel(node), from, &Filter::default(), silence).await
}

/// Takes the next item, and holds that it is the very next one. Returns false where the stream has come to an end.
async fn step(feed: &mut Feed, next: &mut Revision) -> bool {
    match feed.next().await {
        Ok(Some(Item::Event(event))) => {
            assert_eq!(event.revision, *next, "not the next event");
            *next += 1;
        }
        Ok(Some(Item::Heartbeat(beat))) => {
            assert_eq!(beat.revision + 1, *next, "a bookmark for what was not sent");
        }
        Ok(Some(other)) => panic!("{other:?}"),
        Ok(None) | Err(_) => return false,
    }
    true
}

/// Follows a node until it has come to a revision, over as many streams as it takes.
async fn follow_to(node: usize, next: &mut Revision, last: Revision) {
    let begun = Instant::now();
    while *next <= last {
        assert!(begun.elapsed() < PATIENCE, "it stays at {next}");
        if let Ok(mut feed) = watch(node, *next).await {
            while *next <= last && step(&mut feed, next).await {}
        }
    }
}

#[test]
fn a_starved_watch_misses_nothing_and_never_goes_back() {
    tell(161, 3, Some((4_096, 0)), |hands| async move {
        form(3).await;
        let old = leader(0).await;
        let [watched, other] = others(old);
        let mut next = 1;
        let mut feed = watch(watched, next).await.unwrap();
        assert!(step(&mut feed, &mut next).await);
        // From here on nothing is read, and more comes than a stream takes in unread.
        import(other, &id("first"), 0..2_000).await;
        // The node is left behind, so far that it needs a snapshot, and the leader goes.
        cut(watched, others(watched));
        let before = hands.heard(INSTALLED);
        import(other, &id("second"), 2_000..4_000).await;
        join(watched, others(watched));
        until("a snapshot is installed", PATIENCE, || async {
            (hands.heard(INSTALLED) > before).then_some(())
        })
        .await;
        hands.crash(old).await;
        opt_out(other, "s1").await;
        hands.restart(old).await;
        let last = revision(other).await;

        while next <= last && step(&mut feed, &mut next).await {}
        assert!(
            next > 2_000,
            "what the node had was there to be read: {next}"
        );
        drop(feed);
        agree(3).await;
        follow_to(watched, &mut next, last).await;
        // Another node takes over where this one ended.
        let mut feed = watch(other, next).await.unwrap();
        opt_out(old, "s2").await;
        while next <= last + 1 {
            assert!(step(&mut feed, &mut next).await);
        }
    });
}

#[test]
fn a_bookmark_ahead_of_its_node_is_waited_for_or_refused() {
    tell(162, 3, None, |hands| async move {
        form(3).await;
        let leads = leader(0).await;
        let behind = others(leads)[0];
        let mut before = revision(behind).await + 1;
        let mut open = watch(behind, before).await.unwrap();
        cut(behind, others(behind));
        for subject in 0..20 {
            opt_out(leads, &format!("s{subject}")).await;
        }
        let reached = revision(leads).await;
        // Who followed another node up to here comes to one that has none of it.
        let refused = watch(behind, reached + 1).await.err().map(|it| reason(&it));
        assert_eq!(refused.as_deref(), Some("NO_QUORUM"));
        // The stream that was open there says nothing of what the node does not have.
        let stands = before;
        for _ in 0..5 {
            assert!(step(&mut open, &mut before).await);
        }
        assert_eq!(before, stands);

        hands.slow(behind, Duration::from_millis(200)).await;
        join(behind, others(behind));
        let mut feed = until("a watch begins", PATIENCE, || async {
            watch(behind, reached + 1).await.ok()
        })
        .await;
        assert_eq!(revision(behind).await, reached, "it waited");
        let mut next = reached + 1;
        opt_out(leads, "last").await;
        while next <= reached + 1 {
            assert!(step(&mut feed, &mut next).await);
        }
        while before <= reached + 1 {
            assert!(step(&mut open, &mut before).await);
        }
        // What nobody has yet is no place to begin at.
        for node in 0..3 {
            let refused = watch(node, reached + 100).await.err();
            let why = refused.map(|it| reason(&it));
            assert_eq!(why.as_deref(), Some("REVISION_AHEAD"), "node {node}");
        }
    });
}
