//! `Watch`.

use std::time::Duration;

use refrain::proto::v1::{
    AddNamespaceRequest, Change, EventKind, ListEventsRequest, ListServicesRequest, SchemaFloor,
    SetSchemaFloorRequest, WatchRequest, WatchResponse, watch_response::Item,
    watch_service_client::WatchServiceClient,
};
use tonic::{Code, Streaming, transport::Endpoint};

use super::support::{Node, assert_refused, assert_status, email, opt_out};

async fn watch(node: &Node, request: WatchRequest) -> Streaming<WatchResponse> {
    node.watches()
        .watch(request)
        .await
        .expect("watch")
        .into_inner()
}

async fn next(items: &mut Streaming<WatchResponse>) -> Item {
    let item = tokio::time::timeout(Duration::from_secs(20), items.message()).await;
    let item = item.expect("in time").expect("item").expect("one more");
    item.item.expect("set")
}

async fn next_revision(items: &mut Streaming<WatchResponse>) -> u64 {
    match next(items).await {
        Item::Event(event) => event.revision,
        other => panic!("{other:?}"),
    }
}

fn from(from_revision: u64) -> WatchRequest {
    WatchRequest {
        from_revision,
        ..WatchRequest::default()
    }
}

#[tokio::test]
async fn all_that_ever_was_and_then_what_is_new_once_and_in_order() {
    let node = Node::start().await;
    node.opt_out_many(600).await;
    let mut items = watch(&node, from(1)).await;
    let Item::Event(created) = next(&mut items).await else {
        panic!("no event");
    };
    assert_eq!((created.revision, created.kind()), (1, EventKind::Created));
    for revision in 2..=601 {
        assert_eq!(next_revision(&mut items).await, revision);
    }
    for revision in 602..=610 {
        node.opt_out(&format!("new{revision}@example.com"), "sale")
            .await;
        assert_eq!(next_revision(&mut items).await, revision);
    }
    let mut middle = watch(&node, from(300)).await;
    assert_eq!(next_revision(&mut middle).await, 300);
}

#[tokio::test]
async fn from_now_means_after_what_was_acknowledged() {
    let node = Node::start().await;
    let before = node.opt_out("ada@example.com", "sale").await;
    let mut items = watch(&node, from(0)).await;
    let mut next_one = watch(&node, from(before.revision + 1)).await;
    let after = node.opt_out("bob@example.com", "sale").await;
    assert_eq!(next_revision(&mut items).await, after.revision);
    assert_eq!(next_revision(&mut next_one).await, after.revision);
}

#[tokio::test]
async fn a_snapshot_and_what_follows_it() {
    let node = Node::start().await;
    for n in 0..50 {
        node.opt_out(&format!("{n}@example.com"), "sale").await;
    }
    let request = WatchRequest {
        snapshot: true,
        ..WatchRequest::default()
    };
    let mut items = watch(&node, request).await;
    for _ in 0..50 {
        let Item::Standing(standing) = next(&mut items).await else {
            panic!("the snapshot is short");
        };
        assert_eq!(
            (standing.change(), standing.purpose.as_str()),
            (Change::OptOut, "sale")
        );
        assert_eq!(standing.namespace, "default");
    }
    let Item::Synced(synced) = next(&mut items).await else {
        panic!("the snapshot has no end");
    };
    assert_eq!(synced.revision, 51);
    node.opt_out("new@example.com", "sale").await;
    assert_eq!(next_revision(&mut items).await, 52);
}

#[tokio::test]
async fn filters_let_through_what_touches_them() {
    let node = Node::start().await;
    let namespace = AddNamespaceRequest {
        namespace: "brand-2".to_owned(),
        ..AddNamespaceRequest::default()
    };
    node.registry()
        .add_namespace(namespace)
        .await
        .expect("namespace");
    let mut items = watch(
        &node,
        WatchRequest {
            namespaces: vec!["brand-2".to_owned()],
            purposes: vec!["marketing.email".to_owned()],
            heartbeat_interval_ms: 100,
            ..from(1)
        },
    )
    .await;
    for (namespace, purpose) in [
        ("default", "marketing"),
        ("brand-2", "sale"),
        ("brand-2", "marketing.sms"),
        ("brand-2", "marketing"),
    ] {
        let mut request = opt_out("ada@example.com", purpose);
        request.namespace = namespace.to_owned();
        node.preferences()
            .set_opt_out(request)
            .await
            .expect("opt out");
    }
    let event = loop {
        match next(&mut items).await {
            Item::Event(event) => break event,
            Item::Heartbeat(heartbeat) => assert!(heartbeat.revision < 6),
            other => panic!("{other:?}"),
        }
    };
    // The creation passed too: it registered the purposes, for all namespaces.
    let event = if event.kind() == EventKind::Created {
        loop {
            if let Item::Event(event) = next(&mut items).await {
                break event;
            }
        }
    } else {
        event
    };
    assert_eq!(
        (event.revision, event.purposes),
        (6, vec!["marketing".to_owned()])
    );
}

#[tokio::test]
async fn heartbeats_carry_the_revision_up_to_which_all_was_seen() {
    let node = Node::start().await;
    node.opt_out("ada@example.com", "sale").await;
    let mut items = watch(
        &node,
        WatchRequest {
            heartbeat_interval_ms: 100,
            purposes: vec!["analytics".to_owned()],
            ..WatchRequest::default()
        },
    )
    .await;
    node.opt_out("bob@example.com", "sale").await;
    loop {
        let Item::Heartbeat(heartbeat) = next(&mut items).await else {
            panic!("something passed");
        };
        assert!(heartbeat.sent_at.is_some());
        if heartbeat.revision == 3 {
            break;
        }
    }
}

#[tokio::test]
async fn a_slow_watcher_misses_nothing() {
    let node = Node::start().await;
    let mut items = watch(&node, from(2)).await;
    node.opt_out_many(2_000).await;
    for revision in 2..=2_001 {
        if revision % 500 == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(next_revision(&mut items).await, revision);
    }
}

#[tokio::test]
async fn bad_watches_get_a_reason() {
    let node = Node::start().await;
    let filters = |namespace: &str, purpose: &str| WatchRequest {
        namespaces: vec![namespace.to_owned()],
        purposes: vec![purpose.to_owned()],
        ..WatchRequest::default()
    };
    let of_tokens = |tokens: &[&str]| WatchRequest {
        tokens: tokens.iter().map(|it| (*it).to_owned()).collect(),
        ..WatchRequest::default()
    };
    let invalid = Code::InvalidArgument;
    for (request, code, reason) in [
        (from(3), Code::FailedPrecondition, "REVISION_AHEAD"),
        (
            WatchRequest {
                snapshot: true,
                ..from(1)
            },
            invalid,
            "SNAPSHOT_FROM_REVISION",
        ),
        (
            WatchRequest {
                heartbeat_interval_ms: 99,
                ..from(0)
            },
            invalid,
            "HEARTBEAT_INVALID",
        ),
        (
            WatchRequest {
                heartbeat_interval_ms: 60_001,
                ..from(0)
            },
            invalid,
            "HEARTBEAT_INVALID",
        ),
        (
            filters("default", "nothing"),
            Code::NotFound,
            "PURPOSE_UNKNOWN",
        ),
        (
            filters("nobody", "sale"),
            Code::NotFound,
            "NAMESPACE_UNKNOWN",
        ),
        (filters("", "sale"), invalid, "NAMESPACE_INVALID"),
        (
            WatchRequest {
                purposes: vec!["sale".to_owned(); 65],
                ..from(0)
            },
            invalid,
            "TOO_MANY_FILTERS",
        ),
        (
            of_tokens(&["ada@example.com"]),
            invalid,
            "IDENTIFIER_INVALID",
        ),
        // Of a key that never was: nothing would ever pass.
        (
            of_tokens(&[
                "1:00112233445566778899aabbccddeeff",
                "2:00112233445566778899aabbccddeeff",
            ]),
            invalid,
            "IDENTIFIER_INVALID",
        ),
    ] {
        let answer = node.watches().watch(request).await;
        assert_refused(answer, code, reason);
    }
    watch(&node, filters("default", "*")).await;
    watch(&node, of_tokens(&["1:00112233445566778899aabbccddeeff"])).await;
}

#[tokio::test]
async fn snapshots_are_bounded_and_given_back() {
    let node = Node::start().await;
    let snapshot = || WatchRequest {
        snapshot: true,
        ..WatchRequest::default()
    };
    node.opt_out_many(2_000).await;
    // A small window of its own for each, so that what one does not read holds up nobody else, and stays unsent.
    let open = || async {
        let channel = Endpoint::from_shared(format!("http://{}", node.running.client_address))
            .expect("endpoint")
            .initial_stream_window_size(65_535)
            .initial_connection_window_size(65_535)
            .connect()
            .await
            .expect("connect");
        WatchServiceClient::new(channel).watch(snapshot()).await
    };
    let mut held = Vec::new();
    let status = loop {
        match open().await {
            Ok(items) => held.push(items.into_inner()),
            Err(status) => break status,
        }
        assert!(held.len() <= 64, "nothing bounds them");
    };
    assert_status(&status, Code::ResourceExhausted, "TOO_MANY_SNAPSHOTS");
    for items in &mut held {
        while !matches!(next(items).await, Item::Synced(_)) {}
    }
    // Those that have read theirs follow the events and no longer count.
    let last = node.opt_out("ada@example.com", "sale").await;
    for items in &mut held {
        assert_eq!(next_revision(items).await, last.revision);
    }
    let mut again = open().await.expect("there is room again").into_inner();
    assert!(matches!(next(&mut again).await, Item::Standing(_)));
}

#[tokio::test]
async fn a_schema_floor_is_asked_by_feed_and_history_and_each_call_counts() {
    let node = Node::start_with(|config| config.usage_report = Duration::from_millis(100)).await;
    let raise = async |purpose: &str| {
        let floor = SchemaFloor {
            purpose: purpose.to_owned(),
            version: 1,
        };
        let request = SetSchemaFloorRequest {
            floor: Some(floor),
            ..SetSchemaFloorRequest::default()
        };
        let raised = node.registry().set_schema_floor(request).await;
        raised.expect("a floor");
    };
    let follow = async |purposes: &[&str], schema_version| {
        let request = WatchRequest {
            purposes: purposes.iter().map(|it| (*it).to_owned()).collect(),
            schema_version,
            service: "feed".to_owned(),
            ..from(1)
        };
        node.watches().watch(request).await.map(drop)
    };
    let history = async |schema_version| {
        let request = ListEventsRequest {
            identifiers: vec![email("ada@example.com")],
            schema_version,
            service: "desk".to_owned(),
            ..ListEventsRequest::default()
        };
        node.preferences().list_events(request).await.map(drop)
    };
    let old = |answer| assert_refused(answer, Code::FailedPrecondition, "SCHEMA_TOO_OLD");

    raise("marketing").await;
    old(follow(&["sale", "marketing.email"], 0).await);
    for served in [
        follow(&["sale", "marketing.email"], 1).await,
        follow(&["sale"], 0).await,
        // Without a purpose named, the floor of the cluster alone counts.
        follow(&[], 0).await,
        history(0).await,
    ] {
        served.expect("not below");
    }
    raise("").await;
    old(follow(&[], 0).await);
    old(history(0).await);
    follow(&[], 1).await.expect("new enough");
    history(1).await.expect("new enough");
    assert_refused(
        follow(&[], 99).await,
        Code::FailedPrecondition,
        "SCHEMA_UNKNOWN",
    );

    let wanted = [
        ("desk", 0, 2, 1),
        ("desk", 1, 1, 0),
        ("feed", 0, 4, 2),
        ("feed", 1, 2, 0),
    ];
    let wanted =
        wanted.map(|(name, version, calls, below)| (name.to_owned(), version, calls, below));
    let counted = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let listed = node.registry().list_services(ListServicesRequest {}).await;
            let services = listed.expect("services").into_inner().services;
            let seen = services.into_iter().filter(|it| it.schema_version < 99);
            let seen: Vec<_> = seen
                .map(|it| (it.service, it.schema_version, it.calls, it.below_floor))
                .filter(|it| !it.0.is_empty())
                .collect();
            if seen == wanted {
                return;
            }
        }
    });
    counted
        .await
        .expect("each call is counted, by service and version");
}
