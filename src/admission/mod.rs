//! Who may ask what: the stage that every call passes, and the only place where an [`Admitted`] is made.
//!
//! A call passes here twice: [`Principals::authenticate`] tells who calls before anything of the call is read, and
//! [`admit`] judges what was asked for once it is understood. Between the two lies the place for limits on how much a
//! principal may ask.

mod bearer;
mod body;
mod caller;
mod need;
mod permission;
mod principals;
#[cfg(test)]
mod tests;

use crate::{
    domain::{Principal, Refusal, Revision, State},
    traces,
};

pub use self::{
    bearer::Bearer,
    body::floor,
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

    /// Whether it is a step towards more ALLOW that takes two principals, and which.
    fn widens(&self) -> Option<Widening> {
        None
    }
}

/// A step towards more ALLOW. The state holds that two principals take part in it; admission, that there are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Widening {
    /// An override is proposed or approved.
    Override,
    /// A change of the registry is proposed or approved.
    Registry,
}

/// Something that passed admission, with the one who asked for it. Only [`admit`] makes one, so that a skipped stage does
/// not compile.
#[derive(Debug)]
pub struct Admitted<T> {
    principal: Principal,
    what: T,
}

/// Why something was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The caller lacks a permission.
    #[error("{0}")]
    Denied(#[from] Denied),
    /// It takes two principals, and there are not two.
    #[error("{0}")]
    Refused(#[from] Refusal),
}

/// Lets a caller's wish through, if the caller may have it.
///
/// # Errors
/// [`Denied`] where the caller lacks a permission; `OVERRIDES_OFF` where fewer than two principals may override;
/// `SECOND_PRINCIPAL_REQUIRED` where a change is proposed or approved by somebody who is known by an address alone: `local`
/// and `anonymous` may be the same person, and anybody who has a token elsewhere.
pub fn admit<T: Admissible>(caller: &Caller, what: T) -> Result<Admitted<T>, NotAdmitted> {
    let _judged = traces::step("admission").entered();
    caller.may(&what.needs())?;
    match what.widens() {
        Some(Widening::Override) if !caller.overrides_possible() => {
            return Err(Refusal::OverridesOff.into());
        }
        Some(Widening::Registry) if !caller.is_proven() => {
            return Err(Refusal::SecondPrincipalRequired.into());
        }
        Some(Widening::Override | Widening::Registry) | None => {}
    }
    let principal = caller.principal().clone();
    Ok(Admitted { principal, what })
}

/// What anybody may ask for, known or not.
pub trait Open: Admissible {}

/// Lets through what anybody may ask for.
///
/// # Errors
/// None in practice: the name that it is asked under is a good one.
pub fn admit_anybody<T: Open>(what: T) -> Result<Admitted<T>, Refusal> {
    let principal = Principal::parse("anonymous")?;
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
