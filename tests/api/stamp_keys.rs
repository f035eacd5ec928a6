//! The keys that stamps are signed with: kept, changed, replaced, and listed for as long as a stamp of theirs can live.

use std::{path::Path, time::Duration};

use refrain::{
    proto::v1::ListStampKeysRequest,
    storage::{files::Files as _, log::MemoryLog, memory::MemoryFiles, secrets::STAMPS},
};
use tonic::Code;

use super::{
    http::ask,
    stamp::{ADA, NEWS, list, stamped, stamps, verify},
    support::{Node, assert_refused},
};

#[tokio::test]
async fn a_key_outlives_a_restart_and_a_lost_one_is_replaced() {
    let (log, files) = (MemoryLog::new(), MemoryFiles::new());
    let node = Node::start_on(log.clone(), files.clone(), |_| {}).await;
    let first = stamped(&node, ADA, NEWS).await.stamp;
    let before = list(&node).await.keys;
    stop(node).await;

    let node = Node::start_on(log.clone(), files.clone(), |_| {}).await;
    stamped(&node, ADA, NEWS).await;
    assert_eq!(list(&node).await.keys, before);
    assert!(verify(&node, &first, NEWS).await.is_ok());
    stop(node).await;

    let path = Path::new(STAMPS.name);
    files.write(path, b"damaged").expect("write");
    let node = Node::start_on(log.clone(), files.clone(), |_| {}).await;
    let second = stamped(&node, ADA, NEWS).await.stamp;
    let keys = list(&node).await.keys;
    assert_eq!(keys.len(), 2);
    assert!(keys[0].accepted_until.is_some() && keys[1].accepted_until.is_none());
    for stamp in [first, second] {
        assert!(verify(&node, &stamp, NEWS).await.is_ok());
    }
}

async fn stop(node: Node) {
    node.running.shutdown();
    node.running.wait().await.expect("stopped");
}

#[tokio::test]
async fn a_key_is_changed_in_time_and_stamps_of_the_old_one_live_out() {
    let node = Node::start_with(|config| config.stamp_key_life = Duration::from_millis(1)).await;
    let first = stamped(&node, ADA, NEWS).await.stamp;
    let mut keys = list(&node).await.keys;
    let kid = keys[0].kid.clone();
    // The log's time goes on with the commands in it.
    for n in 0..1_000 {
        node.opt_out(&format!("{n}@example.com"), "sale").await;
        keys = list(&node).await.keys;
        if keys.len() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let old = keys
        .iter()
        .find(|key| key.kid == kid)
        .expect("still listed");
    assert!(old.accepted_until.is_some());
    let in_use: Vec<_> = keys
        .iter()
        .filter(|key| key.accepted_until.is_none())
        .collect();
    assert_eq!(in_use.len(), 1);
    assert!(
        verify(&node, &first, NEWS).await.is_ok(),
        "its 20 minutes are not over"
    );
    let second = stamped(&node, ADA, NEWS).await.stamp;
    assert_ne!(first.split('.').next(), second.split('.').next());
    assert!(verify(&node, &second, NEWS).await.is_ok());
}

#[tokio::test]
async fn without_a_cluster_there_are_no_keys() {
    let waiting = Node::start_with(|config| config.join = true).await;
    let answer = ask(&waiting, "GET", "/.well-known/jwks.json", "", b"").await;
    assert_eq!(answer.code, 503, "{}", answer.body);
    let listed = stamps(&waiting.channel)
        .list_keys(ListStampKeysRequest {})
        .await;
    assert_refused(listed, Code::Unavailable, "WAITING_FOR_CLUSTER");
}
