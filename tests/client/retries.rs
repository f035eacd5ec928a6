//! What the client does about nodes that refuse, hang, die or are not there.

use std::time::{Duration, Instant};

use refrain::{
    client::{Outcome, reason},
    proto::v1::{Processing, ReportProcessingRequest},
};
use tonic::{Code, Status};

use super::{
    calls::{question, stop},
    fake::{Fake, Fault, refusal, refusal_with},
};

fn no_quorum() -> Status {
    refusal(Code::Unavailable, "NO_QUORUM", "not_applied")
}

#[tokio::test]
async fn every_attempt_carries_the_same_request_id() {
    let node = Fake::start();
    let lost = refusal(Code::Unavailable, "OUTCOME_UNKNOWN", "unknown");
    node.fail([Fault::DoAndSay(lost.clone()), Fault::DoAndSay(lost)]);
    let done = node
        .client()
        .opt_out(stop("ada@example.com"))
        .await
        .unwrap();
    let model = node.model();
    assert_eq!(model.request_ids.len(), 3);
    assert!(model.request_ids.iter().all(|id| *id == done.request_id));
    assert_eq!(model.events.len(), 1);
    let id = uuid::Uuid::parse_str(&done.request_id).unwrap();
    assert_eq!(id.get_version_num(), 7);
}

#[tokio::test]
async fn a_batch_of_reports_that_may_have_been_taken_is_not_sent_again() {
    let (one, two) = Fake::pair();
    let lost = refusal(Code::Unavailable, "OUTCOME_UNKNOWN", "unknown");
    one.fail([Fault::DoAndSay(lost)]);
    let client = Fake::client_of(&[&one, &two]).build().unwrap();
    let batch = || ReportProcessingRequest {
        service: "shop".to_owned(),
        reports: vec![Processing::default()],
        ..ReportProcessingRequest::default()
    };
    let error = client.report_processing(batch()).await.unwrap_err();
    assert_eq!(error.reason(), "OUTCOME_UNKNOWN");
    assert_eq!((error.outcome(), error.attempts()), (Outcome::Unknown, 1));
    // The next batch goes to another.
    two.fail([Fault::DoAndDie]);
    let error = client.report_processing(batch()).await.unwrap_err();
    assert_eq!((error.outcome(), error.attempts()), (Outcome::Unknown, 1));
    assert_eq!(one.model().reported, 2);
    // Where nothing was done, it is asked again.
    one.fail([Fault::Refuse(no_quorum())]);
    let answer = client.report_processing(batch()).await.unwrap();
    assert_eq!((answer.judged, one.model().reported), (1, 3));
}

#[tokio::test]
async fn a_node_that_dies_before_it_answers_is_left_for_another() {
    let (one, two) = Fake::pair();
    one.fail([Fault::DoAndDie]);
    let client = Fake::client_of(&[&one, &two]).build().unwrap();
    let done = client.opt_out(stop("ada@example.com")).await.unwrap();
    assert_eq!(done.revision, 1);
    assert_eq!((one.calls(), two.calls()), (1, 1));
    assert_eq!(two.model().events.len(), 1);
    // Later calls go straight to the other.
    client.check(question("ada@example.com")).await.unwrap_err();
    assert_eq!(two.calls(), 2);
}

#[tokio::test]
async fn a_node_that_hangs_costs_one_attempt() {
    let (one, two) = Fake::pair();
    one.fail([Fault::Hang]);
    let client = Fake::client_of(&[&one, &two])
        .attempt_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let began = Instant::now();
    client.check(question("ada@example.com")).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_hint_at_the_leader_is_followed_to_endpoints_that_were_named() {
    let model = std::sync::Arc::default();
    let nodes = [Fake::of(&model), Fake::of(&model), Fake::of(&model)];
    let stranger = Fake::of(&model);
    let hint = |to: &Fake| {
        let address = to.address.to_string();
        let metadata = [
            ("outcome", "not_applied"),
            ("leader_client_address", &address),
        ];
        Fault::Refuse(refusal_with(Code::Unavailable, "NOT_LEADER", &metadata))
    };
    nodes[0].fail([hint(&nodes[2])]);
    nodes[2].fail([hint(&stranger)]);
    let client = Fake::client_of(&[&nodes[0], &nodes[1], &nodes[2]])
        .build()
        .unwrap();
    client.opt_out(stop("ada@example.com")).await.unwrap();
    let calls = nodes.each_ref().map(Fake::calls);
    assert_eq!((calls, stranger.calls()), ([2, 0, 1], 0));
}

#[tokio::test]
async fn refusals_that_last_end_at_the_deadline_with_nothing_done() {
    let node = Fake::start();
    node.fail((0..1000).map(|_| Fault::Refuse(no_quorum())));
    let client = Fake::client_of(&[&node])
        .deadline(Duration::from_millis(300))
        .build()
        .unwrap();
    let began = Instant::now();
    let error = client.opt_out(stop("ada@example.com")).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(error.reason(), "NO_QUORUM");
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert!(
        error.attempts() > 3 && error.attempts() < 100,
        "{}",
        error.attempts()
    );
    assert_eq!(error.tried(), [node.uri()]);
    assert!(!error.is_unreachable());
}

#[tokio::test]
async fn what_was_found_out_is_told_though_the_time_ran_out_later() {
    let node = Fake::start();
    node.fail([Fault::Refuse(no_quorum()), Fault::Hang]);
    let client = Fake::client_of(&[&node])
        .deadline(Duration::from_millis(200))
        .build()
        .unwrap();
    let denied = client.check(question("ada@example.com")).await.unwrap_err();
    let error = denied.error().unwrap();
    assert_eq!((error.reason(), error.attempts()), ("NO_QUORUM", 2));

    // Of a change, the attempt that hung leaves the outcome open all the same.
    node.fail([Fault::Refuse(no_quorum()), Fault::Hang]);
    let error = client.opt_out(stop("ada@example.com")).await.unwrap_err();
    assert_eq!(error.reason(), "NO_QUORUM");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn the_number_of_attempts_is_bounded() {
    let node = Fake::start();
    node.fail((0..10).map(|_| Fault::Refuse(no_quorum())));
    let client = Fake::client_of(&[&node]).attempts_max(3).build().unwrap();
    let error = client.opt_out(stop("ada@example.com")).await.unwrap_err();
    assert_eq!((error.attempts(), node.calls()), (3, 3));
}

#[tokio::test]
async fn a_later_refusal_does_not_take_back_what_may_have_been_done() {
    let node = Fake::start();
    node.fail([
        Fault::DoAndSay(refusal(
            Code::DeadlineExceeded,
            "OUTCOME_UNKNOWN",
            "unknown",
        )),
        Fault::Refuse(refusal(Code::NotFound, "NAMESPACE_UNKNOWN", "not_applied")),
    ]);
    let error = node
        .client()
        .opt_out(stop("ada@example.com"))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), "NAMESPACE_UNKNOWN");
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test]
async fn only_our_own_word_promises_that_nothing_was_done() {
    let node = Fake::start();
    // A proxy's words: no ErrorInfo.
    node.fail([Fault::Refuse(Status::failed_precondition("a proxy"))]);
    let error = node
        .client()
        .opt_out(stop("ada@example.com"))
        .await
        .unwrap_err();
    assert_eq!((error.outcome(), error.reason()), (Outcome::Unknown, ""));
    // A check changes nothing, whoever refuses it.
    node.fail([Fault::Refuse(Status::failed_precondition("a proxy"))]);
    let denied = node
        .client()
        .check(question("ada@example.com"))
        .await
        .unwrap_err();
    assert_eq!(denied.error().unwrap().outcome(), Outcome::NotApplied);
}

#[tokio::test]
async fn a_broken_connection_leaves_the_outcome_open_and_no_connection_does_not() {
    let node = Fake::start();
    let client = Fake::client_of(&[&node])
        .deadline(Duration::from_millis(400))
        .build()
        .unwrap();
    node.fail([Fault::DoAndDie]);
    let error = client.opt_out(stop("ada@example.com")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(!error.is_unreachable(), "it was reached at first: {error}");

    let error = client.opt_out(stop("ada@example.com")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert_eq!(error.reason(), reason::CONNECTION_FAILED);
    assert!(error.is_unreachable());
    assert!(error.to_string().contains(&node.uri()), "{error}");
    let denied = client.check(question("ada@example.com")).await.unwrap_err();
    assert!(denied.error().unwrap().is_unreachable());
}

#[tokio::test]
async fn forming_a_cluster_stays_with_the_first_endpoint() {
    let (one, two) = Fake::pair();
    one.fail([Fault::Refuse(no_quorum())]);
    let client = Fake::client_of(&[&one, &two]).build().unwrap();
    client.cluster_init().await.unwrap_err();
    assert_eq!((one.calls(), two.calls()), (1, 0));
}

#[tokio::test]
async fn waits_without_end_are_as_good_as_a_year() {
    let node = Fake::start();
    let ever = Duration::MAX;
    let client = Fake::client_of(&[&node])
        .deadline(ever)
        .import_deadline(ever)
        .attempt_timeout(ever)
        .connect_timeout(ever)
        .build()
        .unwrap();
    node.fail([Fault::Refuse(no_quorum())]);
    client.check(question("ada@example.com")).await.unwrap();
    let client = Fake::client_of(&[&node])
        .backoff(ever, ever)
        .build()
        .unwrap();
    node.fail([Fault::Refuse(no_quorum())]);
    let denied = client.check(question("ada@example.com")).await.unwrap_err();
    assert_eq!(denied.error().unwrap().reason(), "NO_QUORUM");
}
