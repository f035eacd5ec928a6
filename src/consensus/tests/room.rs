//! Disks that have no room for a snapshot: nodes go on with what they have, say so, and recover when there is room.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::cluster::{Node, PATIENCE, operator, soon};
use super::proposals::{proposal, request_id};
use crate::consensus::Health;
use crate::domain::{AddNamespace, Body, Namespace};
use crate::storage::log::MemoryLog;
use crate::storage::memory::{MemoryFiles, Operation};

/// Enough for writes, and less than what has to be left beside a snapshot.
const SCARCE: u64 = 80 << 20;

/// Bytes of commands after which a snapshot is made.
const OFTEN: u64 = 4_096;

async fn start(files: &MemoryFiles) -> Node {
    let log = MemoryLog::new();
    Node::start_on("127.0.0.1:0", log, files.clone(), 7, OFTEN).await
}

async fn form(files: &MemoryFiles) -> Node {
    let node = start(files).await;
    node.consensus.init(soon()).await.unwrap();
    node.ready().await;
    node
}

async fn write(node: &Node, names: std::ops::Range<u32>) {
    for n in names {
        let body = AddNamespace {
            request_id: request_id(),
            namespace: Namespace::parse(&format!("n{n}")).unwrap(),
        };
        let body = proposal(Body::AddNamespace(body));
        node.consensus.write(body, soon()).await.unwrap();
    }
}

fn snapshots(files: &MemoryFiles) -> usize {
    let in_folder = |path: &&std::path::PathBuf| path.starts_with("snapshots");
    files.paths().iter().filter(in_folder).count()
}

async fn until_a_snapshot_is_made(files: &MemoryFiles) {
    let made = async {
        while snapshots(files) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let made = tokio::time::timeout(PATIENCE, made).await;
    made.expect("no snapshot was made");
}

pub async fn until_its_health_is(node: &Node, ready: bool, reason: &str) {
    let mut health = node.consensus.health();
    let said = |health: &Health| health.ready == ready && health.reason == reason;
    let said = tokio::time::timeout(PATIENCE, health.wait_for(said)).await;
    let last = node.consensus.health().borrow().clone();
    said.unwrap_or_else(|_| panic!("{last:?}")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_does_not_fit_waits_and_the_node_serves_on() {
    let files = MemoryFiles::new();
    files.set_free_bytes(Some(SCARCE));
    let mut node = form(&files).await;
    let mut names = 0;
    for _ in 0..2 {
        write(&node, names..names + 200).await;
        names += 200;
        until_its_health_is(&node, true, "disk_nearly_full").await;
        let alarms = node.consensus.status(soon()).await.alarms;
        assert!(
            alarms.iter().any(|it| it.contains("nearly full")),
            "{alarms:?}"
        );
        assert_eq!(snapshots(&files), 0);
        node = node.crash_and_restart(OFTEN).await;
        node.ready().await;
        let namespaces = |state: &crate::domain::State| state.namespaces().count();
        let kept = node.consensus.with_state(namespaces);
        assert_eq!(kept, 1 + names as usize);
    }
    // Nothing more is written: the room alone has it made.
    until_its_health_is(&node, true, "disk_nearly_full").await;
    files.set_free_bytes(None);
    until_a_snapshot_is_made(&files).await;
    until_its_health_is(&node, true, "ok").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_under_a_snapshot_ends_no_node() {
    let files = MemoryFiles::new();
    files.fail(|operation, path: &Path| {
        let full = operation == Operation::Write && path.starts_with("snapshots");
        full.then_some(io::ErrorKind::StorageFull)
    });
    let node = form(&files).await;
    write(&node, 0..200).await;
    until_its_health_is(&node, true, "disk_nearly_full").await;
    write(&node, 200..400).await;
    files.heal();
    until_a_snapshot_is_made(&files).await;
    until_its_health_is(&node, true, "ok").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_from_the_leader_that_does_not_fit_destroys_nothing() {
    let (leads, follows) = (MemoryFiles::new(), MemoryFiles::new());
    let leader = form(&leads).await;
    let follower = start(&follows).await;
    let mut adding = leader
        .consensus
        .add(follower.peer.clone(), true, operator());
    while let Some(step) = futures::StreamExt::next(&mut adding).await {
        step.unwrap();
    }
    follower.ready().await;
    write(&leader, 0..5).await;
    follower.consensus.read(soon()).await.unwrap();

    // While it is away the log behind it goes.
    let (address, log) = (follower.peer.clone(), follower.log.clone());
    drop(follower);
    write(&leader, 5..1_500).await;
    let purged = async {
        while crate::storage::log::Log::ends(&leader.log).purged.is_none() {
            write(&leader, 0..0).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let purged = tokio::time::timeout(PATIENCE, purged).await;
    purged.expect("the log is never purged");

    follows.set_free_bytes(Some(SCARCE));
    let mut follower = Node::start_on(&address, log, follows.clone(), 7, OFTEN).await;
    for _ in 0..2 {
        until_its_health_is(&follower, false, "disk_nearly_full").await;
        let namespaces = |state: &crate::domain::State| state.namespaces().count();
        assert_eq!(follower.consensus.with_state(namespaces), 6);
        follower = follower.crash_and_restart(OFTEN).await;
    }
    follows.set_free_bytes(None);
    until_its_health_is(&follower, true, "ok").await;
    let namespaces = |state: &crate::domain::State| state.namespaces().count();
    assert_eq!(follower.consensus.with_state(namespaces), 1_501);
}
