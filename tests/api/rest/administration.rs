//! Purposes, namespaces, schema floors, services, and changes that need two principals.

use refrain::{
    admission::Permission,
    proto::v1::{ListNamespacesRequest, ListPurposesRequest},
};
use serde_json::{Value, json};

use super::{
    super::{
        principals::{grant, with_principals},
        support::{Node, request_id},
    },
    wire::{Answer, JSON, get, json, revision, send},
};

#[tokio::test]
async fn a_purpose_that_is_put_is_there_for_all() {
    let node = Node::start().await;
    let meaning = json!({ "description": "By post", "default_deny": true, "essential": false });
    let path = "/admin/v1/purposes/marketing.post";
    let done = json(&node, "PUT", path, &meaning).await.ok();
    assert_eq!(done["changed"], true);
    assert_eq!(done["purpose"]["name"], "marketing.post");
    let again = json(&node, "PUT", path, &meaning).await.ok();
    assert_eq!(
        (&again["changed"], again.get("event_id")),
        (&json!(false), None)
    );

    let listed = get(&node, "/admin/v1/purposes").await.ok();
    let grpc = node.registry().list_purposes(ListPurposesRequest {}).await;
    let grpc = grpc.expect("purposes").into_inner();
    assert_eq!(listed["schema_version"], grpc.schema_version);
    assert_eq!(
        listed["purposes"].as_array().expect("purposes").len(),
        grpc.purposes.len()
    );
    assert!(
        grpc.purposes
            .iter()
            .any(|one| one.name == "marketing.post" && one.default_deny())
    );
}

#[tokio::test]
async fn bad_purposes_change_nothing() {
    let node = Node::start().await;
    let meaning =
        |deny: bool, essential: bool| json!({ "default_deny": deny, "essential": essential });
    for (name, body, status, reason) in [
        ("Post", meaning(true, false), 400, "PURPOSE_INVALID"),
        ("nothing.post", meaning(true, false), 409, "PARENT_UNKNOWN"),
        ("profiling", meaning(false, false), 409, "WIDENS_ALLOW"),
        ("marketing", meaning(false, true), 409, "WIDENS_ALLOW"),
        (
            "sale.post",
            meaning(false, true),
            409,
            "ESSENTIAL_MISPLACED",
        ),
        // What is left out may not come to mean ALLOW.
        (
            "post",
            json!({ "essential": false }),
            400,
            "MESSAGE_INVALID",
        ),
        (
            "post",
            json!({ "default_deny": true }),
            400,
            "MESSAGE_INVALID",
        ),
        (
            "post",
            json!({ "default_deny": 1, "essential": false }),
            400,
            "MESSAGE_INVALID",
        ),
    ] {
        let answer = json(&node, "PUT", &format!("/admin/v1/purposes/{name}"), &body).await;
        answer.refused(status, reason);
    }
    assert_eq!(revision(&node).await, 1, "nothing was done");
}

#[tokio::test]
async fn a_namespace_is_added_and_configured() {
    let node = Node::start().await;
    let path = "/admin/v1/namespaces/shop";
    let added = json(&node, "PUT", path, &json!({})).await.ok();
    assert_eq!(
        (&added["changed"], &added["revision"]),
        (&json!(true), &json!(2))
    );
    let again = json(&node, "PUT", path, &json!({})).await.ok();
    assert_eq!(again["changed"], false);

    let key = request_id();
    let usual = ["sale", "sharing", "advertising.targeted"];
    let less = json!({ "gpc_purposes": ["sale"] });
    let half = json(&node, "PUT", path, &less).await;
    assert_eq!(half.status.as_u16(), 409, "{half:?}");
    assert_eq!(half.json()["reason"], "WIDENS_ALLOW");
    let more = [&usual[..], &["analytics"]].concat();
    let settings = json!({ "gpc_purposes": more }).to_string();
    let put = |path: &'static str| {
        let (node, key, settings) = (&node, key.clone(), settings.clone());
        async move {
            send(
                node,
                "PUT",
                path,
                &[JSON, ("idempotency-key", &key)],
                settings,
            )
            .await
        }
    };
    let set = put(path).await.ok();
    assert_eq!(
        (&set["changed"], &set["request_id"]),
        (&json!(true), &json!(key))
    );
    assert_eq!(put(path).await.ok(), set, "sent again, it has one effect");
    put("/admin/v1/namespaces/bank")
        .await
        .refused(409, "REQUEST_ID_REUSED");

    let both = json!({ "gpc_purposes": ["sale", "sharing", "advertising"] });
    let both = json(&node, "PUT", "/admin/v1/namespaces/bank", &both)
        .await
        .ok();
    assert_eq!(
        (&both["changed"], &both["revision"]),
        (&json!(true), &json!(5))
    );

    let listed = get(&node, "/admin/v1/namespaces").await.ok();
    let named = |name: &str| -> Value {
        let all = listed["namespaces"].as_array().expect("namespaces").iter();
        all.clone().find(|one| one["name"] == name).expect("there")["gpc_purposes"].clone()
    };
    assert_eq!(named("shop"), json!(more));
    assert_eq!(named("bank"), json!(["sale", "sharing", "advertising"]));
    let grpc = node
        .registry()
        .list_namespaces(ListNamespacesRequest {})
        .await;
    assert_eq!(
        grpc.expect("namespaces").into_inner().namespaces,
        ["bank", "default", "shop"]
    );
}

#[tokio::test]
async fn bad_namespaces_say_what_was_done() {
    let node = Node::start().await;
    let put = |path: &'static str, body: Value| {
        let node = &node;
        async move { json(node, "PUT", path, &body).await }
    };
    put("/admin/v1/namespaces/No", json!({}))
        .await
        .refused(400, "NAMESPACE_INVALID");
    put("/admin/v1/namespaces/shop", json!({ "gpc": [] }))
        .await
        .refused(400, "MESSAGE_INVALID");
    assert_eq!(revision(&node).await, 1, "nothing was done");
    // The namespace is added before its settings are refused, and the answer does not deny it.
    let half = put(
        "/admin/v1/namespaces/shop",
        json!({ "gpc_purposes": ["nothing"] }),
    )
    .await;
    assert_eq!(half.status.as_u16(), 404, "{half:?}");
    assert_eq!(half.json()["outcome"], "unknown");
    assert_eq!(revision(&node).await, 2);
}

#[tokio::test]
async fn a_floor_is_tried_raised_and_felt() {
    let node = Node::start().await;
    let path = "/admin/v1/schema-floors";
    let listed = get(&node, path).await.ok();
    assert_eq!(listed["floors"], json!([]));
    let version = listed["schema_version"].clone();
    let floor = json!({ "purpose": "marketing", "version": version });

    let dry = json(&node, "PUT", &format!("{path}?dry_run=true"), &floor)
        .await
        .ok();
    assert_eq!(
        (&dry["changed"], dry["refused"].is_array()),
        (&json!(false), true)
    );
    assert_eq!(revision(&node).await, 1, "a dry run does nothing");
    let set = json(&node, "PUT", path, &floor).await.ok();
    assert_eq!(set["changed"], true);
    assert_eq!(get(&node, path).await.ok()["floors"], json!([floor]));

    let asked = json!({ "identifiers": [super::wire::email("ada@example.com")], "purpose": "marketing.email" });
    let old = json(&node, "POST", "/v1/default/check", &asked).await;
    let problem = old.refused(409, "SCHEMA_TOO_OLD");
    assert_eq!(problem["schema_version_needed"], version.to_string());
    let follow = "/v1/default/changes?from=1&purpose=marketing&service=page";
    get(&node, follow).await.refused(409, "SCHEMA_TOO_OLD");
    let everything = json!({ "version": version });
    json(&node, "PUT", path, &everything).await.ok();
    let token = format!("1:{}", "0".repeat(32));
    let history = format!("/v1/default/subjects/{token}/events?service=page");
    get(&node, &history).await.refused(409, "SCHEMA_TOO_OLD");
    let history = format!("{history}&schema_version={version}");
    assert_eq!(get(&node, &history).await.ok()["events"], json!([]));

    for (query, body, status, reason) in [
        (
            "",
            json!({ "purpose": "marketing", "version": 0 }),
            409,
            "WIDENS_ALLOW",
        ),
        ("", json!({ "version": 99 }), 409, "SCHEMA_UNKNOWN"),
        (
            "",
            json!({ "purpose": "nothing", "version": 1 }),
            404,
            "PURPOSE_UNKNOWN",
        ),
        (
            "",
            json!({ "purpose": "marketing" }),
            400,
            "MESSAGE_INVALID",
        ),
        (
            "?dry_run=maybe",
            json!({ "version": 1 }),
            400,
            "QUERY_INVALID",
        ),
        (
            "?dryrun=true",
            json!({ "version": 1 }),
            400,
            "QUERY_INVALID",
        ),
    ] {
        let answer = json(&node, "PUT", &format!("{path}{query}"), &body).await;
        answer.refused(status, reason);
    }
    assert_eq!(revision(&node).await, 3, "two changes were made");
    assert!(get(&node, "/admin/v1/services").await.ok()["services"].is_array());
}

async fn by(node: &Node, who: &str, method: &str, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {who}");
    let headers = [JSON, ("authorization", token.as_str())];
    send(node, method, path, &headers, body.to_string()).await
}

#[tokio::test]
async fn what_widens_allow_takes_two() {
    let may = [Permission::Registry, Permission::Check];
    let both = ["ada", "bob"].map(|name| (name.to_owned(), vec![grant(&may, None, None)]));
    let node = with_principals(both).await;
    let path = "/admin/v1/changes";
    let wish = json!({ "purpose": { "name": "profiling", "meaning": { "default_deny": false, "essential": false } } });
    let proposed = by(&node, "ada", "POST", path, &wish).await.ok();
    let id = proposed["change_id"].as_str().expect("id");
    let listed = by(&node, "bob", "GET", path, &json!(null)).await.ok();
    assert_eq!(listed["changes"][0]["change_id"], id);
    assert_eq!(listed["changes"][0]["proposed_by"], "ada");
    assert_eq!(
        listed["changes"][0]["change"]["purpose"]["name"],
        "profiling"
    );

    let approve = format!("{path}/{id}/approve");
    let alone = by(&node, "ada", "POST", &approve, &json!(null)).await;
    alone.refused(409, "SECOND_PRINCIPAL_REQUIRED");
    let made = by(&node, "bob", "POST", &approve, &json!(null)).await.ok();
    assert!(made["event_id"].is_string());
    let again = by(&node, "bob", "POST", &approve, &json!(null)).await;
    again.refused(404, "CHANGE_UNKNOWN");

    // That a signal means less.
    let less = json!({ "settings": { "namespace": "default", "gpc_purposes": ["sale"] } });
    let proposed = by(&node, "ada", "POST", path, &less).await.ok();
    let listed = by(&node, "bob", "GET", path, &json!(null)).await.ok();
    assert_eq!(listed["changes"][0]["change"], less);
    let approve = format!(
        "{path}/{}/approve",
        proposed["change_id"].as_str().expect("id")
    );
    by(&node, "bob", "POST", &approve, &json!(null)).await.ok();
    let namespaces = by(&node, "ada", "GET", "/admin/v1/namespaces", &json!(null)).await;
    assert_eq!(
        namespaces.ok()["namespaces"][0]["gpc_purposes"],
        json!(["sale"])
    );

    let floor = json!({ "floor": { "version": 0 } });
    by(&node, "ada", "POST", path, &floor)
        .await
        .refused(400, "CHANGE_WIDENS_NOTHING");
    for body in [
        json!({}),
        json!({ "purpose": {}, "floor": {} }),
        json!({ "settings": { "gpc_purposes": ["sale"] } }),
        json!("floor"),
        json!({ "other": 1 }),
    ] {
        by(&node, "ada", "POST", path, &body)
            .await
            .refused(400, "MESSAGE_INVALID");
    }

    let other = json!({ "purpose": { "name": "ai_training", "meaning": { "default_deny": false, "essential": false } } });
    let proposed = by(&node, "ada", "POST", path, &other).await.ok();
    let id = proposed["change_id"].as_str().expect("id");
    let gone = by(
        &node,
        "ada",
        "POST",
        &format!("{path}/{id}/withdraw"),
        &json!(null),
    )
    .await
    .ok();
    assert!(gone["event_id"].is_string());
    let listed = by(&node, "bob", "GET", path, &json!(null)).await.ok();
    assert_eq!(listed["changes"], json!([]));
}
