//! What a principal may do: the permissions, and sets of them.

use std::fmt;

/// What a principal may do. One a kind of call, so that an opt-in can be withheld from who may opt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Ask for decisions, preferences, tokens, and what is registered.
    Check,
    /// Opt subjects out, by a signal or a link too.
    OptOut,
    /// Opt subjects in.
    OptIn,
    /// Import opt-outs.
    Import,
    /// Follow the feed.
    Watch,
    /// Read histories, and which services ask.
    Audit,
    /// Propose, approve, revoke and list overrides.
    Override,
    /// Change purposes, namespaces and schema floors.
    Registry,
    /// Form, change and inspect the cluster.
    Cluster,
    /// Read a node's metrics.
    Metrics,
    /// Report what was processed.
    Report,
    /// Erase evidence.
    Erase,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Check,
        Self::OptOut,
        Self::OptIn,
        Self::Import,
        Self::Watch,
        Self::Audit,
        Self::Override,
        Self::Registry,
        Self::Cluster,
        Self::Metrics,
        Self::Report,
        Self::Erase,
    ];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::OptOut => "opt_out",
            Self::OptIn => "opt_in",
            Self::Import => "import",
            Self::Watch => "watch",
            Self::Audit => "audit",
            Self::Override => "override",
            Self::Registry => "registry",
            Self::Cluster => "cluster",
            Self::Metrics => "metrics",
            Self::Report => "report",
            Self::Erase => "erase",
        }
    }

    /// The permission of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u16);

impl Permissions {
    /// These alone.
    pub fn of(permissions: &[Permission]) -> Self {
        Self(permissions.iter().fold(0, |set, one| set | bit(*one)))
    }

    /// The same without one of them.
    #[must_use]
    pub fn without(self, permission: Permission) -> Self {
        Self(self.0 & !bit(permission))
    }

    /// Whether one of them is in the set.
    pub fn contain(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }
}

fn bit(permission: Permission) -> u16 {
    1 << permission as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_it_was_given() {
        let set = Permissions::of(&[Permission::Check, Permission::OptOut]);
        assert!(set.contain(Permission::Check) && set.contain(Permission::OptOut));
        assert!(!set.contain(Permission::OptIn) && !set.contain(Permission::Cluster));
        let most = Permissions::of(&Permission::ALL).without(Permission::Override);
        for permission in Permission::ALL {
            assert_eq!(
                most.contain(permission),
                permission != Permission::Override,
                "{permission}"
            );
        }
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.name()), Some(permission));
        }
        for unknown in ["", "Check", "read", "opt-out", "*"] {
            assert_eq!(Permission::parse(unknown), None, "{unknown}");
        }
    }
}
