//! Counts the calls by their names in the contract, whatever they came in by, and how each was answered.

use axum::http::Response;
use tokio::time::Instant;
use tonic::Code;

use super::gate;
use crate::metrics::{Call, Meters};

/// Which call of the contract a route stood for; in an answer's extensions.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoodFor(pub(super) &'static str);

/// What has no name in the contract: documents, links, and what nobody serves.
const OTHER: &str = "other";

/// Counts an answer. `path` is that of a call of gRPC.
pub(super) fn count<B>(meters: &Meters, path: Option<&str>, answer: &Response<B>, begun: Instant) {
    let (transport, call, code) = if let Some(path) = path {
        let call = gate::name_of(path).unwrap_or(OTHER);
        let status = answer.headers().get("grpc-status");
        let code = status.map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()));
        ("grpc", call, word(code).to_owned())
    } else {
        let call = answer.extensions().get::<StoodFor>();
        let call = call.map_or(OTHER, |StoodFor(call)| call);
        ("http", call, answer.status().as_str().to_owned())
    };
    let call = Call {
        transport,
        call: call.to_owned(),
        code,
    };
    meters.called(&call, begun.elapsed());
}

/// A code as the specification of gRPC writes it.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
