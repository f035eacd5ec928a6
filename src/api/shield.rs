//! What every call passes on its way in and out: a bound on how many there are, panics caught, clean statuses.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    http::{HeaderMap, Request, Response, header},
    response::IntoResponse as _,
};
use futures::{FutureExt as _, future::BoxFuture};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use super::{
    calls,
    deadline::Deadline,
    status::{Failure, Transport},
    timely::Timely,
};
use crate::{authority::Unavailable, config::Deadlines, limits, metrics::Meters};

/// Paths that pass as they are: probes and scrapers must be heard also when there is too much to do, and the statuses of other services
/// (health, reflection) are their own.
const SPARED: [&str; 4] = ["/livez", "/readyz", "/metrics", "/grpc."];

/// The RPCs that stay open.
const LONG_LIVED: [&str; 4] = [
    "/refrain.v1.WatchService/Watch",
    "/refrain.v1.MonitorService/ReportProcessing",
    "/refrain.v1.AuditService/Export",
    "/refrain.v1.DecisionService/CheckStream",
];

/// The call whose messages come for as long as they do: how long its sender may be silent is bounded where it is read.
const STREAMED: &str = "/refrain.v1.PreferenceService/ImportOptOuts";

/// Whether a call is a probe, a scrape, or another service's.
pub(super) fn spares(path: &str) -> bool {
    SPARED.iter().any(|spared| path.starts_with(spared))
}

/// Whether a call stays open: such calls have a bound of their own, so that idle watchers never crowd out checks.
fn long_lived(path: &str) -> bool {
    LONG_LIVED.contains(&path) || (path.starts_with("/v1/") && path.ends_with("/changes"))
}

/// Whether a call came in by gRPC, and is to be answered so.
pub(super) fn speaks_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// A failure in the words of who asked.
pub(super) fn told(failure: Failure, grpc: bool) -> Response<Body> {
    if grpc {
        Status::from(failure).into_http()
    } else {
        failure.into_response().map(Body::new)
    }
}

/// Puts a [`Shield`] around a service.
#[derive(Clone)]
pub(crate) struct ShieldLayer {
    meters: Meters,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    deadlines: Deadlines,
}

impl ShieldLayer {
    /// A layer that lets `calls` through at a time, and has each message arrive by its call's deadline.
    pub(crate) fn new(calls: usize, deadlines: Deadlines, meters: Meters) -> Self {
        Self {
            meters,
            deadlines,
            calls: Arc::new(Semaphore::new(calls)),
            streams: Arc::new(Semaphore::new(limits::LONG_LIVED_CALLS)),
        }
    }
}

impl<S> Layer<S> for ShieldLayer {
    type Service = Shield<S>;

    fn layer(&self, inner: S) -> Shield<S> {
        Shield {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind the shield.
#[derive(Clone)]
pub(crate) struct Shield<S> {
    inner: S,
    layer: ShieldLayer,
}

impl<S> Service<Request<Body>> for Shield<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if spares(path) {
            return self.inner.call(request).boxed();
        }
        let grpc = speaks_grpc(request.headers());
        let long_lived = long_lived(path);
        let streamed = path == STREAMED;
        let permits = if long_lived {
            &self.layer.streams
        } else {
            &self.layer.calls
        };
        let begun = Instant::now();
        let meters = self.layer.meters.clone();
        let named = grpc.then(|| path.to_owned());
        let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
            let refused = told(Unavailable::Overloaded.into(), grpc);
            calls::count(&meters, named.as_deref(), &refused, begun);
            return std::future::ready(Ok(refused)).boxed();
        };
        // Looked up only where it is wanted: this is on the path of every check.
        let log = tracing::enabled!(tracing::Level::DEBUG).then(|| {
            // A path of REST holds tokens, and whatever a caller mistook for one: the method alone is told of it.
            let what = if grpc {
                path
            } else {
                request.method().as_str()
            };
            what.to_owned()
        });
        // Routes of REST read their bodies in time themselves, and what stays open has a bound of its own.
        let request = if grpc && !long_lived && !streamed {
            let ends = Deadline::of(request.headers(), self.layer.deadlines).step();
            request.map(|body| Body::new(Timely::new(body, ends)))
        } else {
            request
        };
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        async move {
            let response = match answer.await {
                Ok(Ok(response)) => cleaned(response),
                // The panic hook has said where; what it said may hold a payload and goes nowhere.
                Err(_) => told(Failure::Panicked, grpc),
            };
            calls::count(&meters, named.as_deref(), &response, begun);
            if let Some(method) = log {
                let took_us = begun.elapsed().as_micros();
                let http = response.status().as_u16();
                let status = response
                    .headers()
                    .get("grpc-status")
                    .map_or(Ok("0"), |it| it.to_str())
                    .unwrap_or_default();
                tracing::debug!(method, http, status, took_us, "answered");
            }
            Ok(if long_lived {
                response.map(|body| {
                    Body::new(Held {
                        body,
                        _permit: permit,
                    })
                })
            } else {
                response
            })
        }
        .boxed()
    }
}

/// Gives a status that tonic made a reason of ours.
fn cleaned(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let bare =
        headers.contains_key("grpc-status") && !headers.contains_key("grpc-status-details-bin");
    let status = if bare {
        Status::from_header_map(headers)
    } else {
        None
    };
    match status {
        Some(status) if status.code() != tonic::Code::Ok => {
            Status::from(Failure::from(Transport::of(&status))).into_http()
        }
        _ => response,
    }
}

/// A body that holds its call's place until it ends.
struct Held {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl axum::body::HttpBody for Held {
    type Data = <Body as axum::body::HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt as _;
    use tonic::Code;
    use tonic_types::StatusExt as _;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        default: Duration::from_secs(5),
        max: Duration::from_secs(60),
    };

    async fn through<F>(handler: impl Fn() -> F + Clone + Send + 'static, path: &str) -> Status
    where
        F: Future<Output = Status> + Send + 'static,
    {
        let service = service_fn(move |_: Request<Body>| {
            let answer = handler();
            async move { Ok::<_, Infallible>(answer.await.into_http()) }
        });
        let request = Request::builder()
            .uri(path)
            .header(header::CONTENT_TYPE, "application/grpc")
            .body(Body::empty())
            .expect("request");
        let shielded = ShieldLayer::new(1, DEADLINES, Meters::default()).layer(service);
        let response = shielded.oneshot(request).await.expect("infallible");
        Status::from_header_map(response.headers()).expect("status")
    }

    #[tokio::test]
    async fn a_panic_becomes_a_status_that_promises_nothing() {
        let status = through(
            || async { panic!("lovelace@example.com") },
            "/refrain.v1.X/Y",
        )
        .await;
        assert_eq!(status.code(), Code::Internal);
        let info = status.get_details_error_info().expect("info");
        assert_eq!(
            info.metadata.get("outcome").map(String::as_str),
            Some("unknown")
        );
        assert!(!format!("{status:?}").contains("lovelace"));
    }

    #[tokio::test]
    async fn what_the_transport_says_gets_a_reason_and_our_own_words_stay() {
        let bare = || async { Status::out_of_range("decoded message length too large") };
        let status = through(bare, "/refrain.v1.X/Y").await;
        let info = status.get_details_error_info().expect("info");
        assert_eq!(
            (status.code(), info.reason.as_str()),
            (Code::InvalidArgument, "MESSAGE_TOO_LARGE")
        );

        let ours = || async { Failure::from(Unavailable::NoQuorum).into() };
        let status = through(ours, "/refrain.v1.X/Y").await;
        let info = status.get_details_error_info().expect("info");
        assert_eq!(
            (status.code(), info.reason.as_str()),
            (Code::Unavailable, "NO_QUORUM")
        );

        let other = || async { Status::not_found("service not registered") };
        let status = through(other, "/grpc.health.v1.Health/Check").await;
        assert_eq!((status.code(), status.details().len()), (Code::NotFound, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_arrive_in_time_gives_its_place_back() {
        let read = service_fn(|request: Request<Body>| async {
            let read = request.into_body().collect().await;
            let status = read.expect_err("it never ends");
            Ok::<_, Infallible>(status.into_http())
        });
        let shielded = ShieldLayer::new(1, DEADLINES, Meters::default()).layer(read);
        for timeout in [None, Some("2S"), Some("99999999H")] {
            let request = Request::builder()
                .uri("/refrain.v1.DecisionService/Check")
                .header(header::CONTENT_TYPE, "application/grpc");
            let request = match timeout {
                Some(timeout) => request.header("grpc-timeout", timeout),
                None => request,
            };
            let frames = futures::stream::pending::<Result<bytes::Bytes, Infallible>>();
            let body = Body::new(axum::body::Body::from_stream(frames));
            let call = shielded
                .clone()
                .oneshot(request.body(body).expect("request"));
            let response = tokio::time::timeout(Duration::from_secs(61), call).await;
            let response = response.expect("in time").expect("infallible");
            let status = Status::from_header_map(response.headers()).expect("status");
            let info = status.get_details_error_info().expect("info");
            assert_eq!(
                (status.code(), info.reason.as_str()),
                (Code::DeadlineExceeded, "MESSAGE_SLOW")
            );
        }
    }
}
