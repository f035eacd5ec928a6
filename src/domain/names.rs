//! The names that callers choose: namespaces, purposes, types of identifiers, services, principals.

use std::{fmt, sync::Arc};

use super::refusal::Refusal;
use crate::{limits, purpose_tree};

/// The name of the namespace that every cluster has.
const DEFAULT_NAMESPACE: &str = "default";

/// The namespace of synthetic changes that test the cluster.
const PROBE_NAMESPACE: &str = "refrain-probe";

/// The root of all purposes that are not essential.
const ROOT: &str = "*";

/// Declares a name: shared text that was checked once, when it was parsed.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = Refusal;

            fn from_str(text: &str) -> Result<Self, Refusal> {
                Self::parse(text)
            }
        }
    };
}

name! {
    /// A tenant, controller or brand: 1 to 64 characters of `a-z 0-9 _ -`, a letter or a digit first.
    Namespace
}

name! {
    /// What the data would be used for: 1 to 8 dotted words of `a-z 0-9 _`, each with a letter first, at most
    /// 128 bytes; or `*`, the root of all that are not essential.
    PurposeName
}

name! {
    /// What kind an identifier is, such as `email`: 1 to 32 characters of `a-z 0-9 _`, a letter first.
    IdentifierType
}

name! {
    /// Who calls: 1 to 128 visible ASCII characters.
    Principal
}

name! {
    /// The service that asks: up to 128 characters of `a-z A-Z 0-9 . _ -`; empty for one that named none.
    ServiceName
}

impl Namespace {
    /// Checks a namespace's name.
    ///
    /// # Errors
    /// `NAMESPACE_INVALID`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let bytes = text.as_bytes();
        let fits = bytes.len() <= limits::NAMESPACE_BYTES
            && bytes
                .first()
                .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && bytes.iter().all(|b| is_word_byte(*b) || *b == b'-');
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(Refusal::NamespaceInvalid)
        }
    }

    /// The namespace that is meant where none is named: `default`.
    pub fn default_namespace() -> Self {
        Self(DEFAULT_NAMESPACE.into())
    }

    /// The namespace that is kept for rehearsals: what is done there counts against nobody.
    pub fn probe() -> Self {
        Self(PROBE_NAMESPACE.into())
    }

    /// Whether it is the one for rehearsals.
    pub fn is_probe(&self) -> bool {
        self.as_str() == PROBE_NAMESPACE
    }
}

impl PurposeName {
    /// Checks a purpose's name. `*` passes; see [`PurposeName::is_root`].
    ///
    /// # Errors
    /// `PURPOSE_INVALID`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = text == ROOT
            || (text.len() <= limits::PURPOSE_BYTES
                && text.split('.').count() <= limits::PURPOSE_WORDS
                && text.split('.').all(is_word));
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(Refusal::PurposeInvalid {
                why: "a name is 1 to 8 dotted words of `a-z 0-9 _`, each with a letter first, at most 128 bytes",
            })
        }
    }

    /// `*`, the root of all purposes that are not essential.
    pub fn root() -> Self {
        Self(ROOT.into())
    }

    /// Whether this is `*`.
    pub fn is_root(&self) -> bool {
        &*self.0 == ROOT
    }

    /// The name before the last dot, where there is a dot.
    pub fn parent(&self) -> Option<&str> {
        purpose_tree::parent(&self.0)
    }

    /// Whether this is `other` or lies beneath it. `*` covers every name.
    pub fn is_within(&self, other: &Self) -> bool {
        other.is_root() || purpose_tree::is_within(&self.0, &other.0)
    }
}

impl IdentifierType {
    /// Checks a type of identifier.
    ///
    /// # Errors
    /// `IDENTIFIER_INVALID`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() <= limits::IDENTIFIER_TYPE_BYTES && is_word(text) {
            Ok(Self(text.into()))
        } else {
            Err(Refusal::IdentifierInvalid {
                why: "its type is 1 to 32 characters of `a-z 0-9 _`, a letter first",
            })
        }
    }
}

impl ServiceName {
    /// Checks a service's name.
    ///
    /// # Errors
    /// `SERVICE_INVALID`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = text.len() <= limits::SERVICE_BYTES
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(Refusal::ServiceInvalid)
        }
    }

    /// A caller that named no service.
    pub fn none() -> Self {
        Self("".into())
    }

    /// Whether the caller named no service.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

/// Names of principals that Refrain gives by itself. None is proof of who called.
const RESERVED: [&str; 4] = ["local", "anonymous", "cluster", "link"];

impl Principal {
    /// Whether Refrain gives this name by itself, to somebody who has not proven to be anybody, so that in the name of a
    /// configured principal it would lie.
    pub fn is_reserved(&self) -> bool {
        RESERVED.contains(&self.as_str())
    }

    /// The cluster itself, for what it does without being asked.
    pub fn cluster() -> Self {
        Self("cluster".into())
    }

    /// Checks a principal's name.
    ///
    /// # Errors
    /// `PRINCIPAL_INVALID`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = (1..=limits::PRINCIPAL_BYTES).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic());
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(Refusal::PrincipalInvalid)
        }
    }
}

fn is_word_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'
}

fn is_word(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_lowercase()) && text.bytes().all(is_word_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces() {
        for good in ["default", "a", "9-lives", "a_b-c", &"n".repeat(64)] {
            assert!(Namespace::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a.b", "a b", "ä", &"n".repeat(65)] {
            assert!(Namespace::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Namespace::default_namespace().as_str(), "default");
    }

    #[test]
    fn purposes() {
        for good in ["*", "a", "marketing.email", "a.b.c.d.e.f.g.h", "a_1.b_2"] {
            assert!(PurposeName::parse(good).is_ok(), "{good}");
        }
        let long = format!("a{}", "x".repeat(128));
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "*.a",
            "a.*",
            "A",
            "1a",
            "a.b.c.d.e.f.g.h.i",
            &long,
        ] {
            assert!(PurposeName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn within() {
        let name = |text| PurposeName::parse(text).unwrap();
        assert!(name("marketing.email").is_within(&name("marketing")));
        assert!(name("marketing").is_within(&name("marketing")));
        assert!(name("marketing").is_within(&name("*")));
        assert!(!name("marketing").is_within(&name("marketing.email")));
        assert!(!name("marketing2").is_within(&name("marketing")));
        assert_eq!(name("a.b.c").parent(), Some("a.b"));
        assert_eq!(name("a").parent(), None);
    }

    #[test]
    fn types_and_principals() {
        assert!(IdentifierType::parse("email").is_ok());
        assert!(IdentifierType::parse("E").is_err());
        assert!(IdentifierType::parse(&"a".repeat(33)).is_err());
        assert!(Principal::parse("spiffe://a.example/mailer").is_ok());
        assert!(Principal::parse("").is_err());
        assert!(Principal::parse("a b").is_err());
        assert_eq!(
            Principal::parse(Principal::cluster().as_str()),
            Ok(Principal::cluster())
        );
    }

    #[test]
    fn services() {
        for good in ["", "newsletter", "A.b_c-9", &"s".repeat(128)] {
            assert!(ServiceName::parse(good).is_ok(), "{good}");
        }
        for bad in ["a b", "a/b", "ä", &"s".repeat(129)] {
            assert!(ServiceName::parse(bad).is_err(), "{bad}");
        }
        assert!(ServiceName::none().is_none());
    }
}
