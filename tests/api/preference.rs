//! `SetOptOut`, `SetOptIn` and `GetPreferences`.

use refrain::proto::v1::{
    Change, Decision, Evidence, GetPreferencesRequest, Reason, SetOptInRequest, SetOptOutRequest,
    Signal,
};
use tonic::Code;

use super::support::{Node, assert_refused, email, opt_out, question, request_id};

fn opt_in(address: &str, purpose: &str) -> SetOptInRequest {
    SetOptInRequest {
        identifiers: vec![email(address)],
        purposes: vec![purpose.to_owned()],
        evidence: Some(Evidence {
            statement: "ticked the box".to_owned(),
            ..Evidence::default()
        }),
        ..SetOptInRequest::default()
    }
}

#[tokio::test]
async fn a_retry_has_one_effect() {
    let node = Node::start().await;
    let request = SetOptOutRequest {
        request_id: request_id(),
        ..opt_out("ada@example.com", "marketing")
    };
    let set = || async { node.preferences().set_opt_out(request.clone()).await };
    let first = set().await.expect("first").into_inner();
    assert!(first.changed);
    assert_eq!(
        (first.revision, &first.request_id),
        (2, &request.request_id)
    );
    assert!(first.received_at.is_some());
    let again = set().await.expect("again").into_inner();
    assert_eq!(again, first);

    let other = SetOptOutRequest {
        purposes: vec!["sale".to_owned()],
        ..request.clone()
    };
    let answer = node.preferences().set_opt_out(other).await;
    assert_refused(answer, Code::AlreadyExists, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn a_repeat_returns_the_standing_event() {
    let node = Node::start().await;
    let first = node.opt_out("ada@example.com", "marketing").await;
    let again = node.opt_out("ada@example.com", "marketing").await;
    assert_eq!(
        (again.event_id, again.revision, again.changed),
        (first.event_id, first.revision, false)
    );
    assert_ne!(again.request_id, first.request_id);
    assert!(
        !again.request_id.is_empty(),
        "the server makes an id and says so"
    );
}

#[tokio::test]
async fn an_opt_in_needs_evidence_and_lifts_no_opt_out_below_it() {
    let node = Node::start().await;
    node.opt_out("ada@example.com", "marketing.email").await;
    let above = node
        .preferences()
        .set_opt_in(opt_in("ada@example.com", "marketing"))
        .await;
    assert!(above.expect("opt in").into_inner().changed);
    assert_eq!(
        node.check("ada@example.com", "marketing.email")
            .await
            .decision(),
        Decision::Deny
    );
    let at = node
        .preferences()
        .set_opt_in(opt_in("ada@example.com", "marketing.email"))
        .await;
    let at = at.expect("opt in").into_inner();
    let answer = node.check("ada@example.com", "marketing.email").await;
    assert_eq!(
        (answer.decision(), answer.reason()),
        (Decision::Allow, Reason::OptedIn)
    );
    assert_eq!(answer.event_id, at.event_id);
}

#[tokio::test]
async fn a_retried_opt_in_is_known_although_it_is_sealed_anew() {
    let node = Node::start().await;
    let request = SetOptInRequest {
        request_id: request_id(),
        ..opt_in("ada@example.com", "ai_training")
    };
    let set = |request: SetOptInRequest| async { node.preferences().set_opt_in(request).await };
    let first = set(request.clone()).await.expect("first").into_inner();
    let again = set(request.clone()).await.expect("again").into_inner();
    assert_eq!(again, first);
    let mut other = request;
    other.evidence = Some(Evidence {
        statement: "something else".to_owned(),
        ..Evidence::default()
    });
    assert_refused(set(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn bad_opt_outs_get_a_reason() {
    let node = Node::start().await;
    let good = || opt_out("ada@example.com", "marketing");
    let purposes = |names: &[&str]| SetOptOutRequest {
        purposes: names.iter().map(ToString::to_string).collect(),
        ..good()
    };
    let id = |id: &str| SetOptOutRequest {
        request_id: id.to_owned(),
        ..good()
    };
    let invalid = Code::InvalidArgument;
    let many: Vec<String> = (0..65).map(|n| format!("p{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    // The time in it lies in the year 10889.
    let ahead = "ffffffff-ffff-7000-8000-000000000000";
    for (request, code, reason) in [
        (purposes(&[]), invalid, "PURPOSES_REQUIRED"),
        (purposes(&many), invalid, "TOO_MANY_PURPOSES"),
        (purposes(&["sale", "sale"]), invalid, "DUPLICATE_PURPOSE"),
        (purposes(&["sale", "Nothing"]), invalid, "PURPOSE_INVALID"),
        (
            purposes(&["sale", "nothing"]),
            Code::NotFound,
            "PURPOSE_UNKNOWN",
        ),
        (
            purposes(&["service.legal"]),
            Code::FailedPrecondition,
            "PURPOSE_ESSENTIAL",
        ),
        (id("1"), invalid, "REQUEST_ID_INVALID"),
        (
            id("67e55044-10b1-426f-9247-bb680e5fe0c8"),
            invalid,
            "REQUEST_ID_INVALID",
        ),
        (id(ahead), invalid, "REQUEST_ID_INVALID"),
        (
            SetOptOutRequest {
                identifiers: vec![],
                ..good()
            },
            invalid,
            "IDENTIFIERS_REQUIRED",
        ),
        (
            SetOptOutRequest {
                namespace: "x".to_owned(),
                ..good()
            },
            Code::NotFound,
            "NAMESPACE_UNKNOWN",
        ),
        (
            SetOptOutRequest {
                schema_version: 99,
                ..good()
            },
            Code::FailedPrecondition,
            "SCHEMA_UNKNOWN",
        ),
        (
            SetOptOutRequest {
                min_revision: 99,
                ..good()
            },
            Code::FailedPrecondition,
            "REVISION_AHEAD",
        ),
        (
            SetOptOutRequest {
                signal: Signal::Import.into(),
                ..good()
            },
            invalid,
            "SIGNAL_INVALID",
        ),
        (
            SetOptOutRequest {
                signal: 99,
                ..good()
            },
            invalid,
            "SIGNAL_INVALID",
        ),
    ] {
        let shown = format!("{request:?}");
        let answer = node.preferences().set_opt_out(request).await;
        let status = answer.expect_err(&shown);
        super::support::assert_status(&status, code, reason);
    }
    assert_eq!(
        node.check("ada@example.com", "marketing").await.revision,
        1,
        "nothing was done"
    );
}

#[tokio::test]
async fn bad_opt_ins_get_a_reason() {
    let node = Node::start().await;
    let good = || opt_in("ada@example.com", "marketing");
    let evidence = |statement: &str, user_agent: &str| SetOptInRequest {
        evidence: Some(Evidence {
            statement: statement.to_owned(),
            ip_address: String::new(),
            user_agent: user_agent.to_owned(),
        }),
        ..good()
    };
    for (request, reason) in [
        (
            SetOptInRequest {
                evidence: None,
                ..good()
            },
            "EVIDENCE_REQUIRED",
        ),
        (evidence(" ", ""), "EVIDENCE_REQUIRED"),
        (evidence(&"s".repeat(4_097), ""), "EVIDENCE_INVALID"),
        (evidence("s", &"u".repeat(1_025)), "EVIDENCE_INVALID"),
        (
            SetOptInRequest {
                signal: Signal::Gpc.into(),
                ..good()
            },
            "SIGNAL_INVALID",
        ),
        (
            SetOptInRequest {
                signal: Signal::ListUnsubscribe.into(),
                ..good()
            },
            "SIGNAL_INVALID",
        ),
        (
            SetOptInRequest {
                signal: Signal::Import.into(),
                ..good()
            },
            "SIGNAL_INVALID",
        ),
    ] {
        let answer = node.preferences().set_opt_in(request).await;
        assert_refused(answer, Code::InvalidArgument, reason);
    }
    let essential = node
        .preferences()
        .set_opt_in(opt_in("ada@example.com", "service.legal"))
        .await;
    assert_refused(essential, Code::FailedPrecondition, "PURPOSE_ESSENTIAL");
}

#[tokio::test]
async fn preferences_are_told_with_every_purpose() {
    let node = Node::start().await;
    let out = node.opt_out("ada@example.com", "*").await;
    let request = GetPreferencesRequest {
        identifiers: vec![email("ada@example.com"), email("bob@example.com")],
        ..GetPreferencesRequest::default()
    };
    let found = node.preferences().get_preferences(request.clone()).await;
    let found = found.expect("preferences").into_inner();
    assert_eq!(found.revision, out.revision);
    let [record] = &found.preferences[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (record.purpose.as_str(), record.r#type.as_str()),
        ("*", "email")
    );
    assert_eq!(
        (record.change(), &record.event_id),
        (Change::OptOut, &out.event_id)
    );
    assert_eq!(
        (record.revision, record.received_at),
        (out.revision, out.received_at)
    );
    let decision = |name: &str| {
        let found = found.decisions.iter().find(|it| it.purpose == name);
        found.map(|it| (it.decision(), it.reason()))
    };
    assert_eq!(decision("sale"), Some((Decision::Deny, Reason::OptedOut)));
    assert_eq!(
        decision("service.legal"),
        Some((Decision::Allow, Reason::Essential))
    );
    assert!(found.decisions.len() >= 17);

    let bad = GetPreferencesRequest {
        namespace: "x".to_owned(),
        ..request
    };
    let answer = node.preferences().get_preferences(bad).await;
    assert_refused(answer, Code::NotFound, "NAMESPACE_UNKNOWN");
    let empty = node
        .preferences()
        .get_preferences(GetPreferencesRequest::default())
        .await;
    assert_refused(empty, Code::InvalidArgument, "IDENTIFIERS_REQUIRED");
}

#[tokio::test]
async fn namespaces_are_apart() {
    let node = Node::start().await;
    let request = refrain::proto::v1::AddNamespaceRequest {
        namespace: "brand-2".to_owned(),
        ..Default::default()
    };
    node.registry()
        .add_namespace(request)
        .await
        .expect("namespace");
    node.opt_out("ada@example.com", "sale").await;
    let mut asked = question("ada@example.com", "sale");
    asked.namespace = "brand-2".to_owned();
    let answer = node
        .decisions()
        .check(asked)
        .await
        .expect("check")
        .into_inner();
    assert_eq!(answer.decision(), Decision::Allow);
}
