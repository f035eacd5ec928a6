//! Who may ask what: the stage that every call passes, and the only place where an [`Admitted`] is made.
//!
//! A call passes here twice: [`Principals::authenticate`] tells who calls before anything of the call is read, and
//! [`admit`] judges what was asked for once it is understood. Between the two lies the place for limits on how much a
//! principal may ask.

mod bearer;
mod caller;
mod need;
mod permission;
mod principals;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use crate::domain::{
    Body, Change, ImportChunk, ImportRow, Principal, PurposeName, Refusal, Revision, State,
};

pub use self::{
    bearer::Bearer,
    caller::{Caller, Denied},
    need::{Grant, Need, Needs, Touches},
    permission::{Permission, Permissions},
    principals::{BadEntry, Entry, Principals, TokenHash, Unauthenticated},
};

/// What can be admitted: it knows what it needs.
pub trait Admissible {
    /// All that the caller must have been granted.
    fn needs(&self) -> Needs<'_>;

    /// The version of the purpose registry that the caller was built for; 0 if not known.
    fn schema_version(&self) -> u32 {
        0
    }

    /// The revision that the answer must have reached; 0 for none.
    fn min_revision(&self) -> Revision {
        0
    }
}

/// Something that passed admission, with the one who asked for it. Only [`admit`] makes one, so that a skipped stage does
/// not compile.
#[derive(Debug)]
pub struct Admitted<T> {
    principal: Principal,
    what: T,
}

/// Lets a caller's wish through, if the caller may have it.
///
/// # Errors
/// [`Denied`] where the caller lacks a permission.
pub fn admit<T: Admissible>(caller: &Caller, what: T) -> Result<Admitted<T>, Denied> {
    caller.may(&what.needs())?;
    let principal = caller.principal().clone();
    Ok(Admitted { principal, what })
}

impl<T> Admitted<T> {
    /// What was admitted.
    pub fn what(&self) -> &T {
        &self.what
    }

    /// Who asked, and for what.
    pub fn into_parts(self) -> (Principal, T) {
        (self.principal, self.what)
    }
}

impl<T: Admissible> Admitted<T> {
    /// The gate: whether the state has come as far as the caller demands. A state that lags behind refuses what a later
    /// one lets through, so a refusal only counts on a state that a read has brought up to date; `apply` judges again,
    /// because the log may have moved.
    ///
    /// # Errors
    /// `SCHEMA_UNKNOWN` and `REVISION_AHEAD`.
    pub fn gate(&self, state: &State) -> Result<(), Refusal> {
        state.registry().check_schema(self.what.schema_version())?;
        let (asked, reached) = (self.what.min_revision(), state.revision());
        if asked > reached {
            return Err(Refusal::RevisionAhead { asked, reached });
        }
        Ok(())
    }
}

impl Admissible for Body {
    fn needs(&self) -> Needs<'_> {
        match self {
            Self::SetPreference(set) => {
                let permission = match set.change {
                    Change::OptOut => Permission::OptOut,
                    Change::OptIn => Permission::OptIn,
                };
                Needs::for_each(permission, &set.namespace, &set.purposes)
            }
            Self::ImportChunk(chunk) => {
                Needs::for_each(Permission::Import, &chunk.namespace, purposes_of(chunk))
            }
            // A purpose is every namespace's.
            Self::PutPurpose(put) => Needs::one(Need {
                purpose: Touches::One(&put.purpose.name),
                ..Need::everywhere(Permission::Registry)
            }),
            Self::AddNamespace(add) => {
                let need = Need::within(Permission::Registry, &add.namespace, Touches::Any);
                Needs::one(need)
            }
            // The cluster's own; no call asks for them.
            Self::Create(_) | Self::RaiseFeatureLevel(_) => {
                Needs::one(Need::everywhere(Permission::Cluster))
            }
        }
    }

    fn schema_version(&self) -> u32 {
        match self {
            Self::SetPreference(set) => set.schema_version,
            Self::ImportChunk(chunk) => chunk.schema_version,
            Self::PutPurpose(_)
            | Self::AddNamespace(_)
            | Self::Create(_)
            | Self::RaiseFeatureLevel(_) => 0,
        }
    }

    fn min_revision(&self) -> Revision {
        match self {
            Self::SetPreference(set) => set.min_revision,
            Self::ImportChunk(_)
            | Self::PutPurpose(_)
            | Self::AddNamespace(_)
            | Self::Create(_)
            | Self::RaiseFeatureLevel(_) => 0,
        }
    }
}

/// The purposes of an import's rows, each once: many rows share a few.
fn purposes_of(chunk: &ImportChunk) -> HashSet<&PurposeName> {
    let rows = chunk.rows.iter();
    rows.flat_map(|row| match row {
        ImportRow::OptOut { purposes, .. } => &purposes[..],
        ImportRow::Refused => &[],
    })
    .collect()
}
