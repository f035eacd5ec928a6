//! The small and varied history of the data folder that is kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use refrain::admission::{Permission, TokenHash};
use serde_json::{Value, json};

use super::expected::{Asked, Expected, call, cluster};
use super::until_ready;
use crate::support::{Node, PATIENCE, REFRAIN, expect, token_key};

/// May do everything, and asks.
pub const ADA: &str = "ada";
/// May do everything too: what takes two, these two can do.
const BOB: &str = "bob";

/// Rows of the imported list: each time one more bundle of the journal is full.
const ROWS: usize = 300;

/// The registry's schema version, once the purposes of the story are in it.
const SCHEMA: u32 = 4;

/// How often snapshots have to be made.
const SNAPSHOTS: usize = 2;

/// About whom is asked: those who said something, two of the list, and one who is unknown.
const PEOPLE: [(&str, &str); 11] = [
    ("default", "eve"),
    ("default", "ida"),
    ("default", "ruth"),
    ("default", "mary"),
    ("default", "row0"),
    ("default", "row299"),
    ("default", "nobody"),
    ("shop", "eve"),
    ("shop", "row299"),
    ("club", "grace"),
    ("club", "eve"),
];

/// For what may be done to them, or not.
const PURPOSES: [&str; 7] = [
    "marketing.email",
    "marketing.post",
    "research",
    "sale",
    "profiling",
    "service.recall",
    "no.such",
];

/// Lets it happen in `folder`, stops the node, and returns what must be so from here on.
pub async fn happens(folder: &Path) -> Expected {
    let key = token_key(folder);
    let settings = folder.join("refrain.toml");
    fs::write(&settings, principals()).unwrap();
    let settings = settings.display().to_string();
    // So small that a few hundred writes make a snapshot.
    let args = ["--config", &settings, "--snapshot-log-bytes", "65536"];
    let mut node = Node::start(&folder.join("node"), &key, &args).await;
    until_ready(&node).await;
    let story = Story { node: &node };
    story.registers().await;
    let first = story.people_say().await;
    story.imports("marketing.email", "default");
    story.fills_the_log().await;
    story.is_governed().await;
    let link = story.goes_on().await;
    let asked = story.asks(&link).await;
    let expected = Expected::now(&node, asked, first).await;
    assert!(node.terminate().await.success());
    expected
}

/// Settings with two principals; each has its name for a token.
fn principals() -> String {
    let all = Permission::ALL.map(|one| format!("\"{one}\"")).join(", ");
    let one = |name: &str| {
        let hash = TokenHash::of(name.as_bytes()).to_hex();
        format!(
            "[[principal]]\nname = \"{name}\"\ntoken_sha256 = \"{hash}\"\n[[principal.grant]]\npermissions = [{all}]\n"
        )
    };
    format!(
        "# Two principals, each with its name for a token.\n{}{}",
        one(ADA),
        one(BOB)
    )
}

fn who(address: &str) -> Value {
    json!([{ "type": "email", "value": address }])
}

fn wish(identifiers: &Value, preferences: &Value) -> Value {
    let evidence = json!({ "statement": "ticked the box", "ip_address": "192.0.2.7" });
    let with_evidence = preferences.to_string().contains("\"in\"");
    let mut wish = json!({ "identifiers": identifiers, "preferences": preferences });
    wish["schema_version"] = json!(SCHEMA);
    if with_evidence {
        wish["evidence"] = evidence;
    }
    wish
}

fn stamped() -> Value {
    let ida = who("ida@example.com");
    json!({ "identifiers": ida, "purpose": "profiling", "want_stamp": true })
}

struct Story<'a> {
    node: &'a Node,
}

impl Story<'_> {
    /// Calls a route as somebody; it must go well.
    async fn by(&self, who: &str, route: (&str, &str), body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let gpc = [("sec-gpc", "1")];
        call(self.node, who, route, &gpc, &body).await.ok()
    }

    async fn set(&self, namespace: &str, identifiers: Value, preferences: Value) {
        let path = format!("/v1/{namespace}/preferences");
        let body = wish(&identifiers, &preferences);
        self.by(ADA, ("PATCH", &path), &body).await;
    }

    async fn registers(&self) {
        let everything = json!({ "gpc_purposes": ["*"] });
        self.by(ADA, ("PUT", "/admin/v1/namespaces/shop"), &everything)
            .await;
        let more = json!({ "gpc_purposes": ["sale", "sharing", "advertising"] });
        self.by(ADA, ("PUT", "/admin/v1/namespaces/club"), &more)
            .await;
        for (name, default_deny) in [("marketing.post", true), ("research", true)] {
            let path = format!("/admin/v1/purposes/{name}");
            let mut meaning = json!({ "default_deny": default_deny, "essential": false });
            meaning["description"] = json!("Of the story");
            self.by(ADA, ("PUT", &path), &meaning).await;
        }
        // An essential purpose takes two.
        let meaning = json!({ "description": "Recalls", "default_deny": false, "essential": true });
        let wish = json!({ "purpose": { "name": "service.recall", "meaning": meaning } });
        self.by_both("/admin/v1/changes", "change_id", &wish).await;
    }

    /// Has the one propose something, and the other approve it; returns its id.
    async fn by_both(&self, list: &str, id: &str, wish: &Value) -> String {
        let proposed = self.by(ADA, ("POST", list), wish).await;
        let id = proposed[id].as_str().unwrap().to_owned();
        let approve = format!("{list}/{id}/approve");
        self.by(BOB, ("POST", &approve), &json!(null)).await;
        id
    }

    /// Returns the first change, which names its request.
    async fn people_say(&self) -> Asked {
        let out = wish(
            &who("eve@example.com"),
            &json!({ "marketing": "out", "sale": "out" }),
        );
        let id = uuid::Uuid::now_v7().to_string();
        let named = [("idempotency-key", id.as_str())];
        let first = Asked::of(self.node, ("PATCH", "/v1/default/preferences"), &named, out).await;
        assert_eq!(first.answer()["changed"], true, "{first:?}");
        // She changes her mind about a part of it, and again.
        self.set(
            "default",
            who("eve@example.com"),
            json!({ "marketing.email": "in", "sharing": "out" }),
        )
        .await;
        self.set(
            "default",
            who("eve@example.com"),
            json!({ "marketing.email": "out" }),
        )
        .await;
        self.set(
            "default",
            who("ida@example.com"),
            json!({ "profiling": "in", "marketing.post": "in" }),
        )
        .await;
        self.set("default", who("ruth@example.com"), json!({ "*": "out" }))
            .await;
        self.set(
            "shop",
            who("eve@example.com"),
            json!({ "analytics": "out" }),
        )
        .await;
        let both = json!([
            { "type": "email", "value": "grace@example.com" },
            { "type": "phone", "value": "+49 30 901820-4711" },
        ]);
        self.set(
            "club",
            both,
            json!({ "research": "in", "advertising": "out" }),
        )
        .await;
        let visitor = json!({ "identifiers": [{ "type": "device", "value": "a-visitor" }] });
        self.by(ADA, ("POST", "/v1/shop/signals"), &visitor).await;
        first
    }

    fn imports(&self, purpose: &str, namespace: &str) {
        let list = self.node.data.with_extension("csv");
        let rows = (0..ROWS).map(|n| format!("row{n}@example.com\n"));
        fs::write(&list, format!("email\n{}", rows.collect::<String>())).unwrap();
        let import = Command::new(REFRAIN)
            .arg("import")
            .arg(list)
            .args(["--purpose", purpose, "--namespace", namespace])
            .env("REFRAIN_ENDPOINT", format!("http://{}", self.node.client))
            .env("REFRAIN_TOKEN", ADA)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        expect(&import, 0);
    }

    /// Sends what changes nothing, until snapshots were made and the log was purged behind them.
    async fn fills_the_log(&self) {
        let out = wish(&who("ruth@example.com"), &json!({ "*": "out" }));
        let began = Instant::now();
        let mut snapshots = BTreeSet::new();
        let (mut longest, mut purged) = (0, false);
        while snapshots.len() < SNAPSHOTS || !purged {
            let many = (0..50).map(|_| self.by(ADA, ("PATCH", "/v1/default/preferences"), &out));
            join_all(many).await;
            // The folder comes with the first.
            let made = fs::read_dir(self.node.data.join("snapshots"));
            for one in made.into_iter().flatten() {
                snapshots.insert(one.unwrap().file_name());
            }
            let bytes = cluster(self.node).1["log_bytes"].as_u64().unwrap();
            purged |= bytes < longest;
            longest = longest.max(bytes);
            assert!(began.elapsed() < PATIENCE, "{snapshots:?}, {longest}");
        }
    }

    async fn is_governed(&self) {
        for purpose in ["marketing.post", "research"] {
            let floor = json!({ "purpose": purpose, "version": SCHEMA });
            self.by(ADA, ("PUT", "/admin/v1/schema-floors"), &floor)
                .await;
        }
        let lower = json!({ "floor": { "purpose": "research", "version": 1 } });
        self.by_both("/admin/v1/changes", "change_id", &lower).await;
        // One that waits, one that was withdrawn.
        let meaning = json!({ "default_deny": false, "essential": false });
        let wider = json!({ "purpose": { "name": "ai_training", "meaning": meaning } });
        self.by(ADA, ("POST", "/admin/v1/changes"), &wider).await;
        let wider = json!({ "purpose": { "name": "profiling", "meaning": meaning } });
        let proposed = self.by(ADA, ("POST", "/admin/v1/changes"), &wider).await;
        let withdraw = format!(
            "/admin/v1/changes/{}/withdraw",
            proposed["change_id"].as_str().unwrap()
        );
        self.by(BOB, ("POST", &withdraw), &json!(null)).await;
        // Overrides: one that was in force and was revoked, so that no clock decides about it; and one that is only proposed.
        let end = SystemTime::now() + Duration::from_secs(3_600);
        let lift = json!({
            "scope": { "namespace": "default", "purposes": ["sale"], "services": ["recall"] },
            "reason": "a recall of a dangerous toy",
            "expires_at": prost_types::Timestamp::from(end).to_string(),
        });
        let overrides = "/admin/v1/overrides";
        let id = self.by_both(overrides, "override_id", &lift).await;
        let mut question = json!({ "identifiers": who("ruth@example.com"), "purpose": "sale" });
        question["service"] = json!("recall");
        let lifted = self.by(BOB, ("POST", "/v1/default/check"), &question).await;
        assert_eq!(lifted["override_id"], id, "{lifted}");
        let revoke = format!("{overrides}/{id}/revoke");
        self.by(BOB, ("POST", &revoke), &json!(null)).await;
        self.by(BOB, ("POST", overrides), &lift).await;
    }

    /// What comes after the last snapshot. Returns a link of one click.
    async fn goes_on(&self) -> String {
        // Until the node has made a key.
        let check = ("POST", "/v1/default/check");
        while self.by(ADA, check, &stamped()).await["stamp"].is_null() {}
        let wish =
            json!({ "identifiers": who("ida@example.com"), "purposes": ["marketing.email"] });
        let made = self.by(ADA, ("POST", "/v1/default/links"), &wish).await;
        let link = made["path"].as_str().unwrap().to_owned();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let node = &self.node.client;
        let body = "List-Unsubscribe=One-Click";
        let calls = crate::ways_in::http::Calls::default();
        let obeyed = calls.call(node, "POST", &link, &form, body).await;
        assert_eq!(obeyed.status, 200, "{obeyed:?}");
        self.set(
            "default",
            who("mary@example.com"),
            json!({ "marketing": "in", "sale": "out" }),
        )
        .await;
        // With what came since the snapshot, evidence among it, a bundle of the journal is full: a start makes it once more.
        self.imports("sale", "shop");
        link
    }

    /// What waits for a second principal is not among it: that lapses by the clock. The hash of the state covers it.
    async fn asks(&self, link: &str) -> Vec<Asked> {
        let mut asked = Vec::new();
        let get = async |path: &str| Asked::of(self.node, ("GET", path), &[], json!(null)).await;
        for path in [
            "/admin/v1/namespaces",
            "/admin/v1/purposes",
            "/admin/v1/schema-floors",
            "/.well-known/jwks.json",
            link,
        ] {
            asked.push(get(path).await);
        }
        for (namespace, name) in PEOPLE {
            let identifiers = who(&format!("{name}@example.com"));
            let post = async |route: &str, body: Value| {
                let path = format!("/v1/{namespace}/{route}");
                Asked::of(self.node, ("POST", &path), &[], body).await
            };
            let about = json!({ "identifiers": identifiers });
            let tokens = post("tokens", about.clone()).await;
            let token = tokens.answer()["tokens"][0]["token"].clone();
            let subject = format!("/v1/{namespace}/subjects/{}", token.as_str().unwrap());
            asked.push(tokens);
            asked.push(post("preferences:query", about).await);
            asked.push(get(&format!("{subject}/events?type=email")).await);
            let items = PURPOSES.map(|purpose| {
                let mut item = json!({ "purpose": purpose, "schema_version": SCHEMA });
                item["identifiers"] = identifiers.clone();
                item["service"] = json!("recall");
                item
            });
            asked.push(post("batch-check", json!({ "items": items })).await);
        }
        let mut old = json!({ "identifiers": who("ida@example.com"), "purpose": "marketing.post" });
        let check = ("POST", "/v1/default/check");
        for version in [0, SCHEMA, SCHEMA + 1] {
            old["schema_version"] = json!(version);
            asked.push(Asked::of(self.node, check, &[], old.clone()).await);
        }
        // The node still has the key that it signed with.
        asked.push(Asked::of(self.node, check, &[], stamped()).await);
        asked
    }
}
