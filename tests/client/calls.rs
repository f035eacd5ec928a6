//! One call of each kind, and that nothing but a true ALLOW allows.

use futures::StreamExt as _;
use refrain::{
    client::{Cause, Client, Outcome, identifier, reason},
    proto::v1::{
        CheckRequest, Evidence, GetPreferencesRequest, ListEventsRequest, SetOptInRequest,
        SetOptOutRequest, WatchRequest,
    },
};
use tonic::Code;

use super::fake::{Fake, Fault, refusal};

pub fn question(address: &str) -> CheckRequest {
    CheckRequest {
        identifiers: vec![identifier::email(address)],
        purpose: "marketing.email".to_owned(),
        ..Default::default()
    }
}

pub fn stop(address: &str) -> SetOptOutRequest {
    SetOptOutRequest {
        identifiers: vec![identifier::email(address)],
        purposes: vec!["marketing.email".to_owned()],
        ..Default::default()
    }
}

#[tokio::test]
async fn an_opt_out_denies_until_an_opt_in() {
    let node = Fake::start();
    let client = node.client();
    let allowed = client.check(question("ada@example.com")).await.unwrap();
    assert_eq!(allowed.answer().decision_id, "made-up");

    let done = client.opt_out(stop("ada@example.com")).await.unwrap();
    assert!(done.changed && done.revision == 1);
    let denied = client.check(question("ada@example.com")).await.unwrap_err();
    assert!(matches!(&denied.cause, Cause::Decided(it) if it.revision == 1));
    assert!(denied.error().is_none());

    let mut go_on = SetOptInRequest {
        identifiers: vec![identifier::email("ada@example.com")],
        purposes: vec!["marketing.email".to_owned()],
        ..Default::default()
    };
    let refused = client.opt_in(go_on.clone()).await.unwrap_err();
    assert_eq!(refused.reason(), "EVIDENCE_REQUIRED");
    assert_eq!(refused.outcome(), Outcome::NotApplied);
    go_on.evidence = Some(Evidence {
        statement: "ticked the box".to_owned(),
        ..Default::default()
    });
    client.opt_in(go_on).await.unwrap();
    client.check(question("ada@example.com")).await.unwrap();

    let who = vec![identifier::email("ada@example.com")];
    let history = client
        .list_events(ListEventsRequest {
            identifiers: who.clone(),
            page_size: 1,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!((history.events.len(), history.next_before_revision), (1, 2));
    let standing = client
        .preferences(GetPreferencesRequest {
            identifiers: who,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(standing.decisions.len(), 1);
}

#[tokio::test]
async fn what_the_client_was_built_with_goes_with_each_request() {
    let node = Fake::start();
    let client = Fake::client_of(&[&node])
        .namespace("acme")
        .service("newsletter")
        .schema_version(7)
        .build()
        .unwrap();
    client.check(question("ada@example.com")).await.unwrap();
    let expected = ("acme".to_owned(), "newsletter".to_owned(), 7);
    assert_eq!(node.model().last_caller, expected);
    node.model().last_caller = Default::default();
    client.opt_out(stop("ada@example.com")).await.unwrap();
    assert_eq!(node.model().last_caller, expected);
    node.model().last_caller = Default::default();
    let history = ListEventsRequest::default();
    client.list_events(history).await.unwrap();
    assert_eq!(node.model().last_caller, expected);
    let mut feed = client.watch(WatchRequest {
        from_revision: 1,
        ..WatchRequest::default()
    });
    feed.next().await.unwrap().unwrap();
    // A watch names no namespace of its own: without any, it follows all.
    let expected = (String::new(), expected.1, expected.2);
    assert_eq!(node.model().last_caller, expected);
}

#[tokio::test]
async fn no_answer_without_a_plain_allow_allows() {
    let node = Fake::start();
    let client = node.client();
    // Unspecified, and a value that this client does not know.
    for decision in [0, 3, 77, -1] {
        node.model().decision = Some(decision);
        let denied = client.check(question("ada@example.com")).await.unwrap_err();
        let error = denied.error().unwrap();
        assert_eq!(error.reason(), reason::ANSWER_INVALID);
        let denied = client.batch_check(vec![question("ada@example.com")]).await;
        assert!(denied[0].is_err());
    }
    // Every status denies, and none of these is asked twice.
    node.model().decision = None;
    let final_codes = [
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::Unauthenticated,
        Code::FailedPrecondition,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::DataLoss,
        Code::Internal,
    ];
    for code in final_codes {
        let before = node.calls();
        node.fail([Fault::Refuse(refusal(code, "MADE_UP", "not_applied"))]);
        let denied = client.check(question("ada@example.com")).await.unwrap_err();
        let error = denied.error().unwrap();
        assert_eq!((error.code(), error.reason()), (code, "MADE_UP"));
        assert_eq!(node.calls(), before + 1, "{code:?} was retried");
    }
}

#[tokio::test]
async fn an_answer_older_than_asked_for_denies() {
    let node = Fake::start();
    let client = node.client();
    client.opt_out(stop("ada@example.com")).await.unwrap();
    node.model().revision_offset = -1;
    let mut asked = question("grace@example.com");
    asked.min_revision = 1;
    let denied = client.check(asked).await.unwrap_err();
    assert_eq!(denied.error().unwrap().reason(), reason::ANSWER_INVALID);
}

#[tokio::test]
async fn a_batch_has_a_result_for_each_item() {
    let node = Fake::start();
    let client = node.client();
    client.opt_out(stop("ada@example.com")).await.unwrap();
    let mut bad = question("grace@example.com");
    bad.purpose = "unknown.purpose".to_owned();
    let asked = vec![
        question("ada@example.com"),
        bad,
        question("grace@example.com"),
    ];
    let results = client.batch_check(asked.clone()).await;
    assert!(matches!(&results[0], Err(it) if it.answer().is_some()));
    assert!(matches!(&results[1], Err(it) if it.error().unwrap().reason() == "PURPOSE_UNKNOWN"));
    assert!(results[2].is_ok());

    // One result too few: which question it belongs to is anybody's guess, so all are denied.
    node.model().decision = Some(99);
    let results = client.batch_check(asked).await;
    assert_eq!(results.len(), 3);
    assert!(results.iter().all(Result::is_err));
}

#[tokio::test]
async fn registry_and_cluster_calls_reach_their_service() {
    let node = Fake::start();
    let client = node.client();
    assert!(client.add_namespace("acme").await.unwrap().changed);
    assert_eq!(client.namespaces().await.unwrap().namespaces, ["acme"]);
    assert_eq!(client.purposes().await.unwrap().schema_version, 1);
    client.cluster_init().await.unwrap();
    let again = client.cluster_init().await.unwrap_err();
    assert_eq!(again.reason(), "CLUSTER_ALREADY_INITIALISED");
    let status = client.cluster_status().await.unwrap();
    assert_eq!(status.members.len(), 1);
    assert_eq!(client.transfer_leader("2").await.unwrap().leader_id, "2");
    assert!(client.health("").await.unwrap());
    assert_eq!(
        client.health("nobody").await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn bad_endpoints_are_refused_with_what_would_do() {
    for bad in [
        "",
        "http://",
        "https://a:1",
        "ftp://a:1",
        "http://a:1/path",
        "http://a",
        "a b",
    ] {
        let Err(error) = Client::builder().endpoint(bad).build() else {
            panic!("`{bad}` was taken");
        };
        assert_eq!(error.reason(), reason::SETTING_INVALID);
        assert!(
            error.to_string().contains("http://127.0.0.1:7400"),
            "{error}"
        );
    }
    assert!(Client::builder().build().is_err());
    let client = Client::builder()
        .endpoints([
            "127.0.0.1:7400",
            "http://127.0.0.1:7400/",
            "http://[::1]:7400",
        ])
        .build()
        .unwrap();
    let known: Vec<&str> = client.endpoints().collect();
    assert_eq!(known, ["http://127.0.0.1:7400", "http://[::1]:7400"]);
}
