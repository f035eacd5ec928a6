//! Who is taken for whom, and which entries are refused.

use super::{
    BadEntry, Bearer, Entry, Grant, Permission, Permissions, Principals, TokenHash, Unauthenticated,
};
use crate::{domain::Principal, limits};

fn entry(name: &str, tokens: &[&str], permissions: &[Permission]) -> Entry {
    Entry {
        name: Principal::parse(name).unwrap(),
        tokens: tokens
            .iter()
            .map(|token| TokenHash::of(token.as_bytes()))
            .collect(),
        grants: vec![Grant::unlimited(Permissions::of(permissions))],
    }
}

fn principals(entries: &[Entry]) -> Principals {
    let mut principals = Principals::default();
    for entry in entries {
        principals.add(entry.clone()).unwrap();
    }
    principals
}

const LOOPBACK: &str = "127.0.0.1:9";
const ELSEWHERE: &str = "192.0.2.1:9";

#[test]
fn without_principals_loopback_is_local_and_elsewhere_needs_a_word() {
    let nobody = Principals::default();
    let who = |remote: &str, insecure| {
        nobody.authenticate(Bearer::Missing, remote.parse().ok(), insecure)
    };
    for local in [LOOPBACK, "[::1]:9", "[::ffff:127.0.0.1]:9"] {
        let caller = who(local, false).unwrap();
        assert_eq!(caller.principal().as_str(), "local");
        for permission in Permission::ALL {
            assert_eq!(caller.holds(permission), permission != Permission::Override);
        }
    }
    assert_eq!(
        who(ELSEWHERE, false).unwrap_err(),
        Unauthenticated::Elsewhere
    );
    let caller = who(ELSEWHERE, true).unwrap();
    assert_eq!(caller.principal().as_str(), "anonymous");
    assert!(caller.holds(Permission::Cluster) && !caller.holds(Permission::Override));
    let unknown = nobody.authenticate(Bearer::Missing, None, false);
    assert!(unknown.is_err());
}

#[test]
fn with_principals_the_token_alone_counts() {
    let known = principals(&[
        entry("mailer", &["old", "new"], &[Permission::Check]),
        entry("shop", &["shop's"], &[Permission::OptOut]),
    ]);
    for (token, name) in [("old", "mailer"), ("new", "mailer"), ("shop's", "shop")] {
        let bearer = Bearer::Token(token.as_bytes());
        let caller = known.authenticate(bearer, ELSEWHERE.parse().ok(), false);
        assert_eq!(caller.unwrap().principal().as_str(), name);
    }
    // Neither loopback nor a node's word for its network stands in for a token.
    for (remote, insecure) in [(LOOPBACK, false), (LOOPBACK, true), (ELSEWHERE, true)] {
        for (bearer, why) in [
            (Bearer::Missing, Unauthenticated::TokenMissing),
            (Bearer::Unreadable, Unauthenticated::TokenUnreadable),
            (Bearer::Token(b""), Unauthenticated::TokenUnknown),
            (Bearer::Token(b"olD"), Unauthenticated::TokenUnknown),
            (Bearer::Token(b"mailer"), Unauthenticated::TokenUnknown),
        ] {
            let refused = known.authenticate(bearer, remote.parse().ok(), insecure);
            assert_eq!(refused.unwrap_err(), why);
        }
    }
}

#[test]
fn entries_that_contradict_each_other_are_refused() {
    let mut known = principals(&[entry("mailer", &["a"], &[])]);
    let too_many_tokens: Vec<String> = (0..=limits::PRINCIPAL_TOKENS)
        .map(|n| n.to_string())
        .collect();
    let too_many_tokens: Vec<&str> = too_many_tokens.iter().map(String::as_str).collect();
    let mut too_many_grants = entry("x", &["b"], &[]);
    too_many_grants.grants = vec![too_many_grants.grants[0].clone(); limits::GRANTS + 1];
    for (bad, why) in [
        (entry("mailer", &["b"], &[]), BadEntry::NameTaken),
        (entry("x", &["a"], &[]), BadEntry::TokenTaken),
        (entry("x", &["b", "b"], &[]), BadEntry::TokenTaken),
        (entry("x", &[], &[]), BadEntry::Tokens),
        (entry("x", &too_many_tokens, &[]), BadEntry::Tokens),
        (entry("local", &["b"], &[]), BadEntry::NameReserved),
        (entry("anonymous", &["b"], &[]), BadEntry::NameReserved),
        (entry("cluster", &["b"], &[]), BadEntry::NameReserved),
        (entry("link", &["b"], &[]), BadEntry::NameReserved),
        (too_many_grants, BadEntry::TooManyGrants),
    ] {
        assert_eq!(known.add(bad), Err(why));
    }
    // Nothing was left behind by what was refused.
    known.add(entry("x", &["b"], &[])).unwrap();
    for n in known.len()..limits::PRINCIPALS {
        let name = format!("p{n}");
        known.add(entry(&name, &[&name], &[])).unwrap();
    }
    let one_more = entry("y", &["y"], &[]);
    assert_eq!(known.add(one_more), Err(BadEntry::TooMany));
}

#[test]
fn overriding_takes_two_principals_that_may() {
    let may = [Permission::Override];
    let two_tokens = entry("a", &["a", "b"], &may);
    assert!(!Principals::default().overrides_possible());
    assert!(!principals(&[two_tokens.clone()]).overrides_possible());
    let other = entry("c", &["c"], &[Permission::Registry]);
    assert!(!principals(&[two_tokens.clone(), other]).overrides_possible());
    let second = entry("c", &["c"], &may);
    assert!(principals(&[two_tokens, second]).overrides_possible());
}

#[test]
fn nothing_shows_a_hash() {
    let hash = TokenHash::of(b"secret");
    assert_eq!(TokenHash::parse(&hash.to_hex()), Some(hash));
    for bad in ["", "00", &"g".repeat(64), &"0".repeat(65)] {
        assert_eq!(TokenHash::parse(bad), None);
    }
    let known = principals(&[entry("mailer", &["secret"], &[])]);
    let shown = format!("{known:?}");
    assert!(!shown.contains(&hash.to_hex()) && !shown.contains("secret"));
}
