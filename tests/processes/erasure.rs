//! A person's evidence is erased: by the program, on every node, also on one that was away meanwhile; and nothing else is lost.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Cluster, eventually, expect};

const ADA: &str = "--email=ada@example.com";
const BEN: &str = "--email=ben@example.com";

fn said(cluster: &Cluster, place: usize, args: &[&str]) -> String {
    expect(&cluster.nodes[place].run(args), 0)
}

fn opt_in(cluster: &Cluster, place: usize, who: &str, purpose: &str) {
    let evidence = ["--evidence", "ticked the box"];
    let words = ["opt-in", who, "--purpose", purpose];
    said(cluster, place, &[&words[..], &evidence].concat());
}

/// Waits until no member has anything to do any more.
async fn settled(cluster: &Cluster) {
    eventually("nothing is pending", || async {
        let status = cluster.nodes[0].status().await?;
        let done = |member: &refrain::proto::v1::Member| {
            member.reachable && member.pending_erasure.is_none()
        };
        status.members.iter().all(done).then_some(())
    })
    .await;
}

fn secrets(cluster: &Cluster) -> Vec<Vec<u8>> {
    let path = |place: usize| -> PathBuf {
        let node = cluster.folder.path().join(format!("node{place}"));
        node.join("evidence_secrets")
    };
    let read = |place: usize| std::fs::read(path(place)).unwrap();
    (0..cluster.nodes.len()).map(read).collect()
}

fn receipt(cluster: &Cluster, to: &Path, revision: &str) {
    let to = to.to_str().unwrap();
    said(cluster, 0, &["receipt", revision, "--out", to]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_is_erased_and_every_proof_stands() {
    let mut cluster = Cluster::start(3, &[]).await;
    for place in 0..3 {
        opt_in(
            &cluster,
            place,
            BEN,
            ["sale", "analytics", "sharing"][place],
        );
    }
    opt_in(&cluster, 1, ADA, "sale");
    let history = said(&cluster, 0, &["history", ADA, "--output=json"]);
    let history: Value = serde_json::from_str(&history).unwrap();
    let revision = history["events"][0]["revision"].to_string();
    let file = cluster.folder.path().join("receipt.json");
    receipt(&cluster, &file, &revision);
    let keys = cluster.folder.path().join("keys");
    std::fs::write(&keys, said(&cluster, 0, &["journal", "keys"])).unwrap();
    let before = secrets(&cluster);

    // One node is away: the others go on, and what is pending there is seen when it is back.
    cluster.nodes[2].kill();
    let erased = said(&cluster, 1, &["evidence", "erase", ADA]);
    assert!(
        erased.contains("erased the evidence of 1 event"),
        "{erased}"
    );
    cluster.nodes[2].restart().await;
    cluster.nodes[2].until_ready().await;
    settled(&cluster).await;
    let after = secrets(&cluster);
    for place in 0..3 {
        assert_eq!(after[place].len(), before[place].len());
        assert_ne!(after[place], before[place], "node {place} has its old key");
    }
    let again = said(&cluster, 2, &["evidence", "erase", ADA]);
    assert!(again.contains("no evidence to erase"), "{again}");

    // The opt-in, its receipt of before, and the journal are as they were.
    let check = ["check", ADA, "--purpose", "sale"];
    said(&cluster, 2, &check);
    let (file, keys) = (file.to_str().unwrap(), keys.to_str().unwrap());
    said(&cluster, 0, &["verify", file, "--keys", keys]);
    let address = cluster.nodes[0].client.clone();
    let words = ["verify", "--log", &address, "--keys", keys, "--all"];
    said(&cluster, 0, &words);
    let export = said(&cluster, 0, &["audit", "export", ADA]);
    let events: Vec<Value> = export
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let last = events.last().unwrap();
    assert_eq!(last["kind"], "EVIDENCE_ERASED", "{export}");
    assert_eq!(
        last["erased_evidence"]["revisions"][0].to_string(),
        revision
    );
    assert!(!events[0]["evidence_sha256"].as_str().unwrap().is_empty());
}
