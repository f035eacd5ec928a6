//! Requests that are wrong before anybody reads what they ask for: each gets its problem, and nothing changes.

use refrain::admission::Permission;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    super::{
        principals::{grant, with_principals},
        support::Node,
    },
    wire::{JSON, email, get, revision, send},
};

const PREFERENCES: &str = "/v1/default/preferences";

/// Every route that takes a body.
const BODIES: [(&str, &str); 12] = [
    ("POST", "/v1/default/check"),
    ("POST", "/v1/default/batch-check"),
    ("PATCH", PREFERENCES),
    ("POST", "/v1/default/preferences:query"),
    ("POST", "/v1/default/tokens"),
    ("POST", "/v1/default/links"),
    ("POST", "/v1/default/signals"),
    ("PUT", "/admin/v1/purposes/sale"),
    ("PUT", "/admin/v1/namespaces/shop"),
    ("PUT", "/admin/v1/schema-floors"),
    ("POST", "/admin/v1/overrides"),
    ("POST", "/admin/v1/changes"),
];

fn good() -> String {
    json!({ "identifiers": [email("ada@example.com")], "preferences": { "sale": "out" } })
        .to_string()
}

#[tokio::test]
async fn every_body_is_judged_before_it_is_obeyed() {
    let all = vec![grant(&Permission::ALL, None, None)];
    let node = with_principals([("everything".to_owned(), all)]).await;
    let known = ("authorization", "Bearer everything");
    let gpc = ("sec-gpc", "1");
    for (method, path) in BODIES {
        let send = |headers: &'static [(&'static str, &'static str)], body: &'static [u8]| {
            let headers = [headers, &[known, gpc]].concat();
            let node = &node;
            async move { send(node, method, path, &headers, body).await }
        };
        send(&[], b"{}").await.refused(415, "MEDIA_TYPE_UNKNOWN");
        send(&[("content-type", "text/plain")], b"{}")
            .await
            .refused(415, "MEDIA_TYPE_UNKNOWN");
        send(
            &[("content-type", "application/json; charset=utf-16")],
            b"{}",
        )
        .await
        .refused(415, "MEDIA_TYPE_UNKNOWN");
        send(&[JSON, ("content-encoding", "gzip")], b"\x1f\x8b")
            .await
            .refused(415, "ENCODING_UNKNOWN");
        send(&[JSON], b"").await.refused(400, "MESSAGE_MISSING");
        for body in [
            &b"{"[..],
            b"[]",
            b"null",
            b"1",
            b"\xff\xfe",
            b"{\"a\":\"\xff\"}",
            b"{\"nobody\":1}",
            b"{} {}",
        ] {
            send(&[JSON], body).await.refused(400, "MESSAGE_INVALID");
        }
    }
    let purposes = send(&node, "GET", "/admin/v1/purposes", &[known], "").await;
    assert_eq!(purposes.ok()["revision"], 1, "nothing was done");
}

#[tokio::test]
async fn an_oversized_body_is_refused() {
    let node = Node::start().await;
    let large = format!("{{\"identifiers\":\"{}\"}}", "a".repeat(5 << 20));
    let mut refused = 0;
    for (method, path) in [("POST", "/v1/default/check"), ("PATCH", PREFERENCES)] {
        let answer = send(&node, method, path, &[JSON], large.clone()).await;
        answer.refused(413, "MESSAGE_TOO_LARGE");
        refused += 1;
    }
    assert_eq!((refused, revision(&node).await), (2, 1));
}

#[tokio::test]
async fn a_complaint_quotes_nothing() {
    let node = Node::start().await;
    for body in [
        r#"{"identifiers":"ada@example.com"}"#,
        r#"{"ada@example.com":1}"#,
        r#"{"identifiers":[{"type":"email","value":"x","ada@example.com":1}]}"#,
        r#"{"identifiers":[],"preferences":{"sale":"ada@example.com"}}"#,
        r#"{"identifiers":[],"preferences":{},"schema_version":"ada@example.com"}"#,
        r#"{"identifiers":[],"preferences":{},"signal":"ada@example.com"}"#,
    ] {
        let answer = send(&node, "PATCH", PREFERENCES, &[JSON], body).await;
        let problem = answer.refused(400, "MESSAGE_INVALID");
        let detail = problem["detail"].as_str().expect("detail");
        assert!(detail.contains("line 1 column"), "{detail}");
        assert!(!answer.text.contains("ada@"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let node = Node::start().await;
    for (method, path, allowed) in [
        ("GET", PREFERENCES, "PATCH"),
        ("POST", PREFERENCES, "PATCH"),
        ("GET", "/v1/default/check", "POST"),
        ("POST", "/v1/default/changes", "GET,HEAD"),
        ("PUT", "/v1/default/subjects/1:0/permissions/sale", "DELETE"),
        (
            "POST",
            "/v1/default/subjects/1:0/permissions/sale",
            "DELETE",
        ),
        ("DELETE", "/admin/v1/purposes", "GET,HEAD"),
        ("PATCH", "/admin/v1/schema-floors", "GET,HEAD,PUT"),
        ("POST", "/.well-known/gpc.json", "GET,HEAD"),
        ("POST", "/openapi.json", "GET,HEAD"),
        ("BREW", PREFERENCES, "PATCH"),
    ] {
        let answer = send(&node, method, path, &[JSON], good()).await;
        answer.refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("allow"), allowed, "{method} {path}");
    }
    assert_eq!(revision(&node).await, 1, "nothing was done");
}

#[tokio::test]
async fn a_path_that_is_not_there_is_told_so() {
    let node = Node::start().await;
    for path in [
        "/",
        "/v1",
        "/v1/default",
        "/v1/default/nothing",
        "/v2/default/check",
        "/docs/nothing.js",
        "/admin/v1",
    ] {
        get(&node, path).await.refused(404, "ROUTE_UNKNOWN");
    }
    // An empty namespace is none, and never `default`.
    let answer = send(&node, "POST", "/v1//check", &[JSON], good()).await;
    answer.refused(404, "ROUTE_UNKNOWN");
    let answer = send(&node, "POST", "/v1/%ff/check", &[JSON], good()).await;
    answer.refused(400, "PATH_INVALID");
}

#[tokio::test]
async fn a_node_with_too_much_to_do_says_when_to_come_back() {
    let node = Node::start_with(|config| config.max_calls = 0).await;
    let answer = send(&node, "PATCH", PREFERENCES, &[JSON], good()).await;
    answer.refused(429, "OVERLOADED");
    assert_eq!(answer.header("retry-after"), "1");
    let probe = get(&node, "/livez").await;
    assert_eq!(probe.status.as_u16(), 200, "probes are heard");
}

#[tokio::test]
async fn a_node_without_a_cluster_denies() {
    let node = Node::start_with(|config| config.join = true).await;
    let asked = json!({ "identifiers": [email("ada@example.com")], "purpose": "sale" }).to_string();
    let answer = send(&node, "POST", "/v1/default/check", &[JSON], asked).await;
    answer.refused(503, "WAITING_FOR_CLUSTER");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let node = Node::start_with(|config| {
        config.deadlines.default = std::time::Duration::from_millis(200);
    })
    .await;
    let mut stream = tokio::net::TcpStream::connect(node.running.client_address)
        .await
        .expect("connect");
    let begun = "PATCH /v1/default/preferences HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\n\
                 content-length: 100\r\nconnection: close\r\n\r\n{\"identifiers\":";
    stream.write_all(begun.as_bytes()).await.expect("write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"reason\":\"MESSAGE_SLOW\""), "{answer}");
    assert_eq!(revision(&node).await, 1, "nothing was done");
}
