//! Overrides: proposed by one principal, approved by another, and named in every decision under them.

use std::time::{Duration, SystemTime};

use refrain::admission::Permission;
use serde_json::{Value, json};

use super::{
    super::{
        principals::{grant, with_principals},
        support::Node,
    },
    wire::{Answer, JSON, email, send},
};

const OVERRIDES: &str = "/admin/v1/overrides";

async fn two() -> Node {
    let may = Permission::ALL;
    with_principals(["ada", "bob"].map(|name| (name.to_owned(), vec![grant(&may, None, None)])))
        .await
}

async fn by(node: &Node, who: &str, method: &str, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {who}");
    let headers = [JSON, ("authorization", token.as_str())];
    send(node, method, path, &headers, body.to_string()).await
}

/// The time in so many seconds, as RFC 3339.
fn in_seconds(seconds: u64) -> String {
    prost_types::Timestamp::from(SystemTime::now() + Duration::from_secs(seconds)).to_string()
}

fn wish() -> Value {
    json!({
        "scope": { "namespace": "default", "purposes": ["marketing"], "services": ["newsletter"] },
        "reason": "a recall of a dangerous toy",
        "expires_at": in_seconds(600),
    })
}

fn question() -> Value {
    json!({ "identifiers": [email("eve@example.com")], "purpose": "marketing.email", "service": "newsletter" })
}

#[tokio::test]
async fn an_override_lifts_names_itself_and_is_revoked() {
    let node = two().await;
    let out = json!({ "identifiers": [email("eve@example.com")], "preferences": { "*": "out" } });
    by(&node, "ada", "PATCH", "/v1/default/preferences", &out)
        .await
        .ok();
    let proposed = by(&node, "ada", "POST", OVERRIDES, &wish()).await.ok();
    let id = proposed["override_id"].as_str().expect("id");
    let asked = question();
    let check = || by(&node, "ada", "POST", "/v1/default/check", &asked);
    assert_eq!(
        check().await.ok()["decision"],
        "deny",
        "proposed, it lifts nothing"
    );

    let approve = format!("{OVERRIDES}/{id}/approve");
    by(&node, "ada", "POST", &approve, &json!(null))
        .await
        .refused(409, "SECOND_PRINCIPAL_REQUIRED");
    by(&node, "bob", "POST", &approve, &json!(null)).await.ok();
    let under = check().await.ok();
    assert_eq!(
        (&under["decision"], &under["reason"]),
        (&json!("allow"), &json!("overridden"))
    );
    assert_eq!(under["override_id"], id);
    let mut other = question();
    other["service"] = json!("other");
    let answer = by(&node, "ada", "POST", "/v1/default/check", &other)
        .await
        .ok();
    assert_eq!(answer["decision"], "deny");

    let listed = by(&node, "ada", "GET", OVERRIDES, &json!(null)).await.ok();
    let one = &listed["overrides"][0];
    assert_eq!(
        (&one["override_id"], &one["state"]),
        (&json!(id), &json!("active"))
    );
    assert_eq!(
        (&one["proposed_by"], &one["approved_by"]),
        (&json!("ada"), &json!("bob"))
    );
    assert_eq!(one["scope"]["services"], json!(["newsletter"]));

    by(
        &node,
        "ada",
        "POST",
        &format!("{OVERRIDES}/{id}/revoke"),
        &json!(null),
    )
    .await
    .ok();
    assert_eq!(check().await.ok()["decision"], "deny");
}

#[tokio::test]
async fn bad_overrides_lift_nothing() {
    let node = two().await;
    let with = |member: &str, value: Value| {
        let mut body = wish();
        body[member] = value;
        body
    };
    let scope = |member: &str, value: Value| {
        let mut body = wish();
        body["scope"][member] = value;
        body
    };
    for (body, status, reason) in [
        (
            with("expires_at", json!(in_seconds(0))),
            400,
            "OVERRIDE_EXPIRY_INVALID",
        ),
        (
            with("expires_at", json!(in_seconds(90_000))),
            400,
            "OVERRIDE_EXPIRY_INVALID",
        ),
        (
            with("expires_at", json!("tomorrow")),
            400,
            "MESSAGE_INVALID",
        ),
        (
            with("expires_at", json!("2999-01-01")),
            400,
            "MESSAGE_INVALID",
        ),
        (with("expires_at", json!(1)), 400, "MESSAGE_INVALID"),
        (with("reason", json!("")), 400, "OVERRIDE_INVALID"),
        (scope("purposes", json!(["*"])), 400, "OVERRIDE_INVALID"),
        (scope("services", json!([])), 400, "OVERRIDE_INVALID"),
        (
            scope("namespace", json!("nobody")),
            404,
            "NAMESPACE_UNKNOWN",
        ),
        (scope("forever", json!(true)), 400, "MESSAGE_INVALID"),
        (
            scope("subject", json!({ "type": "email" })),
            400,
            "IDENTIFIER_INVALID",
        ),
    ] {
        let answer = by(&node, "ada", "POST", OVERRIDES, &body).await;
        answer.refused(status, reason);
    }
    for id in ["x", "01890000-0000-7000-8000-000000000000"] {
        let path = format!("{OVERRIDES}/{id}/approve");
        let answer = by(&node, "bob", "POST", &path, &json!(null)).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{answer:?}");
    }
    let listed = by(&node, "ada", "GET", OVERRIDES, &json!(null)).await.ok();
    assert_eq!(
        (&listed["overrides"], &listed["revision"]),
        (&json!([]), &json!(1))
    );
}

#[tokio::test]
async fn alone_there_are_no_overrides() {
    let node = Node::start().await;
    let answer = send(&node, "POST", OVERRIDES, &[JSON], wish().to_string()).await;
    answer.refused(403, "PERMISSION_DENIED");
}
