//! What traces cost checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use refrain::proto::v1::{CheckRequest, decision_service_client::DecisionServiceClient};

use crate::collector::Collector;
use crate::support::{Cluster, channel, email};

/// Callers who check, each as fast as it is answered.
const CALLERS: usize = 4;
/// How long checks are counted.
const COUNTED: Duration = Duration::from_secs(10);

/// Checks a second by the leader of three nodes.
#[allow(clippy::cast_precision_loss, reason = "for people to read")]
async fn rate(extra: &[&str]) -> f64 {
    let cluster = Cluster::start(3, extra).await;
    let node = Arc::new(cluster.nodes[cluster.leader().await].client.clone());
    let checks = Arc::new(AtomicU64::new(0));
    let ends = Instant::now() + COUNTED;
    let callers = (0..CALLERS).map(|_| {
        let (checks, node) = (Arc::clone(&checks), Arc::clone(&node));
        tokio::spawn(async move {
            let mut client = DecisionServiceClient::new(channel(&node).unwrap());
            while Instant::now() < ends {
                let question = CheckRequest {
                    identifiers: vec![email("ada@example.com")],
                    purpose: "analytics".to_owned(),
                    ..CheckRequest::default()
                };
                client.check(question).await.unwrap();
                checks.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for caller in futures::future::join_all(callers).await {
        caller.unwrap();
    }
    checks.load(Ordering::Relaxed) as f64 / COUNTED.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and means something in a release build on a quiet machine alone"]
async fn what_traces_cost_checks() {
    let collector = Collector::start().await;
    let before = rate(&[]).await;
    let traced = ["--traces", &collector.url, "--traces-sampled"];
    let few = rate(&[&traced[..], &["0.01"]].concat()).await;
    let all = rate(&[&traced[..], &["1"]].concat()).await;
    let after = rate(&[]).await;
    let alone = f64::midpoint(before, after);
    println!("checks a second: {before:.0} and {after:.0} without traces");
    println!(
        "one call in a hundred: {few:.0}, {:.2} of that",
        few / alone
    );
    println!("every call: {all:.0}, {:.2} of that", all / alone);
    println!("spans that came: {}", collector.spans().len());
}
