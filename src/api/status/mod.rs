//! The one table from errors to gRPC statuses: code, reason, whether anything was done, and what to do.

mod admin;
mod failure;
mod http;
#[cfg(test)]
mod tests;
mod transport;

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::input::Input;
use crate::{
    authority::Unavailable,
    domain::{Refusal, RefusalKind},
    feed::FeedEnd,
    proto::v1::ItemError,
};

pub(crate) use self::{
    failure::Failure,
    http::{Explained, http_status},
    transport::Transport,
};

/// The domain of every `google.rpc.ErrorInfo` of ours.
const DOMAIN: &str = "refrain";

/// Whether a call that failed may have changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nothing was done, and nothing will be.
    NotApplied,
    /// It may have been done, or may still be.
    Unknown,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::Unknown => "unknown",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    code: Code,
    reason: &'static str,
    outcome: Outcome,
    what_to_do: &'static str,
}

/// The one refusal that is a fault of the program. Told by its reason, which it keeps when another node made it.
const STATE_INCONSISTENT: &str = "STATE_INCONSISTENT";

const CORRECT: &str = "correct the request; as it is, it will be refused again";
const RETRY: &str = "retry with the same request_id, here or at another node";
const REPORT: &str = "report it with the node's log; it is a fault of the program";

impl Row {
    fn not_applied(code: Code, reason: &'static str, what_to_do: &'static str) -> Self {
        Self {
            code,
            reason,
            outcome: Outcome::NotApplied,
            what_to_do,
        }
    }

    fn unknown(code: Code, what_to_do: &'static str) -> Self {
        Self {
            code,
            reason: "OUTCOME_UNKNOWN",
            outcome: Outcome::Unknown,
            what_to_do,
        }
    }

    fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::refused(refusal),
            Failure::Input(input) => Self::input(*input),
            Failure::Unauthenticated(_) => Self::not_applied(
                Code::Unauthenticated,
                "UNAUTHENTICATED",
                "send the token of a principal of this node, as `authorization: Bearer TOKEN`; a node without principals takes calls over loopback alone, or needs --insecure",
            ),
            Failure::Denied(_) => Self::not_applied(
                Code::PermissionDenied,
                "PERMISSION_DENIED",
                "ask those who run the cluster for a grant of that permission",
            ),
            Failure::Unavailable(why) => Self::unavailable(*why),
            Failure::Unknown(why) => Self::unknown(unavailable_code(*why), RETRY),
            Failure::Feed(end) => Self::feed(end),
            Failure::Admin(error) => Self::admin(error),
            Failure::Transport(transport) => Self::transport(transport),
            Failure::TooManySnapshots => Self::not_applied(
                Code::ResourceExhausted,
                "TOO_MANY_SNAPSHOTS",
                "wait until another snapshot is read, or call another node",
            ),
            Failure::JournalKeyMissing => Self::not_applied(
                Code::Unavailable,
                "JOURNAL_KEY_MISSING",
                "ask again in a moment, or at another node",
            ),
            Failure::Partly(failure, _) => Self {
                outcome: Outcome::Unknown,
                ..Self::of(failure)
            },
            Failure::Panicked => Self {
                reason: "INTERNAL",
                ..Self::unknown(Code::Internal, REPORT)
            },
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        let reason = refusal.reason();
        if reason == STATE_INCONSISTENT {
            return Self::not_applied(Code::Internal, reason, REPORT);
        }
        match refusal.kind() {
            RefusalKind::Invalid => Self::not_applied(Code::InvalidArgument, reason, CORRECT),
            RefusalKind::NotFound => Self::not_applied(
                Code::NotFound,
                reason,
                "correct the name, or register it first",
            ),
            RefusalKind::AlreadyExists => Self::not_applied(
                Code::AlreadyExists,
                reason,
                "make a fresh request_id for another request",
            ),
            RefusalKind::Precondition => Self::not_applied(
                Code::FailedPrecondition,
                reason,
                "do what the message says; as things stand, the request will be refused again",
            ),
            RefusalKind::OutOfRange => Self::not_applied(
                Code::OutOfRange,
                reason,
                "go on from earliest_revision, or begin with a snapshot",
            ),
            RefusalKind::Exhausted => Self::not_applied(
                Code::ResourceExhausted,
                reason,
                "retry with the same request_id after a pause",
            ),
        }
    }

    fn input(input: Input) -> Self {
        let (code, what_to_do) = match input {
            Input::StampInvalid(_) => (
                Code::InvalidArgument,
                "deny; whoever made the message should put in a stamp of this cluster's as it was got",
            ),
            Input::StampExpired => (Code::FailedPrecondition, "deny, or check without the stamp"),
            Input::LinkUnknown => (Code::NotFound, "open the link again as it was sent"),
            Input::TileUnknown => (
                Code::NotFound,
                "get `/checkpoint` first: its size says which tiles there are",
            ),
            Input::EventUnknown => (
                Code::NotFound,
                "name the namespace and the revision of the event; leave the namespace empty for what concerns the whole cluster",
            ),
            _ => (Code::InvalidArgument, CORRECT),
        };
        Self::not_applied(code, input.reason(), what_to_do)
    }

    fn unavailable(why: Unavailable) -> Self {
        let what_to_do = match why {
            Unavailable::NoQuorum => {
                "retry at another node; if all say so, bring back a majority of the voters"
            }
            Unavailable::Starting
            | Unavailable::Replaying
            | Unavailable::Draining
            | Unavailable::LeaderLost => RETRY,
            Unavailable::StorageFailed => "call another node; see this one's log, and its disk",
            Unavailable::WaitingForCluster => {
                "call another node, or form a cluster with `refrain cluster init` or `refrain cluster add`"
            }
            Unavailable::TokenKeyMismatch => {
                "call another node; start this one with the cluster's token key"
            }
            Unavailable::DiskNearlyFull => "call another node; free space on this one's disk",
            Unavailable::ClockAhead => {
                "mend the clock of the node that leads; another takes over if it can, so retry with the same request_id"
            }
            Unavailable::Removed => "call another node; this one no longer belongs to the cluster",
            Unavailable::Deadline => "retry with the same request_id and a longer deadline",
            Unavailable::Overloaded => {
                "retry with the same request_id after a pause, or at another node"
            }
        };
        Self::not_applied(unavailable_code(why), why.reason(), what_to_do)
    }

    fn feed(end: &FeedEnd) -> Self {
        match end {
            FeedEnd::Compacted { .. } => Self::refused(&Refusal::RevisionCompacted {
                asked: 0,
                earliest: 0,
            }),
            FeedEnd::Stopping => Self::not_applied(
                Code::Unavailable,
                Unavailable::Draining.reason(),
                "go on at another node, from the last revision seen plus one",
            ),
            FeedEnd::Deadline => Self::unavailable(Unavailable::Deadline),
            FeedEnd::Unreadable => Self::not_applied(
                Code::DataLoss,
                "JOURNAL_UNREADABLE",
                "call another node, and see this one's log",
            ),
        }
    }

    fn transport(transport: &Transport) -> Self {
        match transport {
            Transport::MessageInvalid { .. } => {
                Self::not_applied(Code::InvalidArgument, "MESSAGE_INVALID", CORRECT)
            }
            Transport::MessageTooLarge => Self::not_applied(
                Code::InvalidArgument,
                "MESSAGE_TOO_LARGE",
                "send less in one message",
            ),
            Transport::MessageMissing => {
                Self::not_applied(Code::InvalidArgument, "MESSAGE_MISSING", CORRECT)
            }
            Transport::MethodUnknown => Self::not_applied(
                Code::Unimplemented,
                "METHOD_UNKNOWN",
                "correct the method's name, or upgrade the node",
            ),
            Transport::EncodingUnknown => Self::not_applied(
                Code::Unimplemented,
                "ENCODING_UNKNOWN",
                "send messages uncompressed",
            ),
            Transport::MessageSlow => Self::not_applied(
                Code::DeadlineExceeded,
                "MESSAGE_SLOW",
                "send it again, at once and whole",
            ),
            Transport::MediaTypeUnknown => {
                Self::not_applied(Code::InvalidArgument, "MEDIA_TYPE_UNKNOWN", CORRECT)
            }
            Transport::PathInvalid => {
                Self::not_applied(Code::InvalidArgument, "PATH_INVALID", CORRECT)
            }
            Transport::QueryInvalid { .. } => {
                Self::not_applied(Code::InvalidArgument, "QUERY_INVALID", CORRECT)
            }
            Transport::HeaderInvalid { .. } => {
                Self::not_applied(Code::InvalidArgument, "HEADER_INVALID", CORRECT)
            }
            Transport::RouteUnknown => Self::not_applied(
                Code::NotFound,
                "ROUTE_UNKNOWN",
                "correct the path; /openapi.json has them all",
            ),
            Transport::MethodNotAllowed => Self::not_applied(
                Code::Unimplemented,
                "METHOD_NOT_ALLOWED",
                "use a method that the header `Allow` names",
            ),
            Transport::Broken => Self::unknown(Code::Unavailable, RETRY),
        }
    }
}

fn unavailable_code(why: Unavailable) -> Code {
    match why {
        Unavailable::Deadline => Code::DeadlineExceeded,
        Unavailable::Overloaded => Code::ResourceExhausted,
        Unavailable::NoQuorum
        | Unavailable::Starting
        | Unavailable::Draining
        | Unavailable::WaitingForCluster
        | Unavailable::TokenKeyMismatch
        | Unavailable::DiskNearlyFull
        | Unavailable::ClockAhead
        | Unavailable::Removed
        | Unavailable::Replaying
        | Unavailable::StorageFailed
        | Unavailable::LeaderLost => Code::Unavailable,
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let row = Row::of(&failure);
        let mut metadata = HashMap::from([
            ("outcome".to_owned(), row.outcome.as_str().to_owned()),
            ("what_to_do".to_owned(), row.what_to_do.to_owned()),
        ]);
        metadata.extend(
            failure
                .details()
                .map(|(key, value)| (key.to_owned(), value)),
        );
        let details = ErrorDetails::with_error_info(row.reason, DOMAIN, metadata);
        Status::with_error_details(row.code, failure.to_string(), details)
    }
}

impl From<Failure> for ItemError {
    fn from(failure: Failure) -> Self {
        let row = Row::of(&failure);
        Self {
            code: row.code.into(),
            reason: row.reason.to_owned(),
            message: failure.to_string(),
        }
    }
}
