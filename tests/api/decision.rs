//! `Check` and `BatchCheck`.

use refrain::{
    api::decision_id::{DecisionKey, Question},
    domain::{self, IdentifierType, Namespace, PurposeName, SubjectToken, TokenKey, value_sha256},
    proto::v1::{
        BatchCheckRequest, CheckRequest, Decision, Identifier, Reason,
        batch_check_item::Result as Item, identifier::Form,
    },
};
use tonic::Code;

use super::support::{Node, TOKEN_KEY, assert_refused, email, question, value};

#[tokio::test]
async fn an_opt_out_is_seen_by_the_next_check() {
    let node = Node::start().await;
    let before = node.check("ada@example.com", "marketing.email").await;
    assert_eq!(
        (before.decision(), before.reason()),
        (Decision::Allow, Reason::DefaultAllow)
    );
    assert_eq!((before.event_id.as_str(), before.revision), ("", 1));

    let done = node.opt_out("Ada@Example.com ", "marketing").await;
    let after = node.check("ada@example.com", "marketing.email").await;
    assert_eq!(
        (after.decision(), after.reason()),
        (Decision::Deny, Reason::OptedOut)
    );
    assert_eq!(
        (after.event_id, after.revision),
        (done.event_id, done.revision)
    );
    assert!(
        after
            .evaluated_at
            .is_some_and(|at| at.seconds > 1_600_000_000)
    );

    let essential = node.check("ada@example.com", "service.security").await;
    assert_eq!(
        (essential.decision(), essential.reason()),
        (Decision::Allow, Reason::Essential)
    );
    let denied = node.check("bob@example.com", "ai_training").await;
    assert_eq!(
        (denied.decision(), denied.reason()),
        (Decision::Deny, Reason::DefaultDeny)
    );
}

#[tokio::test]
async fn a_decision_id_can_be_checked_later() {
    let node = Node::start().await;
    let mut asked = question("ada@example.com", "analytics");
    asked.service = "web-1.eu".to_owned();
    let answer = node
        .decisions()
        .check(asked)
        .await
        .expect("check")
        .into_inner();
    assert!(answer.decision_id.len() <= 256);

    let namespace = Namespace::default_namespace();
    let identifier_type = IdentifierType::parse("email").expect("type");
    let sha256 = value_sha256("ada@example.com");
    let token = TokenKey::new(TOKEN_KEY).token(&namespace, &identifier_type, &sha256);
    let tokens = [SubjectToken {
        identifier_type,
        token,
    }];
    let purpose = PurposeName::parse("analytics").expect("purpose");
    let question = Question {
        namespace: &namespace,
        tokens: &tokens,
        purpose: &purpose,
        service: "web-1.eu",
    };
    let said = DecisionKey::derive(&TOKEN_KEY)
        .verify(&answer.decision_id, &question)
        .expect("ours");
    assert_eq!(
        (said.node, said.revision),
        (node.running.node_id, answer.revision)
    );
    assert_eq!(said.decision, domain::Decision::Allow);
}

#[tokio::test]
async fn every_form_of_an_identifier_is_the_same_subject() {
    let node = Node::start().await;
    node.opt_out("ada@example.com", "sale").await;
    let token = {
        let request = refrain::proto::v1::GetPreferencesRequest {
            identifiers: vec![email("ada@example.com")],
            ..Default::default()
        };
        let found = node
            .preferences()
            .get_preferences(request)
            .await
            .expect("preferences");
        found.into_inner().preferences[0].token.clone()
    };
    for form in [
        Form::Value(" ADA@example.com".to_owned()),
        Form::Sha256(value_sha256("ada@example.com").to_vec()),
        Form::Token(token),
    ] {
        let asked = CheckRequest {
            identifiers: vec![
                value("account", "nobody"),
                Identifier {
                    r#type: "email".to_owned(),
                    form: Some(form.clone()),
                },
            ],
            purpose: "sale".to_owned(),
            ..CheckRequest::default()
        };
        let answer = node
            .decisions()
            .check(asked)
            .await
            .expect("check")
            .into_inner();
        assert_eq!(answer.decision(), Decision::Deny, "{form:?}");
    }
}

/// What is wrong with a question, the code and the reason.
fn bad_questions() -> Vec<(CheckRequest, Code, &'static str)> {
    let good = || question("ada@example.com", "analytics");
    let with = |identifiers| CheckRequest {
        identifiers,
        ..good()
    };
    let form = |form| Identifier {
        r#type: "email".to_owned(),
        form,
    };
    let invalid = Code::InvalidArgument;
    vec![
        (with(vec![]), invalid, "IDENTIFIERS_REQUIRED"),
        (with(vec![email(""); 17]), invalid, "TOO_MANY_IDENTIFIERS"),
        (
            with(vec![email("a@b.c"), email("A@b.c ")]),
            invalid,
            "DUPLICATE_IDENTIFIER",
        ),
        (with(vec![email("")]), invalid, "IDENTIFIER_INVALID"),
        (with(vec![email("nobody")]), invalid, "IDENTIFIER_INVALID"),
        (
            with(vec![value("phone", "12")]),
            invalid,
            "IDENTIFIER_INVALID",
        ),
        (
            with(vec![value("device", &"x".repeat(513))]),
            invalid,
            "IDENTIFIER_INVALID",
        ),
        (with(vec![value("", "x")]), invalid, "IDENTIFIER_INVALID"),
        (
            with(vec![value("E-Mail", "x")]),
            invalid,
            "IDENTIFIER_INVALID",
        ),
        (with(vec![form(None)]), invalid, "IDENTIFIER_INVALID"),
        (
            with(vec![form(Some(Form::Sha256(vec![1; 31])))]),
            invalid,
            "IDENTIFIER_INVALID",
        ),
        (
            with(vec![form(Some(Form::Token("1:xyz".to_owned())))]),
            invalid,
            "IDENTIFIER_INVALID",
        ),
        (
            CheckRequest {
                purpose: String::new(),
                ..good()
            },
            invalid,
            "PURPOSE_INVALID",
        ),
        (
            CheckRequest {
                purpose: "*".to_owned(),
                ..good()
            },
            invalid,
            "PURPOSE_INVALID",
        ),
        (
            CheckRequest {
                purpose: "Marketing".to_owned(),
                ..good()
            },
            invalid,
            "PURPOSE_INVALID",
        ),
        (
            CheckRequest {
                purpose: "nothing".to_owned(),
                ..good()
            },
            Code::NotFound,
            "PURPOSE_UNKNOWN",
        ),
        (
            CheckRequest {
                namespace: "nobody".to_owned(),
                ..good()
            },
            Code::NotFound,
            "NAMESPACE_UNKNOWN",
        ),
        (
            CheckRequest {
                namespace: "No Body".to_owned(),
                ..good()
            },
            invalid,
            "NAMESPACE_INVALID",
        ),
        (
            CheckRequest {
                schema_version: 99,
                ..good()
            },
            Code::FailedPrecondition,
            "SCHEMA_UNKNOWN",
        ),
        (
            CheckRequest {
                min_revision: 2,
                ..good()
            },
            Code::FailedPrecondition,
            "REVISION_AHEAD",
        ),
        (
            CheckRequest {
                service: "a b".to_owned(),
                ..good()
            },
            invalid,
            "SERVICE_INVALID",
        ),
        (
            CheckRequest {
                service: "a".repeat(129),
                ..good()
            },
            invalid,
            "SERVICE_INVALID",
        ),
    ]
}

#[tokio::test]
async fn bad_questions_get_a_reason() {
    let node = Node::start().await;
    for (asked, code, reason) in bad_questions() {
        let answer = node.decisions().check(asked).await;
        assert_refused(answer, code, reason);
    }
    let reached = CheckRequest {
        min_revision: 1,
        ..question("ada@example.com", "analytics")
    };
    node.decisions().check(reached).await.expect("reached");
}

#[tokio::test]
async fn no_status_repeats_an_identifier() {
    let node = Node::start().await;
    for raw in [
        "ada.lovelace",
        "ada.lovelace@@ x",
        "\u{1}ada.lovelace@example.com",
    ] {
        let asked = CheckRequest {
            identifiers: vec![email(raw), email(raw)],
            ..question("", "analytics")
        };
        let status = node.decisions().check(asked).await.expect_err("refused");
        assert!(!format!("{status:?}").contains("lovelace"), "{status:?}");
    }
}

#[tokio::test]
async fn a_bad_item_of_a_batch_leaves_the_others() {
    let node = Node::start().await;
    let done = node.opt_out("ada@example.com", "sale").await;
    let bad = bad_questions();
    let mut items = vec![question("ada@example.com", "sale")];
    items.extend(
        bad.iter()
            .map(|(asked, ..)| asked.clone())
            .filter(|asked| asked.min_revision == 0),
    );
    items.push(question("bob@example.com", "sale"));
    let answer = node
        .decisions()
        .batch_check(BatchCheckRequest {
            items: items.clone(),
        })
        .await
        .expect("batch")
        .into_inner();
    assert_eq!(
        (answer.results.len(), answer.revision),
        (items.len(), done.revision)
    );
    let mut results = answer
        .results
        .into_iter()
        .map(|item| item.result.expect("result"));
    let Some(Item::Ok(first)) = results.next() else {
        panic!("no answer");
    };
    assert_eq!(
        (first.decision(), first.event_id),
        (Decision::Deny, done.event_id)
    );
    for (asked, code, reason) in bad.iter().filter(|(asked, ..)| asked.min_revision == 0) {
        let Some(Item::Error(error)) = results.next() else {
            panic!("{asked:?} was answered");
        };
        assert_eq!(
            (error.code, error.reason.as_str()),
            (i32::from(*code), *reason)
        );
    }
    let Some(Item::Ok(last)) = results.next() else {
        panic!("no answer");
    };
    assert_eq!(
        (last.decision(), last.revision),
        (Decision::Allow, done.revision)
    );
}

#[tokio::test]
async fn a_batch_has_bounds() {
    let node = &Node::start().await;
    let batch = |items: usize| async move {
        let items = vec![question("ada@example.com", "sale"); items];
        node.decisions()
            .batch_check(BatchCheckRequest { items })
            .await
    };
    assert_refused(batch(0).await, Code::InvalidArgument, "BATCH_EMPTY");
    assert_refused(batch(1_001).await, Code::InvalidArgument, "BATCH_TOO_LARGE");
    let answer = batch(1_000).await.expect("batch").into_inner();
    assert_eq!(answer.results.len(), 1_000);
}
