//! Calls to a node that belongs to no cluster: everything of a request is read, judged and converted, and then nothing can be done.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, Request, Response, StatusCode, Uri, header},
};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use super::input::{choice, pieces};
use crate::{
    admission::{Entry, Grant, Permission, Permissions, Principals, TokenHash},
    api::{Edge, Parts, decision_id::DecisionKey, link::LinkKey},
    authority::Authority,
    clock::{SystemClock, SystemEntropy},
    config::Deadlines,
    consensus::{self, Consensus, Peer, Timing},
    domain::{Principal, SealingKey, TokenKey},
    feed::Feed,
    limits,
    metrics::Meters,
    net::Connector,
    storage::{identity::Identity, log::MemoryLog, memory::MemoryFiles, space::Space},
};

/// A bound on a hang: nothing that is called here waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a principal who may do everything calls with.
const TOKEN: &str = "rfp_fuzz";

type Service = BoxCloneSyncService<Request<Body>, Response<Body>, std::convert::Infallible>;

struct Node {
    runtime: Runtime,
    service: Service,
}

thread_local! {
    /// One for each thread: a runtime is entered by one at a time.
    static NODE: Node = Node::start();
}

impl Node {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        let service = runtime.block_on(service());
        Self { runtime, service }
    }

    /// Makes a call. Whatever was asked, it is answered, and not with an internal error.
    fn call(&self, request: Request<Body>) {
        let asked = format!("{} {}", request.method(), request.uri());
        let service = self.service.clone();
        let answer = async {
            let answer = service.oneshot(request).await;
            let (head, body) = answer.unwrap_or_else(|never| match never {}).into_parts();
            to_bytes(body, usize::MAX).await.expect("a whole answer");
            head
        };
        let answer = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, answer).await });
        let head = answer.unwrap_or_else(|_| panic!("{asked} is not answered"));
        let internal = HeaderValue::from_static("13");
        assert!(
            head.status != StatusCode::INTERNAL_SERVER_ERROR
                && head.headers.get("grpc-status") != Some(&internal),
            "{asked} comes to an internal error"
        );
    }
}

async fn service() -> Service {
    let (files, entropy) = (MemoryFiles::new(), SystemEntropy);
    let (clock, token_key) = (Arc::new(SystemClock), TokenKey::new([7; 32]));
    let parts = consensus::Parts {
        log: Arc::new(MemoryLog::new()),
        files: Arc::new(files.clone()),
        space: Arc::new(Space::new(Arc::new(files), None)),
        connector: Connector::tcp(),
        clock: clock.clone(),
        entropy: Arc::new(entropy),
        identity: Identity::random(&entropy),
        own: Peer::default(),
        key_fingerprint: token_key.fingerprint(),
        sealing_key: SealingKey::new(&[7; 32]),
        timing: Timing {
            heartbeat_ms: 100,
            election_timeout_ms: (500, 1_000),
            snapshot_log_bytes: 64 << 20,
            log_entries_kept: limits::LOG_ENTRIES_KEPT,
            usage_report_ms: 3_600_000,
            stamp_key_ms: 3_600_000,
        },
        meters: Meters::default(),
        settings: Vec::new(),
    };
    let consensus = Consensus::start(parts).await.expect("a fresh node");
    let drain = CancellationToken::new();
    let parts = Parts {
        authority: Authority::new(consensus.clone()),
        feed: Feed::new(consensus.journal(), consensus.committed(), drain.clone()),
        token_key,
        decision_key: DecisionKey::derive(&[7; 32]),
        link_key: LinkKey::derive(&[7; 32]),
        clock,
        entropy: Arc::new(entropy),
        deadlines: Deadlines {
            default: Duration::from_secs(1),
            max: Duration::from_secs(1),
        },
        stamp_life: Duration::from_secs(60),
        override_max_minutes: 60,
        principals: Arc::new(principals()),
        insecure: true,
        meters: Meters::default(),
        drain,
    };
    let edge = Edge::new(parts, 16, true).expect("an edge");
    edge.service()
}

/// Two who may do everything: with fewer, nobody may override.
fn principals() -> Principals {
    let mut principals = Principals::default();
    for (name, token) in [("ann", TOKEN), ("bob", "rfp_other")] {
        let entry = Entry {
            name: Principal::parse(name).expect("a name"),
            tokens: vec![TokenHash::of(token.as_bytes())],
            grants: vec![Grant::unlimited(Permissions::of(&Permission::ALL))],
        };
        principals.add(entry).expect("a principal");
    }
    principals
}

/// The calls of the contract.
const CALLS: [&str; 46] = [
    "DecisionService/Check",
    "DecisionService/BatchCheck",
    "DecisionService/CheckStream",
    "PreferenceService/SetOptOut",
    "PreferenceService/SetOptIn",
    "PreferenceService/SetPreferences",
    "PreferenceService/ReportSignal",
    "PreferenceService/ImportOptOuts",
    "PreferenceService/GetImport",
    "PreferenceService/GetPreferences",
    "PreferenceService/ListEvents",
    "PreferenceService/GetTokens",
    "PreferenceService/CreateLink",
    "WatchService/Watch",
    "RegistryService/ListPurposes",
    "RegistryService/PutPurpose",
    "RegistryService/ListNamespaces",
    "RegistryService/AddNamespace",
    "RegistryService/ConfigureNamespace",
    "RegistryService/SetSchemaFloor",
    "RegistryService/ListServices",
    "RegistryService/ProposeChange",
    "RegistryService/ApproveChange",
    "RegistryService/WithdrawChange",
    "RegistryService/ListPendingChanges",
    "OverrideService/ProposeOverride",
    "OverrideService/ApproveOverride",
    "OverrideService/RevokeOverride",
    "OverrideService/ListOverrides",
    "StampService/Verify",
    "StampService/ListKeys",
    "ClusterService/Remove",
    "ClusterService/Status",
    "ClusterService/TransferLeader",
    "ClusterService/NoSuchCall",
    "JournalService/GetCheckpoint",
    "JournalService/ListJournalKeys",
    "JournalService/GetReceipt",
    "MonitorService/ReportProcessing",
    "MonitorService/ListViolations",
    "MonitorService/GetScores",
    "MonitorService/ListAnomalies",
    "AuditService/Export",
    "MonitorService/GetAnomalySettings",
    "MonitorService/ConfigureAnomalies",
    "PreferenceService/EraseEvidence",
];

/// Calls over gRPC: which, and the messages of its stream, one for most. From 128 on the body goes out as it is.
pub fn requests(data: &[u8]) {
    let Some((number, bytes)) = choice(data) else {
        return;
    };
    let framed = |message: &[u8]| {
        let length = u32::try_from(message.len()).unwrap_or_default();
        [&[0], &length.to_be_bytes()[..], message].concat()
    };
    let call = CALLS[number % 128 % CALLS.len()];
    let streams = [
        "DecisionService/CheckStream",
        "PreferenceService/ImportOptOuts",
    ];
    let body = match number {
        128.. => bytes.to_vec(),
        _ if streams.contains(&call) => pieces(bytes).flat_map(framed).collect(),
        _ => framed(bytes),
    };
    let request = Request::post(format!("http://node/refrain.v1.{call}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(Body::from(body));
    NODE.with(|node| node.call(request.expect("a request")));
}

/// The routes of REST: what is put in the place of `*` comes from the input.
const ROUTES: [(&str, &str); 45] = [
    ("POST", "/v1/*/check"),
    ("POST", "/v1/*/batch-check"),
    ("POST", "/v1/*/stamps/verify"),
    ("PATCH", "/v1/*/preferences"),
    ("DELETE", "/v1/*/subjects/*/permissions/*"),
    ("POST", "/v1/*/preferences:query"),
    ("GET", "/v1/*/subjects/*/preferences?*"),
    ("GET", "/v1/*/subjects/*/events?*"),
    ("POST", "/v1/*/signals"),
    ("POST", "/v1/*/tokens"),
    ("POST", "/v1/*/links"),
    ("GET", "/v1/*/changes?*"),
    ("GET", "/admin/v1/purposes?*"),
    ("PUT", "/admin/v1/purposes/*?*"),
    ("GET", "/admin/v1/namespaces?*"),
    ("PUT", "/admin/v1/namespaces/*"),
    ("GET", "/admin/v1/schema-floors?*"),
    ("PUT", "/admin/v1/schema-floors?*"),
    ("GET", "/admin/v1/services?*"),
    ("GET", "/admin/v1/overrides?*"),
    ("POST", "/admin/v1/overrides"),
    ("POST", "/admin/v1/overrides/*/approve"),
    ("POST", "/admin/v1/overrides/*/revoke"),
    ("POST", "/admin/v1/changes"),
    ("GET", "/admin/v1/changes?*"),
    ("POST", "/admin/v1/changes/*/approve"),
    ("POST", "/admin/v1/changes/*/withdraw"),
    ("GET", "/u/*"),
    ("POST", "/u/*"),
    ("GET", "/.well-known/gpc.json"),
    ("GET", "/openapi.json"),
    ("POST", "/*"),
    ("GET", "/checkpoint"),
    ("GET", "/journal/keys"),
    ("GET", "/tile/*"),
    ("GET", "/v1/*/receipts/*"),
    ("GET", "/admin/v1/receipts/*"),
    ("POST", "/v1/*/processing"),
    ("GET", "/admin/v1/violations?*"),
    ("GET", "/admin/v1/scores?*"),
    ("GET", "/admin/v1/anomalies?*"),
    ("GET", "/admin/v1/anomaly-settings"),
    ("PUT", "/admin/v1/anomaly-settings"),
    ("GET", "/metrics"),
    ("POST", "/v1/*/evidence:erase"),
];

/// Calls over HTTP. Lines: what the path holds in place of its `*`, then a header or two, an empty one, and the body.
pub fn bodies(data: &[u8]) {
    let Some((number, bytes)) = choice(data) else {
        return;
    };
    let (method, route) = ROUTES[number % ROUTES.len()];
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (first, mut rest) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let mut words = first.split(|byte| *byte == b' ');
    let mut path = String::new();
    for part in route.split_inclusive('*') {
        path.push_str(part.trim_end_matches('*'));
        if part.ends_with('*') {
            path.push_str(&String::from_utf8_lossy(words.next().unwrap_or_default()));
        }
    }
    // What is no URI does not come through HTTP.
    let Ok(uri) = format!("http://node{path}").parse::<Uri>() else {
        return;
    };
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            break;
        };
        request = request.header(&line[..colon], &line[colon + 1..]);
    }
    if request
        .headers_ref()
        .is_some_and(|headers| !headers.contains_key(header::CONTENT_TYPE))
    {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if let Ok(request) = request.body(Body::from(rest.to_vec())) {
        NODE.with(|node| node.call(request));
    }
}
