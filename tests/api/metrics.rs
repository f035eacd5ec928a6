//! `/metrics`: what was counted under which names, who may read it, and that it names nobody.

use refrain::admission::Permission;
use serde_json::json;

use super::{
    principals::{by, grant, with_principals},
    rest::wire::{get, json, send},
    support::{Node, opt_out, question},
};

/// The page as anybody over loopback reads it, where no principals are known.
async fn page(node: &Node) -> String {
    let answer = get(node, "/metrics").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let kind = answer.header("content-type");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    answer.text
}

/// The value of a series; none where it is not on the page.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

#[tokio::test]
async fn calls_and_decisions_are_counted_under_one_name_over_both_codecs() {
    let node = Node::start().await;
    node.opt_out("ada@example.com", "sale").await;
    node.check("ada@example.com", "sale").await;
    node.check("bob@example.com", "sale").await;
    let ask = json!({ "identifiers": [{ "type": "email", "value": "ada@example.com" }], "purpose": "sale" });
    json(&node, "POST", "/v1/default/check", &ask).await.ok();
    let unknown = json!({ "identifiers": [{ "type": "email", "value": "ada@example.com" }], "purpose": "nonsense" });
    json(&node, "POST", "/v1/default/check", &unknown).await;
    get(&node, "/v1/default/nowhere/ada@example.com").await;
    let page = page(&node).await;
    let check = |transport, code| {
        let series = format!(
            r#"refrain_calls_total{{transport="{transport}",call="DecisionService/Check",code="{code}"}}"#
        );
        value(&page, &series)
    };
    assert_eq!(check("grpc", "OK"), Some(2.0), "{page}");
    assert_eq!(check("http", "200"), Some(1.0), "{page}");
    assert_eq!(check("http", "404"), Some(1.0), "{page}");
    let other = r#"refrain_calls_total{transport="http",call="other",code="404"}"#;
    assert_eq!(value(&page, other), Some(1.0), "{page}");
    let seconds = r#"refrain_call_seconds_count{call="DecisionService/Check"}"#;
    assert_eq!(value(&page, seconds), Some(4.0), "{page}");
    let denied = r#"refrain_decisions_total{decision="DENY",reason="OPTED_OUT"}"#;
    assert_eq!(value(&page, denied), Some(2.0), "{page}");
    let allowed = r#"refrain_decisions_total{decision="ALLOW",reason="DEFAULT_ALLOW"}"#;
    assert_eq!(value(&page, allowed), Some(1.0), "{page}");
    assert!(!page.contains("example.com"), "{page}");
}

#[tokio::test]
async fn what_can_be_read_off_the_node_is_on_the_page() {
    let node = Node::start().await;
    let done = node.opt_out("ada@example.com", "sale").await;
    let page = page(&node).await;
    let revision = value(&page, "refrain_revision").expect("revision");
    assert!(revision >= f64::from(u32::try_from(done.revision).expect("few")));
    for (series, wanted) in [
        ("refrain_ready", 1.0),
        (r#"refrain_health{reason="ok"}"#, 1.0),
        ("refrain_leads", 1.0),
        (r#"refrain_members{role="voter"}"#, 1.0),
        (r#"refrain_members{role="learner"}"#, 0.0),
        ("refrain_config_drift", 0.0),
        ("refrain_subjects", 1.0),
    ] {
        assert_eq!(value(&page, series), Some(wanted), "{series} in\n{page}");
    }
    for at_least_one in [
        "refrain_term",
        "refrain_disk_free_bytes",
        "refrain_disk_reserve_bytes",
        "refrain_commit_seconds_count",
        "refrain_read_round_seconds_count",
    ] {
        let value = value(&page, at_least_one);
        assert!(
            value.is_some_and(|it| it >= 1.0),
            "{at_least_one} in\n{page}"
        );
    }
    let id = format!("{:016x}", node.running.node_id);
    assert!(page.contains(&format!("node=\"{id}\"")), "{page}");
    assert!(page.ends_with("# EOF\n"));
}

#[tokio::test]
async fn only_who_was_granted_it_reads_the_page_and_whoever_is_turned_away_is_counted() {
    let node = with_principals([
        (
            "scraper".to_owned(),
            vec![grant(&[Permission::Metrics], None, None)],
        ),
        (
            "other".to_owned(),
            vec![grant(&[Permission::Check, Permission::Cluster], None, None)],
        ),
        (
            "narrow".to_owned(),
            vec![grant(&[Permission::Metrics], Some(&["shop"]), None)],
        ),
    ])
    .await;
    let read = async |token: &str| {
        let bearer = format!("Bearer {token}");
        send(&node, "GET", "/metrics", &[("authorization", &bearer)], "").await
    };
    get(&node, "/metrics").await.refused(401, "UNAUTHENTICATED");
    read("other").await.refused(403, "PERMISSION_DENIED");
    read("narrow").await.refused(403, "PERMISSION_DENIED");
    let refused = node
        .preferences()
        .set_opt_out(by("scraper", opt_out("ada@example.com", "sale")))
        .await;
    assert!(refused.is_err());
    let _ = node
        .decisions()
        .check(by("nobody", question("ada@example.com", "sale")))
        .await;
    let page = read("scraper").await.text;
    for series in [
        r#"refrain_calls_total{transport="grpc",call="PreferenceService/SetOptOut",code="PERMISSION_DENIED"}"#,
        r#"refrain_calls_total{transport="grpc",call="DecisionService/Check",code="UNAUTHENTICATED"}"#,
    ] {
        assert_eq!(value(&page, series), Some(1.0), "{series} in\n{page}");
    }
}
