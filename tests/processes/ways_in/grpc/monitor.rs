//! What services processed, over gRPC: reported to one node, told by another.

use std::time::SystemTime;

use refrain::proto::v1::{
    GetScoresRequest, ListViolationsRequest, Processing, ReportProcessingRequest, ViolationKind,
    monitor_service_client::MonitorServiceClient,
};

use super::Site;
use crate::ways_in::trio::{ADA, who};

pub async fn is_judged(site: &Site) {
    let mut near = MonitorServiceClient::new(site.trio.line(site.near, ADA));
    let batch = ReportProcessingRequest {
        service: "grpc-shop".to_owned(),
        reports: vec![Processing {
            identifiers: who("processed@example.com"),
            purpose: "sale".to_owned(),
            processed_at: Some(SystemTime::now().into()),
            ..Processing::default()
        }],
        ..ReportProcessingRequest::default()
    };
    let batches = tokio_stream::iter([batch.clone(), batch]);
    let mut answers = near.report_processing(batches).await.unwrap().into_inner();
    for _ in 0..2 {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.violations[0].kind(), ViolationKind::NoCheck);
    }
    assert!(answers.message().await.unwrap().is_none());

    let mut far = MonitorServiceClient::new(site.trio.line(site.far, ADA));
    let wanted = ListViolationsRequest {
        service: "grpc-shop".to_owned(),
        ..ListViolationsRequest::default()
    };
    let listed = far.list_violations(wanted).await.unwrap().into_inner();
    let counts = listed
        .events
        .iter()
        .map(|it| it.violations.as_ref().unwrap().count);
    assert_eq!(counts.sum::<u64>(), 2);
    let wanted = GetScoresRequest {
        service: "grpc-shop".to_owned(),
        ..GetScoresRequest::default()
    };
    let scores = far.get_scores(wanted).await.unwrap().into_inner().scores;
    assert_eq!(scores[0].score, Some(75.0));
}
