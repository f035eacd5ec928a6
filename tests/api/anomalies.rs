//! What is out of the ordinary: found, listed, followed, and set, over both codecs.

use refrain::proto::v1::{
    AnomalyKind, AnomalySettings, ConfigureAnomaliesRequest, Event, GetAnomalySettingsRequest,
    ListAnomaliesRequest, WatchRequest, monitor_service_client::MonitorServiceClient,
    watch_response::Item, watch_service_client::WatchServiceClient,
};
use serde_json::json;
use tonic::{Code, transport::Channel};

use super::{
    rest::wire::{get, json as send_json},
    support::{Node, assert_refused, assert_status, thresholds},
};

fn monitor(node: &Node) -> MonitorServiceClient<Channel> {
    MonitorServiceClient::new(node.channel.clone())
}

async fn settings(node: &Node) -> AnomalySettings {
    let mut node = monitor(node);
    let asked = node.get_anomaly_settings(GetAnomalySettingsRequest {});
    asked.await.unwrap().into_inner().settings.unwrap()
}

fn setting(settings: AnomalySettings) -> ConfigureAnomaliesRequest {
    ConfigureAnomaliesRequest {
        request_id: String::new(),
        settings: Some(settings),
    }
}

async fn listed(node: &Node, wanted: ListAnomaliesRequest) -> Vec<Event> {
    let page = monitor(node).list_anomalies(wanted).await.unwrap();
    page.into_inner().events
}

#[tokio::test]
async fn a_subject_that_changes_often_is_told_to_whoever_follows_and_asks() {
    let node = Node::start().await;
    let standing = settings(&node).await;
    let next = AnomalySettings {
        subject_changes: 3,
        ..standing
    };
    let set = monitor(&node).configure_anomalies(setting(next)).await;
    let set = set.unwrap().into_inner();
    assert!(set.changed && !set.event_id.is_empty(), "{set:?}");
    let again = monitor(&node).configure_anomalies(setting(next)).await;
    assert!(!again.unwrap().into_inner().changed);
    assert_eq!(settings(&node).await, next);

    for purpose in ["sale", "marketing.email", "analytics"] {
        node.opt_out("often@example.com", purpose).await;
    }
    let all = listed(&node, ListAnomaliesRequest::default()).await;
    let [event] = &all[..] else {
        panic!("one is found: {all:?}");
    };
    let found = event.anomaly.clone().unwrap();
    assert_eq!(found.kind(), AnomalyKind::ManyChanges);
    assert_eq!((found.count, found.expected, found.window_s), (3, 3, 600));
    assert_eq!((&*event.namespace, &*found.r#type), ("default", "email"));

    // Whoever follows the events gets it in its turn.
    let follow = WatchRequest {
        from_revision: event.revision,
        ..WatchRequest::default()
    };
    let mut feed = WatchServiceClient::new(node.channel.clone());
    let mut feed = feed.watch(follow).await.unwrap().into_inner();
    let first = feed.message().await.unwrap().unwrap().item;
    assert_eq!(first, Some(Item::Event(event.clone())));

    let others = [
        ListAnomaliesRequest {
            kind: AnomalyKind::Burst.into(),
            ..ListAnomaliesRequest::default()
        },
        ListAnomaliesRequest {
            namespace: "elsewhere".to_owned(),
            ..ListAnomaliesRequest::default()
        },
        ListAnomaliesRequest {
            before_revision: event.revision,
            ..ListAnomaliesRequest::default()
        },
    ];
    for wanted in others {
        assert_eq!(listed(&node, wanted).await, []);
    }
    let page = get(&node, "/admin/v1/anomalies?kind=many_changes")
        .await
        .ok();
    assert_eq!(page["events"][0]["anomaly"]["token"], found.token, "{page}");
    let page = get(&node, "/metrics").await.text;
    let line = r#"refrain_anomalies{kind="many_changes"} 1"#;
    assert!(page.contains(line), "{page}");
}

#[tokio::test]
async fn bad_settings_are_refused_and_change_nothing() {
    let node = Node::start().await;
    let standing = settings(&node).await;
    let wrong = setting(AnomalySettings {
        repeats: 1,
        ..standing
    });
    let refused = monitor(&node).configure_anomalies(wrong).await.unwrap_err();
    assert_status(&refused, Code::InvalidArgument, "THRESHOLD_INVALID");
    let nothing = ConfigureAnomaliesRequest::default();
    let refused = monitor(&node).configure_anomalies(nothing).await;
    assert_refused(refused, Code::InvalidArgument, "SETTINGS_REQUIRED");
    let unknown = ListAnomaliesRequest {
        kind: 63,
        ..ListAnomaliesRequest::default()
    };
    let refused = monitor(&node).list_anomalies(unknown).await.unwrap_err();
    assert_status(&refused, Code::InvalidArgument, "ANOMALY_KIND_UNKNOWN");

    let mut asked = thresholds();
    asked["import_factor"] = json!(1);
    let route = "/admin/v1/anomaly-settings";
    let refused = send_json(&node, "PUT", route, &json!({ "settings": asked })).await;
    refused.refused(400, "THRESHOLD_INVALID");
    let set = send_json(&node, "PUT", route, &json!({ "settings": thresholds() })).await;
    assert_eq!(set.ok()["changed"], false);
    assert_eq!(settings(&node).await, standing);
}
