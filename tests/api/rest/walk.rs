//! A walk through every route: who is not known, or may not make the call, is turned away before anything of it is read.

use std::collections::{BTreeMap, BTreeSet};

use refrain::admission::{Permission, Permissions};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    super::{
        principals::{grant, with_principals},
        support::{Node, thresholds},
    },
    documents::operations,
    routes::ROUTES,
    stamp::forged,
    wire::{JSON, get, raw, request, send},
};

/// What a request may stand for in a path: what is there, and then what is not or cannot be.
const PARAMETERS: [(&str, &[&str]); 8] = [
    ("{namespace}", &["default", "nothing", "No!", "%ff", ""]),
    (
        "{token}",
        &["1:00112233445566778899aabbccddeeff", "ada", "%ff", ""],
    ),
    ("{purpose}", &["sale", "nothing", "No!", "%ff"]),
    ("{name}", &["sale", "No!", "%ff"]),
    (
        "{id}",
        &["01890000-0000-7000-8000-000000000000", "ada", "%ff"],
    ),
    ("{link}", &["nothing"]),
    ("{revision}", &["1", "0", "99", "-1", "x", "%ff"]),
    (
        "{path}",
        &[
            "0/000.p/1",
            "entries/000.p/1",
            "0/x001/000",
            "nothing",
            "%ff",
        ],
    ),
];

/// One request, whoever sends it.
#[derive(Clone)]
struct Asked {
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
}

/// A request that nothing is wrong with, and others that each have one thing wrong.
fn requests(method: &str, template: &str) -> Vec<Asked> {
    let good = good(method, template, Permission::OptOut);
    let mut all = vec![good.clone()];
    for body in [
        "",
        "{",
        "[]",
        "null",
        "7",
        r#"{"ada":1}"#,
        r#"{"identifiers":[]}"#,
    ] {
        let body = body.to_owned();
        all.push(Asked {
            body,
            ..good.clone()
        });
    }
    for headers in [
        vec![],
        vec![("content-type", "text/plain")],
        vec![JSON, ("content-encoding", "gzip")],
        vec![JSON, ("sec-gpc", "0")],
        vec![JSON, ("sec-gpc", "1"), ("idempotency-key", "ada")],
        vec![JSON, ("sec-gpc", "1"), ("if-match", "ada")],
        vec![JSON, ("sec-gpc", "1"), ("last-event-id", "ada")],
        vec![
            JSON,
            ("sec-gpc", "1"),
            ("last-event-id", "1"),
            ("last-event-id", "2"),
        ],
    ] {
        all.push(Asked {
            headers,
            ..good.clone()
        });
    }
    for query in [
        "nonsense=1",
        "dry_run=maybe",
        "min_revision=ada",
        "from=-1",
        "%ff",
    ] {
        let path = format!("{}?{query}", good.path);
        all.push(Asked {
            path,
            ..good.clone()
        });
    }
    for (name, values) in PARAMETERS {
        let bad = values.iter().skip(1).filter(|_| template.contains(name));
        let bad = bad.map(|value| filled(&template.replace(name, value)));
        // Without its last part, it is another route.
        let bad = bad.filter(|path| !path.ends_with('/'));
        all.extend(bad.map(|path| Asked {
            path,
            ..good.clone()
        }));
    }
    all
}

fn filled(template: &str) -> String {
    PARAMETERS
        .iter()
        .fold(template.to_owned(), |path, (name, values)| {
            path.replace(name, values[0])
        })
}

/// A request that nothing is wrong with, from somebody who has this permission.
fn good(method: &str, template: &str, permission: Permission) -> Asked {
    let path = filled(template);
    let body = body_for(method, &path, permission).to_string();
    let headers = vec![JSON, ("sec-gpc", "1")];
    Asked {
        path,
        headers,
        body,
    }
}

fn body_for(method: &str, path: &str, permission: Permission) -> Value {
    let person = json!([{ "type": "email", "value": "ada@example.com" }]);
    let wish = if permission == Permission::OptIn {
        "in"
    } else {
        "out"
    };
    match (method, path.rsplit('/').next().expect("end")) {
        ("POST", "check") => json!({ "identifiers": person, "purpose": "sale" }),
        ("POST", "batch-check") => {
            json!({ "items": [{ "identifiers": person, "purpose": "sale" }] })
        }
        ("POST", "verify") => json!({ "stamp": forged(), "purpose": "sale" }),
        ("PATCH", "preferences") => {
            json!({ "identifiers": person, "preferences": { "sale": wish } })
        }
        ("POST", "preferences:query" | "tokens" | "signals" | "evidence:erase") => {
            json!({ "identifiers": person })
        }
        ("POST", "processing") => json!({
            "service": "newsletter",
            "reports": [{ "identifiers": person, "purpose": "sale", "processed_at": "2026-01-31T12:00:00Z" }],
        }),
        ("POST", "links") => json!({ "identifiers": person, "purposes": ["sale"] }),
        ("PUT", "sale") => json!({ "default_deny": true, "essential": false }),
        ("PUT", "default") => json!({}),
        ("PUT", "schema-floors") => json!({ "version": 1 }),
        ("PUT", "anomaly-settings") => json!({ "settings": thresholds() }),
        ("POST", "changes") => json!({ "floor": { "version": 0 } }),
        ("POST", "overrides") => json!({
            "scope": { "namespace": "default", "purposes": ["sale"], "services": ["newsletter"] },
            "reason": "none",
            "expires_at": "2999-01-01T00:00:00Z",
        }),
        _ => json!(null),
    }
}

/// The name of a principal that may do everything but make the calls that these permissions let in.
fn all_but(permissions: &[Permission]) -> String {
    let names = permissions.iter().map(Permission::to_string);
    format!("all-but-{}", names.collect::<Vec<_>>().join("-"))
}

/// A node that knows somebody with nothing, somebody with each permission, and somebody with all but each route's.
async fn node() -> Node {
    let each = Permission::ALL.map(|one| (format!("only-{one}"), vec![grant(&[one], None, None)]));
    let but = ROUTES.map(|(permissions, _)| {
        let mut grant = grant(&[], None, None);
        grant.permissions = permissions
            .iter()
            .fold(Permissions::of(&Permission::ALL), |all, one| {
                all.without(*one)
            });
        (all_but(permissions), vec![grant])
    });
    let nothing = [("nothing".to_owned(), Vec::new())];
    with_principals(each.into_iter().chain(but).chain(nothing)).await
}

/// Every route that is not open, with the permissions that let in.
async fn routes(node: &Node) -> Vec<(String, String, &'static [Permission])> {
    let mut table: BTreeMap<&str, &[Permission]> = BTreeMap::new();
    for (permissions, routes) in ROUTES {
        table.extend(routes.iter().map(|route| (*route, permissions)));
    }
    let document = get(node, "/openapi.json").await.json();
    let closed = operations(&document).into_iter().filter(|(.., open)| !open);
    let closed: Vec<(String, String)> = closed.map(|(method, path, _)| (method, path)).collect();
    let walked = closed
        .iter()
        .map(|(method, path)| format!("{method} {path}"));
    let walked: BTreeSet<String> = walked.collect();
    let expected: BTreeSet<String> = table.keys().map(|route| (*route).to_owned()).collect();
    assert_eq!(walked, expected, "the table is not what is served");
    let with = closed.into_iter().map(|(method, path)| {
        let permissions = table[format!("{method} {path}").as_str()];
        (method, path, permissions)
    });
    with.collect()
}

/// All that an answer tells, but when it was given.
async fn told(node: &Node, method: &str, asked: &Asked, token: Option<&str>) -> String {
    let token = token.map(|token| format!("Bearer {token}"));
    let mut headers = asked.headers.clone();
    headers.extend(token.as_deref().map(|token| ("authorization", token)));
    let answer = send(node, method, &asked.path, &headers, asked.body.clone()).await;
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let headers: Vec<_> = headers.collect();
    format!("{} {headers:?} {}", answer.status.as_u16(), answer.text)
}

/// What is answered to a request of whose body nothing ever comes.
async fn unread(node: &Node, method: &str, path: &str, token: Option<&str>) -> String {
    let mut stream = TcpStream::connect(node.running.client_address)
        .await
        .expect("connect");
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let token = token.unwrap_or_default();
    let begun = format!(
        "{method} {path} HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\
         {token}connection: close\r\n\r\n"
    );
    stream.write_all(begun.as_bytes()).await.expect("write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    answer
}

async fn revision(node: &Node) -> u64 {
    let headers = [("authorization", "Bearer only-check")];
    let purposes = send(node, "GET", "/admin/v1/purposes", &headers, "").await;
    purposes.ok()["revision"].as_u64().expect("revision")
}

#[tokio::test]
async fn who_may_not_make_a_call_learns_nothing_of_it() {
    let node = node().await;
    let before = revision(&node).await;
    for (method, template, permissions) in routes(&node).await {
        let but = all_but(permissions);
        for (token, status, reason) in [
            (None, 401, "UNAUTHENTICATED"),
            (Some("nobody's"), 401, "UNAUTHENTICATED"),
            (Some("nothing"), 403, "PERMISSION_DENIED"),
            (Some(but.as_str()), 403, "PERMISSION_DENIED"),
        ] {
            let mut answers = BTreeMap::new();
            for asked in requests(&method, &template) {
                let answer = told(&node, &method, &asked, token).await;
                assert!(
                    answer.starts_with(&format!("{status} "))
                        && answer.contains(&format!("\"reason\":\"{reason}\"")),
                    "{token:?}: {method} {} {:?} {}: {answer}",
                    asked.path,
                    asked.headers,
                    asked.body
                );
                answers.insert(answer, asked.path);
            }
            assert_eq!(
                answers.len(),
                1,
                "{token:?}: {method} {template}: {answers:?}"
            );
            let answer = unread(&node, &method, &filled(&template), token).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{token:?}: {method} {template}: {answer}"
            );
        }
    }
    assert_eq!(revision(&node).await, before, "nothing was done");
}

#[tokio::test]
async fn whoever_has_the_permission_and_nobody_else_is_let_in() {
    let node = node().await;
    for (method, template, permissions) in routes(&node).await {
        for permission in Permission::ALL {
            let asked = good(&method, &template, permission);
            let token = format!("Bearer only-{permission}");
            let mut headers = asked.headers.clone();
            headers.push(("authorization", &token));
            // Of an answer that goes well nothing is read: the feed never ends.
            let sent = request(&method, &asked.path, &headers, asked.body);
            let status = raw(&node, sent).await.status().as_u16();
            assert_ne!(status, 401, "{method} {template} with {permission}");
            let allowed = permissions.contains(&permission);
            assert_eq!(
                status != 403,
                allowed,
                "{method} {template} with {permission}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_open_asks_nobody() {
    let node = node().await;
    let document = get(&node, "/openapi.json").await.json();
    let open = operations(&document).into_iter().filter(|(.., open)| *open);
    let mut walked = 0;
    for (method, path, _) in open {
        let answer = send(&node, &method, &filled(&path), &[], "").await;
        let turned_away = [401, 403].contains(&answer.status.as_u16());
        assert!(!turned_away, "{method} {path}: {answer:?}");
        walked += 1;
    }
    assert!(walked > 0, "nothing is open");
}
