//! Spans at a collector: whose trace they are in, and what they say.

mod never;
mod speed;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use opentelemetry_proto::tonic::trace::v1::{span::SpanKind, status::StatusCode};
use refrain::proto::v1::{
    CheckRequest, CheckResponse, CheckStreamRequest, SetOptOutResponse,
    decision_service_client::DecisionServiceClient,
    preference_service_client::PreferenceServiceClient,
};
use tonic::{Request, Status};

use crate::collector::{Collector, Made};
use crate::support::{Cluster, Node, channel, email, opt_out, token_key};

/// A caller's span, in whatever trace.
const PARENT: &str = "b7ad6b7169203331";

/// A trace of a number.
fn trace(number: u8) -> String {
    format!("{}{number:02x}", "0af7651916cd43dd8448eb211c8031")
}

/// A call that comes with a `traceparent`.
fn with<T>(message: T, parent: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = parent.parse().unwrap();
    request.metadata_mut().insert("traceparent", value);
    request
}

fn below(trace: &str) -> String {
    format!("00-{trace}-{PARENT}-01")
}

async fn asks(node: &Node, purpose: &str, parent: &str) -> Result<CheckResponse, Status> {
    let mut client = DecisionServiceClient::new(channel(&node.client).unwrap());
    let question = CheckRequest {
        identifiers: vec![email("ada@example.com")],
        purpose: purpose.to_owned(),
        ..CheckRequest::default()
    };
    Ok(client.check(with(question, parent)).await?.into_inner())
}

async fn opts_out(node: &Node, parent: &str) -> SetOptOutResponse {
    let mut client = PreferenceServiceClient::new(channel(&node.client).unwrap());
    let request = with(opt_out("ada@example.com"), parent);
    client.set_opt_out(request).await.unwrap().into_inner()
}

/// What a node answers over HTTP; `headers` end with a line break each.
fn http(node: &Node, line: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(&node.client).unwrap();
    let length = body.len();
    let ask = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    // What they say themselves stands alone.
    let own = headers.contains("Content-Type");
    let ask = ask.replacen("Content-Type: application/json\r\n", "", usize::from(own));
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn single(collector: &str, folder: &tempfile::TempDir, extra: &[&str]) -> Node {
    let key = token_key(folder.path());
    let extra = [&["--traces", collector], extra].concat();
    let node = Node::start(&folder.path().join("node"), &key, &extra).await;
    node.until_ready().await;
    node
}

/// The one span of this name.
fn one<'a>(spans: &'a [Made], name: &str) -> &'a Made {
    let mut named = spans.iter().filter(|it| it.span.name == name);
    let (Some(one), None) = (named.next(), named.next()) else {
        panic!("not one span {name} in {spans:#?}");
    };
    one
}

fn kind(made: &Made) -> SpanKind {
    SpanKind::try_from(made.span.kind).unwrap()
}

fn failed(made: &Made) -> bool {
    let status = made.span.status.as_ref();
    status.is_some_and(|it| it.code() == StatusCode::Error)
}

#[tokio::test]
async fn a_trace_goes_from_the_caller_through_a_follower_to_the_leader() {
    let collector = Collector::start().await;
    let mut cluster = Cluster::start(3, &["--traces", &collector.url]).await;
    let leader = cluster.leader().await;
    let follower = (leader + 1) % 3;
    let (write, read, local) = (trace(1), trace(2), trace(3));
    let written = opts_out(&cluster.nodes[follower], &below(&write)).await;
    let answered = asks(&cluster.nodes[follower], "analytics", &below(&read)).await;
    opts_out(&cluster.nodes[leader], &below(&local)).await;
    // A node that ends sends what it has.
    for node in &mut cluster.nodes {
        assert!(node.terminate().await.success());
    }
    let id_of = |place: usize| cluster.nodes[place].id.clone();

    let spans = collector.of_trace(&write);
    let call = one(&spans, "refrain.v1.PreferenceService/SetOptOut");
    assert_eq!(
        (kind(call), call.parent()),
        (SpanKind::Server, PARENT.to_owned())
    );
    assert_eq!(call.node, id_of(follower));
    for (key, value) in [
        ("rpc.system", "grpc"),
        ("rpc.service", "refrain.v1.PreferenceService"),
        ("rpc.method", "SetOptOut"),
        ("rpc.grpc.status_code", "0"),
    ] {
        assert_eq!(call.word(key), value, "{key} of {call:#?}");
    }
    assert_eq!(one(&spans, "admission").parent(), call.id());
    let door = one(&spans, "authority.write");
    assert_eq!(door.parent(), call.id());
    assert_eq!(door.word("refrain.event_id"), written.event_id);
    let asked: Vec<&Made> = spans
        .iter()
        .filter(|it| it.span.name == "refrain.peer.Peer/Propose")
        .collect();
    let sent = asked.iter().find(|it| kind(it) == SpanKind::Client);
    let came = asked.iter().find(|it| kind(it) == SpanKind::Server);
    let (sent, came) = (sent.unwrap(), came.unwrap());
    assert_eq!((sent.parent(), &sent.node), (door.id(), &id_of(follower)));
    assert_eq!((came.parent(), &came.node), (sent.id(), &id_of(leader)));
    let commit = one(&spans, "consensus.commit");
    assert_eq!((commit.parent(), &commit.node), (came.id(), &id_of(leader)));
    let times = |made: &Made| (made.span.start_time_unix_nano, made.span.end_time_unix_nano);
    assert!(times(call).0 <= times(door).0 && times(door).1 <= times(call).1);

    let spans = collector.of_trace(&read);
    let call = one(&spans, "refrain.v1.DecisionService/Check");
    assert_eq!(
        call.word("refrain.decision_id"),
        answered.unwrap().decision_id
    );
    let door = one(&spans, "authority.read");
    let round = one(&spans, "consensus.read_round");
    assert_eq!((door.parent(), round.parent()), (call.id(), door.id()));
    let of_leader = spans.iter().filter(|it| it.node == id_of(leader));
    let of_leader: Vec<&str> = of_leader.map(|it| it.span.name.as_str()).collect();
    assert_eq!(of_leader, ["refrain.peer.Peer/ReadIndex"]);

    let spans = collector.of_trace(&local);
    let door = one(&spans, "authority.write");
    assert_eq!(one(&spans, "consensus.commit").parent(), door.id());

    // What nodes do by themselves leaves nothing, nor does what is not sampled: each trace begins with a call.
    for made in collector.spans() {
        let root = made.span.parent_span_id.is_empty();
        assert!(!root || kind(&made) == SpanKind::Server, "{made:#?}");
    }
    for resource in collector.resources() {
        let mut keys: Vec<_> = resource.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            ["service.instance.id", "service.name", "service.version"]
        );
        assert_eq!(resource["service.name"], "refrain");
    }
}

#[tokio::test]
async fn reads_that_share_a_round_link_to_it() {
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut node = single(&collector.url, &folder, &[]).await;
    let many = (0..100).map(|number| {
        let parent = below(&trace(number));
        let node = &node;
        async move { asks(node, "analytics", &parent).await.unwrap() }
    });
    futures::future::join_all(many).await;
    assert!(node.terminate().await.success());
    let spans = collector.spans();
    let of_ours = |made: &&Made| hex::encode(&made.span.trace_id).starts_with(&trace(0)[..30]);
    let reads = spans.iter().filter(of_ours);
    let reads: Vec<&Made> = reads
        .filter(|it| it.span.name == "authority.read")
        .collect();
    let rounds: Vec<&Made> = spans
        .iter()
        .filter(|it| it.span.name == "consensus.read_round")
        .collect();
    assert_eq!(reads.len(), 100);
    for read in reads {
        let own = rounds.iter().any(|it| it.parent() == read.id());
        let links = &read.span.links;
        let linked = links
            .iter()
            .any(|link| rounds.iter().any(|it| it.span.span_id == link.span_id));
        assert!(own || linked, "{read:#?}");
    }
}

#[tokio::test]
async fn a_span_tells_how_a_call_was_answered_and_by_which_route() {
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut node = single(&collector.url, &folder, &[]).await;
    let refused = asks(&node, "no.such_purpose", &below(&trace(1))).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::NotFound);
    let ask = |line: &str, number: u8, body: &str| {
        let traced = format!("traceparent: {}\r\n", below(&trace(number)));
        http(&node, line, &traced, body)
    };
    let question =
        r#"{"identifiers":[{"type":"email","value":"ada@example.com"}],"purpose":"PURPOSE"}"#;
    let good = question.replace("PURPOSE", "analytics");
    assert!(ask("POST /v1/default/check", 2, &good).contains("200 OK"));
    let unknown = question.replace("PURPOSE", "no.such_purpose");
    assert!(ask("POST /v1/default/check", 3, &unknown).contains("404"));
    ask("GET /no/such/ada@example.com", 4, "");
    ask("LOVELACE /v1/default/check", 5, "");
    // Probes and scrapes.
    for (number, path) in (6..).zip(["/livez", "/readyz", "/metrics"]) {
        ask(&format!("GET {path}"), number, "");
    }
    // Whoever asked for no trace gets none.
    let unsampled = format!("00-{}-{PARENT}-00", trace(9));
    asks(&node, "analytics", &unsampled).await.unwrap();
    // What is malformed begins a trace of its own.
    let before = "00-lovelace-b7ad6b7169203331-01";
    asks(&node, "sale", before).await.unwrap();
    assert!(node.terminate().await.success());

    let spans = collector.of_trace(&trace(1));
    let call = one(&spans, "refrain.v1.DecisionService/Check");
    assert_eq!(call.word("rpc.grpc.status_code"), "5");
    assert_eq!(call.word("refrain.reason"), "PURPOSE_UNKNOWN");
    assert!(
        !failed(call),
        "what the caller did wrong is no failure of the node"
    );
    for (number, status, reason) in [(2, "200", ""), (3, "404", "PURPOSE_UNKNOWN")] {
        let spans = collector.of_trace(&trace(number));
        let call = one(&spans, "POST /v1/{namespace}/check");
        assert_eq!(
            (kind(call), call.parent()),
            (SpanKind::Server, PARENT.to_owned())
        );
        for (key, value) in [
            ("http.request.method", "POST"),
            ("http.route", "/v1/{namespace}/check"),
            ("http.response.status_code", status),
            ("refrain.call", "DecisionService/Check"),
            ("refrain.reason", reason),
        ] {
            assert_eq!(call.word(key), value, "{key} of {call:#?}");
        }
        assert_eq!(one(&spans, "authority.read").parent(), call.id());
    }
    one(&collector.of_trace(&trace(4)), "GET");
    let odd = collector.of_trace(&trace(5));
    assert!(
        odd.iter().all(|it| it.span.name.starts_with("_OTHER")),
        "{odd:#?}"
    );
    for number in 6..=9 {
        assert_eq!(
            collector.of_trace(&trace(number)).len(),
            0,
            "trace {number}"
        );
    }
    let roots = collector.spans().into_iter();
    let mut roots = roots.filter(|it| it.span.parent_span_id.is_empty());
    assert!(roots.any(|it| it.span.name == "refrain.v1.DecisionService/Check"));
    assert!(
        !String::from_utf8_lossy(&collector.bytes())
            .to_lowercase()
            .contains("lovelace")
    );
}

#[tokio::test]
async fn the_span_of_a_stream_is_as_long_as_the_stream() {
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut node = single(&collector.url, &folder, &[]).await;
    let mut client = DecisionServiceClient::new(channel(&node.client).unwrap());
    let (ask, questions) = tokio::sync::mpsc::channel(1);
    let questions = tokio_stream::wrappers::ReceiverStream::new(questions);
    let answers = client
        .check_stream(with(questions, &below(&trace(1))))
        .await;
    let mut answers = answers.unwrap().into_inner();
    for number in 0..2 {
        let question = CheckStreamRequest {
            correlation_id: number.to_string(),
            check: Some(CheckRequest {
                identifiers: vec![email("ada@example.com")],
                purpose: "analytics".to_owned(),
                ..CheckRequest::default()
            }),
        };
        ask.send(question).await.unwrap();
        assert!(answers.message().await.unwrap().is_some());
    }
    drop(ask);
    assert!(answers.message().await.unwrap().is_none());
    assert!(node.terminate().await.success());
    let spans = collector.of_trace(&trace(1));
    let call = one(&spans, "refrain.v1.DecisionService/CheckStream");
    assert_eq!(call.word("rpc.grpc.status_code"), "0");
    let reads = spans.iter().filter(|it| it.span.name == "authority.read");
    let reads: Vec<&Made> = reads.collect();
    assert_eq!(reads.len(), 2);
    for read in reads {
        assert_eq!(read.parent(), call.id());
        assert!(read.span.end_time_unix_nano <= call.span.end_time_unix_nano);
    }
}
