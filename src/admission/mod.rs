//! Who may ask what: the stage that every call passes, and the only place where an [`Admitted`] is made.

mod caller;

use crate::domain::{Body, Principal, Refusal, Revision, State};

pub use self::caller::{Caller, Permission, Permissions, Unauthenticated, authenticate};

/// What can be admitted: it knows what it needs.
pub trait Admissible {
    /// The permission that the caller must hold.
    fn permission(&self) -> Permission;

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

/// The caller lacks a permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{principal}` lacks the permission `{permission}`: ask those who run the cluster for it")]
pub struct Denied {
    /// Who called.
    pub principal: Principal,
    /// What is missing.
    pub permission: Permission,
}

/// Lets a caller's wish through, if the caller may have it.
///
/// # Errors
/// [`Denied`] where the caller lacks the permission.
pub fn admit<T: Admissible>(caller: &Caller, what: T) -> Result<Admitted<T>, Denied> {
    let permission = what.permission();
    let principal = caller.principal.clone();
    if caller.permissions.contain(permission) {
        Ok(Admitted { principal, what })
    } else {
        Err(Denied {
            principal,
            permission,
        })
    }
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

impl Admissible for Body {
    fn permission(&self) -> Permission {
        match self {
            Self::SetPreference(set) if set.opt_in.is_empty() => Permission::OptOut,
            Self::SetPreference(_) => Permission::OptIn,
            Self::ReportSignal(_) => Permission::OptOut,
            Self::ImportChunk(_) => Permission::Import,
            Self::PutPurpose(_)
            | Self::AddNamespace(_)
            | Self::ConfigureNamespace(_)
            | Self::SetSchemaFloor(_)
            | Self::Propose(_)
            | Self::Approve(_)
            | Self::Withdraw(_) => Permission::Register,
            Self::Create(_)
            | Self::AddStampKey(_)
            | Self::RetireStampKeys(_)
            | Self::ReportUsage(_)
            | Self::RaiseFeatureLevel(_) => Permission::Administer,
        }
    }

    fn schema_version(&self) -> u32 {
        match self {
            Self::SetPreference(set) => set.schema_version,
            Self::ReportSignal(report) => report.schema_version,
            Self::ImportChunk(chunk) => chunk.schema_version,
            _ => 0,
        }
    }

    fn min_revision(&self) -> Revision {
        match self {
            Self::SetPreference(set) => set.min_revision,
            _ => 0,
        }
    }
}
