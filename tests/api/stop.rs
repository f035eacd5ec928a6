//! A graceful stop.

use std::time::{Duration, Instant};

use refrain::proto::v1::{CheckStreamRequest, WatchRequest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::support::{Node, assert_status, question};

#[tokio::test]
async fn what_is_long_lived_ends_with_a_reason_and_the_node_stops() {
    let node = Node::start().await;
    let mut watch = node
        .watches()
        .watch(WatchRequest::default())
        .await
        .expect("watch")
        .into_inner();
    let (questions, rest) = mpsc::channel(1);
    let ask = CheckStreamRequest {
        correlation_id: "a".to_owned(),
        check: Some(question("ada@example.com", "sale")),
    };
    questions.send(ask).await.expect("send");
    let answers = node
        .decisions()
        .check_stream(ReceiverStream::new(rest))
        .await;
    let mut answers = answers.expect("stream").into_inner();
    answers.message().await.expect("answer").expect("one");

    let request = HealthCheckRequest::default();
    let health = HealthClient::new(node.channel.clone()).watch(request).await;
    let mut health = health.expect("health").into_inner();
    let first = health.message().await.expect("status").expect("one");
    assert_eq!(first.status(), ServingStatus::Serving);

    let begun = Instant::now();
    node.running.shutdown();
    let status = watch.message().await.expect_err("ended");
    assert_status(&status, Code::Unavailable, "DRAINING");
    let status = answers.message().await.expect_err("ended");
    assert_status(&status, Code::Unavailable, "DRAINING");
    let last = health.message().await.expect("status").expect("one");
    assert_eq!(last.status(), ServingStatus::NotServing);
    let Node {
        running, channel, ..
    } = node;
    drop(channel);
    running.wait().await.expect("stopped");
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_it_may() {
    let node = Node::start_with(|config| config.drain_timeout = Duration::from_millis(300)).await;
    // An import that never ends is in flight.
    let (_rows, rest) = mpsc::channel::<refrain::proto::v1::ImportOptOutsRequest>(1);
    let mut client = node.preferences();
    let import =
        tokio::spawn(async move { client.import_opt_outs(ReceiverStream::new(rest)).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    node.running.shutdown();
    let Node { running, .. } = node;
    running.wait().await.expect("stopped");
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(250) && took < Duration::from_secs(5),
        "{took:?}"
    );
    import.abort();
}
