//! Snapshots stand in for the log behind them, and a disk without room for one harms nobody.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::cluster::{Node, PATIENCE, soon};
use super::proposals::{proposal, request_id};
use crate::domain::{AddNamespace, Body, Namespace};
use crate::storage::log::MemoryLog;
use crate::storage::memory::MemoryFiles;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_stands_in_for_the_log_behind_it() {
    let mut node = Node::start_on(
        "127.0.0.1:0",
        MemoryLog::new(),
        MemoryFiles::new(),
        7,
        4_096,
    )
    .await;
    node.consensus.init(soon()).await.unwrap();
    node.ready().await;
    for round in 0..3 {
        for n in 0..200_u8 {
            let name = Namespace::parse(&format!("n{round}-{n}")).unwrap();
            let body = AddNamespace {
                request_id: request_id(),
                namespace: name,
            };
            node.consensus
                .write(proposal(Body::AddNamespace(body)), soon())
                .await
                .unwrap();
        }
        // Snapshots are made beside the writes: the crash waits for the first.
        let started = Instant::now();
        while node.consensus.status(soon()).await.members[0]
            .report
            .as_ref()
            .is_ok_and(|report| report.snapshot_bytes == 0)
        {
            assert!(started.elapsed() < PATIENCE, "no snapshot was made");
            sleep(Duration::from_millis(20)).await;
        }
        node = node.crash_and_restart(4_096).await;
        node.ready().await;
        let count = node
            .consensus
            .with_state(|state| state.namespaces().count());
        assert_eq!(count, 1 + (round + 1) * 200);
    }
    let status = node.consensus.status(soon()).await;
    let report = status.members[0].report.as_ref().unwrap();
    assert!(report.snapshot_bytes > 0, "no snapshot was made");
    assert_eq!(report.journal_events, report.revision);
    assert_eq!(report.revision, 601);
}
