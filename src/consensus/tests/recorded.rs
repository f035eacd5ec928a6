//! Who asked for what was done with a member: told once, whichever node was asked, and by the cluster where nobody told it.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::Instant;

use super::cluster::{Node, PATIENCE, add, cluster, operator, soon};
use crate::consensus::members;
use crate::consensus::outcome::AdminError;
use crate::domain::{Became, Detail, Event, EventKind, Principal, Revision, State};

/// What was done with members, as the journal of a node tells it once it has come to `revision`: by whom, with whom, what.
async fn told(node: &Node, revision: Revision) -> Vec<(String, u64, Became)> {
    let mut committed = node.consensus.committed();
    let reached = committed.wait_for(|it| *it >= revision);
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached.expect("it never got there").unwrap();
    let journal = node.consensus.core.replica.journal().clone();
    let leaves = journal.read(1, revision, 1 << 20).unwrap();
    let events = leaves.iter().map(|(_, leaf)| Event::decode(leaf).unwrap());
    events
        .filter(|event| event.kind == EventKind::Membership)
        .map(|event| match event.detail {
            Detail::Membership(done) => (event.principal.to_string(), done.node_id, done.became),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn revision(node: &Node) -> Revision {
    node.consensus.with_state(State::revision)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_with_a_member_is_told_once_of_who_asked() {
    let nodes = cluster(3).await;
    let id = |at: usize| nodes[at].consensus.node_id();
    let olga = |at, became| ("olga".to_owned(), id(at), became);
    // Through a follower too, and a second time.
    let leader = nodes[0].consensus.leader().unwrap().0;
    let follower = nodes.iter().position(|it| it.consensus.node_id() != leader);
    let follower = follower.unwrap();
    add(&nodes[follower], &nodes[2]).await.unwrap();
    let before = [
        olga(1, Became::Learner),
        olga(1, Became::Voter),
        olga(2, Became::Learner),
        olga(2, Became::Voter),
    ];
    assert_eq!(told(&nodes[0], 5).await, before);
    assert_eq!(revision(&nodes[0]), 5);

    // What was refused was not done.
    let olga_herself = operator();
    let nobody = nodes[0].consensus.remove(77, true, &olga_herself, soon());
    assert!(matches!(nobody.await, Err(AdminError::NodeUnknown { .. })));
    let refused = add(&nodes[0], &Node::start(8).await).await;
    assert!(matches!(refused, Err(AdminError::TokenKeyDiffers { .. })));
    assert_eq!(revision(&nodes[0]), 5);

    // The member that is to go is asked itself, by somebody else; it leads, so that the next leader does it.
    let leader = nodes[0].consensus.leader().unwrap().0;
    let gone = nodes.iter().position(|it| it.consensus.node_id() == leader);
    let gone = gone.unwrap();
    let eve = Principal::parse("eve").unwrap();
    let asked = nodes[gone].consensus.remove(id(gone), false, &eve, soon());
    asked.await.unwrap();
    let stays = (gone + 1) % 3;
    let removed = Became::Removed { forced: false };
    let mut all = before.to_vec();
    all.push(("eve".to_owned(), id(gone), removed));
    assert_eq!(told(&nodes[stays], 6).await, all);
    let again = nodes[stays].consensus.remove(id(gone), false, &eve, soon());
    assert!(matches!(again.await, Err(AdminError::NodeUnknown { .. })));
    assert_eq!(revision(&nodes[stays]), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_wait_for_the_end_is_told_of_as_well() {
    let first = &cluster(1).await[0];
    let second = Node::start(7).await;
    let mut adding = first.consensus.add(second.peer.clone(), true, operator());
    let asked = tokio::time::timeout(Duration::from_millis(1), adding.next()).await;
    drop((asked, adding));
    let by = (
        "olga".to_owned(),
        second.consensus.node_id(),
        Became::Learner,
    );
    assert_eq!(told(first, 2).await, [by]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_told_the_cluster_tells() {
    let first = &cluster(1).await[0];
    let second = Node::start(7).await;
    let core = &first.consensus.core;
    // As a leader does it that dies before it can tell.
    let done = members::add_learner(core, &second.peer).await.unwrap();
    let begun = Instant::now();
    let told_by = |by: &str, became| (by.to_owned(), done.node_id(), became);
    assert_eq!(told(first, 2).await, [told_by("cluster", Became::Learner)]);
    assert!(
        begun.elapsed() > Duration::from_secs(4),
        "nobody had a chance to tell"
    );

    // Of a node that goes before it was told that it came, both are told.
    first
        .consensus
        .remove(done.node_id(), true, &operator(), soon())
        .await
        .unwrap();
    members::add_learner(core, &second.peer).await.unwrap();
    let eve = Principal::parse("eve").unwrap();
    first
        .consensus
        .remove(done.node_id(), false, &eve, soon())
        .await
        .unwrap();
    let all = [
        told_by("cluster", Became::Learner),
        told_by("olga", Became::Removed { forced: true }),
        told_by("cluster", Became::Learner),
        told_by("eve", Became::Removed { forced: false }),
    ];
    assert_eq!(told(first, 5).await, all);
    assert_eq!(revision(first), 5);
}
