//! What can go wrong with the journal, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::domain::Revision;

/// Why the journal refused.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file is not what the journal's root says that it was. The node must not serve from it.
    #[error(
        "the journal is damaged: {}: {what}. To rejoin: stop this node, move its data folder away, start it with an \
         empty one, and add it to the cluster again; it fetches the journal from the other nodes",
        .file.display()
    )]
    Damaged {
        /// The file, relative to the data folder.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// What this node has recorded is whole, and yet not what the cluster has. The node must stop.
    #[error(
        "the journal diverges from the cluster's: {}: {what}. Keep the data folder for an examination, and rejoin this \
         node with an empty one",
        .file.display()
    )]
    Diverged {
        /// The file, relative to the data folder.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The events asked for have not been fetched from the other nodes yet.
    #[error(
        "the journal holds every event from revision {earliest} on; earlier ones are still being fetched"
    )]
    Missing {
        /// Everything from here to the end can be read.
        earliest: Revision,
    },
    /// The journal was asked for something that it does not do; nothing was changed.
    #[error("the journal refused: {0}")]
    Refused(String),
    /// The disk refused.
    #[error("the journal cannot use its disk: {0}")]
    Io(#[from] io::Error),
    /// An earlier append or sync failed, and the journal takes nothing more until it is opened again.
    #[error("the journal stopped after an earlier error: {0}")]
    Stopped(String),
}

impl JournalError {
    pub(super) fn damaged(file: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::Damaged {
            file: file.as_ref().to_owned(),
            what: what.into(),
        }
    }

    pub(super) fn diverged(file: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::Diverged {
            file: file.as_ref().to_owned(),
            what: what.into(),
        }
    }
}

impl From<JournalError> for io::Error {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Io(error) => error,
            JournalError::Damaged { .. } | JournalError::Diverged { .. } => {
                Self::new(io::ErrorKind::InvalidData, error)
            }
            JournalError::Refused(_) => Self::new(io::ErrorKind::InvalidInput, error),
            JournalError::Missing { .. } | JournalError::Stopped(_) => Self::other(error),
        }
    }
}
