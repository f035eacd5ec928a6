//! Links for one-click unsubscribe: made by a call, followed over HTTP by mail programs, people and scanners.

use refrain::proto::v1::{
    CreateLinkRequest, Decision, EventKind, Identifier, ListEventsRequest, Purpose,
    PutPurposeRequest, Signal, StatusRequest, identifier::Form,
};
use tonic::Code;

use super::http::{Answer, ask};
use super::support::{Node, assert_refused, email, value};

const ADA: &str = "ada@example.com";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const ONE_CLICK: &[u8] = b"List-Unsubscribe=One-Click";
const PAGE: &str = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n";

#[track_caller]
fn assert_problem(answer: &Answer, code: u16, reason: &str) {
    assert_eq!(answer.code, code, "{}\n{}", answer.head, answer.body);
    assert!(
        answer.has("content-type: application/problem+json"),
        "{}",
        answer.head
    );
    assert!(answer.body.contains(reason), "{}", answer.body);
    assert_guarded(answer);
}

/// What every answer of a link carries.
#[track_caller]
fn assert_guarded(answer: &Answer) {
    for header in [
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-robots-tag: noindex",
        "x-content-type-options: nosniff",
    ] {
        assert!(answer.has(header), "{header}: {}", answer.head);
        let name = header.split(':').next().expect("a name");
        let times = answer.head.matches(name).count();
        assert_eq!(times, 1, "{name}: {}", answer.head);
    }
}

/// A page: nothing is loaded from elsewhere, nothing runs, and nobody is named.
#[track_caller]
fn assert_page(answer: &Answer, code: u16, says: &str) {
    assert_eq!(answer.code, code, "{}\n{}", answer.head, answer.body);
    assert!(
        answer.has("content-type: text/html; charset=utf-8"),
        "{}",
        answer.head
    );
    assert!(
        answer
            .head
            .contains("content-security-policy: default-src 'none'"),
        "{}",
        answer.head
    );
    assert_guarded(answer);
    assert!(answer.body.contains(says), "{}", answer.body);
    for never in [
        "<script", "http:", "https:", "src=", "@", "example", "token",
    ] {
        let body = answer.body.replace("@media", "");
        assert!(!body.contains(never), "{never}: {}", answer.body);
    }
}

fn wanted(address: &str, purposes: &[&str]) -> CreateLinkRequest {
    CreateLinkRequest {
        identifiers: vec![email(address)],
        purposes: purposes.iter().map(|&name| name.to_owned()).collect(),
        ..CreateLinkRequest::default()
    }
}

async fn link(node: &Node, request: CreateLinkRequest) -> String {
    let made = node.preferences().create_link(request).await;
    made.expect("a link").into_inner().path
}

async fn revision(node: &Node) -> u64 {
    let status = node
        .cluster()
        .status(StatusRequest {})
        .await
        .expect("status");
    status.into_inner().members[0].revision
}

#[tokio::test]
async fn one_click_opts_out_and_a_repeat_does_no_more() {
    let node = Node::start().await;
    let path = link(&node, wanted(ADA, &["marketing.email", "sale"])).await;
    assert!(!path.contains("ada") && path.len() < 200, "{path}");
    let made_before = revision(&node).await;

    let answer = ask(&node, "POST", &path, FORM, ONE_CLICK).await;
    assert_eq!((answer.code, answer.body.as_str()), (200, ""));
    assert!(
        answer.has("content-type: text/plain; charset=utf-8"),
        "{}",
        answer.head
    );
    assert_guarded(&answer);
    for purpose in ["marketing.email", "sale"] {
        assert_eq!(node.check(ADA, purpose).await.decision(), Decision::Deny);
    }
    assert_eq!(
        node.check(ADA, "marketing.sms").await.decision(),
        Decision::Allow
    );
    assert_eq!(
        node.check("bo@example.com", "sale").await.decision(),
        Decision::Allow
    );

    let again = ask(&node, "POST", &path, FORM, ONE_CLICK).await;
    assert_eq!((again.code, again.body.as_str()), (200, ""));
    assert_eq!(revision(&node).await, made_before + 1);
    let request = ListEventsRequest {
        identifiers: vec![email(ADA)],
        ..ListEventsRequest::default()
    };
    let events = node
        .preferences()
        .list_events(request)
        .await
        .expect("events");
    let events = events.into_inner().events;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind(), EventKind::OptOut);
    assert_eq!(events[0].signal(), Signal::ListUnsubscribe);
    assert_eq!(events[0].principal, "link");
    assert_eq!(events[0].purposes, ["marketing.email", "sale"]);
}

#[tokio::test]
async fn a_scanner_that_opens_the_link_changes_nothing() {
    let node = Node::start().await;
    let path = link(&node, wanted(ADA, &["marketing.email"])).await;
    let before = revision(&node).await;
    let shown = ask(&node, "GET", &path, PAGE, b"").await;
    assert_page(&shown, 200, "Marketing by e-mail.");
    assert!(
        shown.body.contains(r#"<form method="post">"#),
        "{}",
        shown.body
    );
    assert!(
        shown
            .body
            .contains(r#"name="List-Unsubscribe" value="One-Click""#),
        "{}",
        shown.body
    );
    // Whatever it accepts and sends along.
    assert_page(
        &ask(&node, "GET", &path, FORM, ONE_CLICK).await,
        200,
        "Unsubscribe",
    );
    let head = ask(&node, "HEAD", &path, "", b"").await;
    assert_eq!((head.code, head.body.as_str()), (200, ""));
    assert_eq!(revision(&node).await, before);
    assert_eq!(
        node.check(ADA, "marketing.email").await.decision(),
        Decision::Allow
    );

    // A person then presses the button.
    let done = ask(&node, "POST", &path, &format!("{FORM}{PAGE}"), ONE_CLICK).await;
    assert_page(&done, 200, "You are unsubscribed");
    assert_eq!(
        node.check(ADA, "marketing.email").await.decision(),
        Decision::Deny
    );
}

#[tokio::test]
async fn the_form_may_come_in_parts() {
    let node = Node::start().await;
    let path = link(&node, wanted(ADA, &["*"])).await;
    let body = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
    let kind = "Content-Type: multipart/form-data; boundary=x\r\n";
    let answer = ask(&node, "POST", &path, kind, body.as_bytes()).await;
    assert_eq!(answer.code, 200, "{}", answer.body);
    assert_eq!(
        node.check(ADA, "analytics").await.decision(),
        Decision::Deny
    );
    assert_page(
        &ask(&node, "GET", &path, "", b"").await,
        200,
        "Everything that is not essential",
    );
}

#[tokio::test]
async fn a_link_that_is_not_ours_changes_nothing() {
    let node = Node::start().await;
    let path = link(&node, wanted(ADA, &["marketing.email"])).await;
    let before = revision(&node).await;
    let mut flipped = path.clone().into_bytes();
    flipped[20] ^= 1;
    let flipped = String::from_utf8(flipped).expect("ascii");
    let long = format!("/u/{}", "A".repeat(4_096));
    for wrong in [
        &flipped,
        &path[..path.len() - 1],
        &path[..path.len() / 2],
        &format!("{path}A"),
        "/u/AAAA",
        "/u/%ff%fe",
        &long,
    ] {
        assert_problem(
            &ask(&node, "POST", wrong, FORM, ONE_CLICK).await,
            404,
            "LINK_UNKNOWN",
        );
        assert_problem(
            &ask(&node, "GET", wrong, "", b"").await,
            404,
            "LINK_UNKNOWN",
        );
        let page = ask(&node, "GET", wrong, PAGE, b"").await;
        assert_page(&page, 404, "This link does not work");
        let page = ask(&node, "POST", wrong, &format!("{FORM}{PAGE}"), ONE_CLICK).await;
        assert_page(&page, 404, "This link does not work");
    }
    // Of a cluster with another token key.
    let other = Node::start_with(|config| {
        let key = refrain::config::Secret::new([9; 32]);
        config.token_key = refrain::config::SecretSource::Given(key);
    })
    .await;
    let foreign = link(&other, wanted(ADA, &["marketing.email"])).await;
    assert_problem(
        &ask(&node, "POST", &foreign, FORM, ONE_CLICK).await,
        404,
        "LINK_UNKNOWN",
    );
    assert_eq!(revision(&node).await, before);
}

#[tokio::test]
async fn what_is_no_one_click_changes_nothing() {
    let node = Node::start().await;
    let path = link(&node, wanted(ADA, &["marketing.email"])).await;
    let before = revision(&node).await;
    let multipart = "Content-Type: multipart/form-data; boundary=x\r\n";
    for (headers, body) in [
        (FORM, &b""[..]),
        (FORM, b"List-Unsubscribe=one-click"),
        (FORM, b"list-unsubscribe=One-Click"),
        (FORM, b"List-Unsubscribe"),
        (FORM, b"\xff\xfe%%%"),
        ("", ONE_CLICK),
        ("Content-Type: text/plain\r\n", ONE_CLICK),
        (
            "Content-Type: application/json\r\n",
            br#"{"List-Unsubscribe":"One-Click"}"#,
        ),
        ("Content-Type: multipart/form-data\r\n", ONE_CLICK),
        (multipart, ONE_CLICK),
        (
            multipart,
            b"--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Cli",
        ),
        (
            multipart,
            b"--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nOne-Click\r\n--x--\r\n",
        ),
    ] {
        let answer = ask(&node, "POST", &path, headers, body).await;
        assert_problem(&answer, 400, "LINK_BODY_INVALID");
        let page = ask(&node, "POST", &path, &format!("{headers}{PAGE}"), body).await;
        assert_page(&page, 400, "That did not work");
    }
    let large = [ONE_CLICK, b"&x=", &[b'x'; 16 << 10]].concat();
    let answer = ask(&node, "POST", &path, FORM, &large).await;
    assert_problem(&answer, 413, "MESSAGE_TOO_LARGE");
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = ask(&node, method, &path, FORM, ONE_CLICK).await;
        assert_eq!(answer.code, 405, "{method}: {}", answer.head);
        assert!(answer.has("allow: GET, HEAD, POST"), "{}", answer.head);
    }
    assert_eq!(revision(&node).await, before);
}

#[tokio::test]
async fn a_link_is_only_made_where_it_would_work() {
    let node = Node::start().await;
    let refused = async |request: CreateLinkRequest, code, reason| {
        let made = node.preferences().create_link(request).await;
        assert_refused(made, code, reason);
    };
    refused(wanted(ADA, &["nothing"]), Code::NotFound, "PURPOSE_UNKNOWN").await;
    refused(
        wanted(ADA, &["sale", "service.legal"]),
        Code::FailedPrecondition,
        "PURPOSE_ESSENTIAL",
    )
    .await;
    refused(wanted(ADA, &[]), Code::InvalidArgument, "PURPOSES_REQUIRED").await;
    refused(
        wanted(ADA, &["sale", "sale"]),
        Code::InvalidArgument,
        "DUPLICATE_PURPOSE",
    )
    .await;
    refused(
        wanted(ADA, &["a"; 9]),
        Code::InvalidArgument,
        "LINK_TOO_LARGE",
    )
    .await;
    let nobody = CreateLinkRequest {
        identifiers: Vec::new(),
        ..wanted(ADA, &["sale"])
    };
    refused(nobody, Code::InvalidArgument, "IDENTIFIERS_REQUIRED").await;
    let crowd = CreateLinkRequest {
        identifiers: (0..5).map(|n| value("account", &n.to_string())).collect(),
        ..wanted(ADA, &["sale"])
    };
    refused(crowd, Code::InvalidArgument, "LINK_TOO_LARGE").await;
    let elsewhere = CreateLinkRequest {
        namespace: "elsewhere".to_owned(),
        ..wanted(ADA, &["sale"])
    };
    refused(elsewhere, Code::NotFound, "NAMESPACE_UNKNOWN").await;

    // Purposes whose names alone do not fit.
    let mut names = Vec::new();
    for n in 0..8 {
        let name = format!("{}{n}", "a".repeat(127));
        let purpose = Purpose {
            name: name.clone(),
            default_deny: Some(false),
            ..Purpose::default()
        };
        let put = PutPurposeRequest {
            purpose: Some(purpose),
            ..PutPurposeRequest::default()
        };
        node.registry().put_purpose(put).await.expect("put");
        names.push(name);
    }
    let long = CreateLinkRequest {
        purposes: names,
        ..wanted(ADA, &[])
    };
    refused(long, Code::InvalidArgument, "LINK_TOO_LARGE").await;

    // A token will do: whoever makes links need not hold addresses.
    let tokenless = link(&node, wanted(ADA, &["sale"])).await;
    let request = ListEventsRequest {
        identifiers: vec![email(ADA)],
        ..ListEventsRequest::default()
    };
    node.opt_out(ADA, "analytics").await;
    let events = node
        .preferences()
        .list_events(request)
        .await
        .expect("events");
    let token = events.into_inner().events[0].tokens[0].token.clone();
    let by_token = CreateLinkRequest {
        identifiers: vec![Identifier {
            r#type: "email".to_owned(),
            form: Some(Form::Token(token)),
        }],
        ..wanted(ADA, &["sale"])
    };
    assert_eq!(link(&node, by_token).await, tokenless);
}

#[tokio::test]
async fn without_a_cluster_a_person_is_told_to_try_again() {
    let node = Node::start().await;
    let path = link(&node, wanted(ADA, &["sale"])).await;
    let waiting = Node::start_with(|config| config.join = true).await;
    let answer = ask(&waiting, "POST", &path, FORM, ONE_CLICK).await;
    assert_problem(&answer, 503, "WAITING_FOR_CLUSTER");
    let page = ask(&waiting, "POST", &path, &format!("{FORM}{PAGE}"), ONE_CLICK).await;
    assert_page(&page, 503, "Please try again");
    assert!(page.body.contains("<form"), "{}", page.body);
}
