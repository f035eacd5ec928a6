//! What an operator is told when too few voters are left.

use std::time::Duration;
use tokio::time::Instant;

use super::cluster::cluster;
use crate::consensus::outcome::{AdminError, Unavailable};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_left_alone_removes_nobody_and_says_why() {
    let mut nodes = cluster(3).await;
    nodes[0].write(1).await.unwrap();
    let (leader, _) = nodes[0].consensus.leader().unwrap();
    let at = nodes
        .iter()
        .position(|node| node.consensus.node_id() == leader);
    let last = nodes.swap_remove(at.unwrap());
    let gone = nodes[0].consensus.node_id();
    drop(nodes);
    for force in [false, true] {
        let deadline = Instant::now() + Duration::from_secs(4);
        let refused = last.consensus.remove(gone, force, deadline).await;
        let expected = AdminError::from(Unavailable::NoQuorum);
        assert_eq!(refused, Err(expected), "forced: {force}");
    }
    let status = last
        .consensus
        .status(Instant::now() + Duration::from_secs(5));
    let alarms = status.await.alarms;
    let told = alarms
        .iter()
        .any(|alarm| alarm.starts_with("NO QUORUM") || alarm.starts_with("no leader is known"));
    assert!(told, "{alarms:?}");
}
