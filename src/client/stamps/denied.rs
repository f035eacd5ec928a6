//! Why a stamp is no go-ahead.

use std::time::Duration;

use crate::stamp::{Denied, StampError};

/// Why a stamp is no go-ahead: deny on each. Where it may be worth it, [`NoGoAhead::is_worth_asking`] says so, the authority
/// can still be asked, with [`Client::verify_stamp`](crate::client::Client::verify_stamp) or a check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoGoAhead {
    /// The stamp itself says no, or nothing.
    #[error(transparent)]
    Stamp(#[from] Denied),
    /// It is about somebody else than the data.
    #[error("the stamp is about somebody else")]
    SubjectDiffers,
    /// The cluster's public keys could not be read.
    #[error("the cluster's public keys could not be read: {0}")]
    KeysUnread(String),
    /// The cluster's changes are not being followed now.
    #[error("the cluster's changes are not followed: {0}")]
    NotFollowing(String),
    /// The watch, or the cluster, has said nothing for too long.
    #[error("the cluster's last word is {} ms old, and counts for {} ms", age.as_millis(), bound.as_millis())]
    Silent {
        /// How old its last word is.
        age: Duration,
        /// How old it may be.
        bound: Duration,
    },
    /// The stamp's namespace is not among those that are watched.
    #[error("the stamp's namespace is not watched")]
    NamespaceNotWatched,
    /// The stamp is of a revision before the watch began: what happened in between is not known here.
    #[error("the stamp is of revision {revision}, and the watch began at {began}")]
    BeforeTheWatch {
        /// The stamp's.
        revision: u64,
        /// The watch's first.
        began: u64,
    },
    /// The watch has not come to the stamp's revision. It will, in a moment.
    #[error("the stamp is of revision {revision}, and the watch has come to {seen}")]
    NotReached {
        /// The stamp's.
        revision: u64,
        /// The last that the watch has seen.
        seen: u64,
    },
    /// What concerns everybody has changed since: a purpose, a schema floor, a namespace's settings, the rules.
    #[error(
        "the stamp is of revision {revision}, and what concerns everybody changed at {changed}"
    )]
    RulesChanged {
        /// The stamp's.
        revision: u64,
        /// When it changed last.
        changed: u64,
    },
    /// Something of the person has changed since.
    #[error(
        "the stamp is of revision {revision}, and the person's preferences changed at {changed}"
    )]
    SubjectChanged {
        /// The stamp's.
        revision: u64,
        /// When they changed last.
        changed: u64,
    },
    /// What has changed since the stamp's revision is no longer remembered.
    #[error("the stamp is of revision {revision}, and changes up to {forgotten} are forgotten")]
    Forgotten {
        /// The stamp's.
        revision: u64,
        /// The newest that was forgotten.
        forgotten: u64,
    },
    /// Which schema version the purpose needs is not known here yet.
    #[error("the schema floors are not known: {0}")]
    FloorsUnread(String),
    /// The registry does not have the purpose.
    #[error("the purpose is not registered")]
    PurposeUnknown,
    /// This program was built for an older version of the registry than the purpose needs.
    #[error("built for schema version {built}, and the purpose needs {needed}")]
    SchemaTooOld {
        /// The version that this client was built for.
        built: u32,
        /// The version that is needed.
        needed: u32,
    },
    /// This program was built for a newer version of the registry than the cluster has.
    #[error("built for schema version {built}, and the registry's is {registry}")]
    SchemaUnknown {
        /// The version that this client was built for.
        built: u32,
        /// The registry's.
        registry: u32,
    },
}

impl NoGoAhead {
    /// Whether the authority may see it otherwise: false where the stamp is none or does not belong to the data, and where
    /// this program would be refused as well.
    pub fn is_worth_asking(&self) -> bool {
        match self {
            Self::Stamp(Denied::Stamp(error)) => matches!(
                error,
                StampError::Expired | StampError::UnknownKey | StampError::NotYetValid
            ),
            Self::Stamp(Denied::NamespaceDiffers | Denied::PurposeDiffers)
            | Self::SubjectDiffers
            | Self::PurposeUnknown
            | Self::SchemaTooOld { .. }
            | Self::SchemaUnknown { .. } => false,
            Self::Stamp(Denied::Said { .. })
            | Self::KeysUnread(_)
            | Self::NotFollowing(_)
            | Self::Silent { .. }
            | Self::NamespaceNotWatched
            | Self::BeforeTheWatch { .. }
            | Self::NotReached { .. }
            | Self::RulesChanged { .. }
            | Self::SubjectChanged { .. }
            | Self::Forgotten { .. }
            | Self::FloorsUnread(_) => true,
        }
    }
}
