//! Evidence that was erased is out of reach on every node: not in its log, not in its snapshot, and under no key that it still has.

use std::path::Path;

use tokio::time::{Instant, sleep};

use super::cluster::{Node, PATIENCE, cluster, soon};
use super::proposals::{opt_out, proposal, request_id, token};
use crate::domain::{
    Body, EraseEvidence, Evidence, Namespace, Outcome, Revision, SEALING_RANDOM_BYTES,
    SealedEvidence,
};
use crate::limits::DUTY_INTERVAL;
use crate::storage::files::Files as _;
use crate::storage::log::Log as _;
use crate::storage::secrets::{EVIDENCE, Secret};

/// A subject opts in through a node. Brings what proves it, and where it is recorded.
async fn opt_in(node: &Node, subject: u8) -> (SealedEvidence, Revision) {
    let evidence = Evidence {
        statement: format!("ticked the box {subject}"),
        ..Evidence::default()
    };
    let random = [subject; SEALING_RANDOM_BYTES];
    let by = node.consensus.sealer().unwrap();
    let sealed = by.seal(&evidence, &random).unwrap();
    let mut change = opt_out(subject);
    if let Body::SetPreference(set) = &mut change.body {
        set.opt_in = std::mem::take(&mut set.opt_out);
        set.evidence = Some(sealed.clone());
    }
    match node.consensus.write(change, soon()).await.unwrap() {
        Outcome::Preference { revision, .. } => (sealed, revision),
        other => panic!("{other:?}"),
    }
}

async fn erase(node: &Node, subject: u8) {
    let body = Body::EraseEvidence(EraseEvidence {
        request_id: request_id(),
        namespace: Namespace::default_namespace(),
        tokens: vec![token(subject)],
    });
    let done = node.consensus.write(proposal(body), soon()).await.unwrap();
    assert!(
        matches!(done, Outcome::Erased { erased: 1, .. }),
        "{done:?}"
    );
}

/// Waits until no node has anything to do any more.
async fn settled(nodes: &[Node]) {
    let began = Instant::now();
    loop {
        let status = nodes[0].consensus.status(soon()).await;
        let pending = |member: &crate::consensus::Member| {
            let report = member.report.as_ref();
            report.is_ok_and(|report| report.pending_erasure.is_none())
        };
        let reached = |node: &Node| node.consensus.with_state(|it| it.evidence_erased_at() > 0);
        if status.members.iter().all(pending) && nodes.iter().all(reached) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{status:?}");
        sleep(DUTY_INTERVAL / 10).await;
    }
}

fn secrets(node: &Node) -> Vec<Secret> {
    EVIDENCE.load(&node.files).unwrap()
}

/// Whether a node's log, its snapshots or its state hold these bytes.
fn holds(node: &Node, bytes: &[u8]) -> bool {
    let within = |all: &[u8]| all.windows(bytes.len()).any(|part| part == bytes);
    let entries = node.log.read(0..u64::MAX, usize::MAX).unwrap();
    let names = node.files.list(Path::new("snapshots")).unwrap();
    let mut snapshots = names.iter().map(|name| {
        let path = Path::new("snapshots").join(name);
        node.files.read(&path).unwrap().unwrap()
    });
    let mut chunks = node.consensus.with_state(crate::domain::State::chunks);
    entries.iter().any(|entry| within(&entry.payload))
        || snapshots.any(|snapshot| within(&snapshot))
        || chunks.any(|chunk| within(&chunk))
}

fn opens(node: &Node, (sealed, revision): &(SealedEvidence, Revision)) -> bool {
    let key = node.consensus.with_state(|it| it.evidence_key(*revision));
    let by = node.consensus.sealer().unwrap();
    key.is_some_and(|key| by.unseal(&sealed.bytes, &key).is_ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_is_out_of_reach_on_every_node() {
    let mut nodes = cluster(3).await;
    let mut kept = Vec::new();
    for (number, node) in (0..).zip(&nodes) {
        kept.push(opt_in(node, 10 + number).await);
    }
    let gone = opt_in(&nodes[1], 1).await;
    for node in &nodes {
        node.consensus.read(soon()).await.unwrap();
    }
    assert!(opens(&nodes[1], &gone) && holds(&nodes[2], &gone.0.key.wrapped));
    let before: Vec<_> = nodes.iter().map(secrets).collect();

    erase(&nodes[2], 1).await;
    settled(&nodes).await;
    for (place, node) in nodes.iter().enumerate() {
        assert!(!holds(node, &gone.0.key.wrapped), "node {place}");
        assert!(!opens(node, &gone));
        // What wrapped it is no more, in case an old copy lies somewhere.
        let now = secrets(node);
        assert_eq!(now.len(), 1);
        assert_ne!(now, before[place]);
        assert!(opens(node, &kept[place]), "node {place} lost another's");
    }

    // Nor does it come back, and the others' evidence stays, after a loss of power.
    nodes = {
        let mut back = Vec::new();
        for node in nodes {
            back.push(node.crash_and_restart(64 << 20).await);
        }
        back
    };
    for node in &nodes {
        node.ready().await;
    }
    settled(&nodes).await;
    for (place, node) in nodes.iter().enumerate() {
        assert!(!holds(node, &gone.0.key.wrapped) && !opens(node, &gone));
        assert!(opens(node, &kept[place]), "node {place} lost another's");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_erasure_waits_and_that_is_told() {
    let nodes = cluster(1).await;
    for subject in [1, 2] {
        opt_in(&nodes[0], subject).await;
    }
    erase(&nodes[0], 1).await;
    settled(&nodes).await;
    erase(&nodes[0], 2).await;
    let status = nodes[0].consensus.status(soon()).await;
    let report = status.members[0].report.as_ref().unwrap();
    let pending = report.pending_erasure.unwrap();
    assert!(
        pending.snapshot && pending.purge && pending.rotation,
        "{pending:?}"
    );
    // It is erased all the same: no node opens it.
    assert_eq!(
        nodes[0]
            .consensus
            .with_state(crate::domain::State::evidence_kept),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_another_sealing_key_destroys_nothing() {
    let mut nodes = cluster(1).await;
    let kept = opt_in(&nodes[0], 1).await;
    opt_in(&nodes[0], 2).await;
    let before = secrets(&nodes[0]);
    let node = nodes.pop().unwrap().restart_with_sealing_key(9).await;
    node.ready().await;
    erase(&node, 2).await;
    assert!(!opens(&node, &kept));
    // It tries at once; what it would do takes no longer than a few commands.
    for subject in 10..20 {
        node.write(subject).await.unwrap();
        sleep(DUTY_INTERVAL / 10).await;
    }
    let status = node.consensus.status(soon()).await;
    let report = status.members[0].report.as_ref().unwrap();
    assert!(report.pending_erasure.unwrap().rotation);
    assert_eq!(secrets(&node), before);
    let node = node.restart_with_sealing_key(7).await;
    node.ready().await;
    let nodes = [node];
    settled(&nodes).await;
    assert!(opens(&nodes[0], &kept));
    assert_ne!(secrets(&nodes[0]), before);
}
