//! What can go wrong with a call, why, and whether anything may have been done.

use std::{collections::HashMap, error::Error as _, fmt, io};

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use crate::proto::v1::ItemError;

/// The reasons that the client itself gives; every other comes from the server.
pub mod reason {
    /// No connection could be made: nothing was sent.
    pub const CONNECTION_FAILED: &str = "CONNECTION_FAILED";
    /// The connection broke, or was closed without an answer.
    pub const CONNECTION_BROKEN: &str = "CONNECTION_BROKEN";
    /// No answer came in time.
    pub const CLIENT_DEADLINE: &str = "CLIENT_DEADLINE";
    /// The answer contradicts the contract.
    pub const ANSWER_INVALID: &str = "ANSWER_INVALID";
    /// The client was given a setting or an argument that cannot work.
    pub const SETTING_INVALID: &str = "SETTING_INVALID";
    /// A guarded request says nothing of whom it concerns, so nobody could be asked about.
    pub const NOBODY_NAMED: &str = "NOBODY_NAMED";
}

/// Whether a call that failed may have changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing was done. Only the server's own word, or a connection that was never made, says so.
    NotApplied,
    /// It may have been done. Retry with the same `request_id`.
    Unknown,
}

impl Outcome {
    /// The word that stands for it on the wire and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotApplied => "not_applied",
            Self::Unknown => "unknown",
        }
    }
}

/// A call that got no answer, or was refused. For a check: a denial.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    reason: String,
    message: String,
    outcome: Outcome,
    metadata: HashMap<String, String>,
    /// Whether another attempt, here or at another endpoint, may fare better.
    temporary: bool,
    tried: Vec<String>,
    attempts: u32,
    reached: bool,
}

impl Error {
    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The stable reason, such as `PURPOSE_UNKNOWN` or one of [`reason`]; empty where something between the client and
    /// Refrain answered.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What is wrong, for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether anything may have been done, over all attempts of the call.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// What else the server said, such as `earliest_revision` for `REVISION_COMPACTED`.
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.0.metadata
    }

    /// Whether the same call may succeed later without anything being changed.
    pub fn is_temporary(&self) -> bool {
        self.0.temporary
    }

    /// Whether no endpoint could be connected to.
    pub fn is_unreachable(&self) -> bool {
        !self.0.reached && self.0.reason == reason::CONNECTION_FAILED
    }

    /// The endpoints that were tried, each once.
    pub fn tried(&self) -> &[String] {
        &self.0.tried
    }

    /// How many attempts were made.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// An error that the client finds by itself.
    pub(super) fn local(code: Code, reason: &str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            reason: reason.to_owned(),
            message: message.into(),
            outcome: Outcome::NotApplied,
            metadata: HashMap::new(),
            temporary: false,
            tried: Vec::new(),
            attempts: 0,
            reached: false,
        }))
    }

    /// A setting or an argument that cannot work; nothing was sent.
    pub(super) fn setting(message: impl Into<String>) -> Self {
        Self::local(Code::InvalidArgument, reason::SETTING_INVALID, message)
    }

    /// An answer that contradicts the contract.
    pub(super) fn invalid_answer(outcome: Outcome, message: impl Into<String>) -> Self {
        let mut error = Self::local(Code::Internal, reason::ANSWER_INVALID, message);
        error.0.outcome = outcome;
        error.0.reached = true;
        error
    }

    /// No answer within `limit`.
    pub(super) fn timed_out(limit: std::time::Duration) -> Self {
        let message = format!("no answer within {} ms", limit.as_millis());
        let mut error = Self::local(Code::DeadlineExceeded, reason::CLIENT_DEADLINE, message);
        error.0.outcome = Outcome::Unknown;
        error.0.temporary = true;
        error
    }

    /// The connection ended where more was due.
    pub(super) fn broken(message: impl Into<String>) -> Self {
        let mut error = Self::local(Code::Unavailable, reason::CONNECTION_BROKEN, message);
        error.0.outcome = Outcome::Unknown;
        error.0.temporary = true;
        error.0.reached = true;
        error
    }

    /// Why one item of many has no answer.
    pub(super) fn from_item(item: ItemError) -> Self {
        let mut error = Self::local(Code::from_i32(item.code), &item.reason, item.message);
        error.0.temporary = may_pass(error.0.code);
        error.0.reached = true;
        error
    }

    /// Reads a status: one that the server sent, or one that stands for a broken connection.
    pub(super) fn from_status(status: &Status) -> Self {
        if let Some(failed) = in_chain::<ConnectFailed>(status) {
            let mut error = Self::local(
                Code::Unavailable,
                reason::CONNECTION_FAILED,
                failed.to_string(),
            );
            error.0.temporary = true;
            return error;
        }
        // The channel's own watch over the time that the request was given.
        if in_chain::<TimeoutExpired>(status).is_some() {
            let mut error = Self::local(
                Code::DeadlineExceeded,
                reason::CLIENT_DEADLINE,
                "no answer in time",
            );
            error.0.outcome = Outcome::Unknown;
            error.0.temporary = true;
            return error;
        }
        // What came over the wire has no source. The codes of all others are guesses of the transport (an early end
        // of file is OUT_OF_RANGE there) and must not be mistaken for the server's word.
        if status.source().is_some() {
            return Self::broken(format!("the connection broke: {}", status.message()));
        }
        let info = status.get_details_error_info();
        let said = info.is_some();
        let (reason, metadata) = info.map(|it| (it.reason, it.metadata)).unwrap_or_default();
        let outcome = match metadata.get("outcome").map(String::as_str) {
            Some("not_applied") => Outcome::NotApplied,
            _ => Outcome::Unknown,
        };
        let code = status.code();
        // Without Refrain's own word, what answered may have been a proxy on its way down.
        let proxy = !said && matches!(code, Code::Unknown | Code::Internal);
        let message = if !said && code == Code::Unimplemented {
            "what answers there does not know this call; a node's port for peers answers so: name its port for \
             clients (7400 unless it was told otherwise)"
                .to_owned()
        } else if status.message().is_empty() {
            format!("{code}")
        } else {
            status.message().to_owned()
        };
        Self(Box::new(Inner {
            code,
            reason,
            message,
            outcome,
            metadata,
            temporary: may_pass(code) || proxy,
            tried: Vec::new(),
            attempts: 0,
            reached: true,
        }))
    }

    /// The error of the call as a whole. Where its last attempt had no time left to find anything out, what an earlier
    /// one found out tells more.
    pub(super) fn over(self, trail: &Trail) -> Self {
        match &trail.telling {
            Some(telling) if self.0.reason == reason::CLIENT_DEADLINE => telling.clone(),
            _ => self,
        }
        .with(trail)
    }

    fn with(mut self, trail: &Trail) -> Self {
        self.0.tried.clone_from(&trail.tried);
        self.0.attempts = trail.attempts;
        self.0.reached |= trail.reached;
        self.0.outcome = match (trail.changes, trail.unknown) {
            (false, _) => Outcome::NotApplied,
            (true, true) => Outcome::Unknown,
            (true, false) => self.0.outcome,
        };
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if !self.0.reason.is_empty() {
            write!(f, " ({})", self.0.reason)?;
        }
        if !self.0.tried.is_empty() {
            write!(f, ", tried {}", self.0.tried.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// What the attempts of one call have shown so far.
#[derive(Debug)]
pub(super) struct Trail {
    /// Whether the call can change anything at all.
    changes: bool,
    tried: Vec<String>,
    attempts: u32,
    /// Whether any attempt may have been carried out: no later refusal takes that back.
    unknown: bool,
    reached: bool,
    /// The last error that is more than a lack of time.
    telling: Option<Error>,
}

impl Trail {
    pub(super) fn new(changes: bool) -> Self {
        Self {
            changes,
            tried: Vec::new(),
            attempts: 0,
            unknown: false,
            reached: false,
            telling: None,
        }
    }

    /// Notes an attempt that failed.
    pub(super) fn note(&mut self, endpoint: &str, error: &Error) {
        self.attempts += 1;
        self.unknown |= error.0.outcome == Outcome::Unknown;
        self.reached |= error.0.reached;
        if error.0.reason != reason::CLIENT_DEADLINE {
            self.telling = Some(error.clone());
        }
        if !self.tried.iter().any(|tried| tried == endpoint) {
            self.tried.push(endpoint.to_owned());
        }
    }
}

/// No connection could be made. Marks the one kind of broken call of which the client knows that nothing was sent.
#[derive(Debug)]
pub(super) struct ConnectFailed(pub(super) io::Error);

impl fmt::Display for ConnectFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect: {}", self.0)
    }
}

impl std::error::Error for ConnectFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Looks for an error of one kind among the causes of a status.
fn in_chain<E: std::error::Error + 'static>(status: &Status) -> Option<&E> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(failed) = error.downcast_ref() {
            return Some(failed);
        }
        cause = error.source();
    }
    None
}

/// Whether a status with this code may give way to an answer without anything being changed.
fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Aborted
            | Code::ResourceExhausted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_for_peers_is_told_by_its_answer() {
        let error = Error::from_status(&Status::unimplemented(""));
        assert!(error.message().contains("peers"), "{error}");
        assert!(!error.is_temporary());
    }
}
