//! Who calls, and what that principal may do.

use std::{fmt, net::SocketAddr};

use crate::domain::{Principal, Refusal};

/// What a principal may do. One a kind of call, so that an opt-in can be withheld from who may opt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Ask for decisions.
    Check,
    /// Read preferences and histories.
    Read,
    /// Opt subjects out.
    OptOut,
    /// Opt subjects in.
    OptIn,
    /// Import opt-outs.
    Import,
    /// Follow the feed.
    Watch,
    /// Change purposes and namespaces.
    Register,
    /// Form, change and inspect the cluster.
    Administer,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "check",
            Self::Read => "read",
            Self::OptOut => "opt_out",
            Self::OptIn => "opt_in",
            Self::Import => "import",
            Self::Watch => "watch",
            Self::Register => "register",
            Self::Administer => "administer",
        })
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    /// Every permission there is.
    pub const ALL: Self = Self(u16::MAX);

    /// These alone.
    pub fn of(permissions: &[Permission]) -> Self {
        Self(permissions.iter().fold(0, |set, one| set | bit(*one)))
    }

    /// Whether one of them is in the set.
    pub fn contain(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }
}

fn bit(permission: Permission) -> u16 {
    1 << permission as u16
}

/// Somebody who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is; goes into the events that the call makes.
    pub principal: Principal,
    /// What it may do.
    pub permissions: Permissions,
}

/// Under which name a link acts.
const LINK: &str = "link";

impl Caller {
    /// Whoever holds a signed link: may opt out, and the link says whom and of what. To be called only once the link's
    /// signature is verified.
    ///
    /// # Errors
    /// None in practice: the name is a good one.
    pub fn link() -> Result<Self, Unauthenticated> {
        Ok(Self {
            principal: Principal::parse(LINK)?,
            permissions: Permissions::of(&[Permission::OptOut]),
        })
    }
}

/// It cannot be told who calls.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// The call comes from elsewhere, and the node was not told to trust its network.
    #[error(
        "the call comes from another machine, and this node only takes calls over loopback: start it with --insecure if its network is trusted"
    )]
    Elsewhere,
    /// The principal's name cannot be taken.
    #[error("{0}")]
    Name(#[from] Refusal),
}

/// Tells who calls, by the address that the connection comes from: `local` over loopback; `anonymous` from elsewhere,
/// which needs `insecure`. Both may do everything for now.
///
/// This is the place for better proof: a client certificate or a bearer token will name the principal here, and its
/// roles the permissions. Nothing behind this function asks for more than the [`Caller`].
///
/// # Errors
/// [`Unauthenticated`] where the call comes from elsewhere and `insecure` is not set, or where the address is not known.
pub fn authenticate(remote: Option<SocketAddr>, insecure: bool) -> Result<Caller, Unauthenticated> {
    let local = remote.is_some_and(|remote| remote.ip().to_canonical().is_loopback());
    let name = match (local, insecure) {
        (true, _) => "local",
        (false, true) => "anonymous",
        (false, false) => return Err(Unauthenticated::Elsewhere),
    };
    Ok(Caller {
        principal: Principal::parse(name)?,
        permissions: Permissions::ALL,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_local_and_elsewhere_needs_a_word() {
        for local in ["127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            let caller = authenticate(local.parse().ok(), false).expect("local");
            assert_eq!(caller.principal.as_str(), "local");
        }
        let elsewhere = "192.0.2.1:9".parse().ok();
        assert_eq!(
            authenticate(elsewhere, false).err(),
            Some(Unauthenticated::Elsewhere)
        );
        let caller = authenticate(elsewhere, true).expect("insecure");
        assert_eq!(caller.principal.as_str(), "anonymous");
        assert!(authenticate(None, false).is_err());
    }

    #[test]
    fn a_set_holds_what_it_was_given() {
        let set = Permissions::of(&[Permission::Check, Permission::OptOut]);
        assert!(set.contain(Permission::Check) && set.contain(Permission::OptOut));
        assert!(!set.contain(Permission::OptIn) && !set.contain(Permission::Administer));
        assert!(Permissions::ALL.contain(Permission::Administer));
    }
}
