//! The feed as server-sent events.

use serde_json::json;

use super::{
    super::support::Node,
    wire::{Events, email, get, json, send, token},
};

#[tokio::test]
async fn a_page_follows_one_person_and_nobody_else() {
    let node = Node::start().await;
    let ada = token(&node, "ada@example.com").await;
    let path = format!("/v1/default/changes?token={ada}&purpose=marketing&purpose=sale");
    let mut events = Events::follow(&node, &path, &[]).await;
    let begin = events.next().await.expect("at once");
    assert_eq!((begin.kind.as_str(), begin.id.as_str()), ("heartbeat", "1"));

    node.opt_out("bob@example.com", "sale").await;
    node.opt_out("ada@example.com", "analytics").await;
    let wish = json!({ "identifiers": [email("ada@example.com")], "preferences": { "marketing.email": "out" } });
    json(&node, "PATCH", "/v1/default/preferences", &wish)
        .await
        .ok();
    let sent = events.change().await;
    assert_eq!((sent.kind.as_str(), sent.id.as_str()), ("change", "4"));
    assert_eq!(sent.data["revision"], 4);
    assert_eq!(sent.data["purposes"], json!(["marketing.email"]));
    assert_eq!(sent.data["tokens"][0]["token"], ada);
}

#[tokio::test]
async fn an_event_source_goes_on_where_it_was() {
    let node = Node::start().await;
    for purpose in ["sale", "marketing", "analytics"] {
        node.opt_out("ada@example.com", purpose).await;
    }
    let mut events = Events::follow(&node, "/v1/default/changes?from=1", &[]).await;
    for revision in 1..=4 {
        assert_eq!(events.change().await.id, revision.to_string());
    }
    // What it says it saw wins over what the page once asked for.
    let seen = [("last-event-id", "3")];
    let mut events = Events::follow(&node, "/v1/default/changes?from=1", &seen).await;
    assert_eq!(events.next().await.expect("at once").id, "3");
    assert_eq!(events.change().await.id, "4");
    let empty = [("last-event-id", "")];
    let mut events = Events::follow(&node, "/v1/default/changes?from=2", &empty).await;
    assert_eq!(events.change().await.id, "2");
}

#[tokio::test]
async fn heartbeats_carry_the_revision() {
    let node = Node::start().await;
    let path = "/v1/default/changes?heartbeat_ms=100&purpose=sale";
    let mut events = Events::follow(&node, path, &[]).await;
    node.opt_out("ada@example.com", "analytics").await;
    loop {
        let beat = events.next().await.expect("a heartbeat");
        assert_eq!(beat.kind, "heartbeat");
        assert_eq!(beat.data["revision"].to_string(), beat.id);
        if beat.id == "2" {
            break;
        }
    }
}

#[tokio::test]
async fn a_node_that_stops_says_so_and_ends_the_stream() {
    let node = Node::start().await;
    let mut events = Events::follow(&node, "/v1/default/changes", &[]).await;
    events.next().await.expect("at once");
    node.running.shutdown();
    let last = events.change().await;
    assert_eq!(last.kind, "problem");
    assert_eq!(last.data["reason"], "DRAINING");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn bad_feeds_get_a_reason() {
    let node = Node::start().await;
    let many: Vec<String> = (0..65).map(|n| format!("token=1:{n:032x}")).collect();
    let many = many.join("&");
    for (path, status, reason) in [
        ("/v1/nobody/changes", 404, "NAMESPACE_UNKNOWN"),
        (
            "/v1/default/changes?purpose=nothing",
            404,
            "PURPOSE_UNKNOWN",
        ),
        ("/v1/default/changes?from=9", 409, "REVISION_AHEAD"),
        ("/v1/default/changes?from=-1", 400, "QUERY_INVALID"),
        ("/v1/default/changes?form=1", 400, "QUERY_INVALID"),
        (
            "/v1/default/changes?token=ada@example.com",
            400,
            "IDENTIFIER_INVALID",
        ),
        (
            // Of a key that never was.
            "/v1/default/changes?token=2:00112233445566778899aabbccddeeff",
            400,
            "IDENTIFIER_INVALID",
        ),
        (
            "/v1/default/changes?heartbeat_ms=1",
            400,
            "HEARTBEAT_INVALID",
        ),
        (
            &format!("/v1/default/changes?{many}"),
            400,
            "TOO_MANY_FILTERS",
        ),
    ] {
        let problem = get(&node, path).await.refused(status, reason);
        assert!(!problem.to_string().contains("ada@"), "{problem}");
    }
    for id in ["x", "18446744073709551615", "-1", "1.5"] {
        let headers = [("last-event-id", id)];
        let answer = send(&node, "GET", "/v1/default/changes", &headers, "").await;
        answer.refused(400, "LAST_EVENT_ID_INVALID");
    }
}

#[tokio::test]
async fn followers_take_no_place_from_checks() {
    let node = Node::start_with(|config| config.max_calls = 1).await;
    let mut followers = Vec::new();
    for _ in 0..3 {
        let mut events = Events::follow(&node, "/v1/default/changes", &[]).await;
        events.next().await.expect("at once");
        followers.push(events);
    }
    let asked = json!({ "identifiers": [email("ada@example.com")], "purpose": "sale" });
    json(&node, "POST", "/v1/default/check", &asked).await.ok();
}
