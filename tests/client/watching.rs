//! Watching: each event once and in order, over feeds that end and nodes that die.

use std::time::Duration;

use futures::{StreamExt as _, stream::BoxStream};
use refrain::{
    client::{Error, Seen},
    proto::v1::WatchRequest,
};
use tonic::Code;

use super::{
    calls::stop,
    fake::{Fake, Fault, refusal, refusal_with},
};

/// Everything up to the event of revision `last`, but heartbeats.
async fn until(feed: &mut BoxStream<'static, Result<Seen, Error>>, last: u64) -> Vec<Seen> {
    let mut all = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), feed.next());
        match next.await.unwrap().unwrap().unwrap() {
            Seen::Heartbeat(_) => {}
            Seen::Event(event) if event.revision == last => {
                all.push(Seen::Event(event));
                return all;
            }
            other => all.push(other),
        }
    }
}

fn revisions(seen: &[Seen]) -> Vec<u64> {
    let revision = |it: &Seen| match it {
        Seen::Event(event) => Some(event.revision),
        _ => None,
    };
    seen.iter().filter_map(revision).collect()
}

async fn opt_out_many(node: &Fake, count: u32) {
    for number in 0..count {
        let who = format!("p{number}@example.com");
        node.client().opt_out(stop(&who)).await.unwrap();
    }
}

#[tokio::test]
async fn a_feed_that_ends_is_taken_up_again() {
    let (one, two) = Fake::pair();
    opt_out_many(&one, 5).await;
    one.fail([Fault::EndFeedAfter(2)]);
    two.fail([Fault::EndFeedAfter(1)]);
    let client = Fake::client_of(&[&one, &two]).build().unwrap();
    let mut feed = client.watch(WatchRequest {
        from_revision: 1,
        ..Default::default()
    });
    let seen = until(&mut feed, 5).await;
    assert_eq!(revisions(&seen), [1, 2, 3, 4, 5]);
    let breaks = seen
        .iter()
        .filter(|it| matches!(it, Seen::Interrupted { .. }))
        .count();
    assert_eq!(breaks, 2);
}

#[tokio::test]
async fn a_dead_node_is_left_and_nothing_is_missed() {
    let (one, two) = Fake::pair();
    opt_out_many(&one, 2).await;
    let client = Fake::client_of(&[&one, &two]).build().unwrap();
    let mut feed = client.watch(WatchRequest {
        from_revision: 1,
        ..Default::default()
    });
    assert_eq!(revisions(&until(&mut feed, 2).await), [1, 2]);
    one.kill();
    opt_out_many(&two, 2).await;
    let seen = until(&mut feed, 4).await;
    assert_eq!(revisions(&seen), [3, 4]);
}

#[tokio::test]
async fn a_snapshot_that_was_cut_short_comes_again() {
    let node = Fake::start();
    opt_out_many(&node, 3).await;
    node.fail([Fault::EndFeedAfter(2)]);
    let mut feed = node.client().watch(WatchRequest {
        snapshot: true,
        ..Default::default()
    });
    let watcher = tokio::spawn(async move { until(&mut feed, 4).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    node.client()
        .opt_out(stop("late@example.com"))
        .await
        .unwrap();
    let seen = watcher.await.unwrap();
    let shape: Vec<&str> = seen
        .iter()
        .map(|it| match it {
            Seen::Standing(_) => "standing",
            Seen::Synced(3) => "synced",
            Seen::Interrupted {
                from_the_start: true,
                ..
            } => "anew",
            Seen::Event(_) => "event",
            _ => "other",
        })
        .collect();
    let whole = ["standing", "standing", "standing", "synced", "event"];
    assert_eq!(
        shape,
        [&["standing", "standing", "anew"][..], &whole[..]].concat()
    );
}

#[tokio::test]
async fn a_refusal_is_believed_once_every_endpoint_has_said_it() {
    let (one, two) = Fake::pair();
    let compacted = || {
        let metadata = [("earliest_revision", "77"), ("outcome", "not_applied")];
        Fault::Refuse(refusal_with(
            Code::OutOfRange,
            "REVISION_COMPACTED",
            &metadata,
        ))
    };
    let client = Fake::client_of(&[&one, &two]).build().unwrap();
    opt_out_many(&one, 1).await;
    let from_one = WatchRequest {
        from_revision: 1,
        ..Default::default()
    };
    // Only one of them lacks it.
    one.fail([compacted()]);
    let mut feed = client.watch(from_one.clone());
    assert_eq!(revisions(&until(&mut feed, 1).await), [1]);

    one.fail([compacted()]);
    two.fail([compacted()]);
    let mut feed = client.watch(from_one.clone());
    let error = feed.next().await.unwrap().unwrap_err();
    assert_eq!(error.metadata()["earliest_revision"], "77");
    assert!(feed.next().await.is_none());

    one.fail([Fault::Refuse(refusal(
        Code::PermissionDenied,
        "MADE_UP",
        "not_applied",
    ))]);
    two.fail([Fault::Refuse(refusal(
        Code::PermissionDenied,
        "MADE_UP",
        "not_applied",
    ))]);
    let mut feed = client.watch(from_one);
    assert_eq!(feed.next().await.unwrap().unwrap_err().reason(), "MADE_UP");
}

#[tokio::test]
async fn a_feed_that_never_opens_ends_at_the_deadline() {
    let node = Fake::start();
    node.kill();
    let client = Fake::client_of(&[&node])
        .deadline(Duration::from_millis(200))
        .build()
        .unwrap();
    let mut feed = client.watch(WatchRequest::default());
    let error = feed.next().await.unwrap().unwrap_err();
    assert!(error.is_unreachable());
}
