//! What is open to everybody: the document, the page that shows it, the keys, and the support of GPC.

use refrain::stamp::KeySet;
use serde_json::{Value, json};

use super::{Site, email};
use crate::support::eventually;
use crate::ways_in::trio::ADA;

/// Reads all of it on each node, and returns the document.
pub async fn documents(site: &Site) -> Value {
    let mut documents = Vec::new();
    for place in 0..3 {
        let get = async |path: &str| site.call(place, ("GET", path), &[], "").await;
        assert_eq!(get("/.well-known/gpc.json").await.ok()["gpc"], true);
        let moved = get("/docs").await;
        assert_eq!((moved.status, moved.header("location")), (308, "/docs/"));
        let page = get("/docs/").await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.header("content-type").starts_with("text/html"));
        stamp(site, place).await;
        let document = get("/openapi.json").await.ok();
        assert_eq!(document["openapi"], "3.1.0");
        documents.push(document);
    }
    // Each node has signed by now, and each serves the keys of all.
    let mut sets = Vec::new();
    for place in 0..3 {
        let set = ("GET", "/.well-known/jwks.json");
        let set = site.call(place, set, &[], "").await;
        assert_eq!(set.header("content-type"), "application/jwk-set+json");
        sets.push(KeySet::from_json(set.text.as_bytes()).unwrap());
    }
    assert_eq!(sets[0].keys().len(), 3);
    assert!(sets.iter().all(|set| *set == sets[0]), "{sets:?}");
    assert!(documents.iter().all(|one| *one == documents[0]));
    documents.swap_remove(0)
}

/// Has a node sign something.
async fn stamp(site: &Site, place: usize) {
    let question = json!({
        "identifiers": [email("grace@example.com")],
        "purpose": "analytics",
        "want_stamp": true,
    });
    eventually("a stamp", || async {
        let route = ("POST", "/v1/default/check");
        let answer = site.ask(place, ADA, route, &question).await.ok();
        answer["stamp"].is_string().then_some(())
    })
    .await;
}
