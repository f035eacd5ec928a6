//! What meets every call: deadlines, bounds, messages that cannot be read, methods that are not there.

use std::time::Duration;

use refrain::{
    domain::value_sha256,
    proto::v1::{BatchCheckRequest, CheckRequest, CheckResponse, Identifier, identifier::Form},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::{Code, Request, Status, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

use super::support::{Node, assert_refused, assert_status, question};

/// A check whose texts are bytes, so that they need not be UTF-8.
#[derive(Clone, PartialEq, prost::Message)]
struct RawCheck {
    #[prost(bytes = "vec", tag = "1")]
    namespace: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    purpose: Vec<u8>,
}

async fn raw<T: prost::Message + 'static>(
    node: &Node,
    path: &'static str,
    message: T,
) -> Result<CheckResponse, Status> {
    let mut client = Grpc::new(node.channel.clone()).max_encoding_message_size(usize::MAX);
    client.ready().await.expect("ready");
    let answer = client
        .unary(
            Request::new(message),
            PathAndQuery::from_static(path),
            ProstCodec::<T, CheckResponse>::default(),
        )
        .await?;
    Ok(answer.into_inner())
}

const CHECK: &str = "/refrain.v1.DecisionService/Check";

#[tokio::test]
async fn text_that_is_not_utf8_is_an_invalid_message() {
    let node = Node::start().await;
    let message = RawCheck {
        namespace: vec![0xff, 0xfe, b's', b'e', b'c', b'r', b'e', b't'],
        purpose: b"sale".to_vec(),
    };
    let status = raw(&node, CHECK, message).await.expect_err("not text");
    assert_status(&status, Code::InvalidArgument, "MESSAGE_INVALID");
    assert!(
        status.message().contains("namespace") && !status.message().contains("secret"),
        "{status:?}"
    );
}

#[tokio::test]
async fn an_oversized_message_is_refused_and_the_connection_goes_on() {
    let node = Node::start().await;
    let message = RawCheck {
        namespace: vec![b'a'; 5 << 20],
        purpose: Vec::new(),
    };
    let answer = raw(&node, CHECK, message).await;
    assert_refused(answer, Code::InvalidArgument, "MESSAGE_TOO_LARGE");
    node.check("ada@example.com", "sale").await;
}

#[tokio::test]
async fn the_largest_batch_fits_into_one_message() {
    let node = Node::start().await;
    let hashed = |n: u32| Identifier {
        r#type: "t".repeat(32),
        form: Some(Form::Sha256(value_sha256(&n.to_string()).to_vec())),
    };
    let item = |n: u32| CheckRequest {
        identifiers: (0..16).map(|i| hashed(n * 16 + i)).collect(),
        service: "s".repeat(128),
        ..question("", "marketing.email")
    };
    let items = (0..1_000).map(item).collect();
    let answer = node
        .decisions()
        .batch_check(BatchCheckRequest { items })
        .await;
    assert_eq!(answer.expect("batch").into_inner().results.len(), 1_000);
}

#[tokio::test]
async fn what_is_not_there_is_unimplemented() {
    let node = Node::start().await;
    for path in [
        "/refrain.v1.DecisionService/Guess",
        "/refrain.v2.DecisionService/Check",
    ] {
        let answer = raw(&node, path, CheckRequest::default()).await;
        assert_refused(answer, Code::Unimplemented, "METHOD_UNKNOWN");
    }
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_a_denial() {
    let node = Node::start().await;
    let mut request = Request::new(question("ada@example.com", "sale"));
    request
        .metadata_mut()
        .insert("grpc-timeout", "1n".parse().expect("value"));
    let status = node.decisions().check(request).await.expect_err("too late");
    assert!(
        matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled),
        "{status:?}"
    );
    let mut request = Request::new(question("ada@example.com", "sale"));
    request.set_timeout(Duration::from_secs(30));
    node.decisions().check(request).await.expect("in time");
}

#[tokio::test]
async fn too_many_calls_are_turned_away_and_probes_are_not() {
    let node = Node::start_with(|config| config.max_calls = 1).await;
    // A stream of rows that does not end holds the one place.
    let (rows, rest) = tokio::sync::mpsc::channel(1);
    let import = tokio::spawn({
        let mut client = node.preferences();
        async move {
            client
                .import_opt_outs(tokio_stream::wrappers::ReceiverStream::new(rest))
                .await
        }
    });
    // Nothing else runs, so that the place is taken by then.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let status = loop {
        if let Err(status) = node
            .decisions()
            .check(question("ada@example.com", "sale"))
            .await
        {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_status(&status, Code::ResourceExhausted, "OVERLOADED");
    let probe = tonic_health::pb::health_client::HealthClient::new(node.channel.clone())
        .check(tonic_health::pb::HealthCheckRequest {
            service: "live".to_owned(),
        })
        .await;
    probe.expect("probes are heard");
    let watch = node
        .watches()
        .watch(refrain::proto::v1::WatchRequest::default())
        .await;
    let status = watch.expect("watches have places of their own");
    drop((rows, status));
    let ended = import.await.expect("task");
    assert_refused(ended, Code::InvalidArgument, "IMPORT_HEADER_REQUIRED");
    node.check("ada@example.com", "sale").await;
}

#[tokio::test]
async fn a_message_that_does_not_come_is_not_waited_for() {
    let node = Node::start_with(|config| {
        config.deadlines.default = Duration::from_millis(200);
    })
    .await;
    // Half of a frame, over HTTP/1.1, so that it can be written by hand.
    let begun = format!(
        "POST {CHECK} HTTP/1.1\r\nhost: node\r\ncontent-type: application/grpc\r\ncontent-length: 100\r\n\
         connection: close\r\n\r\n\0\0\0"
    );
    let mut stream = tokio::net::TcpStream::connect(node.running.client_address)
        .await
        .expect("connect");
    stream.write_all(begun.as_bytes()).await.expect("write");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(20), read).await;
    read.expect("it is answered").expect("read");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("grpc-status: 4"), "{answer}");
    assert!(answer.contains("did%20not%20arrive"), "{answer}");
}
