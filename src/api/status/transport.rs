//! What goes wrong before or beside a handler; the statuses that tonic makes by itself are given a reason of ours.

use tonic::{Code, Status};

/// What went wrong below the handlers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Transport {
    /// A message that is not what its type says; text that is not UTF-8 too.
    #[error("a message cannot be read: {why}")]
    MessageInvalid {
        /// The place in the message, never its content.
        why: String,
    },
    /// A message over the limit.
    #[error("a message is larger than {} bytes", crate::limits::MESSAGE_BYTES)]
    MessageTooLarge,
    /// A call without its message.
    #[error("the call has no message")]
    MessageMissing,
    /// No such service or method.
    #[error("there is no such method here")]
    MethodUnknown,
    /// A compression that is not spoken here.
    #[error("the message is compressed in a way that is not known here")]
    EncodingUnknown,
    /// A body that did not arrive in time.
    #[error("the body did not arrive in time")]
    MessageSlow,
    /// A body that does not say it is JSON.
    #[error("the body must be `application/json`, in UTF-8")]
    MediaTypeUnknown,
    /// A path whose parameters are no text.
    #[error("the path is not UTF-8")]
    PathInvalid,
    /// A query that cannot be taken.
    #[error("the query cannot be taken: {why}")]
    QueryInvalid {
        /// What is wrong, never its content.
        why: String,
    },
    /// A header that stands twice, or is no text.
    #[error("the header `{name}` must stand once, as text")]
    HeaderInvalid {
        /// Its name.
        name: String,
    },
    /// No such path.
    #[error("there is no such path here")]
    RouteUnknown,
    /// A path that does not take the method.
    #[error("the path does not take this method")]
    MethodNotAllowed,
    /// The call was broken off.
    #[error("the call broke off")]
    Broken,
}

impl Transport {
    /// What a status of tonic's stands for. tonic gives no types for these, so its words tell; a test sends each kind
    /// of bad message and would notice new words.
    pub(crate) fn of(status: &Status) -> Self {
        let message = status.message();
        match status.code() {
            Code::Internal if message.starts_with("failed to decode") => Self::MessageInvalid {
                why: place(message),
            },
            Code::Internal if message.starts_with("Missing request message") => {
                Self::MessageMissing
            }
            Code::Internal
                if message.contains("protocol error") || message.contains("compression flag") =>
            {
                Self::MessageInvalid {
                    why: "its frame is malformed".to_owned(),
                }
            }
            Code::OutOfRange => Self::MessageTooLarge,
            Code::Unimplemented if message.contains("compressed") => Self::EncodingUnknown,
            Code::Unimplemented => Self::MethodUnknown,
            _ => Self::Broken,
        }
    }
}

/// The part of prost's message that names the field and the fault: it quotes nothing of the content.
fn place(message: &str) -> String {
    let (_, place) = message.split_once(": ").unwrap_or(("", message));
    place.chars().take(256).collect()
}
