//! What services processed, over REST: reported to one node, told by another.

use serde_json::json;

use super::{Site, email};
use crate::ways_in::trio::{ADA, STRANGER};

pub async fn is_judged(site: &Site) {
    let (near, far) = (site.near, site.far);
    let nothing = json!(null);
    let route = ("POST", "/v1/default/processing");
    let report = json!({
        "service": "rest-shop",
        "reports": [{
            "identifiers": [email("processed@example.com")],
            "purpose": "sale",
            "processed_at": "2026-01-31T12:00:00Z",
        }],
    });
    site.forbidden(near, STRANGER, route, &report).await;
    let found = site.ask(near, ADA, route, &report).await.ok();
    assert_eq!(found["violations"][0]["kind"], "no_check", "{found}");
    let listed = site
        .read(far, "/admin/v1/violations?service=rest-shop")
        .await;
    assert_eq!(listed["events"][0]["violations"]["count"], 1, "{listed}");
    let scores = site.read(far, "/admin/v1/scores?service=rest-shop").await;
    assert_eq!(scores["scores"][0]["score"], 75.0, "{scores}");
    let settings = "/admin/v1/anomaly-settings";
    let standing = site.read(near, settings).await;
    let route = ("PUT", settings);
    let mut next = standing["settings"].clone();
    next["subject_turns"] = json!(7);
    let next = json!({ "settings": next });
    site.forbidden(near, STRANGER, route, &next).await;
    let set = site.ask(near, ADA, route, &next).await.ok();
    assert_eq!(set["changed"], true, "{set}");
    let seen = site.read(far, settings).await;
    assert_eq!(seen["settings"], next["settings"], "{seen}");
    let found = site.read(far, "/admin/v1/anomalies?kind=import_size").await;
    assert_eq!(found["events"], json!([]), "{found}");
    let paths = [
        "/admin/v1/violations",
        "/admin/v1/scores",
        "/admin/v1/anomalies",
        settings,
    ];
    for path in paths {
        site.forbidden(far, STRANGER, ("GET", path), &nothing).await;
    }
}
