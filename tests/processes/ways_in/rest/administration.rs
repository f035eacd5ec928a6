//! What those do who run the cluster, over REST: namespaces, purposes, floors, and what takes two of them.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Site, email};
use crate::support::eventually;
use crate::ways_in::trio::{ADA, BOB, MAILER, STRANGER};

const CHANGES: &str = "/admin/v1/changes";
const FLOORS: &str = "/admin/v1/schema-floors";
const NAMESPACES: &str = "/admin/v1/namespaces";
const OVERRIDES: &str = "/admin/v1/overrides";
const PURPOSES: &str = "/admin/v1/purposes";

/// The one of a list whose member has this value.
fn find(list: &Value, member: &str, value: &str) -> Value {
    let found = list.as_array().unwrap().iter();
    let found = found.clone().find(|one| one[member] == value);
    found
        .unwrap_or_else(|| panic!("no {value} in {list}"))
        .clone()
}

pub async fn of_namespaces_and_purposes(site: &Site) {
    let (near, far) = (site.near, site.far);
    let nothing = json!(null);
    let settings = json!({ "gpc_purposes": ["*"] });
    let shop = ("PUT", "/admin/v1/namespaces/shop");
    site.forbidden(near, MAILER, shop, &settings).await;
    let put = site.ask(near, ADA, shop, &settings).await.ok();
    assert_eq!(put["changed"], true);
    site.forbidden(far, STRANGER, ("GET", NAMESPACES), &nothing)
        .await;
    let all = site.read(far, NAMESPACES).await["namespaces"].clone();
    assert_eq!(find(&all, "name", "shop")["gpc_purposes"], json!(["*"]));

    let post = ("PUT", "/admin/v1/purposes/marketing.post");
    let meaning = json!({ "description": "By post", "default_deny": true, "essential": false });
    site.forbidden(near, MAILER, post, &meaning).await;
    let put = site.ask(near, ADA, post, &meaning).await.ok();
    assert_eq!(put["changed"], true);
    site.forbidden(far, STRANGER, ("GET", PURPOSES), &nothing)
        .await;
    let all = site.read(far, PURPOSES).await["purposes"].clone();
    assert_eq!(find(&all, "name", "marketing.post"), put["purpose"]);
    let denied = site.check(far, "grace@example.com", "marketing.post").await;
    assert_eq!(denied["reason"], "default_deny");
}

pub async fn of_floors_and_services(site: &Site) {
    let (near, far) = (site.near, site.far);
    let version = site.read(near, FLOORS).await["schema_version"].clone();
    let floor = json!({ "purpose": "marketing.post", "version": version });
    let put = ("PUT", FLOORS);
    site.forbidden(near, MAILER, put, &floor).await;
    // One service asks with no version, through another node: the dry run names it as soon as that node has told.
    let question = json!({
        "identifiers": [email("grace@example.com")],
        "purpose": "marketing.post",
        "service": "catalogue",
    });
    let check = ("POST", "/v1/default/check");
    site.ask(far, ADA, check, &question).await.ok();
    let path = format!("{FLOORS}?dry_run=true");
    let would = eventually("the service is seen", || async {
        let tried = site.ask(near, ADA, ("PUT", &path), &floor);
        let tried = site.unchanged(tried).await.ok();
        let mut refused = tried["refused"].as_array().unwrap().iter();
        refused.find(|it| it["service"] == "catalogue").cloned()
    })
    .await;
    assert_eq!(would["schema_version"], 0);
    assert_eq!(site.ask(near, ADA, put, &floor).await.ok()["changed"], true);
    site.forbidden(far, STRANGER, ("GET", FLOORS), &json!(null))
        .await;
    assert_eq!(site.read(far, FLOORS).await["floors"], json!([floor]));
    let old = site.ask(far, ADA, check, &question).await;
    let needed = old.refused(409, "SCHEMA_TOO_OLD")["schema_version_needed"].clone();
    assert_eq!(needed, version.to_string());

    let services = "/admin/v1/services";
    site.forbidden(near, MAILER, ("GET", services), &json!(null))
        .await;
    let seen = eventually("the refusal is counted", || async {
        let all = site.read(near, services).await["services"].clone();
        let seen = find(&all, "service", "catalogue");
        (seen["below_floor"] == 1).then_some(seen)
    })
    .await;
    assert_eq!(seen["calls"], 2, "{seen}");
}

pub async fn by_two_principals(site: &Site) {
    let (near, far) = (site.near, site.far);
    let nothing = json!(null);
    // A floor is lowered.
    let wish = json!({ "floor": { "purpose": "marketing.post", "version": 0 } });
    site.forbidden(near, MAILER, ("POST", CHANGES), &wish).await;
    let propose = async || {
        let proposed = site.ask(near, ADA, ("POST", CHANGES), &wish).await.ok();
        proposed["change_id"].as_str().unwrap().to_owned()
    };
    let id = propose().await;
    site.forbidden(far, MAILER, ("GET", CHANGES), &nothing)
        .await;
    let waiting = site.read(far, CHANGES).await["changes"].clone();
    assert_eq!(find(&waiting, "change_id", &id)["proposed_by"], ADA);
    approve(site, CHANGES, &id).await;
    assert_eq!(site.read(site.leader, FLOORS).await["floors"], json!([]));
    let id = propose_purpose(site).await;
    let withdraw = format!("{CHANGES}/{id}/withdraw");
    let withdraw = ("POST", withdraw.as_str());
    site.forbidden(near, MAILER, withdraw, &nothing).await;
    site.ask(far, BOB, withdraw, &nothing).await.ok();
    assert_eq!(site.read(near, CHANGES).await["changes"], json!([]));

    // Opt-outs are lifted for a while.
    let out =
        json!({ "identifiers": [email("ruth@example.com")], "preferences": { "sale": "out" } });
    site.ask(near, ADA, ("PATCH", "/v1/default/preferences"), &out)
        .await
        .ok();
    let end = SystemTime::now() + Duration::from_secs(600);
    let wish = json!({
        "scope": { "namespace": "default", "purposes": ["sale"], "services": ["recall"] },
        "reason": "a recall of a dangerous toy",
        "expires_at": prost_types::Timestamp::from(end).to_string(),
    });
    site.forbidden(near, MAILER, ("POST", OVERRIDES), &wish)
        .await;
    let proposed = site.ask(near, ADA, ("POST", OVERRIDES), &wish).await.ok();
    let id = proposed["override_id"].as_str().unwrap();
    site.forbidden(far, MAILER, ("GET", OVERRIDES), &nothing)
        .await;
    let standing = async |place| {
        find(
            &site.read(place, OVERRIDES).await["overrides"],
            "override_id",
            id,
        )
    };
    assert_eq!(standing(far).await["state"], "proposed");
    approve(site, OVERRIDES, id).await;
    let active = standing(site.leader).await;
    assert_eq!(
        (&active["state"], &active["approved_by"]),
        (&json!("active"), &json!(BOB))
    );
    let mut question = json!({ "identifiers": [email("ruth@example.com")], "purpose": "sale" });
    question["service"] = json!("recall");
    let check = ("POST", "/v1/default/check");
    let lifted = site.ask(near, ADA, check, &question).await.ok();
    let said = (&lifted["decision"], &lifted["override_id"]);
    assert_eq!(said, (&json!("allow"), &json!(id)));
    let revoke = format!("{OVERRIDES}/{id}/revoke");
    let revoke = ("POST", revoke.as_str());
    site.forbidden(far, MAILER, revoke, &nothing).await;
    site.ask(far, ADA, revoke, &nothing).await.ok();
    let denied = site.ask(near, ADA, check, &question).await.ok();
    assert_eq!(denied["reason"], "opted_out");
    assert_eq!(standing(site.leader).await["state"], "revoked");
}

async fn propose_purpose(site: &Site) -> String {
    let meaning = json!({ "default_deny": false, "essential": false });
    let wish = json!({ "purpose": { "name": "marketing.post", "meaning": meaning } });
    let proposed = site.ask(site.near, ADA, ("POST", CHANGES), &wish).await;
    proposed.ok()["change_id"].as_str().unwrap().to_owned()
}

/// Approves something through a node that did not take the proposal: neither by who proposed it, nor by who may not.
async fn approve(site: &Site, list: &str, id: &str) {
    let path = format!("{list}/{id}/approve");
    let route = ("POST", path.as_str());
    let nothing = json!(null);
    site.forbidden(site.far, MAILER, route, &nothing).await;
    let alone = site.ask(site.far, ADA, route, &nothing);
    site.unchanged(alone)
        .await
        .refused(409, "SECOND_PRINCIPAL_REQUIRED");
    let done = site.ask(site.far, BOB, route, &nothing).await.ok();
    assert!(done["event_id"].is_string(), "{done}");
}
