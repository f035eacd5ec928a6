//! Somebody who calls, and whether that one may have what a call needs.

use std::sync::Arc;

use super::{
    need::{Grant, Need, Needs, Touches},
    permission::{Permission, Permissions},
};
use crate::domain::{Credential, Principal, Refusal};

/// Somebody who calls: made by [`Principals::authenticate`](super::Principals::authenticate).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    principal: Principal,
    grants: Arc<[Grant]>,
    standing: Standing,
    credential: Option<Credential>,
}

/// How well a caller is known, which counts where a change takes two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// By the address that the call comes from, alone.
    Address,
    /// By its token, on a node where fewer than two principals may override.
    Token,
    /// By its token, on a node where two may.
    TokenOfTwo,
}

impl Caller {
    pub(super) fn new(
        principal: Principal,
        grants: impl Into<Arc<[Grant]>>,
        standing: Standing,
    ) -> Self {
        Self {
            principal,
            grants: grants.into(),
            standing,
            credential: None,
        }
    }

    pub(super) fn proven_by(self, credential: Credential) -> Self {
        let credential = Some(credential);
        Self { credential, ..self }
    }

    pub(super) fn standing(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// Whether it has proven who it is.
    pub fn is_proven(&self) -> bool {
        self.standing != Standing::Address
    }

    /// What it has proven itself by, to be told apart from others by; none where it is known by an address alone.
    pub fn credential(&self) -> Option<Credential> {
        self.credential
    }

    /// Whether the node that it calls knows two principals that may override.
    pub fn overrides_possible(&self) -> bool {
        self.standing == Standing::TokenOfTwo
    }

    /// Who it is; goes into the events that the call makes.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether it holds a permission, for anything anywhere.
    pub fn holds(&self, permission: Permission) -> bool {
        self.covered(&Need::anywhere(permission))
    }

    /// Whether it may have all that a call needs.
    ///
    /// # Errors
    /// [`Denied`], with the first thing that is missing.
    pub fn may(&self, needs: &Needs<'_>) -> Result<(), Denied> {
        match needs.iter().find(|need| !self.covered(need)) {
            None => Ok(()),
            Some(missing) => Err(Denied::of(self.principal.clone(), missing)),
        }
    }

    /// What it was given.
    pub(super) fn grants(&self) -> &[Grant] {
        &self.grants
    }

    fn covered(&self, need: &Need<'_>) -> bool {
        self.grants.iter().any(|grant| grant.covers(need))
    }
}

/// Under which name a link acts.
const LINK: &str = "link";

impl Caller {
    /// Whoever holds a signed link: may opt out, and the link says whom and of what. To be called only once the link's
    /// signature is verified.
    ///
    /// # Errors
    /// None in practice: the name is a good one.
    pub fn link() -> Result<Self, Refusal> {
        let principal = Principal::parse(LINK)?;
        let grant = Grant::unlimited(Permissions::of(&[Permission::OptOut]));
        Ok(Self::new(principal, [grant], Standing::Address))
    }
}

/// The caller lacks a permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{principal}` lacks the permission `{permission}`{reach}: ask those who run the cluster for it"
)]
pub struct Denied {
    /// Who called.
    pub principal: Principal,
    /// What is missing.
    pub permission: Permission,
    /// Where and for what it is missing, in words; empty for anywhere and anything.
    pub reach: String,
}

impl Denied {
    /// Names what is missing.
    pub fn of(principal: Principal, missing: &Need<'_>) -> Self {
        let namespace = match missing.namespace {
            Touches::Any => String::new(),
            Touches::One(name) => format!(" in the namespace `{name}`"),
            Touches::All => " in all namespaces".to_owned(),
        };
        let purpose = match missing.purpose {
            Touches::Any => String::new(),
            Touches::One(name) if !name.is_root() => format!(" for `{name}`"),
            Touches::One(_) | Touches::All => " for all purposes".to_owned(),
        };
        Self {
            principal,
            permission: missing.permission,
            reach: purpose + &namespace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        admission::Permissions,
        domain::{Namespace, PurposeName},
    };

    fn grant(permission: Permission, purpose: &str) -> Grant {
        Grant {
            permissions: Permissions::of(&[permission]),
            namespaces: Some(vec![Namespace::default_namespace()]),
            purposes: Some(vec![PurposeName::parse(purpose).unwrap()]),
        }
    }

    #[test]
    fn each_need_takes_one_grant_and_the_missing_one_is_named() {
        let mailer = Principal::parse("mailer").unwrap();
        let grants = [
            grant(Permission::OptOut, "marketing"),
            grant(Permission::OptOut, "sale"),
            grant(Permission::OptIn, "analytics"),
        ];
        let caller = Caller::new(mailer, grants, Standing::Token);
        let namespace = Namespace::default_namespace();
        let names = |all: &[&str]| -> Vec<PurposeName> {
            all.iter()
                .map(|one| PurposeName::parse(one).unwrap())
                .collect()
        };
        let may = |permission, purposes: &[&str]| {
            let purposes = names(purposes);
            caller.may(&Needs::for_each(permission, &namespace, &purposes))
        };
        // Two grants give one each.
        assert_eq!(
            may(Permission::OptOut, &["marketing.email", "sale"]),
            Ok(())
        );
        // What one grant allows for one purpose is not allowed for another's.
        let denied = may(Permission::OptOut, &["sale", "analytics"]).unwrap_err();
        assert_eq!(
            denied.to_string(),
            "`mailer` lacks the permission `opt_out` for `analytics` in the namespace `default`: ask those who run the cluster for it"
        );
        let denied = may(Permission::OptOut, &["*"]).unwrap_err();
        assert_eq!(denied.reach, " for all purposes in the namespace `default`");
        let everywhere = caller.may(&Needs::one(Need::everywhere(Permission::Cluster)));
        assert_eq!(
            everywhere.unwrap_err().reach,
            " for all purposes in all namespaces"
        );
        assert!(caller.holds(Permission::OptIn) && !caller.holds(Permission::Check));
    }
}
