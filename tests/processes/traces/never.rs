//! What spans never hold, when there are none, and a collector that takes none.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use refrain::proto::v1::{
    GetTokensRequest, identifier::Form, preference_service_client::PreferenceServiceClient,
};

use super::{asks, below, http, single, trace, with};
use crate::collector::Collector;
use crate::support::{Node, channel, email, eventually, opt_out, token_key};

#[tokio::test]
async fn what_a_caller_chose_is_in_no_span() {
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut node = single(&collector.url, &folder, &["--log", "trace"]).await;
    let canary = "grace.hopper.4711@example.com";
    let mut preferences = PreferenceServiceClient::new(channel(&node.client).unwrap());
    let mut request = with(opt_out(canary), &below(&trace(1)));
    for header in ["baggage", "x-anything", "user-agent", "authorization"] {
        request
            .metadata_mut()
            .insert(header, canary.parse().unwrap());
    }
    preferences.set_opt_out(request).await.unwrap();
    let mut odd = opt_out(canary);
    odd.purposes = vec![canary.to_owned()];
    let refused = preferences.set_opt_out(with(odd, &below(&trace(2)))).await;
    assert!(refused.is_err());
    // A call that there is not, whose name is somebody's.
    let traced = format!(
        "traceparent: {}\r\nContent-Type: application/grpc\r\n",
        below(&trace(3))
    );
    http(
        &node,
        &format!("POST /refrain.v1.DecisionService/{canary}"),
        &traced,
        "",
    );
    http(&node, &format!("POST /{canary}/Check"), &traced, "");
    http(
        &node,
        &format!("GET /v1/default/{canary}?{canary}"),
        "",
        canary,
    );
    http(&node, &format!("GET /u/{canary}"), "", "");
    let asked = GetTokensRequest {
        identifiers: vec![email(canary)],
        ..GetTokensRequest::default()
    };
    let tokens = preferences.get_tokens(with(asked, &below(&trace(4)))).await;
    let mut never = vec![canary.as_bytes().to_vec()];
    for token in tokens.unwrap().into_inner().tokens {
        let Some(Form::Token(token)) = token.form else {
            panic!("no token");
        };
        let (_, digits) = token.split_once(':').unwrap();
        never.push(hex::decode(digits).unwrap());
    }
    assert_eq!(never.len(), 2);
    assert!(node.terminate().await.success());
    collector.holds_nothing_of(&never);
    for number in 1..=4 {
        assert!(
            !collector.of_trace(&trace(number)).is_empty(),
            "trace {number}"
        );
    }
    assert!(
        collector
            .spans()
            .iter()
            .any(|it| it.span.name == "_OTHER/_OTHER")
    );
    assert!(
        collector
            .spans()
            .iter()
            .any(|it| it.word("http.route") == "/u/{link}")
    );
}

#[tokio::test]
async fn without_the_setting_nothing_is_connected_to() {
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let key = token_key(folder.path());
    let data = folder.path().join("node");
    // OpenTelemetry's own variables turn nothing on.
    let env = [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ];
    let env = env.map(|name| (name.to_owned(), collector.url.clone()));
    let mut node = Node::start_in(&data, &key, &["--log", "trace"], env.to_vec()).await;
    node.until_ready().await;
    asks(&node, "analytics", &below(&trace(1))).await.unwrap();
    assert!(node.terminate().await.success());
    assert_eq!(collector.connections(), 0);
    assert!(
        !node.log().contains("authority.read"),
        "spans are not for the log"
    );
}

#[tokio::test]
async fn of_a_part_that_is_zero_only_what_callers_sampled_is_sent() {
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let extra = [
        "--traces-sampled",
        "0",
        "--log",
        "trace",
        "--log-format",
        "json",
    ];
    let mut node = single(&collector.url, &folder, &extra).await;
    asks(&node, "analytics", "none").await.unwrap();
    asks(&node, "analytics", &below(&trace(1))).await.unwrap();
    assert!(node.terminate().await.success());
    let wanted = collector.of_trace(&trace(1)).len();
    assert!(wanted > 0);
    assert_eq!(collector.spans().len(), wanted);
    let log = node.log();
    assert!(
        log.contains("TRACE") && !log.contains("authority.read"),
        "spans are not for the log"
    );
}

#[tokio::test]
async fn a_collector_that_takes_nothing_holds_nobody_up() {
    // One that nobody listens at, and one that takes connections and never says a word.
    let closed =
        TcpStream::connect("127.0.0.1:1").map_or("http://127.0.0.1:1", |_| "http://127.0.0.1:2");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = (format!("http://{}", silent.local_addr().unwrap()), silent);
    for url in [closed, &silent.0] {
        let folder = tempfile::tempdir().unwrap();
        let mut node = single(url, &folder, &[]).await;
        for _ in 0..300 {
            asks(&node, "analytics", "none").await.unwrap();
        }
        eventually("spans are lost", || {
            let page = http(&node, "GET /metrics", "", "");
            let lost = page.lines().find_map(|line| {
                let count = line.strip_prefix("refrain_trace_spans_lost_total ")?;
                count.trim().parse::<u64>().ok()
            });
            async move { lost.filter(|lost| *lost > 0) }
        })
        .await;
        let begun = Instant::now();
        assert!(node.terminate().await.success());
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(10), "{url}: {took:?}");
        let log = node.log();
        let told = log
            .matches("the collector of traces takes no spans")
            .count();
        assert_eq!(told, 1, "once a minute: {log}");
    }
}
