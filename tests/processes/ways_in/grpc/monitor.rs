//! What services processed, over gRPC: reported to one node, told by another.

use std::time::SystemTime;

use refrain::proto::v1::{
    AnomalyKind, AnomalySettings, ConfigureAnomaliesRequest, Evidence, ExportRequest,
    GetAnomalySettingsRequest, GetScoresRequest, ListAnomaliesRequest, ListViolationsRequest,
    Processing, ReportProcessingRequest, SetOptInRequest, SetOptOutRequest, ViolationKind,
    audit_service_client::AuditServiceClient, monitor_service_client::MonitorServiceClient,
    preference_service_client::PreferenceServiceClient,
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

    let asked = near.get_anomaly_settings(GetAnomalySettingsRequest {});
    let standing = asked.await.unwrap().into_inner().settings.unwrap();
    let next = AnomalySettings {
        subject_turns: 2,
        ..standing
    };
    let next = ConfigureAnomaliesRequest {
        request_id: String::new(),
        settings: Some(next),
    };
    near.configure_anomalies(next).await.unwrap();
    let mut people = PreferenceServiceClient::new(site.trio.line(site.near, ADA));
    for _ in 0..2 {
        let person = who("flaps@example.com");
        let purposes = vec!["sale".to_owned()];
        let out = SetOptOutRequest {
            identifiers: person.clone(),
            purposes: purposes.clone(),
            ..SetOptOutRequest::default()
        };
        people.set_opt_out(out).await.unwrap();
        let back = SetOptInRequest {
            identifiers: person,
            purposes,
            evidence: Some(Evidence {
                statement: "asked again".to_owned(),
                ..Evidence::default()
            }),
            ..SetOptInRequest::default()
        };
        people.set_opt_in(back).await.unwrap();
    }
    let wanted = ListAnomaliesRequest {
        kind: AnomalyKind::Flapping.into(),
        ..ListAnomaliesRequest::default()
    };
    let found = far.list_anomalies(wanted).await.unwrap().into_inner();
    assert_eq!(found.events.len(), 1, "told once: {found:?}");

    // What an auditor takes along from another node is the same.
    let mut auditor = AuditServiceClient::new(site.trio.line(site.far, ADA));
    let wanted = ExportRequest {
        service: "grpc-shop".to_owned(),
        ..ExportRequest::default()
    };
    let mut pieces = auditor.export(wanted).await.unwrap().into_inner();
    let (mut exported, mut complete) = (Vec::new(), false);
    while let Some(piece) = pieces.message().await.unwrap() {
        exported.extend(piece.events);
        complete = piece.complete;
    }
    exported.reverse();
    assert!(complete);
    assert_eq!(exported, listed.events);
    let was = ConfigureAnomaliesRequest {
        request_id: String::new(),
        settings: Some(standing),
    };
    near.configure_anomalies(was).await.unwrap();
}
