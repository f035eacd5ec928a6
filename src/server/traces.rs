//! Sends spans to a collector, by OTLP over gRPC: from a bounded queue, in batches, and never in the way of a call or of the end.
//!
//! The log is the process's, and so is the tracer. The layer stands as soon as the log does, since both make one subscriber; what
//! it draws spans from comes once the node knows its id, which every span's resource names.

use std::{
    sync::{LazyLock, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanBuilder, Tracer, TracerProvider as _},
};
use opentelemetry_otlp::{
    RetryPolicy, SpanExporter as Otlp, WithExportConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::transport::Endpoint;
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::{
    config::TraceSettings,
    domain::NodeId,
    limits::{
        COLLECTOR_CONNECT_TIMEOUT, EXPORT_PAUSE, EXPORT_TIMEOUT, KEEP_ALIVE, SPAN_LINGER,
        SPANS_FLUSH_TIMEOUT, SPANS_LOST_INTERVAL, SPANS_PER_EXPORT, SPANS_WAITING,
    },
    metrics::Spans,
    traces::TARGET,
};

/// What became of the process's spans.
static SPANS: LazyLock<Spans> = LazyLock::new(Spans::default);

/// What the process's spans are drawn from, once there is something.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// What became of the process's spans, for its metrics.
pub(super) fn spans() -> Spans {
    SPANS.clone()
}

/// Takes in the spans that are ours and nothing else: no line of the log, and no span of what sends them.
pub(super) fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let nothing = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff);
    gathering(Late(nothing.build().tracer("none")))
}

fn gathering<S, T>(tracer: T) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    T: Tracer<Span = Span> + Send + Sync + 'static,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(
            filter_fn(|it| it.is_span() && it.target() == TARGET)
                .with_max_level_hint(LevelFilter::INFO),
        )
}

/// The process's tracer, and until there is one, another that records nothing.
struct Late(SdkTracer);

impl Tracer for Late {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        TRACER
            .get()
            .unwrap_or(&self.0)
            .build_with_context(builder, parent)
    }
}

/// Spans on their way to a collector; nothing where none is named.
pub(super) struct Traces(Option<Sending>);

struct Sending {
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Traces {
    /// Begins to send this node's spans, if the settings name a collector. Connects when there is something to send.
    ///
    /// # Errors
    /// What the exporter has against the environment: it reads the variables of OpenTelemetry for headers and compression.
    pub(super) fn begin(settings: &TraceSettings, node_id: u64) -> anyhow::Result<Self> {
        let Some(collector) = &settings.collector else {
            return Ok(Self(None));
        };
        let channel = Endpoint::from_shared(collector.clone())
            .context("cannot begin the traces")?
            .connect_timeout(COLLECTOR_CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .connect_lazy();
        let mut exporter = Otlp::builder()
            .with_tonic()
            .with_channel(channel)
            .with_timeout(EXPORT_TIMEOUT)
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .context("cannot begin the traces: correct the variables OTEL_EXPORTER_OTLP_*")?;
        // Nothing is looked up: neither the host nor the environment is anybody's business.
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", "refrain"),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", NodeId(node_id).to_string()),
            ])
            .build();
        exporter.set_resource(&resource);
        let (queue, waiting) = Queue::new(SPANS.clone());
        // Who sent a call decides on its trace, where anybody has.
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sampled)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        let _ = TRACER.set(provider.tracer("refrain"));
        let stop = CancellationToken::new();
        let sender = Sender {
            exporter,
            spans: SPANS.clone(),
            told: None,
        };
        let task = tokio::spawn(sender.run(waiting, stop.clone()));
        Ok(Self(Some(Sending {
            stop,
            task: AbortOnDropHandle::new(task),
        })))
    }

    /// Sends what waits, and takes in no more. Ends in time, whatever the collector does.
    pub(super) async fn end(self) {
        if let Some(sending) = self.0 {
            sending.stop.cancel();
            if timeout(SPANS_FLUSH_TIMEOUT, sending.task).await.is_err() {
                tracing::warn!("stopped before the collector of traces had the last spans");
            }
        }
    }
}

/// Where spans wait. It never waits itself: a span for which there is no room is counted.
#[derive(Debug)]
struct Queue {
    waiting: mpsc::Sender<SpanData>,
    spans: Spans,
}

impl Queue {
    fn new(spans: Spans) -> (Self, mpsc::Receiver<SpanData>) {
        let (waiting, receiver) = mpsc::channel(SPANS_WAITING);
        (Self { waiting, spans }, receiver)
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.waiting.try_send(span).is_err() {
            self.spans.lost(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Takes spans from the queue to the collector.
struct Sender<E> {
    exporter: E,
    spans: Spans,
    /// When the log last said that spans were lost.
    told: Option<Instant>,
}

impl<E: SpanExporter> Sender<E> {
    /// Sends until it is to stop and nothing waits any more.
    async fn run(mut self, mut waiting: mpsc::Receiver<SpanData>, stop: CancellationToken) {
        loop {
            if stop.is_cancelled() {
                // What waits is still to be had.
                waiting.close();
            }
            let first = tokio::select! {
                first = waiting.recv() => first,
                () = stop.cancelled(), if !waiting.is_closed() => continue,
            };
            let Some(first) = first else {
                return;
            };
            let mut batch = vec![first];
            if waiting.len() < SPANS_PER_EXPORT {
                pause(SPAN_LINGER, &stop).await;
            }
            while batch.len() < SPANS_PER_EXPORT
                && let Ok(span) = waiting.try_recv()
            {
                batch.push(span);
            }
            if !self.send(batch).await {
                pause(EXPORT_PAUSE, &stop).await;
            }
        }
    }

    /// Sends a batch; whether the collector took it.
    async fn send(&mut self, batch: Vec<SpanData>) -> bool {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let why = match timeout(EXPORT_TIMEOUT, self.exporter.export(batch)).await {
            Ok(Ok(())) => {
                self.spans.sent(count);
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {EXPORT_TIMEOUT:?}"),
        };
        self.spans.lost(count);
        if self
            .told
            .is_none_or(|told| told.elapsed() >= SPANS_LOST_INTERVAL)
        {
            self.told = Some(Instant::now());
            tracing::warn!(
                why,
                lost = self.spans.total_lost(),
                "the collector of traces takes no spans: they are lost, and calls go on"
            );
        }
        false
    }
}

/// Waits, unless it is to stop.
async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(time) => {}
        () = stop.cancelled() => {}
    }
}

#[cfg(test)]
mod tests;
