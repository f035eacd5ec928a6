//! The span of every call, from before anybody asks who calls until the answer's last byte is handed over.
//!
//! A call of gRPC is named as the contract names it, a call of REST by its method and its route's template: never by a path, which holds
//! whatever a caller put there. A span holds how the call was answered, and nothing of what was asked.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    extract::{MatchedPath, Request as AxumRequest},
    http::{HeaderMap, Method, Request, Response},
};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Either},
};
use http_body::{Frame, SizeHint};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};

use super::{
    calls::StoodFor,
    gate,
    shield::{spares, speaks_grpc},
};
use crate::traces;

/// What has no name of ours.
const OTHER: &str = "_OTHER";

/// Why a call of REST failed; in an answer's extensions.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailedFor(pub(super) &'static str);

/// Puts a span around each call of a service, where there is a tracer.
#[derive(Clone)]
pub(crate) struct TracedLayer;

impl<S> Layer<S> for TracedLayer {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced(inner)
    }
}

/// A service whose calls have spans.
#[derive(Clone)]
pub(crate) struct Traced<S>(S);

impl<S> Service<Request<Body>> for Traced<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !traces::on() || spares(request.uri().path()) {
            return Either::Left(self.0.call(request));
        }
        let grpc = speaks_grpc(request.headers());
        let span = begun(&request, grpc);
        if span.is_none() {
            return Either::Left(self.0.call(request));
        }
        let answer = span.in_scope(|| self.0.call(request));
        let of_call = span.clone();
        let answered = async move {
            let response = answer.await?;
            if grpc {
                note_grpc(&of_call, response.headers());
            } else {
                note_http(&of_call, &response);
            }
            Ok(response.map(|body| {
                Body::new(Watched {
                    body,
                    span: of_call,
                    grpc,
                })
            }))
        };
        Either::Right(answered.instrument(span).boxed())
    }
}

fn begun(request: &Request<Body>, grpc: bool) -> Span {
    if !grpc {
        let method = known(request.method());
        let span = traces::of_call(request.headers(), method);
        traces::note(&span, "http.request.method", method);
        return span;
    }
    let call = gate::name_of(request.uri().path());
    let (service, method) = call.and_then(|it| it.split_once('/')).unzip();
    let service = service.map(|service| format!("refrain.v1.{service}"));
    let (service, method) = (service.as_deref().unwrap_or(OTHER), method.unwrap_or(OTHER));
    let span = traces::of_call(request.headers(), &format!("{service}/{method}"));
    traces::note_rpc(&span, service, method);
    span
}

/// A method of HTTP, where it is one of the standard's: a caller may send any word.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => OTHER,
    }
}

/// Gives the span of a call of REST the name of the route that was found for it.
pub(super) fn name_route(request: AxumRequest) -> AxumRequest {
    let span = traces::current();
    if !span.is_none()
        && let Some(route) = request.extensions().get::<MatchedPath>()
    {
        let (method, route) = (known(request.method()), route.as_str());
        traces::rename(&span, format!("{method} {route}"));
        traces::note(&span, "http.route", route);
    }
    request
}

/// Notes the status that headers or trailers hold, if they hold one.
fn note_grpc(span: &Span, headers: &HeaderMap) {
    let Some(status) = Status::from_header_map(headers) else {
        return;
    };
    let code = status.code();
    traces::note_number(span, "rpc.grpc.status_code", i64::from(i32::from(code)));
    if let Some(info) = status.get_details_error_info() {
        traces::note(span, "refrain.reason", &info.reason);
    }
    // As OpenTelemetry's conventions have it for servers: what a caller did wrong is no failure of the server.
    if matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    ) {
        traces::fail(span);
    }
}

fn note_http(span: &Span, response: &Response<Body>) {
    let status = response.status();
    traces::note_number(
        span,
        "http.response.status_code",
        i64::from(status.as_u16()),
    );
    if let Some(StoodFor(call)) = response.extensions().get() {
        traces::note(span, "refrain.call", call);
    }
    if let Some(FailedFor(reason)) = response.extensions().get() {
        traces::note(span, "refrain.reason", reason);
    }
    if status.is_server_error() {
        traces::fail(span);
    }
}

/// An answer's body, with which its call's span ends.
struct Watched {
    body: Body,
    span: Span,
    grpc: bool,
}

impl http_body::Body for Watched {
    type Data = <Body as http_body::Body>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let span = self.span.clone();
        // A stream does its work here.
        let polled = span.in_scope(|| Pin::new(&mut self.body).poll_frame(cx));
        match &polled {
            Poll::Ready(Some(Ok(frame))) if self.grpc => {
                if let Some(trailers) = frame.trailers_ref() {
                    note_grpc(&self.span, trailers);
                }
            }
            Poll::Ready(Some(Err(_))) => traces::fail(&self.span),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
