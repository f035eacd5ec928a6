//! A walk through every call of gRPC, and what all of HTTP has in common: nobody who is not known gets in, and nobody without
//! the permission; `rest/walk.rs` goes through the routes of REST.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::FileDescriptorSet;
use refrain::{
    admission::{Permission, Permissions},
    proto::v1::DESCRIPTORS,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Request, Status, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use super::{
    principals::{grant, with_principals},
    support::{Node, assert_status},
};

/// Which permissions let a call in, one of those named; none for a call that is open to everybody. A new call fails the
/// walk until it stands here.
const CALLS: [(&[Permission], &[&str]); 13] = [
    (&[Permission::Report], &["MonitorService/ReportProcessing"]),
    (
        &[],
        &[
            "StampService/ListKeys",
            "JournalService/GetCheckpoint",
            "JournalService/ListJournalKeys",
        ],
    ),
    (
        &[Permission::Check],
        &[
            "DecisionService/Check",
            "DecisionService/BatchCheck",
            "DecisionService/CheckStream",
            "PreferenceService/GetPreferences",
            "PreferenceService/GetTokens",
            "RegistryService/ListPurposes",
            "RegistryService/ListNamespaces",
            "StampService/Verify",
        ],
    ),
    (
        &[Permission::OptOut],
        &[
            "PreferenceService/SetOptOut",
            "PreferenceService/ReportSignal",
            "PreferenceService/CreateLink",
        ],
    ),
    (&[Permission::OptIn], &["PreferenceService/SetOptIn"]),
    (
        &[Permission::OptOut, Permission::OptIn],
        &["PreferenceService/SetPreferences"],
    ),
    (
        &[Permission::Import],
        &[
            "PreferenceService/ImportOptOuts",
            "PreferenceService/GetImport",
        ],
    ),
    (&[Permission::Watch], &["WatchService/Watch"]),
    (&[Permission::Erase], &["PreferenceService/EraseEvidence"]),
    (
        &[Permission::Audit],
        &[
            "MonitorService/ListViolations",
            "MonitorService/GetScores",
            "MonitorService/ListAnomalies",
            "MonitorService/GetAnomalySettings",
            "AuditService/Export",
            "PreferenceService/ListEvents",
            "RegistryService/ListServices",
            "JournalService/GetReceipt",
        ],
    ),
    (
        &[Permission::Registry],
        &[
            "RegistryService/PutPurpose",
            "RegistryService/AddNamespace",
            "RegistryService/ConfigureNamespace",
            "RegistryService/SetSchemaFloor",
            "RegistryService/ProposeChange",
            "RegistryService/ApproveChange",
            "RegistryService/WithdrawChange",
            "RegistryService/ListPendingChanges",
            "MonitorService/ConfigureAnomalies",
        ],
    ),
    (
        &[Permission::Override],
        &[
            "OverrideService/ProposeOverride",
            "OverrideService/ApproveOverride",
            "OverrideService/RevokeOverride",
            "OverrideService/ListOverrides",
        ],
    ),
    (
        &[Permission::Cluster],
        &[
            "ClusterService/Init",
            "ClusterService/Add",
            "ClusterService/Remove",
            "ClusterService/Status",
            "ClusterService/TransferLeader",
        ],
    ),
];

/// Routes of HTTP, with whether they are open to everybody.
const ROUTES: [(&str, &str, bool); 10] = [
    ("GET", "/livez", true),
    ("GET", "/readyz", true),
    ("GET", "/openapi.json", true),
    ("GET", "/docs", true),
    ("GET", "/.well-known/gpc.json", true),
    ("GET", "/.well-known/jwks.json", true),
    ("GET", "/u/link", true),
    ("POST", "/u/link", true),
    // Also what is not there at all.
    ("GET", "/", false),
    ("POST", "/v1/default/nothing", false),
];

/// Every call of every service, from the compiled descriptors.
fn calls() -> Vec<String> {
    let all: FileDescriptorSet = prost::Message::decode(DESCRIPTORS).expect("descriptors");
    let files = all
        .file
        .iter()
        .filter(|file| file.package() == "refrain.v1");
    let services = files.flat_map(|file| &file.service);
    services
        .flat_map(|service| {
            let name = service.name();
            let methods = service.method.iter();
            methods.map(move |method| format!("{name}/{}", method.name()))
        })
        .collect()
}

/// Makes a call with one message that holds nothing. On the wire all kinds of calls are alike.
async fn call(node: &Node, method: &str, token: Option<&str>) -> Result<(), Status> {
    let mut client = Grpc::new(node.channel.clone());
    client.ready().await.expect("ready");
    let mut request = Request::new(tokio_stream::iter([()]));
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().expect("value");
        request.metadata_mut().insert("authorization", value);
    }
    let path: PathAndQuery = format!("/refrain.v1.{method}").parse().expect("path");
    let codec = ProstCodec::<(), ()>::default();
    client.streaming(request, path, codec).await.map(drop)
}

fn denied(answer: &Result<(), Status>) -> bool {
    let code = answer.as_ref().err().map(Status::code);
    assert_ne!(code, Some(Code::Unauthenticated), "{answer:?}");
    code == Some(Code::PermissionDenied)
}

#[tokio::test]
async fn every_call_takes_a_token_and_its_permission() {
    let each = Permission::ALL.map(|one| (format!("only-{one}"), vec![grant(&[one], None, None)]));
    let all_but = Permission::ALL.map(|one| {
        let mut grant = grant(&[], None, None);
        grant.permissions = Permissions::of(&Permission::ALL).without(one);
        (format!("all-but-{one}"), vec![grant])
    });
    let nothing = [("nothing".to_owned(), Vec::new())];
    let node = with_principals(each.into_iter().chain(all_but).chain(nothing)).await;

    let mut table: BTreeMap<&str, &[Permission]> = BTreeMap::new();
    for (permissions, methods) in CALLS {
        table.extend(methods.iter().map(|method| (*method, permissions)));
    }
    let calls = calls();
    assert!(calls.len() > 30, "the descriptors were not read");
    let walked: BTreeSet<&str> = calls.iter().map(String::as_str).collect();
    let expected: BTreeSet<&str> = table.keys().copied().collect();
    assert_eq!(walked, expected, "the table is not what is served");

    for method in &calls {
        let permissions = table[method.as_str()];
        let unknown = call(&node, method, None).await;
        if permissions.is_empty() {
            assert!(!denied(&unknown), "{method}: {unknown:?}");
            continue;
        }
        for token in [None, Some("nobody's")] {
            let refused = call(&node, method, token).await;
            let status = refused.expect_err("a call without a known token");
            assert_status(&status, Code::Unauthenticated, "UNAUTHENTICATED");
        }
        let refused = call(&node, method, Some("nothing")).await;
        let status = refused.expect_err("a call without a grant");
        assert_status(&status, Code::PermissionDenied, "PERMISSION_DENIED");
        for permission in Permission::ALL {
            let allowed = permissions.contains(&permission);
            let answer = call(&node, method, Some(&format!("only-{permission}"))).await;
            assert_eq!(
                denied(&answer),
                !allowed,
                "{method} with {permission}: {answer:?}"
            );
            let without = format!("all-but-{permission}");
            let answer = call(&node, method, Some(&without)).await;
            let needed = permissions == [permission];
            assert_eq!(denied(&answer), needed, "{method} {without}: {answer:?}");
        }
    }
}

async fn http(node: &Node, method: &str, path: &str, header: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(node.running.client_address)
        .await
        .expect("connect");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: refrain\r\nContent-Length: 0\r\n{header}Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    let status = answer.split(' ').nth(1).expect("status");
    (status.parse().expect("status"), answer)
}

#[tokio::test]
async fn every_route_takes_a_token() {
    let node = with_principals([(
        "mailer".to_owned(),
        vec![grant(&[Permission::Check], None, None)],
    )])
    .await;
    for (method, path, open) in ROUTES {
        let (status, answer) = http(&node, method, path, "").await;
        assert_eq!(status != 401, open, "{method} {path}: {answer}");
        if open {
            continue;
        }
        let lower = answer.to_ascii_lowercase();
        for part in [
            "www-authenticate: bearer",
            "content-type: application/problem+json",
            "\"reason\":\"unauthenticated\"",
        ] {
            assert!(lower.contains(part), "{part}: {answer}");
        }
        for bad in [
            "Basic mailer",
            "Bearer nobody's",
            "mailer",
            "Bearer mailer x",
        ] {
            let header = format!("Authorization: {bad}\r\n");
            let (status, answer) = http(&node, method, path, &header).await;
            assert_eq!(status, 401, "{bad}: {answer}");
            assert!(!answer.contains("nobody's"), "{answer}");
        }
        let twice = "Authorization: Bearer mailer\r\n".repeat(2);
        assert_eq!(http(&node, method, path, &twice).await.0, 401);
        let once = "authorization: bearer mailer\r\n";
        let (status, answer) = http(&node, method, path, once).await;
        assert_eq!(status, 404, "{answer}");
    }
}
