//! Nothing that was acknowledged is lost when the leader is killed, and the others go on soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use refrain::proto::v1::preference_service_client::PreferenceServiceClient;
use tokio::sync::Mutex;

use crate::support::{Cluster, PATIENCE, channel, eventually, not_denied, opt_out};

const WRITERS: usize = 64;
const KILLS: usize = 5;

/// An opt-out that was acknowledged.
struct Acknowledged {
    /// When the attempt that was answered began.
    begun: Instant,
    at: Instant,
    subject: String,
}

#[derive(Default)]
struct Written {
    acknowledged: Mutex<Vec<Acknowledged>>,
    next: AtomicU64,
    stop: AtomicBool,
}

/// Writes one new opt-out after the other, each retried with its request id, on whichever node answers.
async fn write(addresses: Vec<String>, first: usize, written: Arc<Written>) {
    let clients: Vec<_> = addresses
        .iter()
        .map(|address| PreferenceServiceClient::new(channel(address).unwrap()))
        .collect();
    let mut at = first;
    while !written.stop.load(Ordering::Relaxed) {
        let subject = format!(
            "s{}@example.com",
            written.next.fetch_add(1, Ordering::Relaxed)
        );
        let request = opt_out(&subject);
        let begun = loop {
            let begun = Instant::now();
            let mut request = tonic::Request::new(request.clone());
            request.set_timeout(Duration::from_secs(1));
            match clients[at % clients.len()]
                .clone()
                .set_opt_out(request)
                .await
            {
                Ok(_) => break begun,
                Err(_) if written.stop.load(Ordering::Relaxed) => return,
                Err(_) => {
                    at += 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        };
        written.acknowledged.lock().await.push(Acknowledged {
            begun,
            at: Instant::now(),
            subject,
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_opt_out_survives_five_killed_leaders() {
    let mut cluster = Cluster::start(3, &[]).await;
    let written = Arc::new(Written::default());
    let addresses: Vec<String> = cluster
        .nodes
        .iter()
        .map(|node| node.client.clone())
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|i| tokio::spawn(write(addresses.clone(), i, written.clone())))
        .collect();

    let mut kills = Vec::new();
    for _ in 0..KILLS {
        let before = written.acknowledged.lock().await.len();
        eventually("writes go on before the kill", || async {
            (written.acknowledged.lock().await.len() > before + 200).then_some(())
        })
        .await;
        let leader = cluster.leader().await;
        kills.push(Instant::now());
        cluster.nodes[leader].kill();
        let before = written.acknowledged.lock().await.len();
        eventually("writes go on after the kill", || async {
            (written.acknowledged.lock().await.len() > before + 200).then_some(())
        })
        .await;
        cluster.nodes[leader].restart().await;
        cluster.nodes[leader].until_ready().await;
    }
    written.stop.store(true, Ordering::Relaxed);
    for writer in writers {
        tokio::time::timeout(PATIENCE, writer)
            .await
            .expect("a writer hangs")
            .unwrap();
    }

    let acknowledged = written.acknowledged.lock().await;
    for (n, kill) in kills.iter().enumerate() {
        // An answer that was on its way when the leader died does not end the gap: the first attempt does that began
        // after the kill, and was acknowledged.
        let next = acknowledged.iter().filter(|it| it.begun > *kill);
        let gap = next.map(|it| it.at - *kill).min().unwrap();
        println!("kill {}: no write taken for {gap:?}", n + 1);
        assert!(
            gap < Duration::from_secs(15),
            "the cluster hung for {gap:?}"
        );
    }
    let subjects: Vec<String> = acknowledged.iter().map(|it| it.subject.clone()).collect();
    println!("{} acknowledged opt-outs", subjects.len());
    for node in &cluster.nodes {
        let wrong = not_denied(node, &subjects).await;
        assert!(
            wrong.is_empty(),
            "{}: {} of {} not denied, such as {:?}",
            node.id,
            wrong.len(),
            subjects.len(),
            wrong.first()
        );
    }
    let status = eventually("all nodes agree", || async {
        let status = cluster.nodes[0].status().await?;
        status.alarms.is_empty().then_some(status)
    })
    .await;
    assert_eq!(status.members.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_told_to_stop_hands_over_first() {
    let mut cluster = Cluster::start(3, &[]).await;
    let leader = cluster.leader().await;
    let old = cluster.nodes[leader].id.clone();
    let status = cluster.nodes[leader].terminate().await;
    assert!(status.success(), "{status}");
    assert!(
        cluster.nodes[leader]
            .log()
            .contains("handed the leadership over"),
        "{}",
        cluster.nodes[leader].log()
    );
    let other = (leader + 1) % 3;
    let now = cluster.nodes[other].status().await.unwrap().leader_id;
    assert!(!now.is_empty() && now != old, "{now} leads, {old} did");
}
