//! What lies on the disk is enough: restarts, snapshots, a follower that was away too long.

use std::time::Instant;

use refrain::proto::v1::preference_service_client::PreferenceServiceClient;

use crate::support::{Cluster, Node, PATIENCE, channel, eventually, not_denied, opt_out_through};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_all_nodes_were_killed_at_once() {
    let mut cluster = Cluster::start(3, &[]).await;
    let mut client = PreferenceServiceClient::new(channel(&cluster.nodes[0].client).unwrap());
    let subjects: Vec<String> = (0..100).map(|n| format!("k{n}@example.com")).collect();
    for subject in &subjects {
        opt_out_through(&mut client, subject).await;
    }
    for node in &mut cluster.nodes {
        node.kill();
    }
    for node in &mut cluster.nodes {
        node.restart().await;
    }
    for node in &cluster.nodes {
        node.until_ready().await;
        let wrong = not_denied(node, &subjects).await;
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_away_too_long_catches_up_by_snapshot() {
    // So small that a few hundred writes make several snapshots and purge the log behind them.
    let mut cluster = Cluster::start(3, &["--snapshot-log-bytes", "65536"]).await;
    let leader = cluster.leader().await;
    let away = (leader + 1) % 3;
    cluster.nodes[away].kill();
    let client = PreferenceServiceClient::new(channel(&cluster.nodes[leader].client).unwrap());
    // At least 3,000 events, and until the log has shrunk: a slow disk makes snapshots late, and as long as nothing was
    // purged the follower needs none. The first purge takes more than the follower ever had.
    let mut subjects: Vec<String> = Vec::new();
    let (mut longest, mut purged) = (0, false);
    let started = Instant::now();
    loop {
        let next = subjects.len()..subjects.len() + 50;
        subjects.extend(next.map(|n| format!("b{n}@example.com")));
        futures::future::join_all(subjects[subjects.len() - 50..].iter().map(|subject| {
            let mut client = client.clone();
            async move { opt_out_through(&mut client, subject).await }
        }))
        .await;
        let status = cluster.nodes[leader].status().await.unwrap();
        let id = &cluster.nodes[leader].id;
        let own = status.members.iter().find(|member| member.node_id == *id);
        let bytes = own.unwrap().log_bytes;
        purged |= bytes < longest;
        if purged && subjects.len() >= 3_000 {
            break;
        }
        longest = longest.max(bytes);
        assert!(
            started.elapsed() < PATIENCE,
            "the log was never purged: {own:?}"
        );
    }

    cluster.nodes[away].restart().await;
    cluster.nodes[away].until_ready().await;
    let wrong = not_denied(&cluster.nodes[away], &subjects).await;
    assert!(
        wrong.is_empty(),
        "{} wrong, such as {:?}",
        wrong.len(),
        wrong.first()
    );
    // History too: the journal is fetched from the others, and complete again.
    let id = cluster.nodes[away].id.clone();
    eventually("the journal is complete", || async {
        let status = cluster.nodes[away].status().await?;
        let member = status
            .members
            .iter()
            .find(|member| member.node_id == id)?
            .clone();
        (status.alarms.is_empty()
            && member.journal_events == member.revision
            && member.revision > 3_000)
            .then_some(())
    })
    .await;
    assert!(
        cluster.nodes[away].log().contains("installed a snapshot"),
        "{}",
        cluster.nodes[away].log()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_alone_keeps_everything_through_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start_single(&folder).await;
    let mut client = PreferenceServiceClient::new(channel(&node.client).unwrap());
    let subjects: Vec<String> = (0..20).map(|n| format!("o{n}@example.com")).collect();
    for subject in &subjects {
        opt_out_through(&mut client, subject).await;
    }
    node.restart().await;
    node.until_ready().await;
    assert!(not_denied(&node, &subjects).await.is_empty());
    assert!(node.runs());
}
