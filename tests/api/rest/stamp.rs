//! `stamps/verify`.

use refrain::{
    admission::Permission,
    stamp::{Claims, SigningKey, Stamped},
    storage::{log::MemoryLog, memory::MemoryFiles, secrets::STAMPS},
};
use serde_json::{Value, json};

use super::{
    super::{
        principals::{grant, with_principals},
        stamp::{ADA, NEWS, stamped, verify},
        support::Node,
    },
    wire::{Answer, JSON, json, send},
};

const VERIFY: &str = "/v1/default/stamps/verify";

fn asked(stamp: &str) -> Value {
    json!({ "stamp": stamp, "purpose": NEWS, "service": "reader" })
}

async fn ask(node: &Node, stamp: &str) -> Answer {
    json(node, "POST", VERIFY, &asked(stamp)).await
}

/// What claims to be a stamp of purpose `sale` and is nobody's.
pub fn forged() -> String {
    let token = format!("1:{}", "0f".repeat(16));
    let claims = Claims {
        cluster_id: "00".repeat(16),
        subject: token.clone(),
        tokens: vec![token],
        namespace: "default".to_owned(),
        purposes: vec!["sale".to_owned()],
        decision: Stamped::Allow,
        revision: 1,
        service: String::new(),
        issued_at: 1,
        expires_at: 2,
        decision_id: String::new(),
    };
    SigningKey::new(&[5; 32]).sign(&claims).expect("signed")
}

#[tokio::test]
async fn a_stamp_is_verified_with_what_holds_now() {
    let node = Node::start().await;
    let stamp = stamped(&node, ADA, NEWS).await;
    let answer = ask(&node, &stamp.stamp).await.ok();
    assert_eq!(answer["decision"], "allow");
    assert_eq!(answer["reason"], "default_allow");
    assert_eq!(answer["stamped_decision"], "allow");
    assert_eq!(answer["stamped_revision"], stamp.revision);
    assert!(answer.get("event_id").is_none(), "{answer}");
    assert!(
        answer["decision_id"]
            .as_str()
            .is_some_and(|id| !id.is_empty())
    );

    let out = node.opt_out(ADA, "*").await;
    let answer = ask(&node, &stamp.stamp).await.ok();
    assert_eq!(answer["decision"], "deny");
    assert_eq!(answer["reason"], "opted_out");
    assert_eq!(answer["event_id"], out.event_id);
    assert_eq!(answer["revision"], out.revision);
    assert_eq!(answer["stamped_decision"], "allow");

    // Both codecs say the same.
    let grpc = verify(&node, &stamp.stamp, NEWS).await.expect("verified");
    assert_eq!(grpc.event_id, out.event_id);
}

#[tokio::test]
async fn a_demand_that_is_not_met_is_told_of_a_genuine_stamp_alone() {
    let node = Node::start().await;
    let stamp = stamped(&node, ADA, NEWS).await.stamp;
    let floor = json!({ "version": 1 });
    json(&node, "PUT", "/admin/v1/schema-floors", &floor)
        .await
        .ok();
    ask(&node, &stamp).await.refused(409, "SCHEMA_TOO_OLD");
    let forged = SigningKey::new(&[5; 32]);
    let forged = forged.sign(&Claims::unverified(&stamp).expect("a stamp"));
    let answer = ask(&node, &forged.expect("signed")).await;
    answer.refused(400, "STAMP_INVALID");
}

#[tokio::test]
async fn what_is_forged_foreign_expired_or_too_long_is_refused() {
    let (log, files) = (MemoryLog::new(), MemoryFiles::new());
    let node = Node::start_on(log, files.clone(), |_| {}).await;
    let genuine = stamped(&node, ADA, NEWS).await.stamp;
    let claims = Claims::unverified(&genuine).expect("a stamp");
    let own = SigningKey::new(&STAMPS.load(&files).expect("the key's file")[0]);
    let sign = |claims: Claims| own.sign(&claims).expect("signed");

    let forged = SigningKey::new(&[5; 32]).sign(&claims).expect("signed");
    let other = Node::start().await;
    let of_another_cluster = stamped(&other, ADA, NEWS).await.stamp;
    let mut altered = genuine.clone().into_bytes();
    let at = genuine.len() / 2;
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).expect("ascii");
    for bad in [
        "",
        "x",
        &genuine[1..],
        &format!("{genuine}="),
        &altered,
        &forged,
        &of_another_cluster,
        &"A".repeat(8_193),
    ] {
        let problem = ask(&node, bad).await.refused(400, "STAMP_INVALID");
        let told = problem.to_string();
        assert!(bad.len() < 20 || !told.contains(bad), "{told}");
    }
    let expired = sign(Claims {
        issued_at: claims.issued_at - 900,
        expires_at: claims.issued_at,
        ..claims.clone()
    });
    ask(&node, &expired).await.refused(409, "STAMP_EXPIRED");
    let ahead = sign(Claims {
        revision: claims.revision + 1_000,
        ..claims.clone()
    });
    ask(&node, &ahead).await.refused(409, "REVISION_AHEAD");

    let of_another_tenant = sign(Claims {
        namespace: "ours".to_owned(),
        ..claims.clone()
    });
    let answer = ask(&node, &of_another_tenant).await;
    answer.refused(400, "STAMP_NAMESPACE_DIFFERS");
    json(&node, "PUT", "/admin/v1/namespaces/ours", &json!({}))
        .await
        .ok();
    let ours = "/v1/ours/stamps/verify";
    let answer = json(&node, "POST", ours, &asked(&of_another_tenant)).await;
    assert_eq!(answer.ok()["decision"], "allow");
    let answer = json(&node, "POST", ours, &asked(&genuine)).await;
    answer.refused(400, "STAMP_NAMESPACE_DIFFERS");
    let mut other_person = asked(&genuine);
    other_person["identifiers"] = json!([{ "type": "email", "value": "grace@example.com" }]);
    let answer = json(&node, "POST", VERIFY, &other_person).await;
    answer.refused(400, "STAMP_SUBJECT_DIFFERS");
    let mut sms = asked(&genuine);
    sms["purpose"] = json!("marketing.sms");
    let answer = json(&node, "POST", VERIFY, &sms).await;
    answer.refused(400, "STAMP_PURPOSE_DIFFERS");
    ask(&node, &genuine).await.ok();
}

#[tokio::test]
async fn bad_requests_get_a_reason() {
    let node = Node::start().await;
    let genuine = stamped(&node, ADA, NEWS).await.stamp;
    for (with, status, reason) in [
        (json!({ "stamp": 5 }), 400, "MESSAGE_INVALID"),
        (json!({ "stamp": null }), 400, "MESSAGE_INVALID"),
        (json!({ "purpose": "No" }), 400, "PURPOSE_INVALID"),
        (json!({ "service": "a b" }), 400, "SERVICE_INVALID"),
        (json!({ "schema_version": 99 }), 409, "SCHEMA_UNKNOWN"),
        (json!({ "persons": [] }), 400, "MESSAGE_INVALID"),
        (json!({ "identifiers": [] }), 400, "IDENTIFIERS_REQUIRED"),
    ] {
        let mut body = asked(&genuine);
        let fields = with.as_object().expect("fields").clone();
        body.as_object_mut().expect("fields").extend(fields);
        json(&node, "POST", VERIFY, &body)
            .await
            .refused(status, reason);
    }
    let text = asked(&genuine).to_string();
    let plain = [("content-type", "text/plain")];
    let answer = send(&node, "POST", VERIFY, &plain, text.clone()).await;
    answer.refused(415, "MEDIA_TYPE_UNKNOWN");
    let large = format!("{text}{}", " ".repeat(4 << 20));
    let answer = send(&node, "POST", VERIFY, &[JSON], large).await;
    answer.refused(413, "MESSAGE_TOO_LARGE");
    send(&node, "GET", VERIFY, &[], "")
        .await
        .refused(405, "METHOD_NOT_ALLOWED");
    let answer = json(&node, "POST", "/v1/nobody/stamps/verify", &asked(&genuine)).await;
    answer.refused(400, "STAMP_NAMESPACE_DIFFERS");
}

#[tokio::test]
async fn it_takes_the_permission_for_what_is_asked() {
    let of_default = grant(
        &[Permission::Check],
        Some(&["default"]),
        Some(&["marketing"]),
    );
    let node = with_principals([
        ("reader".to_owned(), vec![of_default]),
        (
            "watcher".to_owned(),
            vec![grant(&[Permission::Watch], None, None)],
        ),
    ])
    .await;
    // What nobody of ours has signed: whoever may ask hears so.
    let body = asked(&forged()).to_string();
    let mut sale = asked(&forged());
    sale["purpose"] = json!("sale");
    let elsewhere = "/v1/elsewhere/stamps/verify";
    for (path, token, body, status, reason) in [
        (VERIFY, "reader", &body, 400, "STAMP_INVALID"),
        (VERIFY, "watcher", &body, 403, "PERMISSION_DENIED"),
        (elsewhere, "reader", &body, 403, "PERMISSION_DENIED"),
        (
            VERIFY,
            "reader",
            &sale.to_string(),
            403,
            "PERMISSION_DENIED",
        ),
        (VERIFY, "nobody", &body, 401, "UNAUTHENTICATED"),
    ] {
        let bearer = format!("Bearer {token}");
        let headers = [JSON, ("authorization", bearer.as_str())];
        let answer = send(&node, "POST", path, &headers, body.clone()).await;
        answer.refused(status, reason);
    }
}
