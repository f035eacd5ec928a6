//! What an operator is told when too few voters are left, and what becomes of a change that nobody carries to its end.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use openraft::{ChangeMembers, RaftMetrics};
use tokio::time::{Instant, timeout};

use super::cluster::{PATIENCE, cluster, operator};
use crate::consensus::outcome::{AdminError, Unavailable};
use crate::consensus::types::Types;

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
        let refused = last
            .consensus
            .remove(gone, force, &operator(), deadline)
            .await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_is_left_half_done_is_carried_out() {
    let nodes = cluster(3).await;
    nodes[0].write(1).await.unwrap();
    let (leader, _) = nodes[0].consensus.leader().unwrap();
    let leads = |it: &&super::cluster::Node| it.consensus.node_id() == leader;
    let core = &nodes.iter().find(leads).unwrap().consensus.core;
    let goes = nodes.iter().find(|it| !leads(it)).unwrap();
    let goes = goes.consensus.node_id();
    // Seen before it can be committed.
    let until = |joint: bool| async move {
        let mut metrics = core.raft.metrics();
        let halves = |metrics: &RaftMetrics<Types>| {
            let membership = metrics.membership_config.membership();
            membership.get_joint_config().len()
        };
        while (halves(&metrics.borrow_watched()) > 1) != joint {
            metrics.changed().await.unwrap();
        }
    };
    let removal = ChangeMembers::RemoveVoters(BTreeSet::from([goes]));
    // Whoever asked for it is gone after the first step.
    tokio::select! {
        biased;
        () = until(true) => {}
        done = core.raft.change_membership(removal, false) => panic!("too quick: {done:?}"),
    }
    let ended = timeout(PATIENCE, until(false)).await;
    ended.expect("it stays half done");
    let left: Vec<u64> = core.members().into_iter().map(|(id, ..)| id).collect();
    assert!(left.len() == 2 && !left.contains(&goes), "{left:?}");
}
