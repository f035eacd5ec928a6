//! Who is taken for whom, and which entries are refused.

use super::{
    BadEntry, Bearer, Entry, Grant, NotAdmitted, Permission, Permissions, Principals, TokenHash,
    Unauthenticated, admit,
};
use crate::{
    domain::{
        Approve, Body, ChangeKind, EventId, Millis, Namespace, OverrideTerms, Principal, Propose,
        ProposedChange, PurposeName, Refusal, RequestId, SchemaFloor, ServiceName, SetPreference,
        Signal, Withdraw,
    },
    limits,
};

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
    assert!(!principals(std::slice::from_ref(&two_tokens)).overrides_possible());
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

fn approval(kind: ChangeKind) -> Body {
    Body::Approve(Approve {
        request_id: RequestId(uuid::Uuid::now_v7()),
        change_id: EventId(uuid::Uuid::now_v7()),
        kind,
        max_minutes: None,
        credential: None,
    })
}

fn override_of(purpose: &str) -> Body {
    Body::Propose(Propose {
        request_id: RequestId(uuid::Uuid::now_v7()),
        change: ProposedChange::Override(OverrideTerms {
            namespace: Namespace::default_namespace(),
            purposes: vec![PurposeName::parse(purpose).unwrap()],
            services: Vec::new(),
            subject: None,
            reason: "test".to_owned(),
            expires_at: Millis(0),
        }),
        max_minutes: 1,
        credential: None,
    })
}

fn proposal_of(purpose: &str) -> Body {
    Body::Propose(Propose {
        request_id: RequestId(uuid::Uuid::now_v7()),
        change: ProposedChange::SchemaFloor(SchemaFloor {
            purpose: Some(PurposeName::parse(purpose).unwrap()),
            version: 0,
        }),
        max_minutes: 0,
        credential: None,
    })
}

#[test]
fn an_override_takes_two_principals_that_may() {
    let may = [Permission::Override];
    let first = entry("a", &["a"], &may);
    let mut second = entry("b", &["b"], &may);
    second.grants[0].purposes = Some(vec![PurposeName::parse("marketing").unwrap()]);
    let registrar = entry("c", &["c"], &[Permission::Registry]);
    let alone = principals(&[first.clone(), registrar.clone()]);
    let two = principals(&[first, second, registrar]);
    let ask = |known: &Principals, token: &str, body| {
        let bearer = Bearer::Token(token.as_bytes());
        let caller = known.authenticate(bearer, None, false).unwrap();
        admit(&caller, body).map(drop)
    };
    let off = Err(NotAdmitted::Refused(Refusal::OverridesOff));
    for body in [override_of("sale"), approval(ChangeKind::Override)] {
        assert_eq!(ask(&alone, "a", body.clone()), off);
        assert_eq!(ask(&two, "a", body.clone()), Ok(()));
        // Who lacks the permission is told that first; a limited grant approves nothing, since the call names an id alone.
        for token in ["b", "c"] {
            let refused = ask(&two, token, body.clone());
            assert!(
                matches!(refused, Err(NotAdmitted::Denied(_))),
                "{refused:?}"
            );
        }
    }
    assert_eq!(ask(&two, "b", override_of("marketing.email")), Ok(()));
    // To end one is never refused for want of another principal, nor for a limit.
    let revoke = |kind| {
        Body::Withdraw(Withdraw {
            request_id: RequestId(uuid::Uuid::now_v7()),
            change_id: EventId(uuid::Uuid::now_v7()),
            kind,
        })
    };
    assert_eq!(ask(&alone, "a", revoke(ChangeKind::Override)), Ok(()));
    assert_eq!(ask(&two, "b", revoke(ChangeKind::Override)), Ok(()));
    assert!(ask(&two, "c", revoke(ChangeKind::Override)).is_err());
    assert_eq!(ask(&two, "c", approval(ChangeKind::Registry)), Ok(()));
}

#[test]
fn who_is_known_by_an_address_alone_is_neither_of_two() {
    let nobody = Principals::default();
    for remote in [LOOPBACK, ELSEWHERE] {
        let caller = nobody
            .authenticate(Bearer::Missing, remote.parse().ok(), true)
            .unwrap();
        for step in [approval(ChangeKind::Registry), proposal_of("profiling")] {
            let refused = admit(&caller, step).unwrap_err();
            assert_eq!(
                refused,
                NotAdmitted::Refused(Refusal::SecondPrincipalRequired)
            );
        }
        let refused = admit(&caller, approval(ChangeKind::Override)).unwrap_err();
        assert!(matches!(refused, NotAdmitted::Denied(_)));
    }
}

#[test]
fn a_token_is_known_again_by_any_name_and_not_by_what_is_told_of_it() {
    let credential = |name: &str, tokens: &[&str], token: &str| {
        let known = principals(&[entry(name, tokens, &[Permission::Registry])]);
        let bearer = Bearer::Token(token.as_bytes());
        known
            .authenticate(bearer, None, false)
            .unwrap()
            .credential()
    };
    let one = credential("ada", &["one", "two"], "one");
    assert_eq!(credential("grace", &["one"], "one"), one);
    assert_ne!(credential("ada", &["one", "two"], "two"), one);
    let told = hex::encode(one.unwrap().0);
    assert!(!TokenHash::of(b"one").to_hex().contains(&told));
    let nobody = Principals::default().authenticate(Bearer::Missing, LOOPBACK.parse().ok(), false);
    assert_eq!(nobody.unwrap().credential(), None);
}

#[test]
fn a_change_both_ways_takes_both_permissions() {
    let known = principals(&[
        entry("out", &["out"], &[Permission::OptOut]),
        entry("in", &["in"], &[Permission::OptIn]),
        entry("both", &["both"], &[Permission::OptOut, Permission::OptIn]),
    ]);
    let set = |opt_out: &[&str], opt_in: &[&str]| {
        let names = |names: &[&str]| {
            let parse = |name: &&str| PurposeName::parse(name).unwrap();
            names.iter().map(parse).collect()
        };
        Body::SetPreference(SetPreference {
            request_id: RequestId(uuid::Uuid::now_v7()),
            namespace: Namespace::default_namespace(),
            tokens: Vec::new(),
            opt_out: names(opt_out),
            opt_in: names(opt_in),
            signal: Signal::User,
            schema_version: 0,
            service: ServiceName::none(),
            min_revision: 0,
            if_last_revision: None,
            evidence: None,
        })
    };
    for (opt_out, opt_in, allowed) in [
        (&["sale"][..], &[][..], ["out", "both"]),
        (&[], &["sale"], ["in", "both"]),
        (&["sale"], &["marketing"], ["both", "both"]),
    ] {
        for name in ["out", "in", "both"] {
            let bearer = Bearer::Token(name.as_bytes());
            let caller = known.authenticate(bearer, None, false).unwrap();
            let admitted = admit(&caller, set(opt_out, opt_in)).is_ok();
            assert_eq!(admitted, allowed.contains(&name), "{name}");
        }
    }
}
