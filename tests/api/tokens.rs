//! Who calls: with a token, without one, and with the Rust client.

use futures::StreamExt as _;
use refrain::{
    client::{Client, identifier},
    proto::v1::{CheckRequest, ListEventsRequest, WatchRequest},
};
use tonic::{Code, Request};

use super::{
    principals::{ADA, by, mailer_and_root},
    support::{Node, assert_refused, email, question},
};

#[tokio::test]
async fn without_principals_loopback_may_do_everything_but_override() {
    let node = Node::start().await;
    // A token that nobody asked for changes nothing.
    let answer = node
        .decisions()
        .check(by("nobody's", question(ADA, "sale")))
        .await;
    answer.expect("local");
    node.opt_out(ADA, "sale").await;
    let history = ListEventsRequest {
        identifiers: vec![email(ADA)],
        ..ListEventsRequest::default()
    };
    let events = node.preferences().list_events(history).await;
    assert_eq!(
        events.expect("history").into_inner().events[0].principal,
        "local"
    );
}

#[tokio::test]
async fn nothing_is_decoded_for_a_stranger() {
    let node = mailer_and_root().await;
    let raw = |token: Option<&'static str>| {
        let mut client = tonic::client::Grpc::new(node.channel.clone());
        async move {
            client.ready().await.expect("ready");
            // The field of a text, and bytes that are none.
            let message = Garbled {
                namespace: vec![0xff, 0xfe],
            };
            let request = match token {
                Some(token) => by(token, message),
                None => Request::new(message),
            };
            let path = "/refrain.v1.DecisionService/Check".parse().expect("path");
            let codec = tonic_prost::ProstCodec::<Garbled, Garbled>::default();
            client.unary(request, path, codec).await
        }
    };
    assert_refused(raw(None).await, Code::Unauthenticated, "UNAUTHENTICATED");
    let known = raw(Some("root")).await;
    assert_refused(known, Code::InvalidArgument, "MESSAGE_INVALID");
}

/// A check whose namespace is bytes, so that it need not be UTF-8.
#[derive(Clone, PartialEq, prost::Message)]
struct Garbled {
    #[prost(bytes = "vec", tag = "1")]
    namespace: Vec<u8>,
}

#[tokio::test]
async fn the_client_sends_its_token_with_each_call_and_watch() {
    let node = mailer_and_root().await;
    let client = |token: Option<&str>| {
        let builder = Client::builder()
            .endpoint(node.running.client_address.to_string())
            .namespace("shop");
        let builder = match token {
            Some(token) => builder.bearer(token),
            None => builder,
        };
        builder.build().expect("client")
    };
    let ask = || CheckRequest {
        identifiers: vec![identifier::email(ADA)],
        purpose: "marketing.email".to_owned(),
        ..CheckRequest::default()
    };
    client(Some("mailer")).check(ask()).await.expect("allowed");
    let denied = client(None).check(ask()).await.expect_err("nobody");
    let error = denied.error().expect("an error");
    assert_eq!((error.code(), error.attempts()), (Code::Unauthenticated, 1));
    let denied = client(Some("else")).check(ask()).await.expect_err("nobody");
    assert!(
        !format!("{denied} {denied:?}").contains("else"),
        "{denied:?}"
    );

    let filtered = WatchRequest {
        namespaces: vec!["shop".to_owned()],
        purposes: vec!["marketing".to_owned()],
        heartbeat_interval_ms: 100,
        ..WatchRequest::default()
    };
    let mut feed = client(Some("mailer")).watch(filtered.clone());
    feed.next().await.expect("one").expect("granted");
    let mut feed = client(None).watch(filtered);
    let error = feed.next().await.expect("one").expect_err("nobody");
    assert_eq!(error.code(), Code::Unauthenticated);
    client(Some("root")).cluster_status().await.expect("status");
}
