//! The same table over HTTP: which status a code has, where HTTP has a better one for a reason, and what is told.

use axum::http::StatusCode;
use tonic::Code;

use super::{Failure, Row};

/// What is told of a failure, free of any codec.
pub(crate) struct Explained {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The stable reason.
    pub(crate) reason: &'static str,
    /// `not_applied` or `unknown`.
    pub(crate) outcome: &'static str,
    /// What to do.
    pub(crate) what_to_do: &'static str,
    /// What else programs should know.
    pub(crate) details: Option<(&'static str, String)>,
}

impl Failure {
    /// What is told of it.
    pub(crate) fn explained(&self) -> Explained {
        let row = Row::of(self);
        Explained {
            status: http_status(row.code, row.reason),
            reason: row.reason,
            outcome: row.outcome.as_str(),
            what_to_do: row.what_to_do,
            details: self.details(),
        }
    }
}

/// The HTTP status of a row.
pub(crate) fn http_status(code: Code, reason: &str) -> StatusCode {
    match reason {
        "EVIDENCE_REQUIRED" | "EVIDENCE_INVALID" => StatusCode::UNPROCESSABLE_ENTITY,
        "SUBJECT_CHANGED" => StatusCode::PRECONDITION_FAILED,
        "METHOD_NOT_ALLOWED" => StatusCode::METHOD_NOT_ALLOWED,
        "MESSAGE_TOO_LARGE" => StatusCode::PAYLOAD_TOO_LARGE,
        "MESSAGE_SLOW" => StatusCode::REQUEST_TIMEOUT,
        "MEDIA_TYPE_UNKNOWN" | "ENCODING_UNKNOWN" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        _ => of_code(code),
    }
}

fn of_code(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => StatusCode::CONFLICT,
        // What is compacted does not come back.
        Code::OutOfRange => StatusCode::GONE,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        // No success is ever in the table; whoever finds one here must not take it for one.
        Code::Ok | Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
