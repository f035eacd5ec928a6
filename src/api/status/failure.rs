//! Everything that can keep a call from its answer.

use super::{Input, Transport};
use crate::{
    admission::{Denied, NotAdmitted, Unauthenticated},
    authority::{AdminError, ReadError, Unavailable, WriteError},
    domain::Refusal,
    feed::FeedEnd,
};

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The rules refused it.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The request has a shape that cannot be taken.
    #[error("{0}")]
    Input(#[from] Input),
    /// It cannot be told who calls.
    #[error("{0}")]
    Unauthenticated(#[from] Unauthenticated),
    /// The caller may not.
    #[error("{0}")]
    Denied(#[from] Denied),
    /// The node cannot serve; nothing was done.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// The change may have been made.
    #[error("{0}, and the change may have been made all the same")]
    Unknown(Unavailable),
    /// The feed ended.
    #[error("{0}")]
    Feed(#[from] FeedEnd),
    /// An administrative act was not done.
    #[error("{0}")]
    Admin(#[from] AdminError),
    /// The call broke before, or beside, its handler.
    #[error("{0}")]
    Transport(#[from] Transport),
    /// Too many snapshots are being read.
    #[error("too many snapshots are being read from this node")]
    TooManySnapshots,
    /// No key to sign with yet.
    #[error(
        "this node has no key for the journal's checkpoints yet; the cluster is about to register one"
    )]
    JournalKeyMissing,
    /// A call of many steps came to an end after some of them had been done.
    #[error("{0}; what came before it was done, and {1}")]
    Partly(Box<Failure>, &'static str),
    /// A handler came to a sudden end.
    #[error("a fault of the program ended the call")]
    Panicked,
}

impl Failure {
    /// What else programs should know, by stable names.
    pub(super) fn details(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Unknown(why) | Self::Admin(AdminError::Write(WriteError::Unknown { why })) => {
                Some(("why", why.reason().to_owned()))
            }
            Self::Partly(failure, _) => failure.details(),
            Self::Feed(FeedEnd::Compacted { earliest, .. })
            | Self::Refused(Refusal::RevisionCompacted { earliest, .. }) => {
                Some(("earliest_revision", earliest.to_string()))
            }
            Self::Refused(Refusal::SchemaTooOld { needed, .. }) => {
                Some(("schema_version_needed", needed.to_string()))
            }
            _ => None,
        }
    }
}

impl From<NotAdmitted> for Failure {
    fn from(why: NotAdmitted) -> Self {
        match why {
            NotAdmitted::Denied(denied) => Self::Denied(denied),
            NotAdmitted::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(refusal) => Self::Refused(refusal),
            WriteError::NotApplied { why } => Self::Unavailable(why),
            WriteError::Unknown { why } => Self::Unknown(why),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Refused(refusal) => Self::Refused(refusal),
            ReadError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}
