//! `check` and `batch-check`.

use refrain::proto::v1::{CheckRequest, Reason};
use serde_json::json;

use super::{
    super::support::{Node, question},
    wire::{email, json},
};

#[tokio::test]
async fn an_opt_out_over_grpc_is_seen_at_once() {
    let node = Node::start().await;
    let asked = json!({
        "identifiers": [email(" Ada@Example.com")],
        "purpose": "marketing.email",
        "service": "newsletter",
    });
    let before = json(&node, "POST", "/v1/default/check", &asked).await.ok();
    assert_eq!(before["decision"], "allow");
    assert_eq!(before["reason"], "default_allow");
    assert!(before.get("event_id").is_none(), "{before}");

    let done = node.opt_out("ada@example.com", "marketing").await;
    let after = json(&node, "POST", "/v1/default/check", &asked).await.ok();
    assert_eq!(after["decision"], "deny");
    assert_eq!(after["reason"], "opted_out");
    assert_eq!(after["event_id"], done.event_id);
    assert_eq!(after["revision"], done.revision);
    assert!(
        after["decision_id"]
            .as_str()
            .is_some_and(|id| !id.is_empty())
    );
    assert!(
        after["evaluated_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );

    // Both codecs say the same.
    let request = CheckRequest {
        service: "newsletter".to_owned(),
        ..question("ada@example.com", "marketing.email")
    };
    let grpc = node
        .decisions()
        .check(request)
        .await
        .expect("check")
        .into_inner();
    assert_eq!(grpc.reason(), Reason::OptedOut);
    assert_eq!(grpc.event_id, done.event_id);
}

#[tokio::test]
async fn each_form_of_an_identifier_names_the_same_person() {
    let node = Node::start().await;
    node.opt_out("ada@example.com", "sale").await;
    let sha256 = hex::encode(refrain::domain::value_sha256("ada@example.com"));
    let token = super::wire::token(&node, "ada@example.com").await;
    for identifier in [
        json!({ "type": "email", "sha256": sha256 }),
        json!({ "type": "email", "token": token }),
        email("ADA@example.com"),
    ] {
        let asked = json!({ "identifiers": [identifier], "purpose": "sale" });
        let answer = json(&node, "POST", "/v1/default/check", &asked).await.ok();
        assert_eq!(answer["decision"], "deny", "{asked}");
    }
}

#[tokio::test]
async fn bad_questions_get_the_reasons_of_grpc() {
    let node = Node::start().await;
    let ada = || json!([email("ada@example.com")]);
    for (asked, status, reason) in [
        (
            json!({ "identifiers": [], "purpose": "sale" }),
            400,
            "IDENTIFIERS_REQUIRED",
        ),
        (
            json!({ "identifiers": ada(), "purpose": "nothing" }),
            404,
            "PURPOSE_UNKNOWN",
        ),
        (
            json!({ "identifiers": ada(), "purpose": "No" }),
            400,
            "PURPOSE_INVALID",
        ),
        (
            json!({ "identifiers": ada(), "purpose": "sale", "service": "a b" }),
            400,
            "SERVICE_INVALID",
        ),
        (
            json!({ "identifiers": ada(), "purpose": "sale", "schema_version": 99 }),
            409,
            "SCHEMA_UNKNOWN",
        ),
        (
            json!({ "identifiers": ada(), "purpose": "sale", "min_revision": 99 }),
            409,
            "REVISION_AHEAD",
        ),
        (
            json!({ "identifiers": [{ "type": "email" }], "purpose": "sale" }),
            400,
            "IDENTIFIER_INVALID",
        ),
        (
            json!({ "identifiers": [{ "type": "email", "value": "a@b.c", "token": "1:0" }], "purpose": "sale" }),
            400,
            "IDENTIFIER_INVALID",
        ),
        (
            json!({ "identifiers": [{ "type": "email", "sha256": "abc" }], "purpose": "sale" }),
            400,
            "IDENTIFIER_INVALID",
        ),
    ] {
        let answer = json(&node, "POST", "/v1/default/check", &asked).await;
        answer.refused(status, reason);
    }
    let good = json!({ "identifiers": ada(), "purpose": "sale" });
    let answer = json(&node, "POST", "/v1/nobody/check", &good).await;
    answer.refused(404, "NAMESPACE_UNKNOWN");
    let answer = json(&node, "POST", "/v1/No%20body/check", &good).await;
    answer.refused(400, "NAMESPACE_INVALID");
}

#[tokio::test]
async fn a_bad_item_of_a_batch_has_an_error_of_its_own() {
    let node = Node::start().await;
    node.opt_out("ada@example.com", "sale").await;
    let item =
        |purpose: &str| json!({ "identifiers": [email("ada@example.com")], "purpose": purpose });
    let batch = json!({ "items": [item("sale"), item("nothing"), item("analytics")] });
    let answer = json(&node, "POST", "/v1/default/batch-check", &batch)
        .await
        .ok();
    let results = answer["results"].as_array().expect("results");
    assert_eq!(results[0]["ok"]["decision"], "deny");
    assert_eq!(results[1]["error"]["status"], 404);
    assert_eq!(results[1]["error"]["reason"], "PURPOSE_UNKNOWN");
    assert!(results[1].get("ok").is_none());
    assert_eq!(results[2]["ok"]["decision"], "allow");
    assert_eq!(answer["revision"], 2);

    let answer = json(
        &node,
        "POST",
        "/v1/default/batch-check",
        &json!({ "items": [] }),
    )
    .await;
    answer.refused(400, "BATCH_EMPTY");
    let many: Vec<_> = (0..1_001).map(|_| item("sale")).collect();
    let answer = json(
        &node,
        "POST",
        "/v1/default/batch-check",
        &json!({ "items": many }),
    )
    .await;
    answer.refused(400, "BATCH_TOO_LARGE");
}
