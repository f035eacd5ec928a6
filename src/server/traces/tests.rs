//! The queue before a collector that takes, refuses or hangs; and what a panic leaves.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::http::Request;
use opentelemetry::trace::Span as _;
use opentelemetry_sdk::error::OTelSdkError;
use tonic::{Status, body::Body};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::{
    api::{ShieldLayer, TracedLayer},
    config::Config,
    metrics::Meters,
};

/// What a collector does.
#[derive(Debug, Clone, Copy)]
enum Does {
    Takes,
    Refuses,
    Hangs,
}

/// A collector that does one thing, and keeps how large each batch was.
#[derive(Debug, Clone)]
struct Collector(Does, Arc<Mutex<Vec<usize>>>);

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.1.lock().unwrap().push(batch.len());
        match self.0 {
            Does::Takes => Ok(()),
            Does::Refuses => Err(OTelSdkError::InternalFailure("refused".to_owned())),
            Does::Hangs => std::future::pending().await,
        }
    }
}

struct Stage {
    tracer: SdkTracer,
    spans: Spans,
    batches: Arc<Mutex<Vec<usize>>>,
    sending: Traces,
    _provider: SdkTracerProvider,
}

fn stage(does: Does) -> Stage {
    let spans = Spans::default();
    let (queue, waiting) = Queue::new(spans.clone());
    let provider = SdkTracerProvider::builder()
        .with_span_processor(queue)
        .build();
    let batches = Arc::default();
    let sender = Sender {
        exporter: Collector(does, Arc::clone(&batches)),
        spans: spans.clone(),
        told: None,
    };
    let stop = CancellationToken::new();
    let task = tokio::spawn(sender.run(waiting, stop.clone()));
    Stage {
        tracer: provider.tracer("test"),
        spans,
        batches,
        sending: Traces(Some(Sending {
            stop,
            task: AbortOnDropHandle::new(task),
        })),
        _provider: provider,
    }
}

impl Stage {
    fn make(&self, count: usize) {
        for _ in 0..count {
            self.tracer.start("span").end();
        }
    }

    /// Ends it; what was sent and lost, and how long the end took.
    async fn end(self) -> (u64, u64, Duration) {
        let begun = Instant::now();
        self.sending.end().await;
        (
            self.spans.total_sent(),
            self.spans.total_lost(),
            begun.elapsed(),
        )
    }
}

#[tokio::test(start_paused = true)]
async fn spans_travel_together_and_the_end_takes_them_all() {
    let stage = stage(Does::Takes);
    stage.make(3);
    sleep(SPAN_LINGER * 2).await;
    assert_eq!(*stage.batches.lock().unwrap(), [3]);
    stage.make(SPANS_PER_EXPORT + 1);
    let batches = Arc::clone(&stage.batches);
    let (sent, lost, took) = stage.end().await;
    let all = u64::try_from(SPANS_PER_EXPORT + 4).unwrap();
    assert_eq!((sent, lost), (all, 0));
    assert_eq!(*batches.lock().unwrap(), [3, SPANS_PER_EXPORT, 1]);
    assert!(took < SPANS_FLUSH_TIMEOUT, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn more_than_can_wait_is_lost_and_counted() {
    let stage = stage(Does::Takes);
    stage.make(SPANS_WAITING + 7);
    let (sent, lost, _) = stage.end().await;
    assert_eq!((sent, lost), (u64::try_from(SPANS_WAITING).unwrap(), 7));
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_takes_nothing_costs_spans_and_no_time() {
    for does in [Does::Refuses, Does::Hangs] {
        let stage = stage(does);
        stage.make(1);
        sleep(SPAN_LINGER + EXPORT_TIMEOUT * 2).await;
        assert_eq!(stage.spans.total_lost(), 1, "{does:?}");
        stage.make(SPANS_PER_EXPORT * 2);
        let (sent, _, took) = stage.end().await;
        assert_eq!(sent, 0);
        assert!(took <= SPANS_FLUSH_TIMEOUT, "{does:?} took {took:?}");
    }
}

/// Keeps what ends.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Kept {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_leaves_its_status_in_the_span_and_nothing_of_what_was_in_hand() {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_span_processor(kept.clone());
    let provider = provider.build();
    let gathered = tracing_subscriber::registry().with(gathering(provider.tracer("test")));
    let _default = tracing::subscriber::set_default(gathered);
    let panics = service_fn(|_: Request<Body>| async {
        tracing::error!("about lovelace@example.com");
        assert!(!crate::traces::on(), "lovelace@example.com");
        Ok::<_, Infallible>(Status::ok("").into_http())
    });
    let deadlines = Config::in_folder("data".as_ref()).deadlines;
    let shielded = ShieldLayer::new(1, deadlines, Meters::default()).layer(panics);
    let request = Request::builder()
        .uri("/refrain.v1.DecisionService/Check")
        .header("content-type", "application/grpc")
        .header("x-anything", "lovelace@example.com")
        .body(Body::empty())
        .unwrap();
    let answer = TracedLayer.layer(shielded).oneshot(request).await.unwrap();
    drop(answer);
    let spans = kept.0.lock().unwrap();
    let [span] = &spans[..] else {
        panic!("not one span: {spans:?}");
    };
    assert_eq!(span.name, "refrain.v1.DecisionService/Check");
    assert_eq!(span.status, opentelemetry::trace::Status::error(""));
    let said = format!("{span:?}");
    assert!(
        said.contains("INTERNAL") && said.contains("I64(13)"),
        "{said}"
    );
    assert!(!said.contains("lovelace"), "{said}");
}
