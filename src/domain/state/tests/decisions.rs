//! Which record decides, what a repeat is, and the way back through a subject's history.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

#[test]
fn defaults_without_records() {
    let driven = Driven::new();
    assert_eq!(driven.reason(&[1], "sale"), Reason::DefaultAllow);
    assert_eq!(driven.reason(&[1], "ai_training"), Reason::DefaultDeny);
    assert_eq!(driven.reason(&[1], "service.legal"), Reason::Essential);
    let verdict = driven.verdict(&[1], "ai_training");
    assert_eq!(verdict.decision, Decision::Deny);
    assert_eq!(verdict.event_id, None);
    assert_eq!(verdict.revision, 1);
}

#[test]
fn an_opt_out_covers_what_lies_beneath() {
    let mut driven = Driven::new();
    let (event_id, revision, changed) = told(&driven.opt_out(&[1], &["marketing"]));
    assert!(changed);
    assert_eq!(revision, 2);
    for purpose in ["marketing", "marketing.email"] {
        let verdict = driven.verdict(&[1], purpose);
        assert_eq!(verdict.decision, Decision::Deny);
        assert_eq!(verdict.reason, Reason::OptedOut);
        assert_eq!(verdict.event_id, Some(event_id));
    }
    assert_eq!(driven.reason(&[1], "sale"), Reason::DefaultAllow);
    assert_eq!(driven.reason(&[2], "marketing"), Reason::DefaultAllow);
}

#[test]
fn the_root_covers_all_but_the_essential() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["*"]).unwrap();
    assert_eq!(driven.reason(&[1], "marketing.email"), Reason::OptedOut);
    assert_eq!(driven.reason(&[1], "service.legal"), Reason::Essential);
    driven.opt_in(&[1], &["*"]).unwrap();
    assert_eq!(driven.reason(&[1], "marketing.email"), Reason::OptedIn);
    assert_eq!(driven.reason(&[1], "ai_training"), Reason::OptedIn);
}

#[test]
fn a_newer_opt_in_lifts_where_it_stands() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["marketing"]).unwrap();
    driven.opt_in(&[1], &["marketing.email"]).unwrap();
    assert_eq!(driven.reason(&[1], "marketing.email"), Reason::OptedIn);
    assert_eq!(driven.reason(&[1], "marketing.sms"), Reason::OptedOut);
    assert_eq!(driven.reason(&[1], "marketing"), Reason::OptedOut);
}

#[test]
fn an_opt_in_never_lifts_what_is_beneath_or_newer() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["marketing.email"]).unwrap();
    driven.opt_in(&[1], &["marketing"]).unwrap();
    assert_eq!(driven.reason(&[1], "marketing.email"), Reason::OptedOut);
    assert_eq!(driven.reason(&[1], "marketing.sms"), Reason::OptedIn);
    let (event_id, ..) = told(&driven.opt_out(&[1], &["*"]));
    assert_eq!(driven.reason(&[1], "marketing.sms"), Reason::OptedOut);
    assert_eq!(
        driven.verdict(&[1], "marketing.email").event_id,
        Some(event_id),
        "the newest that denies is named"
    );
}

#[test]
fn the_least_permissive_identifier_wins() {
    let mut driven = Driven::new();
    driven.opt_in(&[1], &["ai_training"]).unwrap();
    assert_eq!(driven.reason(&[1], "ai_training"), Reason::OptedIn);
    assert_eq!(driven.reason(&[1, 2], "ai_training"), Reason::DefaultDeny);
    driven.opt_in(&[1], &["sale"]).unwrap();
    assert_eq!(driven.reason(&[1, 2], "sale"), Reason::OptedIn);
    let (event_id, ..) = told(&driven.opt_out(&[2], &["sale"]));
    let verdict = driven.verdict(&[1, 2], "sale");
    assert_eq!(verdict.reason, Reason::OptedOut);
    assert_eq!(verdict.event_id, Some(event_id));
}

#[test]
fn a_repeat_adds_no_event_for_a_day() {
    let mut driven = Driven::new();
    let first = told(&driven.opt_out(&[1, 2], &["sale", "sharing"]));
    driven.now += DAY - 1;
    assert_eq!(
        told(&driven.opt_out(&[2], &["sharing"])),
        (first.0, first.1, false)
    );
    assert_eq!(driven.state.repeats(), 1);
    assert!(told(&driven.opt_out(&[2, 3], &["sharing"])).2, "3 is new");
    driven.now += 1;
    assert!(told(&driven.opt_out(&[1], &["sale"])).2, "a day has passed");
    assert_eq!(driven.state.revision(), driven.events.len() as u64);
}

#[test]
fn a_repeat_that_lifts_an_opt_in_beneath_is_an_event() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["marketing"]).unwrap();
    driven.opt_in(&[1], &["marketing.email"]).unwrap();
    assert!(told(&driven.opt_out(&[1], &["marketing"])).2);
    assert_eq!(driven.reason(&[1], "marketing.email"), Reason::OptedOut);
    assert!(!told(&driven.opt_out(&[1], &["marketing"])).2);
}

#[test]
fn an_opt_in_that_was_overruled_can_be_made_again() {
    let mut driven = Driven::new();
    driven.opt_in(&[1], &["marketing.email"]).unwrap();
    assert!(!told(&driven.opt_in(&[1], &["marketing.email"])).2);
    driven.opt_out(&[1], &["marketing"]).unwrap();
    assert!(told(&driven.opt_in(&[1], &["marketing.email"])).2);
    assert_eq!(driven.reason(&[1], "marketing.email"), Reason::OptedIn);
}

#[test]
fn history_is_a_walk_backwards() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    driven.opt_out(&[2], &["sale"]).unwrap();
    driven.opt_out(&[1, 2], &["sharing"]).unwrap();
    let namespace = Namespace::default_namespace();
    let last = |n| driven.state.last_revision(&namespace, &subject(n).token);
    assert_eq!((last(1), last(2), last(3)), (4, 4, 0));
    let event = driven.events.last().unwrap();
    let previous: Vec<_> = event.tokens.iter().map(|token| token.previous).collect();
    assert_eq!(previous, [2, 3]);
    let other = Namespace::parse("other").unwrap();
    assert_eq!(driven.state.last_revision(&other, &subject(1).token), 0);
}

#[test]
fn questions_that_have_no_answer() {
    let mut driven = Driven::empty();
    let namespace = Namespace::default_namespace();
    let ask = |driven: &Driven,
               namespace: &Namespace,
               tokens: &[SubjectToken],
               purpose,
               schema,
               revision| {
        let question = Question {
            namespace,
            tokens,
            purpose: &name(purpose),
            service: &ServiceName::none(),
            schema_version: schema,
            min_revision: revision,
            at: Millis(0),
        };
        driven.state.decide(&question).unwrap_err().reason()
    };
    let one = subjects(&[1]);
    assert_eq!(
        ask(&driven, &namespace, &one, "sale", 0, 0),
        "CLUSTER_NOT_INITIALISED"
    );
    driven.send(creation()).unwrap();
    let other = Namespace::parse("other").unwrap();
    assert_eq!(
        ask(&driven, &other, &one, "sale", 0, 0),
        "NAMESPACE_UNKNOWN"
    );
    assert_eq!(
        ask(&driven, &namespace, &[], "sale", 0, 0),
        "IDENTIFIERS_REQUIRED"
    );
    let twice = subjects(&[1, 1]);
    assert_eq!(
        ask(&driven, &namespace, &twice, "sale", 0, 0),
        "DUPLICATE_IDENTIFIER"
    );
    let many: Vec<_> = (0..17).map(subject).collect();
    assert_eq!(
        ask(&driven, &namespace, &many, "sale", 0, 0),
        "TOO_MANY_IDENTIFIERS"
    );
    assert_eq!(
        ask(&driven, &namespace, &one, "nothing", 0, 0),
        "PURPOSE_UNKNOWN"
    );
    assert_eq!(ask(&driven, &namespace, &one, "*", 0, 0), "PURPOSE_INVALID");
    assert_eq!(
        ask(&driven, &namespace, &one, "sale", 2, 0),
        "SCHEMA_UNKNOWN"
    );
    assert_eq!(
        ask(&driven, &namespace, &one, "sale", 1, 2),
        "REVISION_AHEAD"
    );
}

#[test]
fn preferences_list_records_and_decisions() {
    let mut driven = Driven::new();
    driven.opt_out(&[2, 1], &["sale", "*"]).unwrap();
    driven.opt_in(&[1], &["analytics"]).unwrap();
    let tokens = subjects(&[2, 1, 3]);
    let namespace = Namespace::default_namespace();
    let question = Question {
        namespace: &namespace,
        tokens: &tokens,
        purpose: &PurposeName::root(),
        service: &ServiceName::none(),
        schema_version: 0,
        min_revision: 0,
        at: Millis(0),
    };
    let preferences = driven.state.preferences(&question).unwrap();
    assert_eq!(preferences.last_revision, 3);
    let records: Vec<_> = preferences
        .records
        .iter()
        .map(|record| {
            (
                record.subject.token.bytes[0],
                record.purpose.as_str(),
                record.change,
            )
        })
        .collect();
    assert_eq!(
        records,
        [
            (2, "*", Change::OptOut),
            (2, "sale", Change::OptOut),
            (1, "*", Change::OptOut),
            (1, "analytics", Change::OptIn),
            (1, "sale", Change::OptOut),
        ]
    );
    assert!(
        preferences
            .decisions
            .is_sorted_by_key(|d| d.purpose.clone())
    );
    assert_eq!(preferences.decisions.len(), default_purposes().len());
    for decided in preferences.decisions {
        let verdict = driven.verdict(&[2, 1, 3], decided.purpose.as_str());
        assert_eq!(decided.decision, verdict.decision);
        assert_eq!(decided.reason, verdict.reason);
        assert_eq!(decided.event_id, verdict.event_id);
    }
}

#[test]
fn all_that_stands() {
    let mut driven = Driven::new();
    driven.opt_out(&[1, 2], &["sale", "*"]).unwrap();
    driven.opt_in(&[2], &["sale"]).unwrap();
    let standing: Vec<_> = driven.state.standing().collect();
    assert_eq!(standing.len(), 4);
    assert_eq!(standing.len() as u64, driven.state.records());
    assert_eq!(driven.state.subjects(), 2);
    let lifted = standing.iter().find(|s| s.change == Change::OptIn).unwrap();
    assert_eq!((lifted.revision, lifted.purpose.as_str()), (3, "sale"));
    assert_eq!(lifted.token, subject(2).token);
}

#[test]
fn the_longest_path_is_walked_to_its_end() {
    let mut driven = Driven::new();
    let mut text = "a".to_owned();
    driven.put(purpose(&text)).unwrap();
    for _ in 1..limits::PURPOSE_WORDS {
        text.push_str(".a");
        driven.put(purpose(&text)).unwrap();
    }
    driven.opt_out(&[1], &["*"]).unwrap();
    assert_eq!(driven.reason(&[1], &text), Reason::OptedOut);
    driven.opt_in(&[1], &["a"]).unwrap();
    assert_eq!(driven.reason(&[1], &text), Reason::OptedIn);
}
