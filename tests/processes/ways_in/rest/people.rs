//! What people want, over REST: asked about, changed, signalled, unsubscribed and followed, on one node and another.

use serde_json::{Value, json};

use super::{Site, email};
use crate::ways_in::trio::{ADA, MAILER, STRANGER, request_id};

const PREFERENCES: (&str, &str) = ("PATCH", "/v1/default/preferences");
const TOKENS: (&str, &str) = ("POST", "/v1/default/tokens");

async fn token(site: &Site, address: &str) -> String {
    let wanted = json!({ "identifiers": [email(address)] });
    let told = site.ask(site.near, ADA, TOKENS, &wanted).await.ok();
    let again = site.ask(site.far, ADA, TOKENS, &wanted).await.ok();
    assert_eq!(told, again, "a token is the same on every node");
    told["tokens"][0]["token"].as_str().unwrap().to_owned()
}

fn patch(address: &str, preferences: &Value) -> Value {
    json!({ "identifiers": [email(address)], "preferences": preferences })
}

fn with_evidence(mut patch: Value) -> Value {
    patch["evidence"] = json!({ "statement": "ticked the box" });
    patch
}

/// Holds that every node answers a question in this way.
async fn all_say(site: &Site, (address, purpose): (&str, &str), decision: &str, reason: &str) {
    for place in [site.near, site.far, site.leader] {
        let answer = site.check(place, address, purpose).await;
        let said = (&answer["decision"], &answer["reason"]);
        assert_eq!(said, (&json!(decision), &json!(reason)), "{answer}");
    }
}

pub async fn are_asked_about_and_change_their_minds(site: &Site) {
    let (near, far) = (site.near, site.far);
    let eve = "eve@example.com";
    let asked = json!({ "identifiers": [email(eve)] });
    site.forbidden(near, STRANGER, TOKENS, &asked).await;
    let token = token(site, eve).await;

    // Out, through one node; the same request again, through another, has one effect.
    let out = patch(eve, &json!({ "marketing": "out" }));
    site.forbidden(near, STRANGER, PREFERENCES, &out).await;
    let selling = patch(eve, &json!({ "sale": "out" }));
    site.forbidden(near, MAILER, PREFERENCES, &selling).await;
    let key = request_id();
    let named = [("idempotency-key", key.as_str())];
    let done = site.ask_with(near, MAILER, PREFERENCES, &named, &out);
    let done = done.await.ok();
    assert_eq!(done["changed"], true);
    let again = site.ask_with(far, MAILER, PREFERENCES, &named, &out);
    assert_eq!(site.unchanged(again).await.ok(), done);
    all_say(site, (eve, "marketing.email"), "deny", "opted_out").await;
    let denied = site.check(far, eve, "marketing.email").await;
    assert_eq!(denied["event_id"], done["event_id"]);
    let question = json!({ "identifiers": [email(eve)], "purpose": "marketing.email" });
    let check = ("POST", "/v1/default/check");
    site.forbidden(far, STRANGER, check, &question).await;

    // In again, by who may, with evidence, on top of what was seen.
    let back = patch(eve, &json!({ "marketing": "in", "sale": "out" }));
    let bare = site.unchanged(site.ask(far, ADA, PREFERENCES, &back)).await;
    bare.refused(422, "EVIDENCE_REQUIRED");
    let back = with_evidence(back);
    site.forbidden(far, MAILER, PREFERENCES, &back).await;
    let path = format!("/v1/default/subjects/{token}/preferences?type=email");
    let show = ("GET", path.as_str());
    site.forbidden(far, STRANGER, show, &json!(null)).await;
    let shown = site.ask(far, ADA, show, &json!(null)).await;
    let tag = shown.header("etag");
    assert_eq!(tag, format!("\"{}\"", done["revision"]));
    let stale = [("if-match", "\"0\"")];
    let stale = site.ask_with(near, ADA, PREFERENCES, &stale, &back);
    site.unchanged(stale).await.refused(412, "SUBJECT_CHANGED");
    let fresh = [("if-match", tag)];
    let fresh = site.ask_with(near, ADA, PREFERENCES, &fresh, &back);
    assert_eq!(fresh.await.ok()["changed"], true);
    all_say(site, (eve, "marketing.email"), "allow", "opted_in").await;

    let items = ["marketing.email", "sale", "nothing"];
    let items = items.map(|it| json!({ "identifiers": [email(eve)], "purpose": it }));
    let batch = ("POST", "/v1/default/batch-check");
    let items = json!({ "items": items });
    site.forbidden(near, STRANGER, batch, &items).await;
    let results = site.ask(far, ADA, batch, &items).await.ok()["results"].clone();
    assert_eq!(results[0]["ok"]["decision"], "allow", "{results}");
    assert_eq!(results[1]["ok"]["decision"], "deny", "{results}");
    assert_eq!(results[2]["error"]["reason"], "PURPOSE_UNKNOWN");

    // A stamp of the one node is verified by the other.
    let mut question = json!({ "identifiers": [email(eve)], "purpose": "marketing.email" });
    question["want_stamp"] = json!(true);
    let stamp = site.ask(near, ADA, check, &question).await.ok()["stamp"].clone();
    let genuine = json!({ "stamp": stamp, "purpose": "marketing.email" });
    let verify = ("POST", "/v1/default/stamps/verify");
    site.forbidden(far, STRANGER, verify, &genuine).await;
    let verified = site.ask(far, ADA, verify, &genuine).await.ok();
    assert_eq!(verified["decision"], "allow", "{verified}");

    // A permission that is taken away through one node is gone on each.
    let path = format!("/v1/default/subjects/{token}/permissions/marketing");
    let delete = ("DELETE", path.as_str());
    site.forbidden(far, STRANGER, delete, &json!(null)).await;
    let gone = site.ask(far, MAILER, delete, &json!(null)).await.ok();
    assert_eq!(gone["changed"], true);
    let again = site.ask(site.leader, MAILER, delete, &json!(null));
    assert_eq!(site.unchanged(again).await.ok()["changed"], false);
    all_say(site, (eve, "marketing.email"), "deny", "opted_out").await;

    let query = ("POST", "/v1/default/preferences:query");
    site.forbidden(near, STRANGER, query, &asked).await;
    let found = site.ask(near, ADA, query, &asked).await.ok();
    assert_eq!(found["last_revision"], gone["revision"]);
    assert_eq!(site.read(far, show.1).await, found);
    let standing = found["preferences"].as_array().unwrap().iter();
    let standing: Vec<_> = standing.map(|it| (&it["purpose"], &it["change"])).collect();
    let out = json!("opt_out");
    assert_eq!(
        standing,
        [(&json!("marketing"), &out), (&json!("sale"), &out)]
    );

    let path = format!("/v1/default/subjects/{token}/events");
    let history = ("GET", path.as_str());
    site.forbidden(near, MAILER, history, &json!(null)).await;
    let events = site.read(near, history.1).await["events"].clone();
    let events = events.as_array().unwrap().iter();
    let events: Vec<_> = events.map(|it| (&it["kind"], &it["principal"])).collect();
    let [opt_out, both] = ["opt_out", "preferences"].map(Value::from);
    let [mailer, ada] = [MAILER, ADA].map(Value::from);
    let wanted = [(&opt_out, &mailer), (&both, &ada), (&opt_out, &mailer)];
    assert_eq!(events, wanted, "the newest first");
}

pub async fn have_their_evidence_erased(site: &Site) {
    let (near, far) = (site.near, site.far);
    let eva = "eva@example.com";
    let wish = with_evidence(patch(eva, &json!({ "analytics": "in" })));
    site.ask(near, ADA, PREFERENCES, &wish).await.ok();
    let erase = ("POST", "/v1/default/evidence:erase");
    let whose = json!({ "identifiers": [email(eva)] });
    site.forbidden(far, MAILER, erase, &whose).await;
    let erased = site.ask(far, ADA, erase, &whose).await.ok();
    assert_eq!(
        (&erased["erased"], &erased["remaining"]),
        (&json!(1), &json!(0))
    );
    let again = site
        .unchanged(site.ask(near, ADA, erase, &whose))
        .await
        .ok();
    assert_eq!(
        (&again["erased"], &again["event_id"]),
        (&json!(0), &json!(null))
    );
    all_say(site, (eva, "analytics"), "allow", "opted_in").await;
}

pub async fn signal_and_unsubscribe(site: &Site) {
    let (near, far) = (site.near, site.far);
    let ida = "ida@example.com";
    let signals = ("POST", "/v1/default/signals");
    let visitor = json!({ "identifiers": [email(ida)] });
    site.forbidden(near, MAILER, signals, &visitor).await;
    let gpc = [("sec-gpc", "1")];
    let kept = site.ask_with(near, ADA, signals, &gpc, &visitor).await.ok();
    let meant = json!(["sale", "sharing", "advertising.targeted"]);
    assert_eq!(
        (&kept["changed"], &kept["purposes"]),
        (&json!(true), &meant)
    );
    all_say(site, (ida, "sale"), "deny", "opted_out").await;
    let again = site.ask_with(far, ADA, signals, &gpc, &visitor);
    let again = site.unchanged(again).await.ok();
    assert_eq!(again["event_id"], kept["event_id"]);

    // A link that one node makes, another shows, and a third obeys.
    let links = ("POST", "/v1/default/links");
    let wish = json!({ "identifiers": [email(ida)], "purposes": ["marketing.email"] });
    site.forbidden(near, STRANGER, links, &wish).await;
    let made = site.ask(near, MAILER, links, &wish).await.ok();
    let link = made["path"].as_str().unwrap();
    all_say(site, (ida, "marketing.email"), "allow", "default_allow").await;
    let shown = site.unchanged(site.call(far, ("GET", link), &[], "")).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert!(shown.header("content-type").starts_with("text/html"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = "List-Unsubscribe=One-Click";
    let mut forged = link.to_owned();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.insert(forged.len() / 2, last);
    let foreign = site.call(far, ("POST", &forged), &form, body);
    site.unchanged(foreign).await.refused(404, "LINK_UNKNOWN");
    let empty = site.call(far, ("POST", link), &form, "");
    site.unchanged(empty)
        .await
        .refused(400, "LINK_BODY_INVALID");
    let post = ("POST", link);
    let obeyed = site.call(site.leader, post, &form, body).await;
    assert_eq!(obeyed.status, 200, "{obeyed:?}");
    all_say(site, (ida, "marketing.email"), "deny", "opted_out").await;
    let repeated = site.call(far, post, &form, body);
    assert_eq!(site.unchanged(repeated).await.status, 200);
    let token = token(site, ida).await;
    let path = format!("/v1/default/subjects/{token}/events");
    let last = site.read(near, &path).await["events"][0].clone();
    let by = (&last["signal"], &last["principal"]);
    assert_eq!(by, (&json!("list_unsubscribe"), &json!("link")));
}

pub async fn are_followed(site: &Site) {
    let (near, far) = (site.near, site.far);
    let mary = "mary@example.com";
    let token = token(site, mary).await;
    let from = site.revision().await.as_u64().unwrap() + 1;
    let path = format!("/v1/default/changes?from={from}&token={token}&heartbeat_ms=100");
    site.forbidden(near, MAILER, ("GET", &path), &json!(null))
        .await;
    let bearer = ("authorization", "Bearer ada");
    let node = site.address(far);
    let mut events = site.calls.follow(node, &path, &[bearer]).await;
    let change = async |place: usize, address: &str, purpose: &str| {
        let out = patch(address, &json!({ purpose: "out" }));
        let done = site.ask(place, ADA, PREFERENCES, &out).await.ok();
        (done["event_id"].clone(), done["revision"].to_string())
    };
    let (first, revision) = change(near, mary, "sale").await;
    let (kind, id, data) = events.change().await;
    assert_eq!((kind.as_str(), &id), ("change", &revision));
    assert_eq!(data["id"], first);
    // The connection breaks; on another node it goes on after the last that was seen. Somebody else's is left out.
    drop(events);
    change(far, "other@example.com", "sale").await;
    let (second, _) = change(far, mary, "sharing").await;
    let node = site.address(near);
    let resumed = [bearer, ("last-event-id", id.as_str())];
    let mut events = site.calls.follow(node, &path, &resumed).await;
    assert_eq!(events.change().await.2["id"], second);
}
