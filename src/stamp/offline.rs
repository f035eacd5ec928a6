//! What may be done with a stamp without asking anybody: nothing, or something as of a revision.

use super::{
    claims::{Claims, Stamped},
    error::StampError,
    jwk::KeySet,
};

/// What somebody who holds a stamp wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The namespace of the data; empty means `default`.
    pub namespace: &'a str,
    /// What the data is to be used for. Must be one of the stamp's purposes itself: that one purpose is allowed says
    /// nothing of those under it.
    pub purpose: &'a str,
}

/// What a stamp alone can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offline {
    /// Do not.
    Deny(Denied),
    /// It was allowed when the stamp was made. Not yet a go-ahead: the person may have opted out since.
    AllowedAsOf(AllowedAsOf),
}

/// Why a stamp denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The stamp says nothing.
    #[error(transparent)]
    Stamp(#[from] StampError),
    /// It says so.
    #[error("the stamp says DENY, as of revision {revision}")]
    Said {
        /// The revision at which it was decided.
        revision: u64,
    },
    /// It is about another namespace.
    #[error("the stamp is about another namespace")]
    NamespaceDiffers,
    /// It is about other purposes.
    #[error("the stamp is about other purposes")]
    PurposeDiffers,
}

/// An ALLOW as of a revision. Made by [`KeySet::judge`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct AllowedAsOf(Claims);

impl AllowedAsOf {
    /// The revision at which it was allowed: what happened to the tokens since is not in it.
    pub fn revision(&self) -> u64 {
        self.0.revision
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The tokens that it was allowed for, as a watch can be filtered by. Whoever knows of whom the data is compares.
    pub fn tokens(&self) -> &[String] {
        &self.0.tokens
    }

    /// The purposes that it was allowed for.
    pub fn purposes(&self) -> &[String] {
        &self.0.purposes
    }

    /// The service that asked; empty where it named none.
    pub fn service(&self) -> &str {
        &self.0.service
    }

    /// When it was decided, in seconds since the Unix epoch.
    pub fn issued_at(&self) -> u64 {
        self.0.issued_at
    }

    /// From when on it counts for nothing, in seconds since the Unix epoch.
    pub fn expires_at(&self) -> u64 {
        self.0.expires_at
    }

    /// The id of the decision.
    pub fn decision_id(&self) -> &str {
        &self.0.decision_id
    }

    /// Whether it still counts at `now`. For who has held on to it: a stamp is judged once, and its time goes on.
    pub fn lives_at(&self, now: u64) -> bool {
        self.0.check_time(now).is_ok()
    }
}

impl KeySet {
    /// What may be done with a stamp without asking anybody.
    pub fn judge(&self, stamp: &str, wanted: Wanted<'_>, now: u64) -> Offline {
        match self.allowed(stamp, wanted, now) {
            Ok(allowed) => Offline::AllowedAsOf(allowed),
            Err(denied) => Offline::Deny(denied),
        }
    }

    fn allowed(&self, stamp: &str, wanted: Wanted<'_>, now: u64) -> Result<AllowedAsOf, Denied> {
        let claims = self.verify(stamp, now)?;
        let namespace = match wanted.namespace {
            "" => "default",
            named => named,
        };
        if claims.namespace != namespace {
            return Err(Denied::NamespaceDiffers);
        }
        if !claims.purposes.iter().any(|it| it == wanted.purpose) {
            return Err(Denied::PurposeDiffers);
        }
        match claims.decision {
            Stamped::Allow => Ok(AllowedAsOf(claims)),
            Stamped::Deny => Err(Denied::Said {
                revision: claims.revision,
            }),
        }
    }
}
