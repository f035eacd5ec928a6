//! A leader that can take no changes hands over to a node that can, and the cluster goes on.

use std::time::Duration;

use super::cluster::{Node, cluster, soon};
use super::proposals::opt_out;
use super::room::until_its_health_is;
use crate::clock::Clock as _;
use crate::consensus::{Unavailable, WriteError};
use crate::domain::{Body, Decision, Millis, RequestId};

/// Too little to take writes.
const FULL: Option<u64> = Some(10 << 20);

fn leads(nodes: &[Node]) -> &Node {
    let (leader, _) = nodes[0].consensus.leader().unwrap();
    let mut nodes = nodes.iter();
    nodes
        .find(|node| node.consensus.node_id() == leader)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_on_when_the_leaders_disk_is_nearly_full() {
    let nodes = cluster(3).await;
    let full = leads(&nodes);
    full.files.set_free_bytes(FULL);
    until_its_health_is(full, true, "disk_nearly_full").await;
    for subject in 0..30 {
        let through = &nodes[usize::from(subject) % 3];
        through.write(subject).await.unwrap();
        assert_eq!(full.decide(subject).await, Ok(Decision::Deny));
    }
    assert_ne!(leads(&nodes).consensus.node_id(), full.consensus.node_id());
    let alarms = nodes[0].consensus.status(soon()).await.alarms;
    assert!(
        alarms.len() == 1 && alarms[0].contains("nearly full"),
        "{alarms:?}"
    );
    full.files.set_free_bytes(None);
    until_its_health_is(full, true, "ok").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_every_disk_is_nearly_full_changes_are_refused_and_checks_answered() {
    let nodes = cluster(3).await;
    nodes[0].write(1).await.unwrap();
    for node in &nodes {
        node.files.set_free_bytes(FULL);
        until_its_health_is(node, true, "disk_nearly_full").await;
    }
    let why = Unavailable::DiskNearlyFull;
    for node in &nodes {
        assert_eq!(node.write(2).await, Err(WriteError::NotApplied { why }));
        assert_eq!(node.decide(1).await, Ok(Decision::Deny));
        assert_eq!(node.decide(2).await, Ok(Decision::Allow));
    }
    nodes[1].files.set_free_bytes(None);
    tokio::time::timeout(Duration::from_secs(60), async {
        while nodes[0].write(2).await.is_err() {}
    })
    .await
    .expect("nobody takes over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_with_another_token_key_hands_over() {
    let mut nodes = cluster(3).await;
    let wrong = nodes.pop().unwrap();
    let (address, log, files) = (wrong.peer.clone(), wrong.log.clone(), wrong.files.clone());
    drop(wrong);
    nodes[0].write(1).await.unwrap();
    let wrong = Node::start_on(&address, log, files, 8, 64 << 20).await;
    until_its_health_is(&wrong, false, "token_key_mismatch").await;
    let id = wrong.consensus.node_id();
    // Whoever asks for it by name gets it to lead.
    let led = nodes[0].consensus.transfer_leader(Some(id), soon()).await;
    assert_eq!(led, Ok(id));
    for subject in 2..20 {
        let through = &nodes[usize::from(subject) % 2];
        through.write(subject).await.unwrap();
        assert_eq!(through.decide(subject).await, Ok(Decision::Deny));
    }
    assert_ne!(nodes[0].consensus.leader().unwrap().0, id);
    // Through the node itself nothing is taken: it would make other tokens.
    let why = Unavailable::TokenKeyMismatch;
    assert_eq!(wrong.write(1).await, Err(WriteError::NotApplied { why }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_clock_is_behind_does_not_keep_good_clocks_out() {
    let nodes = cluster(3).await;
    let behind = leads(&nodes);
    let minute = Duration::from_secs(60);
    let others = || {
        nodes
            .iter()
            .filter(|node| node.consensus.node_id() != behind.consensus.node_id())
    };
    others().for_each(|node| node.clock.set_ahead(minute));
    let dated = |millis: Millis| {
        let mut proposal = opt_out(1);
        if let Body::SetPreference(set) = &mut proposal.body {
            set.request_id = RequestId::new(millis, [7; 10]);
        }
        proposal
    };
    let good = others().next().unwrap();
    // The caller's clock is as good as theirs, and the one that leads is a minute behind.
    let taken = async {
        loop {
            let proposal = dated(good.clock.now());
            match good.consensus.write(proposal, soon()).await {
                Ok(_) => return,
                Err(error) => assert!(error.to_string().contains("ahead of the cluster's time")),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let taken = tokio::time::timeout(Duration::from_secs(60), taken).await;
    taken.expect("good clocks are kept out");
    assert_ne!(
        leads(&nodes).consensus.node_id(),
        behind.consensus.node_id()
    );
    // What it makes itself for others is dated as theirs.
    let near = behind.consensus.time_for_ids();
    assert!(near.0.abs_diff(good.clock.now().0) < 30_000, "{near:?}");
}
