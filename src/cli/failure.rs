//! A command that failed: its exit status, and what it says to people and to programs.

use std::io;

use refrain::client::{Error, Outcome, reason};
use serde_json::{Value, json};
use tonic::Code;

use super::exit;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub status: u8,
    message: String,
    /// What to do about it.
    advice: Vec<String>,
    call: Option<Error>,
    /// Whether it was a check, for which every failure is a denial.
    denies: bool,
}

impl Failure {
    fn new(status: u8, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            advice: Vec::new(),
            call: None,
            denies: false,
        }
    }

    /// An argument that cannot be used.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(exit::USAGE, message)
    }

    /// Data that cannot be used.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(exit::DATA, message)
    }

    /// Anything else.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(exit::FAILED, message)
    }

    /// Nobody could be reached, or nobody can answer now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(exit::UNAVAILABLE, message)
    }

    /// The caller may not.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(exit::REFUSED, message)
    }

    /// Adds what to do.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    /// Adds how to retry a change of which nobody knows whether it was made.
    pub fn retry_with(mut self, flag: &str, id: &str) -> Self {
        let unknown = |error: &Error| error.outcome() == Outcome::Unknown;
        if self.call.as_ref().is_some_and(unknown) {
            self.advice.push(format!(
                "it may or may not have been done: run it again with {flag} {id}, which does it once in all"
            ));
        }
        self
    }

    /// Marks it as the failure of a check.
    pub fn denying(mut self) -> Self {
        self.denies = true;
        self
    }

    /// What people read.
    pub fn text(&self) -> String {
        let mut text = String::from("refrain: ");
        if self.denies {
            text.push_str("no answer, so DENY: ");
        }
        text.push_str(&self.message);
        let reason = self.call.as_ref().map_or("", Error::reason);
        if !reason.is_empty() {
            text.push_str(" (");
            text.push_str(reason);
            text.push(')');
        }
        for advice in &self.advice {
            text.push_str("\n  ");
            text.push_str(advice);
        }
        text
    }

    /// What programs read.
    pub fn json(&self) -> Value {
        let mut error = json!({
            "status": self.status,
            "message": self.message,
            "advice": self.advice,
        });
        if let Some(call) = &self.call {
            error["code"] = code_name(call.code()).into();
            error["reason"] = call.reason().into();
            error["outcome"] = call.outcome().as_str().into();
            error["endpoints"] = call.tried().into();
            error["attempts"] = call.attempts().into();
            error["metadata"] = json!(call.metadata());
        }
        let mut all = json!({ "error": error });
        if self.denies {
            all["decision"] = "DENY".into();
        }
        all
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = if error.is_unreachable() {
            format!(
                "no node answers at {}: {}",
                error.tried().join(", "),
                error.message()
            )
        } else {
            error.message().to_owned()
        };
        let mut failure = Self::new(status_of(&error), message);
        if error.is_unreachable() {
            failure.advice.push(
                "start a node with `refrain serve`, or say where one listens: --endpoint HOST:PORT, or \
                 REFRAIN_ENDPOINT"
                    .to_owned(),
            );
        }
        match error.code() {
            Code::Unauthenticated => failure.advice.push(
                "say who calls: a token in REFRAIN_TOKEN, or in a file with --token-file FILE; `refrain principal new NAME` \
                 makes one, and what to put into the nodes' configuration"
                    .to_owned(),
            ),
            Code::PermissionDenied => failure.advice.push(
                "call as another principal, or have those who run the cluster add a grant to this one: \
                 `[[principal.grant]]` in the nodes' configuration"
                    .to_owned(),
            ),
            _ => {
                let what_to_do = error.metadata().get("what_to_do");
                failure.advice.extend(what_to_do.cloned());
            }
        }
        failure.call = Some(error);
        failure
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::other(error.to_string())
    }
}

fn status_of(error: &Error) -> u8 {
    if error.reason() == reason::SETTING_INVALID {
        return exit::USAGE;
    }
    match error.code() {
        Code::InvalidArgument | Code::NotFound | Code::OutOfRange => exit::DATA,
        Code::FailedPrecondition
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Unauthenticated => exit::REFUSED,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled
            if error.outcome() == Outcome::NotApplied =>
        {
            exit::UNAVAILABLE
        }
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted
        | Code::ResourceExhausted => exit::TEMPORARY,
        _ => exit::FAILED,
    }
}

/// The name as the gRPC documents spell it, such as `NOT_FOUND`.
fn code_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_spelt_as_in_the_documents() {
        assert_eq!(code_name(Code::NotFound), "NOT_FOUND");
        assert_eq!(code_name(Code::Ok), "OK");
        assert_eq!(code_name(Code::Unauthenticated), "UNAUTHENTICATED");
    }

    #[test]
    fn people_and_programs_read_the_same() {
        let failure = Failure::usage("the flag is odd")
            .advise("use another")
            .denying();
        assert_eq!(
            failure.text(),
            "refrain: no answer, so DENY: the flag is odd\n  use another"
        );
        let json = failure.json();
        assert_eq!(json["error"]["status"], 64);
        assert_eq!(json["decision"], "DENY");
    }
}
