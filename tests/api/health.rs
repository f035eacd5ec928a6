//! Health over gRPC and HTTP, and reflection.

use refrain::proto::v1::InitRequest;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{
    v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
    v1alpha,
};

use super::support::Node;

const SERVICES: [&str; 4] = [
    "refrain.v1.DecisionService",
    "refrain.v1.PreferenceService",
    "refrain.v1.WatchService",
    "refrain.v1.RegistryService",
];

async fn health(node: &Node, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(node.channel.clone()).check(request).await;
    answer
        .map(|it| it.into_inner().status())
        .map_err(|status| status.code())
}

async fn http(node: &Node, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(node.running.client_address)
        .await
        .expect("connect");
    let request = format!("GET {path} HTTP/1.1\r\nHost: refrain\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("status");
    let (_, body) = answer.split_once("\r\n\r\n").expect("body");
    (status, body.to_owned())
}

/// Waits until the whole node is said to be in a state.
async fn until(node: &Node, wanted: ServingStatus) {
    for _ in 0..200 {
        if health(node, "").await == Ok(wanted) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never {wanted:?}");
}

#[tokio::test]
async fn readiness_follows_the_cluster_and_liveness_does_not() {
    let node = Node::start_with(|config| config.join = true).await;
    until(&node, ServingStatus::NotServing).await;
    for service in SERVICES {
        assert_eq!(
            health(&node, service).await,
            Ok(ServingStatus::NotServing),
            "{service}"
        );
    }
    for service in ["live", "refrain.v1.ClusterService"] {
        assert_eq!(
            health(&node, service).await,
            Ok(ServingStatus::Serving),
            "{service}"
        );
    }
    assert_eq!(health(&node, "nothing").await, Err(Code::NotFound));
    assert_eq!(http(&node, "/livez").await.0, 200);
    let (code, reason) = http(&node, "/readyz").await;
    assert_eq!(
        (code, reason.contains("waiting_for_cluster")),
        (503, true),
        "{reason}"
    );

    node.cluster().init(InitRequest {}).await.expect("init");
    until(&node, ServingStatus::Serving).await;
    for service in SERVICES {
        assert_eq!(
            health(&node, service).await,
            Ok(ServingStatus::Serving),
            "{service}"
        );
    }
    let (code, reason) = http(&node, "/readyz").await;
    assert_eq!(
        (code, reason.as_str()),
        (200, r#"{"ready":true,"reason":"ok"}"#)
    );
    let (code, words) = http(&node, "/").await;
    assert_eq!(
        (code, words.contains("ROUTE_UNKNOWN")),
        (404, true),
        "{words}"
    );
}

async fn reflected(node: &Node) -> Result<Vec<String>, Code> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = ServerReflectionClient::new(node.channel.clone())
        .server_reflection_info(tokio_stream::iter([request]))
        .await
        .map_err(|status| status.code())?;
    let answer = answers
        .into_inner()
        .message()
        .await
        .map_err(|status| status.code())?;
    match answer.and_then(|answer| answer.message_response) {
        Some(MessageResponse::ListServicesResponse(list)) => Ok(list
            .service
            .into_iter()
            .map(|service| service.name)
            .collect()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reflection_is_a_setting() {
    let node = Node::start().await;
    let services = reflected(&node).await.expect("services");
    for service in SERVICES
        .into_iter()
        .chain(["refrain.v1.ClusterService", "grpc.health.v1.Health"])
    {
        assert!(
            services.iter().any(|it| it == service),
            "{service}: {services:?}"
        );
    }
    let older =
        v1alpha::server_reflection_client::ServerReflectionClient::new(node.channel.clone())
            .server_reflection_info(tokio_stream::iter(
                Vec::<v1alpha::ServerReflectionRequest>::new(),
            ))
            .await;
    older.expect("v1alpha is served too");

    let silent = Node::start_with(|config| config.reflection = false).await;
    assert_eq!(reflected(&silent).await, Err(Code::Unimplemented));
}
