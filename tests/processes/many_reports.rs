//! A million reports beside checks: how much slower these are meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use refrain::proto::v1::{
    CheckRequest, Processing, ReportProcessingRequest,
    decision_service_client::DecisionServiceClient, monitor_service_client::MonitorServiceClient,
};

use crate::support::{Cluster, channel, email};

/// Reports of a batch, as many as one may hold.
const BATCH: u64 = 1_000;
/// Callers who check all the while, each as fast as it is answered.
const CALLERS: usize = 4;
/// How long checks are counted without reports.
const ALONE: Duration = Duration::from_secs(20);

fn question() -> CheckRequest {
    CheckRequest {
        identifiers: vec![email("ada@example.com")],
        purpose: "analytics".to_owned(),
        service: "shop".to_owned(),
        ..CheckRequest::default()
    }
}

/// Checks a second within a span, of which some are counted already.
struct Span(Instant, u64);

impl Span {
    fn begin(checks: &AtomicU64) -> Self {
        Self(Instant::now(), checks.load(Ordering::Relaxed))
    }

    #[allow(clippy::cast_precision_loss, reason = "for people to read")]
    fn rate(&self, checks: &AtomicU64) -> f64 {
        let count = checks.load(Ordering::Relaxed) - self.1;
        count as f64 / self.0.elapsed().as_secs_f64()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and means something in a release build on a quiet machine alone"]
async fn a_million_reports_beside_checks() {
    let reports = std::env::var("REPORTS").map_or(1_000_000, |it| it.parse().unwrap());
    let cluster = Cluster::start(3, &[]).await;
    let node = &cluster.nodes[cluster.leader().await].client;
    let checks = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (checks, stop) = (Arc::clone(&checks), Arc::clone(&stop));
            let mut client = DecisionServiceClient::new(channel(node).unwrap());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    client.check(question()).await.unwrap();
                    checks.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut client = DecisionServiceClient::new(channel(node).unwrap());
    let decision_id = client
        .check(question())
        .await
        .unwrap()
        .into_inner()
        .decision_id;
    let report = Processing {
        identifiers: vec![email("ada@example.com")],
        purpose: "analytics".to_owned(),
        processed_at: Some(SystemTime::now().into()),
        decision_id,
        ..Processing::default()
    };
    let batch = ReportProcessingRequest {
        service: "shop".to_owned(),
        reports: vec![report; usize::try_from(BATCH).unwrap()],
        ..ReportProcessingRequest::default()
    };
    tokio::time::sleep(Duration::from_secs(3)).await;

    let before = Span::begin(&checks);
    tokio::time::sleep(ALONE).await;
    let before = before.rate(&checks);
    let beside = Span::begin(&checks);
    let mut reporter = MonitorServiceClient::new(channel(node).unwrap());
    let batches = tokio_stream::iter((0..reports / BATCH).map(move |_| batch.clone()));
    let mut answers = reporter
        .report_processing(batches)
        .await
        .unwrap()
        .into_inner();
    let mut judged = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        assert!(answer.violations.is_empty() && answer.refused.is_empty());
        judged += u64::from(answer.judged);
    }
    let (took, beside) = (beside.0.elapsed(), beside.rate(&checks));
    assert_eq!(judged, reports / BATCH * BATCH);
    let after = Span::begin(&checks);
    tokio::time::sleep(ALONE).await;
    let after = after.rate(&checks);
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let alone = f64::midpoint(before, after);
    println!(
        "{judged} reports in {:.0} s; checks a second: {before:.0} before, {beside:.0} beside them ({:.3} of alone), {after:.0} after",
        took.as_secs_f64(),
        beside / alone
    );
}
