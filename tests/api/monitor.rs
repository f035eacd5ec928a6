//! What services processed: judged, told of by name, and scored, over both codecs.

use std::time::{Duration, SystemTime};

use refrain::{
    admission::Permission,
    proto::v1::{
        AddNamespaceRequest, CheckRequest, Event, GetScoresRequest, ListViolationsRequest,
        Processing, ReportProcessingRequest, ReportProcessingResponse, ServiceScore, ViolationKind,
        monitor_service_client::MonitorServiceClient,
    },
};
use serde_json::json;
use tonic::{Code, Status, transport::Channel};

use super::{
    principals::{by, grant, with_principals},
    rest::wire::{get, json as send_json, send},
    support::{Node, assert_status, email, question},
};

fn monitor(node: &Node) -> MonitorServiceClient<Channel> {
    MonitorServiceClient::new(node.channel.clone())
}

/// So many seconds from now: late enough for what was acknowledged to count, and not too far ahead to be reported.
fn soon(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

fn processed(address: &str, at: SystemTime) -> Processing {
    Processing {
        identifiers: vec![email(address)],
        purpose: "sale".to_owned(),
        processed_at: Some(at.into()),
        ..Processing::default()
    }
}

fn batch(service: &str, reports: Vec<Processing>) -> ReportProcessingRequest {
    ReportProcessingRequest {
        service: service.to_owned(),
        reports,
        ..ReportProcessingRequest::default()
    }
}

async fn report(
    node: &Node,
    batch: ReportProcessingRequest,
) -> Result<ReportProcessingResponse, Status> {
    let stream = tokio_stream::iter([batch]);
    let mut answers = monitor(node).report_processing(stream).await?.into_inner();
    Ok(answers.message().await?.expect("an answer"))
}

/// The events of violations, newest first.
async fn listed(node: &Node) -> Vec<Event> {
    let all = ListViolationsRequest::default();
    let all = monitor(node).list_violations(all).await;
    all.expect("violations").into_inner().events
}

async fn scores(node: &Node) -> Vec<ServiceScore> {
    let scores = monitor(node).get_scores(GetScoresRequest::default()).await;
    scores.expect("scores").into_inner().scores
}

fn kinds(answer: &ReportProcessingResponse) -> Vec<(u32, ViolationKind)> {
    let found = answer.violations.iter();
    found.map(|one| (one.index, one.kind())).collect()
}

/// What a service was answered: the decision id, and the stamp.
async fn asked(node: &Node, address: &str, service: &str) -> (String, String) {
    let question = CheckRequest {
        service: service.to_owned(),
        want_stamp: true,
        ..question(address, "sale")
    };
    for _ in 0..200 {
        let answer = node.decisions().check(question.clone()).await;
        let answer = answer.expect("an answer").into_inner();
        if !answer.stamp.is_empty() {
            return (answer.decision_id, answer.stamp);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never a stamp");
}

#[tokio::test]
async fn reports_are_judged_and_violations_are_events_with_the_services_name() {
    let node = Node::start().await;
    let (ada, bob) = ("ada@example.com", "bob@example.com");
    let (decision_id, stamp) = asked(&node, ada, "shop").await;
    let (others, _) = asked(&node, bob, "shop").await;
    let (denied, _) = {
        node.opt_out("carl@example.com", "sale").await;
        let answer = node.check("carl@example.com", "sale").await;
        (answer.decision_id, answer.stamp)
    };
    let under = |id: &str, stamp: &str, at| Processing {
        decision_id: id.to_owned(),
        stamp: stamp.to_owned(),
        ..processed(ada, at)
    };
    let now = SystemTime::now();
    let answer = report(
        &node,
        batch(
            "shop",
            vec![
                under(&decision_id, "", now),
                under("", &stamp, now),
                under("", "", now),
                under(&others, "", now),
                under(&denied, "", now),
                under("", "e30.e30.e30", now),
                under("nonsense", "", now),
            ],
        ),
    )
    .await
    .expect("judged");
    let false_proof = |index| (index, ViolationKind::FalseProof);
    assert_eq!(
        kinds(&answer),
        [
            (2, ViolationKind::NoCheck),
            false_proof(3),
            false_proof(4),
            false_proof(5),
            false_proof(6)
        ]
    );
    assert_eq!((answer.judged, answer.refused.len()), (7, 0));

    let out = node.opt_out(ada, "sale").await;
    let later = soon(10);
    let answer = report(
        &node,
        batch(
            "shop",
            vec![
                under(&decision_id, "", now),
                under(&decision_id, "", later),
                under("", &stamp, later),
            ],
        ),
    )
    .await
    .expect("judged");
    assert_eq!(
        kinds(&answer),
        [
            (1, ViolationKind::AfterOptOut),
            (2, ViolationKind::StaleStamp)
        ]
    );
    assert_eq!(answer.violations[0].opt_out_event_id, out.event_id);

    // Each is an event by now: what was answered is committed.
    let told: Vec<_> = listed(&node)
        .await
        .iter()
        .map(|event| event.violations.clone().expect("violations"))
        .map(|found| (found.service.clone(), found.kind(), found.count))
        .collect();
    let shop = |kind, count| ("shop".to_owned(), kind, count);
    for wanted in [
        shop(ViolationKind::NoCheck, 1),
        shop(ViolationKind::FalseProof, 4),
        shop(ViolationKind::AfterOptOut, 1),
        shop(ViolationKind::StaleStamp, 1),
    ] {
        assert!(told.contains(&wanted), "{wanted:?} in {told:?}");
    }
    assert_eq!(told.len(), 4);
    let scores = scores(&node).await;
    assert_eq!((scores.len(), scores[0].judged), (1, 10));
    // 100 x (1 - (1 + 1 + 4 + 0.25) / 10)
    assert_eq!(scores[0].score, Some(37.5));
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused_by_itself_or_ends_the_stream() {
    let node = Node::start().await;
    let now = SystemTime::now();
    let unknown = Processing {
        purpose: "nonsense".to_owned(),
        ..processed("ada@example.com", now)
    };
    let undated = Processing {
        processed_at: None,
        ..processed("ada@example.com", now)
    };
    let nobody = Processing {
        identifiers: Vec::new(),
        ..processed("ada@example.com", now)
    };
    let ahead = processed("ada@example.com", soon(3_600));
    let good = processed("ada@example.com", now);
    let reports = vec![unknown, undated, nobody, ahead, good];
    let answer = report(&node, batch("shop", reports)).await.expect("judged");
    let refused: Vec<_> = answer
        .refused
        .iter()
        .map(|one| (one.index, one.error.clone().expect("an error").reason))
        .collect();
    let wanted = [
        "PURPOSE_UNKNOWN",
        "TIME_INVALID",
        "IDENTIFIERS_REQUIRED",
        "PROCESSED_AHEAD",
    ];
    let wanted: Vec<_> = (0..).zip(wanted.map(str::to_owned)).collect();
    assert_eq!(refused, wanted);
    assert_eq!(
        (answer.judged, kinds(&answer)),
        (1, vec![(4, ViolationKind::NoCheck)])
    );
    for (bad, reason) in [
        (batch("shop", Vec::new()), "BATCH_EMPTY"),
        (
            batch("", vec![processed("a@b.example", now)]),
            "SERVICE_REQUIRED",
        ),
        (
            batch("shop", vec![processed("a@b.example", now); 1_001]),
            "BATCH_TOO_LARGE",
        ),
    ] {
        let status = report(&node, bad).await.expect_err(reason);
        assert_status(&status, Code::InvalidArgument, reason);
    }
}

#[tokio::test]
async fn a_rehearsal_is_judged_and_counts_against_nobody() {
    let node = Node::start().await;
    let kept = AddNamespaceRequest {
        namespace: "refrain-probe".to_owned(),
        ..AddNamespaceRequest::default()
    };
    node.registry().add_namespace(kept).await.expect("added");
    let mut rehearsal = batch(
        "probe",
        vec![processed("ada@example.com", SystemTime::now())],
    );
    rehearsal.namespace = "refrain-probe".to_owned();
    let answer = report(&node, rehearsal).await.expect("judged");
    assert_eq!(kinds(&answer), [(0, ViolationKind::NoCheck)]);
    assert!(listed(&node).await.is_empty());
    assert!(scores(&node).await.is_empty());
}

#[tokio::test]
async fn the_routes_say_the_same() {
    let node = Node::start().await;
    let out = node.opt_out("ada@example.com", "sale").await;
    let at = prost_types::Timestamp::from(soon(10)).to_string();
    let body = json!({
        "service": "mailer",
        "reports": [{
            "identifiers": [{ "type": "email", "value": "ada@example.com" }],
            "purpose": "sale",
            "processed_at": at,
        }],
    });
    let found = send_json(&node, "POST", "/v1/default/processing", &body)
        .await
        .ok();
    assert_eq!(found["violations"][0]["kind"], "after_opt_out");
    assert_eq!(found["violations"][0]["opt_out_event_id"], out.event_id);
    let all = get(
        &node,
        "/admin/v1/violations?service=mailer&namespace=default",
    )
    .await
    .ok();
    let one = &all["events"][0];
    assert_eq!(
        (&one["kind"], &one["violations"]["service"]),
        (&json!("violation"), &json!("mailer"))
    );
    assert_eq!(
        one["violations"]["samples"][0]["opt_out_event_id"],
        out.event_id
    );
    let other = get(&node, "/admin/v1/violations?service=shop").await.ok();
    assert_eq!(other["events"], json!([]));
    let scores = get(&node, "/admin/v1/scores?service=mailer").await.ok();
    assert_eq!(scores["scores"][0]["score"], 0.0);
    let bad = get(&node, "/admin/v1/scores?hours=169").await;
    bad.refused(400, "SPAN_INVALID");
}

#[tokio::test]
async fn who_reports_needs_the_permission_for_the_purpose() {
    let node = with_principals([
        (
            "mailer".to_owned(),
            vec![grant(
                &[Permission::Report],
                Some(&["default"]),
                Some(&["marketing"]),
            )],
        ),
        (
            "auditor".to_owned(),
            vec![grant(&[Permission::Audit], Some(&["default"]), None)],
        ),
    ])
    .await;
    let report = |purpose: &str| {
        json!({
            "service": "mailer",
            "reports": [{
                "identifiers": [{ "type": "email", "value": "ada@example.com" }],
                "purpose": purpose,
                "processed_at": "2026-01-31T12:00:00Z",
            }],
        })
        .to_string()
    };
    let as_mailer = [
        ("authorization", "Bearer mailer"),
        ("content-type", "application/json"),
    ];
    let path = "/v1/default/processing";
    send(&node, "POST", path, &as_mailer, report("marketing.email"))
        .await
        .ok();
    let refused = send(&node, "POST", path, &as_mailer, report("sale")).await;
    refused.refused(403, "PERMISSION_DENIED");
    // Of one namespace, not of all.
    let list = |namespace: &str| ListViolationsRequest {
        namespace: namespace.to_owned(),
        ..ListViolationsRequest::default()
    };
    let audit = async |namespace| {
        monitor(&node)
            .list_violations(by("auditor", list(namespace)))
            .await
    };
    let found = audit("default").await.expect("its own").into_inner().events;
    assert_eq!(found[0].principal, "mailer", "who reported");
    let status = audit("").await.expect_err("all");
    assert_status(&status, Code::PermissionDenied, "PERMISSION_DENIED");
}
