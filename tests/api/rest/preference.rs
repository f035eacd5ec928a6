//! Setting and reading what a person wants.

use refrain::proto::v1::{Decision, EventKind, ListEventsRequest, Signal};
use serde_json::{Value, json};

use super::{
    super::support::{Node, email as identifier, request_id},
    wire::{Answer, JSON, email, get, json, revision, send, token},
};

const PREFERENCES: &str = "/v1/default/preferences";

fn patch(preferences: &Value) -> Value {
    json!({ "identifiers": [email("ada@example.com")], "preferences": preferences })
}

async fn set(node: &Node, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[JSON], headers].concat();
    send(node, "PATCH", PREFERENCES, &headers, body.to_string()).await
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

fn evidence() -> Value {
    json!({ "statement": "ticked the box", "ip_address": "192.0.2.1" })
}

#[tokio::test]
async fn one_patch_is_one_event_that_grpc_sees() {
    let node = Node::start().await;
    let wishes = json!({ "marketing": "out", "sale": "out", "ai_training": "in" });
    let done = set(&node, &with(patch(&wishes), "evidence", evidence()), &[])
        .await
        .ok();
    assert_eq!(done["changed"], true);
    assert_eq!(done["revision"], 2);
    assert!(done["received_at"].is_string());

    assert_eq!(
        node.check("ada@example.com", "marketing.email")
            .await
            .decision(),
        Decision::Deny
    );
    assert_eq!(
        node.check("ada@example.com", "ai_training")
            .await
            .decision(),
        Decision::Allow
    );
    let history = ListEventsRequest {
        identifiers: vec![identifier("ada@example.com")],
        ..ListEventsRequest::default()
    };
    let events = node
        .preferences()
        .list_events(history)
        .await
        .expect("events");
    let events = events.into_inner().events;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind(), EventKind::Preferences);
    assert_eq!(events[0].signal(), Signal::User);
    assert_eq!(events[0].opted_in_purposes, ["ai_training"]);
    assert_eq!(done["event_id"], events[0].id);
    assert_eq!(events[0].evidence_sha256.len(), 32);
}

#[tokio::test]
async fn an_in_without_evidence_refuses_all_of_it() {
    let node = Node::start().await;
    let wishes = json!({ "sale": "out", "ai_training": "in" });
    set(&node, &patch(&wishes), &[])
        .await
        .refused(422, "EVIDENCE_REQUIRED");
    let empty = with(patch(&wishes), "evidence", json!({ "statement": "" }));
    let answer = set(&node, &empty, &[]).await;
    assert_eq!(answer.status.as_u16(), 422, "{answer:?}");
    let needless = with(patch(&json!({ "sale": "out" })), "evidence", evidence());
    let answer = set(&node, &needless, &[]).await;
    assert_eq!(answer.status.as_u16(), 422, "{answer:?}");
    assert_eq!(revision(&node).await, 1, "nothing was done");
}

#[tokio::test]
async fn bad_patches_change_nothing() {
    let node = Node::start().await;
    let out = json!({ "sale": "out" });
    for (body, status, reason) in [
        (patch(&json!({})), 400, "PURPOSES_REQUIRED"),
        (patch(&json!({ "sale": "off" })), 400, "MESSAGE_INVALID"),
        (patch(&json!({ "sale": true })), 400, "MESSAGE_INVALID"),
        (patch(&json!(["sale"])), 400, "MESSAGE_INVALID"),
        (patch(&json!({ "nothing": "out" })), 404, "PURPOSE_UNKNOWN"),
        (
            patch(&json!({ "sale": "out", "service.legal": "out" })),
            409,
            "PURPOSE_ESSENTIAL",
        ),
        (
            with(patch(&out), "signal", json!("import")),
            400,
            "SIGNAL_INVALID",
        ),
        (
            with(patch(&out), "signal", json!("USER")),
            400,
            "MESSAGE_INVALID",
        ),
        (
            with(patch(&out), "purpose", json!("sale")),
            400,
            "MESSAGE_INVALID",
        ),
        (
            with(patch(&out), "schema_version", json!(-1)),
            400,
            "MESSAGE_INVALID",
        ),
        (
            with(patch(&out), "service", json!("a/b")),
            400,
            "SERVICE_INVALID",
        ),
    ] {
        set(&node, &body, &[]).await.refused(status, reason);
    }
    // Of two wishes for one purpose, none may win.
    let twice = r#"{"identifiers":[{"type":"email","value":"ada@example.com"}],"preferences":{"sale":"in","sale":"out"}}"#;
    let answer = send(&node, "PATCH", PREFERENCES, &[JSON], twice).await;
    answer.refused(400, "DUPLICATE_PURPOSE");
    assert_eq!(revision(&node).await, 1, "nothing was done");
}

#[tokio::test]
async fn a_key_makes_a_retry_have_one_effect() {
    let node = Node::start().await;
    let key = request_id();
    let body = patch(&json!({ "sale": "out" }));
    let first = set(&node, &body, &[("idempotency-key", &key)]).await.ok();
    assert_eq!(first["request_id"], key);
    let quoted = format!("\"{key}\"");
    let again = set(&node, &body, &[("idempotency-key", &quoted)])
        .await
        .ok();
    assert_eq!(again, first);
    let other = patch(&json!({ "marketing": "out" }));
    let reused = set(&node, &other, &[("idempotency-key", &key)]).await;
    reused.refused(409, "REQUEST_ID_REUSED");

    for (key, reason) in [
        ("1", "REQUEST_ID_INVALID"),
        ("67e55044-10b1-426f-9247-bb680e5fe0c8", "REQUEST_ID_INVALID"),
        ("", "IDEMPOTENCY_KEY_INVALID"),
        ("\"\"", "IDEMPOTENCY_KEY_INVALID"),
    ] {
        set(&node, &other, &[("idempotency-key", key)])
            .await
            .refused(400, reason);
    }
    let fresh = (request_id(), request_id());
    let two = [
        ("idempotency-key", fresh.0.as_str()),
        ("idempotency-key", &fresh.1),
    ];
    set(&node, &other, &two)
        .await
        .refused(400, "HEADER_INVALID");
    assert_eq!(revision(&node).await, 2, "one change was made");
}

#[tokio::test]
async fn a_change_can_depend_on_the_last_one() {
    let node = Node::start().await;
    let ada = token(&node, "ada@example.com").await;
    let shown = format!("/v1/default/subjects/{ada}/preferences");
    assert_eq!(get(&node, &shown).await.header("etag"), "\"0\"");
    let body = patch(&json!({ "sale": "out" }));
    set(&node, &body, &[("if-match", "\"0\"")]).await.ok();
    let tag = get(&node, &shown).await;
    assert_eq!(tag.header("etag"), "\"2\"");
    assert_eq!(tag.ok()["last_revision"], 2);

    let other = patch(&json!({ "marketing": "out" }));
    set(&node, &other, &[("if-match", "\"0\"")])
        .await
        .refused(412, "SUBJECT_CHANGED");
    let gone = format!("/v1/default/subjects/{ada}/permissions/marketing");
    let answer = send(&node, "DELETE", &gone, &[("if-match", "\"1\"")], "").await;
    answer.refused(412, "SUBJECT_CHANGED");
    for tag in [
        "2",
        "*",
        "W/\"2\"",
        "\"2\", \"3\"",
        "\"x\"",
        "\"99999999999999999999\"",
        "",
    ] {
        set(&node, &other, &[("if-match", tag)])
            .await
            .refused(400, "IF_MATCH_INVALID");
    }
    assert_eq!(revision(&node).await, 2, "one change was made");
    set(&node, &other, &[("if-match", "\"2\"")]).await.ok();
}

#[tokio::test]
async fn a_permission_that_is_deleted_never_comes_back_by_deleting() {
    let node = Node::start().await;
    let ada = token(&node, "ada@example.com").await;
    let permission = |purpose: &str| format!("/v1/default/subjects/{ada}/permissions/{purpose}");
    let gone = send(&node, "DELETE", &permission("marketing.email"), &[], "")
        .await
        .ok();
    assert_eq!(gone["changed"], true);
    let again = send(&node, "DELETE", &permission("marketing.email"), &[], "")
        .await
        .ok();
    assert_eq!(
        (&again["changed"], &again["event_id"]),
        (&json!(false), &gone["event_id"])
    );
    let denied = node.check("ada@example.com", "marketing.email").await;
    assert_eq!(denied.decision(), Decision::Deny);
    assert_eq!(
        node.check("ada@example.com", "sale").await.decision(),
        Decision::Allow
    );

    for all in ["*", "%2A"] {
        send(&node, "DELETE", &permission(all), &[], "").await.ok();
    }
    assert_eq!(
        node.check("ada@example.com", "sale").await.decision(),
        Decision::Deny
    );
    assert_eq!(
        node.check("ada@example.com", "service.legal")
            .await
            .decision(),
        Decision::Allow
    );

    for (path, status, reason) in [
        (permission("nothing"), 404, "PURPOSE_UNKNOWN"),
        (permission("No"), 400, "PURPOSE_INVALID"),
        (permission("service.legal"), 409, "PURPOSE_ESSENTIAL"),
        (permission("sale?type=E-Mail"), 400, "IDENTIFIER_INVALID"),
        (permission("sale?unknown=1"), 400, "QUERY_INVALID"),
        (permission("sale?schema_version=x"), 400, "QUERY_INVALID"),
        (
            "/v1/default/subjects/ada@example.com/permissions/sale".to_owned(),
            400,
            "IDENTIFIER_INVALID",
        ),
        (
            format!("/v1/nobody/subjects/{ada}/permissions/sale"),
            404,
            "NAMESPACE_UNKNOWN",
        ),
    ] {
        let answer = send(&node, "DELETE", &path, &[], "").await;
        let problem = answer.refused(status, reason);
        assert!(!problem.to_string().contains("ada@"), "{problem}");
    }
    assert_eq!(revision(&node).await, 3, "two changes were made");
}

#[tokio::test]
async fn a_screen_shows_a_person_their_state_and_how_it_came() {
    let node = Node::start().await;
    let ada = token(&node, "ada@example.com").await;
    for purpose in ["sale", "marketing", "analytics"] {
        node.opt_out("ada@example.com", purpose).await;
    }
    let shown = get(
        &node,
        &format!("/v1/default/subjects/{ada}/preferences?type=email"),
    )
    .await
    .ok();
    let records = shown["preferences"].as_array().expect("records");
    assert_eq!(records.len(), 3);
    assert!(
        records
            .iter()
            .all(|one| one["change"] == "opt_out" && one["type"] == "email")
    );
    let sale = shown["decisions"]
        .as_array()
        .expect("decisions")
        .iter()
        .find(|one| one["purpose"] == "sale");
    assert_eq!(sale.expect("sale")["decision"], "deny");

    let asked = json!({ "identifiers": [email("ada@example.com")] });
    let queried = json(&node, "POST", "/v1/default/preferences:query", &asked)
        .await
        .ok();
    assert_eq!(queried["decisions"], shown["decisions"]);

    let events = format!("/v1/default/subjects/{ada}/events");
    let page = get(&node, &format!("{events}?page_size=2")).await.ok();
    let purposes = |page: &Value| -> Vec<String> {
        let events = page["events"].as_array().expect("events").iter();
        events
            .map(|event| event["purposes"][0].as_str().expect("purpose").to_owned())
            .collect()
    };
    assert_eq!(purposes(&page), ["analytics", "marketing"]);
    assert_eq!(page["events"][0]["kind"], "opt_out");
    assert_eq!(page["events"][0]["tokens"][0]["token"], ada);
    assert_eq!(page["next_before_revision"], 3);
    let rest = get(&node, &format!("{events}?page_size=2&before_revision=3"))
        .await
        .ok();
    assert_eq!(
        (purposes(&rest), &rest["next_before_revision"]),
        (vec!["sale".to_owned()], &json!(0))
    );
    get(&node, &format!("{events}?page_size=1001"))
        .await
        .refused(400, "PAGE_SIZE_INVALID");
    get(&node, &format!("{events}?size=2"))
        .await
        .refused(400, "QUERY_INVALID");
    get(&node, "/v1/default/subjects/ada@example.com/events")
        .await
        .refused(400, "IDENTIFIER_INVALID");
}

#[tokio::test]
async fn tokens_are_told_in_order() {
    let node = Node::start().await;
    let asked = json!({ "identifiers": [email("ada@example.com"), { "type": "phone", "value": "+1 202 555 0100" }] });
    let told = json(&node, "POST", "/v1/default/tokens", &asked).await.ok();
    let tokens = told["tokens"].as_array().expect("tokens");
    assert_eq!(tokens[0]["token"], "1:456d61acc9e635823a46203dd74e22ea");
    assert_eq!(
        (&tokens[0]["type"], &tokens[1]["type"]),
        (&json!("email"), &json!("phone"))
    );
    let same = json!({ "identifiers": [email("ada@example.com"), email("ada@example.com")] });
    let answer = json(&node, "POST", "/v1/default/tokens", &same).await;
    answer.refused(400, "DUPLICATE_IDENTIFIER");
}

#[tokio::test]
async fn a_signal_is_reported_with_the_visitors_own_header() {
    let node = Node::start().await;
    let body = json!({ "identifiers": [{ "type": "device", "value": "visitor-1" }] }).to_string();
    let report = |headers: &'static [(&'static str, &'static str)]| {
        let (node, body) = (&node, body.clone());
        async move { send(node, "POST", "/v1/default/signals", headers, body).await }
    };
    for headers in [
        &[JSON][..],
        &[JSON, ("sec-gpc", "0")],
        &[JSON, ("sec-gpc", "true")],
    ] {
        report(headers).await.refused(400, "GPC_REQUIRED");
    }
    report(&[JSON, ("sec-gpc", "1"), ("sec-gpc", "1")])
        .await
        .refused(400, "HEADER_INVALID");
    assert_eq!(revision(&node).await, 1, "nothing was done");

    let kept = report(&[JSON, ("sec-gpc", "1")]).await.ok();
    assert_eq!(kept["changed"], true);
    assert_eq!(
        kept["purposes"],
        json!(["sale", "sharing", "advertising.targeted"])
    );
    let again = report(&[JSON, ("sec-gpc", "1")]).await.ok();
    assert_eq!(
        (&again["changed"], &again["event_id"]),
        (&json!(false), &kept["event_id"])
    );
    let asked =
        json!({ "identifiers": [{ "type": "device", "value": "visitor-1" }], "purpose": "sale" });
    let answer = json(&node, "POST", "/v1/default/check", &asked).await.ok();
    assert_eq!(answer["decision"], "deny");
}
