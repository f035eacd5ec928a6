//! gRPC on a cluster of three: each method that a node tells of by reflection is called on nodes that do not lead.

mod administration;
mod members;
mod monitor;
mod people;
mod proof;

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::FileDescriptorProto;
use refrain::proto::v1::{ListPurposesRequest, registry_service_client::RegistryServiceClient};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use super::trio::{ADA, STEADY, STRANGER, Trio};

/// Of everybody.
const OPEN: [&str; 3] = [
    "refrain.v1.StampService/ListKeys",
    "refrain.v1.JournalService/GetCheckpoint",
    "refrain.v1.JournalService/ListJournalKeys",
];

/// The cluster, and two nodes that do not lead.
struct Site {
    trio: Trio,
    leader: usize,
    near: usize,
    far: usize,
}

async fn reflect(site: &Site, request: MessageRequest) -> MessageResponse {
    let mut client = ServerReflectionClient::new(site.trio.line(site.near, ADA));
    let request = ServerReflectionRequest {
        message_request: Some(request),
        ..ServerReflectionRequest::default()
    };
    let answers = client
        .server_reflection_info(tokio_stream::iter([request]))
        .await;
    let answer = answers.unwrap().into_inner().message().await.unwrap();
    let ServerReflectionResponse {
        message_response, ..
    } = answer.unwrap();
    message_response.unwrap()
}

/// Every method of the public services, as a node that follows tells of them.
async fn methods(site: &Site) -> BTreeSet<String> {
    let all = MessageRequest::ListServices(String::new());
    let MessageResponse::ListServicesResponse(all) = reflect(site, all).await else {
        panic!("no list of services");
    };
    let mut methods = BTreeSet::new();
    for service in all.service {
        let Some(name) = service.name.strip_prefix("refrain.v1.") else {
            continue;
        };
        let symbol = MessageRequest::FileContainingSymbol(service.name.clone());
        let MessageResponse::FileDescriptorResponse(files) = reflect(site, symbol).await else {
            panic!("no file with {}", service.name);
        };
        let files = files.file_descriptor_proto.iter();
        for file in files.map(|bytes| FileDescriptorProto::decode(bytes.as_slice()).unwrap()) {
            let described = file.service.iter().filter(|it| it.name() == name);
            let described = described.flat_map(|it| &it.method);
            methods.extend(described.map(|it| format!("{}/{}", service.name, it.name())));
        }
    }
    methods
}

/// Makes a call with one message that holds nothing. On the wire all kinds of calls are alike.
async fn call(site: &Site, method: &str, who: &'static str) -> Result<(), Status> {
    let mut client = Grpc::new(site.trio.line(site.near, who));
    client.ready().await.unwrap();
    let path: PathAndQuery = format!("/{method}").parse().unwrap();
    let request = Request::new(tokio_stream::iter([()]));
    let codec = ProstCodec::<(), ()>::default();
    client.streaming(request, path, codec).await.map(drop)
}

impl Site {
    /// The cluster's revision, as the leader tells it.
    async fn revision(&self) -> u64 {
        let mut registry = RegistryServiceClient::new(self.trio.line(self.leader, ADA));
        let found = registry.list_purposes(ListPurposesRequest {}).await;
        found.unwrap().into_inner().revision
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_does_what_another_node_sees() {
    let trio = Trio::start(&STEADY).await;
    let [leader, near, far] = trio.places().await;
    let site = Site {
        trio,
        leader,
        near,
        far,
    };
    let methods = methods(&site).await;
    assert!(
        methods.len() > 30,
        "the services were not told: {methods:?}"
    );
    // A node's key for checkpoints is made when the first is wanted, by whomever: that is an event, once.
    let checkpoint = call(&site, OPEN[1], STRANGER);
    checkpoint.await.unwrap();
    let before = site.revision().await;
    for method in &methods {
        let refused = call(&site, method, STRANGER).await;
        if OPEN.contains(&method.as_str()) {
            refused.unwrap();
        } else {
            let code = refused.as_ref().err().map(Status::code);
            assert_eq!(code, Some(Code::PermissionDenied), "{method}: {refused:?}");
        }
    }
    assert_eq!(site.revision().await, before, "nothing may have changed");

    // What the cluster was formed by does not count.
    site.trio.called.lock().unwrap().clear();
    people::change_their_minds(&site).await;
    people::are_imported_and_followed(&site).await;
    people::travel_in_stamps(&site).await;
    proof::is_given(&site).await;
    monitor::is_judged(&site).await;
    administration::of_the_registry(&site).await;
    administration::by_two_principals(&site).await;
    members::come_and_go(&site).await;

    let followers = [near, far].map(|place| site.trio.nodes[place].client.clone());
    let called = site.trio.called.lock().unwrap();
    let called = called.iter().filter(|(node, _)| followers.contains(node));
    let called: BTreeSet<String> = called.map(|(_, method)| method.clone()).collect();
    let never: Vec<_> = methods.difference(&called).collect();
    assert!(never.is_empty(), "never called: {never:?}");
}
