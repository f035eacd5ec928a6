//! What a call needs, and what a grant gives: a permission, in a namespace, for a purpose.

use std::collections::BTreeSet;

use super::permission::{Permission, Permissions};
use crate::domain::{Namespace, PurposeName};

/// How much of the namespaces, or of the purposes, a call touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches<T> {
    /// None in particular: a grant for any will do.
    Any,
    /// This one.
    One(T),
    /// All there are, or it cannot be told beforehand which: only a grant without a limit will do.
    All,
}

/// One thing that a call needs: a single grant must give all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need<'a> {
    /// The permission.
    pub permission: Permission,
    /// Where.
    pub namespace: Touches<&'a Namespace>,
    /// For what; a grant for a purpose holds for what lies under it.
    pub purpose: Touches<&'a PurposeName>,
}

impl<'a> Need<'a> {
    /// The permission, wherever and for whatever it was granted.
    pub fn anywhere(permission: Permission) -> Self {
        Self {
            permission,
            namespace: Touches::Any,
            purpose: Touches::Any,
        }
    }

    /// The permission without any limit.
    pub fn everywhere(permission: Permission) -> Self {
        Self {
            permission,
            namespace: Touches::All,
            purpose: Touches::All,
        }
    }

    /// The permission within a namespace.
    pub fn within(
        permission: Permission,
        namespace: &'a Namespace,
        purpose: Touches<&'a PurposeName>,
    ) -> Self {
        Self {
            permission,
            namespace: Touches::One(namespace),
            purpose,
        }
    }
}

/// All that a call needs: at least one thing, so that nothing can be asked for without a permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs<'a> {
    first: Need<'a>,
    rest: Vec<Need<'a>>,
}

impl<'a> Needs<'a> {
    /// This at least.
    pub fn one(first: Need<'a>) -> Self {
        let rest = Vec::new();
        Self { first, rest }
    }

    /// And these besides.
    #[must_use]
    pub fn and(mut self, more: impl IntoIterator<Item = Need<'a>>) -> Self {
        self.rest.extend(more);
        self
    }

    /// A permission within a namespace, for each of some purposes; where there is none among them, for any.
    pub fn for_each(
        permission: Permission,
        namespace: &'a Namespace,
        purposes: impl IntoIterator<Item = &'a PurposeName>,
    ) -> Self {
        let need = |purpose| Need::within(permission, namespace, purpose);
        let mut needs = purposes
            .into_iter()
            .map(|purpose| need(Touches::One(purpose)));
        let first = needs.next().unwrap_or_else(|| need(Touches::Any));
        Self::one(first).and(needs)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Need<'a>> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

/// What a principal was given: permissions, and how far they reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The permissions.
    pub permissions: Permissions,
    /// The namespaces in which they hold; `None` for all.
    pub namespaces: Option<Vec<Namespace>>,
    /// The purposes for which they hold, each with what lies under it; `None` for all.
    pub purposes: Option<Vec<PurposeName>>,
}

impl Grant {
    /// What it gives, in one way of writing.
    pub(super) fn canonical(&self) -> String {
        fn all<T: ToString>(some: Option<&[T]>) -> String {
            some.map_or("*".to_owned(), |some| {
                let names: BTreeSet<String> = some.iter().map(ToString::to_string).collect();
                names.into_iter().collect::<Vec<_>>().join(",")
            })
        }
        let permissions: Vec<&str> = Permission::ALL
            .into_iter()
            .filter(|one| self.permissions.contain(*one))
            .map(Permission::name)
            .collect();
        let (namespaces, purposes) = (self.namespaces.as_deref(), self.purposes.as_deref());
        format!(
            "{} {} {}",
            permissions.join(","),
            all(namespaces),
            all(purposes)
        )
    }

    /// Permissions without a limit.
    pub fn unlimited(permissions: Permissions) -> Self {
        Self {
            permissions,
            namespaces: None,
            purposes: None,
        }
    }

    /// Whether this grant gives all of a need.
    pub fn covers(&self, need: &Need<'_>) -> bool {
        let (namespaces, purposes) = (self.namespaces.as_ref(), self.purposes.as_ref());
        let namespace = match need.namespace {
            Touches::Any => true,
            Touches::One(asked) => namespaces.is_none_or(|granted| granted.contains(asked)),
            Touches::All => namespaces.is_none(),
        };
        let purpose = match need.purpose {
            Touches::Any => true,
            Touches::One(asked) => {
                purposes.is_none_or(|granted| granted.iter().any(|one| asked.is_within(one)))
            }
            Touches::All => purposes.is_none_or(|granted| granted.iter().any(PurposeName::is_root)),
        };
        self.permissions.contain(need.permission) && namespace && purpose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(name: &str) -> Namespace {
        Namespace::parse(name).unwrap()
    }

    fn purpose(name: &str) -> PurposeName {
        PurposeName::parse(name).unwrap()
    }

    fn grant(namespaces: Option<&[&str]>, purposes: Option<&[&str]>) -> Grant {
        Grant {
            permissions: Permissions::of(&[Permission::OptOut]),
            namespaces: namespaces.map(|names| names.iter().map(|name| namespace(name)).collect()),
            purposes: purposes.map(|names| names.iter().map(|name| purpose(name)).collect()),
        }
    }

    #[test]
    fn a_grant_reaches_as_far_as_it_says() {
        let (ours, theirs) = (namespace("ours"), namespace("theirs"));
        let asked = |at, name: Option<&str>| {
            let purpose = name.map(purpose);
            move |grant: &Grant| {
                let purpose = purpose.as_ref().map_or(Touches::All, Touches::One);
                grant.covers(&Need::within(Permission::OptOut, at, purpose))
            }
        };
        let everything = grant(None, None);
        let marketing = grant(Some(&["ours"]), Some(&["marketing"]));
        let root = grant(None, Some(&["*"]));
        let nothing = grant(Some(&[]), Some(&[]));
        for (need, [all, some, rooted]) in [
            (asked(&ours, Some("marketing")), [true, true, true]),
            (asked(&ours, Some("marketing.email")), [true, true, true]),
            (asked(&theirs, Some("marketing")), [true, false, true]),
            (asked(&ours, Some("sale")), [true, false, true]),
            (asked(&ours, Some("marketing2")), [true, false, true]),
            // Above what was granted: `*` takes a grant for all.
            (asked(&ours, Some("*")), [true, false, true]),
            (asked(&ours, None), [true, false, true]),
        ] {
            assert_eq!(need(&everything), all);
            assert_eq!(need(&marketing), some);
            assert_eq!(need(&root), rooted);
            assert!(!need(&nothing));
        }
    }

    #[test]
    fn what_touches_everything_needs_no_limit_and_what_touches_nothing_any_grant() {
        let limited = grant(Some(&["ours"]), None);
        assert!(!limited.covers(&Need::everywhere(Permission::OptOut)));
        assert!(limited.covers(&Need::anywhere(Permission::OptOut)));
        assert!(!limited.covers(&Need::anywhere(Permission::OptIn)));
        assert!(grant(None, None).covers(&Need::everywhere(Permission::OptOut)));
    }

    #[test]
    fn needs_are_never_none() {
        let ours = namespace("ours");
        let none = Needs::for_each(Permission::Import, &ours, []);
        assert_eq!(none.iter().count(), 1);
        let (a, b) = (purpose("a"), purpose("b"));
        let two = Needs::for_each(Permission::Import, &ours, [&a, &b]);
        assert_eq!(two.iter().count(), 2);
    }
}
