//! An override holds, and is counted, while its leader is killed, and ends when one says so.

use refrain::proto::v1::{
    EventKind, Reason, WatchRequest, watch_response::Item, watch_service_client::WatchServiceClient,
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::Code;

use super::trio::{ADA, BOB, MAILER, Trio, question, question_of, unless_away};
use crate::support::{PATIENCE, eventually};

/// Each node reports at once what it counted.
const COUNTING: [&str; 2] = ["--usage-report-ms", "100"];
const SERVICE: &str = "newsletter";
const EVE: &str = "eve@example.com";

/// Asks a node as the service that the override names, until it answers; the answer must be an ALLOW that names it.
async fn lifted(trio: &Trio, place: usize, id: &str) {
    let asked = question_of(SERVICE, EVE, "marketing.email");
    let answer = eventually("a check is answered", || async {
        unless_away(trio.check(place, MAILER, asked.clone()).await)
    })
    .await;
    assert_eq!(answer.reason(), Reason::Overridden, "node {place}");
    assert_eq!(answer.override_id, id);
}

/// What the program lists, through one node.
fn listed(trio: &Trio, place: usize) -> Value {
    let all = trio.run(place, BOB, &["override", "list"]);
    assert_eq!(all["overrides"].as_array().unwrap().len(), 1, "{all}");
    all["overrides"][0].clone()
}

/// Waits until an override is listed with so many decisions that it let through, and holds that it is never more.
async fn totals(trio: &Trio, place: usize, count: u64) {
    eventually("the totals come to what was asked", || async {
        let lifted = listed(trio, place)["lifted"].clone();
        let counted = lifted[0]["count"].as_u64().unwrap_or_default();
        assert!(counted <= count, "{lifted} is more than {count}");
        (lifted == json!([{ "service": SERVICE, "count": count }])).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_override_outlives_its_leader_and_ends_on_every_node() {
    let mut trio = Trio::start(&COUNTING).await;
    let [leader, near, far] = trio.places().await;
    trio.opt_out(near, EVE, "marketing").await;
    let asked = question_of(SERVICE, EVE, "marketing.email");

    // Proposed through one node, it lifts nothing on any; approved through another, it does on each.
    let wish = "override propose --purpose marketing --reason recall --for 1h --service newsletter";
    let wish: Vec<&str> = wish.split(' ').collect();
    let proposed = trio.run(near, ADA, &wish);
    let id = proposed["override_id"].as_str().unwrap();
    trio.all_say(&[0, 1, 2], &asked, Reason::OptedOut).await;
    trio.run(far, BOB, &["override", "approve", id]);
    for place in [leader, near, far] {
        lifted(&trio, place, id).await;
    }
    let other = question_of("somebody", EVE, "marketing.email");
    trio.all_say(&[0, 1, 2], &other, Reason::OptedOut).await;
    totals(&trio, near, 3).await;

    // The leader is killed once its count is in.
    trio.nodes[leader].kill();
    for place in [near, far] {
        lifted(&trio, place, id).await;
    }
    totals(&trio, far, 5).await;
    let standing = listed(&trio, near);
    let by = (
        &standing["state"],
        &standing["proposed_by"],
        &standing["approved_by"],
    );
    assert_eq!(by, (&json!("ACTIVE"), &json!(ADA), &json!(BOB)));

    // Back again, the killed one obeys it too, and what it counted in its earlier life stays counted.
    trio.nodes[leader].restart().await;
    lifted(&trio, leader, id).await;
    totals(&trio, leader, 6).await;
    let seen = trio.run(far, ADA, &["services"]);
    let seen = seen["services"].as_array().unwrap().iter();
    let newsletter = seen.clone().find(|it| it["service"] == SERVICE).unwrap();
    // Three that were denied before the approval.
    assert_eq!(newsletter["calls"], 9, "{newsletter}");
    assert!(seen.clone().any(|it| it["service"] == "somebody"));

    let mut watches = WatchServiceClient::new(trio.line(far, ADA));
    let mut news = watches.watch(WatchRequest::default()).await.unwrap();
    let revoked = trio.run(near, BOB, &["override", "revoke", id]);
    trio.all_say(&[0, 1, 2], &asked, Reason::OptedOut).await;
    let event = loop {
        let sent = timeout(PATIENCE, news.get_mut().message()).await.unwrap();
        if let Some(Item::Event(event)) = sent.unwrap().unwrap().item {
            break event;
        }
    };
    assert_eq!(event.kind(), EventKind::OverrideRevoked, "{event:?}");
    assert_eq!(
        (event.change_id.as_str(), event.principal.as_str()),
        (id, BOB)
    );
    assert_eq!(revoked["event_id"], event.id);
    let standing = listed(&trio, leader);
    assert_eq!(standing["state"], "REVOKED");
    assert_eq!(standing["lifted"][0]["count"], 6, "{standing}");
    let limited = trio.check(near, MAILER, question(EVE, "sale")).await;
    assert_eq!(limited.unwrap_err().code(), Code::PermissionDenied);
}
