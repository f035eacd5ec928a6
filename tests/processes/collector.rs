//! A collector of traces that keeps what it is sent.

use std::collections::HashMap;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use futures::StreamExt as _;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{AnyValue, any_value},
    trace::v1::Span,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// A collector that listens; it stops with the test.
pub struct Collector {
    /// Where it listens, as a setting names it.
    pub url: String,
    kept: Kept,
    connections: Arc<AtomicUsize>,
}

type Kept = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

/// A span, and the node that made it.
#[derive(Debug, Clone)]
pub struct Made {
    /// The node's id.
    pub node: String,
    /// The span.
    pub span: Span,
}

struct Keeping(Kept);

#[tonic::async_trait]
impl TraceService for Keeping {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (kept, connections) = (Kept::default(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&connections);
        let incoming = TcpListenerStream::new(listener).inspect(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let service = TraceServiceServer::new(Keeping(Arc::clone(&kept)));
        tokio::spawn(
            Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming),
        );
        Self {
            url,
            kept,
            connections,
        }
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// All that it was sent, as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap();
        kept.iter()
            .flat_map(prost::Message::encode_to_vec)
            .collect()
    }

    /// Fails the test where any of these stands in what it was sent, or where it was sent nothing.
    pub fn holds_nothing_of(&self, never: &[Vec<u8>]) {
        let bytes = self.bytes();
        let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        assert!(holds(b"authority.write"), "it was sent no spans");
        for what in never {
            let forms = [
                what.clone(),
                hex::encode(what).into_bytes(),
                BASE64_STANDARD_NO_PAD.encode(what).into_bytes(),
                BASE64_URL_SAFE_NO_PAD.encode(what).into_bytes(),
            ];
            for form in forms {
                let shown = String::from_utf8_lossy(&form).into_owned();
                assert!(!holds(&form), "a span holds {shown}");
            }
        }
    }

    /// The attributes of every resource that it was told of.
    pub fn resources(&self) -> Vec<HashMap<String, String>> {
        let kept = self.kept.lock().unwrap();
        let all = kept.iter().flat_map(|it| &it.resource_spans);
        all.map(|it| words(&it.resource.as_ref().unwrap().attributes))
            .collect()
    }

    /// Every span that it was sent.
    pub fn spans(&self) -> Vec<Made> {
        let kept = self.kept.lock().unwrap();
        let mut made = Vec::new();
        for one in kept.iter().flat_map(|it| &it.resource_spans) {
            let node =
                words(&one.resource.as_ref().unwrap().attributes)["service.instance.id"].clone();
            let spans = one.scope_spans.iter().flat_map(|it| &it.spans);
            made.extend(spans.map(|span| Made {
                node: node.clone(),
                span: span.clone(),
            }));
        }
        made
    }

    /// The spans of a trace.
    pub fn of_trace(&self, trace: &str) -> Vec<Made> {
        let mut made = self.spans();
        made.retain(|it| hex::encode(&it.span.trace_id) == trace);
        made
    }
}

impl Made {
    /// An attribute as text; empty where it has none.
    pub fn word(&self, key: &str) -> String {
        words(&self.span.attributes).remove(key).unwrap_or_default()
    }

    /// The id of the span above it, in hex.
    pub fn parent(&self) -> String {
        hex::encode(&self.span.parent_span_id)
    }

    /// Its own id, in hex.
    pub fn id(&self) -> String {
        hex::encode(&self.span.span_id)
    }
}

fn words(
    attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue],
) -> HashMap<String, String> {
    let word = |value: Option<&AnyValue>| match value.and_then(|it| it.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = attributes.iter();
    pairs
        .map(|it| (it.key.clone(), word(it.value.as_ref())))
        .collect()
}
