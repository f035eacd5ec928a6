//! Overrides: what they lift, what ends them, and which cannot be taken.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

const MINUTE: u64 = 60_000;

fn lifting(now: u64, minutes: u64) -> ProposedChange {
    ProposedChange::Override(terms(now, minutes, &["marketing"]))
}

/// A cluster whose subject 1 opted out of marketing, with an override of half an hour.
fn overridden() -> (Driven, EventId) {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["marketing"]).unwrap();
    let id = made(&driven.propose("ann", lifting(driven.now, 30)));
    made(&driven.approve("bob", id, ChangeKind::Override));
    (driven, id)
}

fn ends(driven: &Driven) -> Vec<&Event> {
    let ended = |event: &&Event| event.kind == EventKind::OverrideEnded;
    driven.events.iter().filter(ended).collect()
}

#[test]
fn two_principals_lift_an_opt_out_and_every_decision_says_so() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["marketing"]).unwrap();
    let id = made(&driven.propose("ann", lifting(driven.now, 30)));
    assert_eq!(driven.reason(&[1], "marketing.email"), Reason::OptedOut);
    let alone = driven.approve("ann", id, ChangeKind::Override);
    assert_eq!(refused(&alone), "SECOND_PRINCIPAL_REQUIRED");
    assert_eq!(driven.reason(&[1], "marketing.email"), Reason::OptedOut);

    made(&driven.approve("bob", id, ChangeKind::Override));
    let verdict = driven.verdict(&[1], "marketing.email");
    assert_eq!(verdict.decision, Decision::Allow);
    assert_eq!(
        (verdict.reason, verdict.override_id),
        (Reason::Overridden, Some(id))
    );
    let began = driven.events.last().unwrap();
    assert_eq!(began.kind, EventKind::OverrideBegan);
    assert_eq!(
        (began.principal.as_str(), began.change_id),
        ("bob", Some(id))
    );
    assert_eq!(began.proposed_by, Principal::parse("ann").ok());
    // Approved once, it cannot be approved again.
    let again = driven.approve("eve", id, ChangeKind::Override);
    assert_eq!(refused(&again), "CHANGE_UNKNOWN");
}

#[test]
fn an_override_lifts_opt_outs_within_its_scope_and_nothing_else() {
    let (mut driven, _) = overridden();
    driven.opt_out(&[1], &["sale"]).unwrap();
    driven.opt_out(&[1], &["profiling"]).unwrap();
    assert_eq!(driven.reason(&[1], "sale"), Reason::OptedOut);
    assert_eq!(driven.reason(&[2], "marketing"), Reason::DefaultAllow);
    let of = |text: &str| {
        let question = Question {
            namespace: &Namespace::default_namespace(),
            tokens: &subjects(&[1]),
            purpose: &name("marketing"),
            service: &service(text),
            schema_version: 0,
            min_revision: 0,
            at: driven.state.log_time(),
        };
        driven.state.decide(&question).unwrap().reason
    };
    assert_eq!(of("shop"), Reason::Overridden);
    assert_eq!(of("other"), Reason::OptedOut);
    assert_eq!(of(""), Reason::OptedOut);

    // A default to deny is no opt-out: what it says without the opt-out, it says with it lifted.
    let id = made(&driven.propose(
        "ann",
        ProposedChange::Override(terms(driven.now, 30, &["profiling"])),
    ));
    made(&driven.approve("bob", id, ChangeKind::Override));
    assert_eq!(driven.reason(&[1], "profiling"), Reason::DefaultDeny);
}

#[test]
fn preferences_show_what_the_person_chose_whoever_asks() {
    let (driven, _) = overridden();
    let shop = service("shop");
    let question = Question {
        namespace: &Namespace::default_namespace(),
        tokens: &subjects(&[1]),
        purpose: &name("marketing"),
        service: &shop,
        schema_version: 0,
        min_revision: 0,
        at: Millis(driven.now),
    };
    let checked = driven.state.decide(&question).unwrap();
    assert_eq!(checked.reason, Reason::Overridden);
    let found = driven.state.preferences(&question).unwrap().decisions;
    let marketing = found.iter().find(|it| it.purpose == name("marketing"));
    assert_eq!(
        marketing.map(|it| (it.decision, it.reason)),
        Some((Decision::Deny, Reason::OptedOut))
    );
    assert!(found.iter().all(|it| it.reason != Reason::Overridden));
}

#[test]
fn one_subject_alone_can_be_named() {
    let mut driven = Driven::new();
    driven.opt_out(&[1, 2], &["sale"]).unwrap();
    let id = made(&driven.propose(
        "ann",
        ProposedChange::Override(OverrideTerms {
            subject: Some(subject(1)),
            ..terms(driven.now, 30, &["sale"])
        }),
    ));
    made(&driven.approve("bob", id, ChangeKind::Override));
    assert_eq!(driven.reason(&[1], "sale"), Reason::Overridden);
    assert_eq!(driven.reason(&[2], "sale"), Reason::OptedOut);
    assert_eq!(driven.reason(&[1, 2], "sale"), Reason::OptedOut);
}

#[test]
fn it_ends_by_whichever_clock_is_first_and_no_clock_brings_it_back() {
    let (mut driven, id) = overridden();
    let ends_at = driven.now + 30 * MINUTE;
    let at = |driven: &Driven, at: u64| {
        let question = Question {
            namespace: &Namespace::default_namespace(),
            tokens: &subjects(&[1]),
            purpose: &name("marketing"),
            service: &service("shop"),
            schema_version: 0,
            min_revision: 0,
            at: Millis(at),
        };
        driven.state.decide(&question).unwrap()
    };
    assert_eq!(at(&driven, ends_at - 1).override_id, Some(id));
    assert_eq!(at(&driven, ends_at - 1).evaluated_at, Millis(ends_at - 1));
    assert_eq!(at(&driven, ends_at).reason, Reason::OptedOut);
    // A clock may be a little behind the log's time; one that is clearly behind cannot tell what has ended since.
    let log_time = driven.state.log_time().0;
    let behind = |by| at(&driven, log_time - by).override_id;
    assert_eq!(behind(limits::CLOCK_AHEAD_MS), Some(id));
    assert_eq!(behind(limits::CLOCK_AHEAD_MS + 1), None);
    assert_eq!(at(&driven, 0).reason, Reason::OptedOut);
    // The log's time has passed it: a clock that was set back does not lengthen it.
    driven.now = ends_at;
    driven.opt_out(&[9], &["sale"]).unwrap();
    assert_eq!(at(&driven, ends_at - MINUTE).reason, Reason::OptedOut);
    assert_eq!(at(&driven, 0).evaluated_at, Millis(ends_at));
    let restored = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    assert_eq!(
        decide(&restored, "default", &subjects(&[1]), "marketing")
            .unwrap()
            .reason,
        Reason::OptedOut
    );
}

#[test]
fn its_end_is_an_event_with_the_totals() {
    let (mut driven, id) = overridden();
    let report = |number, count| {
        Body::ReportUsage(ReportUsage {
            node_id: 1,
            start: 1,
            number,
            services: Vec::new(),
            lifted: vec![Lifted {
                override_id: id,
                service: service("shop"),
                count,
            }],
        })
    };
    driven.send(report(1, 5)).unwrap();
    driven.send(report(1, 5)).unwrap();
    driven.now += 30 * MINUTE;
    // A node's last minute comes in after the end.
    driven.send(report(2, 2)).unwrap();
    assert!(ends(&driven).is_empty());
    driven.now += 3 * MINUTE;
    let opted_out = driven.opt_out(&[9], &["sale"]);
    let [ended] = ends(&driven)[..] else {
        panic!("not one end")
    };
    assert_eq!(ended.change_id, Some(id));
    assert_eq!(ended.principal, Principal::cluster());
    assert_eq!(ended.detail, Detail::Lifted(vec![(service("shop"), 7)]));
    let (_, revision, changed) = told(&opted_out);
    assert_eq!((revision, changed), (ended.revision + 1, true));
    assert_eq!(driven.state.overrides().count(), 0);
    assert_eq!(driven.state.lifted_by(id).count(), 0);
}

#[test]
fn anyone_ends_one_at_once() {
    let (mut driven, id) = overridden();
    let other = driven.withdraw("eve", id, ChangeKind::Registry);
    assert_eq!(refused(&other), "CHANGE_UNKNOWN");
    made(&driven.withdraw("eve", id, ChangeKind::Override));
    assert_eq!(driven.reason(&[1], "marketing"), Reason::OptedOut);
    let revision = driven.state.revision();
    let again = driven.withdraw("eve", id, ChangeKind::Override).unwrap();
    assert!(matches!(again, Outcome::Registry { changed: false, .. }));
    assert_eq!(driven.state.revision(), revision);
    driven.now += 3 * MINUTE;
    driven.opt_out(&[9], &["sale"]).unwrap();
    assert_eq!(ends(&driven).len(), 1);
}

#[test]
fn what_waits_can_be_withdrawn_and_lapses_by_itself() {
    let mut driven = Driven::new();
    let id = made(&driven.propose("ann", lifting(driven.now, 30)));
    made(&driven.withdraw("bob", id, ChangeKind::Override));
    let gone = driven.approve("bob", id, ChangeKind::Override);
    assert_eq!(refused(&gone), "CHANGE_UNKNOWN");

    let floor = SetSchemaFloor {
        request_id: driven.next_request_id(),
        floor: SchemaFloor {
            purpose: None,
            version: 1,
        },
    };
    driven.send(Body::SetSchemaFloor(floor)).unwrap();
    let lower = ProposedChange::SchemaFloor(SchemaFloor {
        purpose: None,
        version: 0,
    });
    let id = made(&driven.propose("ann", lower.clone()));
    driven.now += DAY;
    let late = driven.approve("bob", id, ChangeKind::Registry);
    assert_eq!(refused(&late), "CHANGE_UNKNOWN");
    assert_eq!(driven.state.pending_changes(Millis(0)).count(), 0);
    let id = made(&driven.propose("ann", lower));
    assert_eq!(driven.state.pending_changes(Millis(0)).count(), 1);
    made(&driven.approve("bob", id, ChangeKind::Registry));
    assert_eq!(driven.state.schema_floor(None), 0);
}

#[test]
fn terms_that_cannot_be_taken() {
    let mut driven = Driven::new();
    let fit = terms(driven.now, 30, &["marketing"]);
    let cases: [(&str, OverrideTerms); 9] = [
        (
            "OVERRIDE_INVALID",
            OverrideTerms {
                services: Vec::new(),
                ..fit.clone()
            },
        ),
        (
            "OVERRIDE_INVALID",
            OverrideTerms {
                services: vec![service("")],
                ..fit.clone()
            },
        ),
        (
            "OVERRIDE_INVALID",
            OverrideTerms {
                services: vec![service("a"), service("a")],
                ..fit.clone()
            },
        ),
        (
            "OVERRIDE_INVALID",
            OverrideTerms {
                reason: " ".to_owned(),
                ..fit.clone()
            },
        ),
        (
            "OVERRIDE_INVALID",
            OverrideTerms {
                purposes: names(&["*"]),
                ..fit.clone()
            },
        ),
        (
            "PURPOSES_REQUIRED",
            OverrideTerms {
                purposes: Vec::new(),
                ..fit.clone()
            },
        ),
        (
            "PURPOSE_UNKNOWN",
            OverrideTerms {
                purposes: names(&["nothing"]),
                ..fit.clone()
            },
        ),
        (
            "PURPOSE_ESSENTIAL",
            OverrideTerms {
                purposes: names(&["service"]),
                ..fit.clone()
            },
        ),
        (
            "NAMESPACE_UNKNOWN",
            OverrideTerms {
                namespace: Namespace::parse("nowhere").unwrap(),
                ..fit.clone()
            },
        ),
    ];
    let before = driven.state.hash();
    for (reason, terms) in cases {
        let reply = driven.propose("ann", ProposedChange::Override(terms));
        assert_eq!(refused(&reply), reason);
    }
    assert_eq!(driven.state.hash(), before);
}

#[test]
fn no_more_wait_than_the_limit() {
    let mut driven = Driven::new();
    for minute in 0..crate::limits::PENDING_CHANGES as u64 {
        driven.now += 1;
        let change = lifting(driven.now, minute % 60 + 1);
        made(&driven.propose("ann", change));
    }
    let more = driven.propose("ann", lifting(driven.now, 30));
    assert_eq!(refused(&more), "TOO_MANY_CHANGES");
    driven.now += DAY;
    made(&driven.propose("ann", lifting(driven.now, 30)));
}
