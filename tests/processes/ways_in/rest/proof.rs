//! Proof, over REST: receipts, checkpoints, keys and tiles.

use refrain::proof::{Checkpoint, VerifierKeys, path::Resource};
use refrain::receipt;
use serde_json::json;

use super::{Site, email};
use crate::ways_in::trio::{ADA, STRANGER};

pub async fn is_given(site: &Site) {
    let (near, far) = (site.near, site.far);
    let nothing = json!(null);
    let wish = json!({
        "identifiers": [email("proven@example.com")],
        "preferences": { "sale": "out" },
        "receipt": true,
    });
    let route = ("PATCH", "/v1/default/preferences");
    let changed = site.ask(near, ADA, route, &wish).await.ok();
    let given = changed["receipt"].to_string();
    let read = async |place, path: &str| site.call(place, ("GET", path), &[], "").await;
    let keys = read(far, "/journal/keys").await;
    let keys = VerifierKeys::read(&keys.text).unwrap();
    let verified = receipt::verify_json(given.as_bytes(), &keys).unwrap();
    assert_eq!(verified.event.id.to_string(), changed["event_id"]);

    // Read through another node, it is the same event under another signature.
    let path = format!("/v1/default/receipts/{}", changed["revision"]);
    let again = site.read(far, &path).await.to_string();
    let keys = read(near, "/journal/keys").await;
    let keys = VerifierKeys::read(&keys.text).unwrap();
    let again = receipt::verify_json(again.as_bytes(), &keys).unwrap();
    assert_eq!(again.event, verified.event);
    assert_ne!(again.key, verified.key);
    site.read(far, "/admin/v1/receipts/1").await;
    let checkpoint = read(far, "/checkpoint").await;
    let (checkpoint, _) = Checkpoint::verify(&checkpoint.text, &keys).unwrap();
    assert!(checkpoint.size >= verified.event.revision);

    let tile = Resource {
        level: Some(0),
        number: 0,
        width: 3,
    };
    let tile = format!("/{}", tile.path());
    let served = site.ask(far, ADA, ("GET", &tile), &nothing).await;
    assert_eq!(served.status, 200, "{served:?}");
    for path in [&path, "/admin/v1/receipts/1", &tile] {
        let route = ("GET", path);
        site.forbidden(far, STRANGER, route, &nothing).await;
    }
}
