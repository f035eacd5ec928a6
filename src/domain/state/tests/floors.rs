//! Schema floors, opt-outs and opt-ins at once, and changes that hold only for what the caller has seen.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

fn raise(driven: &mut Driven, purpose: Option<&str>, version: u32) -> Reply {
    let body = Body::SetSchemaFloor(SetSchemaFloor {
        request_id: driven.next_request_id(),
        floor: SchemaFloor {
            purpose: purpose.map(name),
            version,
        },
    });
    driven.send(body)
}

fn asked(driven: &Driven, purpose: &str, schema_version: u32) -> &'static str {
    let question = Question {
        namespace: &Namespace::default_namespace(),
        tokens: &subjects(&[1]),
        purpose: &name(purpose),
        service: &ServiceName::none(),
        schema_version,
        min_revision: 0,
        at: Millis(0),
    };
    driven
        .state
        .decide(&question)
        .map_or_else(|refusal| refusal.reason(), |_| "decided")
}

#[test]
fn a_floor_refuses_who_was_built_for_less() {
    let mut driven = Driven::new();
    assert_eq!(refused(&raise(&mut driven, None, 2)), "SCHEMA_UNKNOWN");
    assert_eq!(
        refused(&raise(&mut driven, Some("nothing"), 1)),
        "PURPOSE_UNKNOWN"
    );
    assert_eq!(
        refused(&raise(&mut driven, Some("*"), 1)),
        "PURPOSE_INVALID"
    );
    made(&raise(&mut driven, Some("marketing"), 1));
    assert_eq!(asked(&driven, "marketing.email", 0), "SCHEMA_TOO_OLD");
    assert_eq!(asked(&driven, "marketing.email", 1), "decided");
    assert_eq!(asked(&driven, "sale", 0), "decided");
    made(&raise(&mut driven, None, 1));
    assert_eq!(asked(&driven, "sale", 0), "SCHEMA_TOO_OLD");
    assert_eq!(asked(&driven, "service.legal", 0), "SCHEMA_TOO_OLD");
    let standing = raise(&mut driven, None, 1).unwrap();
    assert!(matches!(standing, Outcome::Registry { changed: false, .. }));
    assert_eq!(refused(&raise(&mut driven, None, 0)), "WIDENS_ALLOW");
    assert_eq!(driven.state.schema_needed(&name("sale")), Some(1));
}

#[test]
fn an_opt_out_is_taken_from_the_oldest_caller_and_an_opt_in_is_not() {
    let mut driven = Driven::new();
    made(&raise(&mut driven, Some("marketing"), 1));
    driven.opt_out(&[1], &["marketing.email"]).unwrap();
    assert_eq!(
        refused(&driven.opt_in(&[1], &["marketing.email"])),
        "SCHEMA_TOO_OLD"
    );
    let mut set = driven.preference(Change::OptIn, &[1], &["marketing.email"]);
    set.schema_version = 1;
    driven.send(Body::SetPreference(set)).unwrap();
}

#[test]
fn an_opt_in_is_held_to_the_floors_beneath_it_too() {
    for place in ["marketing", "*"] {
        let mut driven = Driven::new();
        made(&raise(&mut driven, Some("marketing.email"), 1));
        driven.opt_out(&[1], &["marketing.email"]).unwrap();
        // It covers `marketing.email` without naming it.
        assert_eq!(refused(&driven.opt_in(&[1], &[place])), "SCHEMA_TOO_OLD");
        driven.opt_in(&[1], &["sale"]).unwrap();
        driven.opt_in(&[1], &["marketing.sms"]).unwrap();
        let mut set = driven.preference(Change::OptIn, &[1], &[place]);
        set.schema_version = 1;
        driven.send(Body::SetPreference(set)).unwrap();
    }
}

#[test]
fn preferences_leave_out_what_the_caller_cannot_know() {
    let mut driven = Driven::new();
    made(&raise(&mut driven, Some("marketing"), 1));
    let question = Question {
        namespace: &Namespace::default_namespace(),
        tokens: &subjects(&[1]),
        purpose: &PurposeName::root(),
        service: &ServiceName::none(),
        schema_version: 0,
        min_revision: 0,
        at: Millis(0),
    };
    let found = driven.state.preferences(&question).unwrap();
    let told = |text: &str| found.decisions.iter().any(|it| it.purpose.as_str() == text);
    assert!(told("sale") && !told("marketing") && !told("marketing.email"));
}

#[test]
fn who_would_be_refused_is_known_for_a_day() {
    let mut driven = Driven::new();
    let usage = |service_name: &str, schema_version| ServiceUsage {
        service: service(service_name),
        schema_version,
        calls: 3,
        below_floor: 0,
    };
    let report = |number, services| {
        Body::ReportUsage(ReportUsage {
            node_id: 1,
            start: 1,
            number,
            services,
            lifted: Vec::new(),
        })
    };
    driven.send(report(1, vec![usage("old", 1)])).unwrap();
    driven.now += DAY + 1;
    let body = report(2, vec![usage("shop", 1), usage("shop", 2), usage("", 0)]);
    driven.send(body).unwrap();
    let below: Vec<_> = driven
        .state
        .services_below(2)
        .map(|seen| (seen.usage.service.as_str(), seen.usage.schema_version))
        .collect();
    assert_eq!(below, [("", 0), ("shop", 1)]);
    assert_eq!(driven.state.services().count(), 4);
}

#[test]
fn out_of_some_and_in_to_others_is_one_event_or_none() {
    let mut driven = Driven::new();
    let (_, revision, changed) = told(&driven.both(&[1], &["sale"], &["analytics"]));
    assert!(changed);
    let event = driven.events.last().unwrap();
    assert_eq!(
        (event.kind, event.revision),
        (EventKind::Preferences, revision)
    );
    assert!(event.evidence_sha256.is_some());
    assert_eq!(driven.reason(&[1], "sale"), Reason::OptedOut);
    assert_eq!(driven.reason(&[1], "analytics"), Reason::OptedIn);
    let again = driven.both(&[1], &["sale"], &["analytics"]);
    assert_eq!(told(&again).1, revision);

    let mut set = driven.preference(Change::OptIn, &[1], &["analytics"]);
    set.opt_out = names(&["marketing"]);
    set.evidence = None;
    assert_eq!(
        refused(&driven.send(Body::SetPreference(set))),
        "EVIDENCE_REQUIRED"
    );
    assert_eq!(driven.reason(&[1], "marketing"), Reason::DefaultAllow);
    let twice = driven.both(&[1], &["sale"], &["sale"]);
    assert_eq!(refused(&twice), "DUPLICATE_PURPOSE");
}

#[test]
fn a_change_can_hold_only_for_what_was_seen() {
    let mut driven = Driven::new();
    let mut first = driven.preference(Change::OptOut, &[1], &["sale"]);
    first.if_last_revision = Some(1);
    assert_eq!(
        refused(&driven.send(Body::SetPreference(first.clone()))),
        "SUBJECT_CHANGED"
    );
    first.if_last_revision = Some(0);
    let (_, revision, _) = told(&driven.send(Body::SetPreference(first.clone())));
    // A retry has its answer, though the subject has changed since: by itself.
    assert_eq!(told(&driven.send(Body::SetPreference(first))).1, revision);
    let mut second = driven.preference(Change::OptOut, &[1], &["sharing"]);
    second.if_last_revision = Some(0);
    assert_eq!(
        refused(&driven.send(Body::SetPreference(second.clone()))),
        "SUBJECT_CHANGED"
    );
    second.if_last_revision = Some(revision);
    driven.send(Body::SetPreference(second)).unwrap();
}

#[test]
fn keys_for_stamps_overlap_and_go() {
    let mut driven = Driven::new();
    let add = |node_id, byte| {
        Body::AddStampKey(AddStampKey {
            node_id,
            public_key: [byte; 32],
        })
    };
    made(&driven.send(add(1, 1)));
    let again = driven.send(add(1, 1)).unwrap();
    assert!(matches!(again, Outcome::Registry { changed: false, .. }));
    assert_eq!(refused(&driven.send(add(2, 1))), "STAMP_KEY_INVALID");
    driven.now += DAY;
    made(&driven.send(add(1, 2)));
    made(&driven.send(add(2, 3)));
    let retired = driven.now + 20 * 60_000;
    let until = |driven: &Driven| -> Vec<_> {
        let keys = driven.state.stamp_keys().iter();
        keys.map(|key| (key.public_key[0], key.accepted_until))
            .collect()
    };
    assert_eq!(
        until(&driven),
        [(1, Some(Millis(retired))), (2, None), (3, None)]
    );
    assert_eq!(refused(&driven.send(add(1, 1))), "STAMP_KEY_INVALID");
    driven.now = retired;
    made(&driven.send(Body::RetireStampKeys(RetireStampKeys { node_id: 2 })));
    let over = retired + 20 * 60_000;
    // What was done under its stamps can be judged for two weeks.
    let first = (1, Some(Millis(retired)));
    assert_eq!(until(&driven), [first, (2, None), (3, Some(Millis(over)))]);
    driven.now = retired + limits::STAMP_KEYS_KEPT_MS;
    made(&driven.send(add(2, 4)));
    assert_eq!(
        until(&driven),
        [(2, None), (3, Some(Millis(over))), (4, None)]
    );
}
