//! Links for one-click unsubscribe, made over REST.

use refrain::proto::v1::Decision;
use serde_json::json;

use super::{
    super::support::Node,
    wire::{email, get, json, revision, send},
};

const LINKS: &str = "/v1/default/links";

#[tokio::test]
async fn a_link_opts_out_by_post_alone_and_holds_no_identifier() {
    let node = Node::start().await;
    let wish = json!({ "identifiers": [email("ada@example.com")], "purposes": ["marketing"] });
    let made = json(&node, "POST", LINKS, &wish).await.ok();
    let path = made["path"].as_str().expect("path");
    assert!(path.starts_with("/u/") && !path.contains("ada"), "{path}");

    assert_eq!(get(&node, path).await.status.as_u16(), 200);
    assert_eq!(revision(&node).await, 1, "a scanner's GET does nothing");
    for _ in 0..2 {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let done = send(&node, "POST", path, &form, "List-Unsubscribe=One-Click").await;
        assert_eq!(done.status.as_u16(), 200, "{done:?}");
    }
    let answer = node.check("ada@example.com", "marketing.email").await;
    assert_eq!(answer.decision(), Decision::Deny);
    assert_eq!(revision(&node).await, 2, "a repeat changes nothing");
}

#[tokio::test]
async fn bad_links_are_not_made() {
    let node = Node::start().await;
    let one = || json!([email("ada@example.com")]);
    for (wish, status, reason) in [
        (
            json!({ "identifiers": one(), "purposes": [] }),
            400,
            "PURPOSES_REQUIRED",
        ),
        (
            json!({ "identifiers": [], "purposes": ["sale"] }),
            400,
            "IDENTIFIERS_REQUIRED",
        ),
        (
            json!({ "identifiers": one(), "purposes": ["nothing"] }),
            404,
            "PURPOSE_UNKNOWN",
        ),
        (
            json!({ "identifiers": one(), "purposes": ["service.legal"] }),
            409,
            "PURPOSE_ESSENTIAL",
        ),
        (
            json!({ "identifiers": one(), "purposes": "sale" }),
            400,
            "MESSAGE_INVALID",
        ),
    ] {
        json(&node, "POST", LINKS, &wish)
            .await
            .refused(status, reason);
    }
}
