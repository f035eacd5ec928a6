//! Reports, judged by what stood when it was processed.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

fn processed(at: u64, proof: Proof) -> Processed {
    Processed {
        namespace: Namespace::default_namespace(),
        tokens: subjects(&[1]),
        purpose: name("sale"),
        service: service("shop"),
        schema_version: 1,
        at: Millis(at),
        proof,
    }
}

/// An answer as of a revision, at a time.
fn as_of(revision: Revision, at: u64) -> Answered {
    Answered {
        revision,
        at: Millis(at),
    }
}

fn judge(driven: &Driven, report: &Processed) -> Judged {
    match driven.state.judge(report, None).unwrap() {
        Judged::NeedsHistory => {
            let of = |event: &&Event| {
                let mut tokens = event.tokens.iter().map(|it| it.subject.token);
                tokens.any(|token| report.tokens.iter().any(|it| it.token == token))
            };
            let history: Vec<Event> = driven.events.iter().filter(of).cloned().collect();
            driven.state.judge(report, Some(&history)).unwrap()
        }
        judged => judged,
    }
}

fn kind(driven: &Driven, at: u64, proof: Proof) -> Option<ViolationKind> {
    match judge(driven, &processed(at, proof)) {
        Judged::Right => None,
        Judged::Violation { kind, .. } => Some(kind),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_asked_for_before_an_opt_out_is_right() {
    let mut driven = Driven::new();
    driven.now += MINUTE;
    let asked = allowed(&driven);
    assert_eq!(kind(&driven, driven.now, asked), None);
    assert_eq!(
        kind(&driven, driven.now, Proof::Stamped(as_of(1, driven.now))),
        None
    );
    assert_eq!(
        kind(&driven, driven.now, Proof::None),
        Some(ViolationKind::NoCheck)
    );
    assert_eq!(
        kind(&driven, driven.now, Proof::False),
        Some(ViolationKind::FalseProof)
    );
    // Asked when it was done already.
    let later = Proof::Decided(as_of(1, driven.now + limits::PROCESSED_GRACE_MS + 1));
    assert_eq!(
        kind(&driven, driven.now, later),
        Some(ViolationKind::NoCheck)
    );
}

#[test]
fn an_opt_out_counts_from_a_moment_after_it_was_received() {
    let mut driven = Driven::new();
    driven.now += MINUTE;
    let asked = allowed(&driven);
    let stamped = Proof::Stamped(answered(&driven));
    driven.now += SECOND;
    let (opt_out, ..) = told(&driven.opt_out(&[1], &["sale"]));
    let counts = driven.now + limits::PROCESSED_GRACE_MS;
    assert_eq!(kind(&driven, counts - 1, asked), None);
    assert_eq!(
        kind(&driven, counts, asked),
        Some(ViolationKind::AfterOptOut)
    );
    assert_eq!(
        kind(&driven, counts, stamped),
        Some(ViolationKind::StaleStamp)
    );
    // That it was not even asked for is the lesser evil.
    assert_eq!(
        kind(&driven, counts, Proof::None),
        Some(ViolationKind::AfterOptOut)
    );
    let judged = judge(&driven, &processed(counts, asked));
    let Judged::Violation { opt_out: stood, .. } = judged else {
        panic!("{judged:?}")
    };
    assert_eq!(stood, Some(opt_out));
}

#[test]
fn what_came_after_does_not_count_for_what_was_before() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    let out = driven.now;
    driven.now += 10 * MINUTE;
    driven.opt_in(&[1], &["sale"]).unwrap();
    let back = driven.now;
    driven.now += 10 * MINUTE;
    driven.opt_out(&[1], &["*"]).unwrap();
    let again = driven.now;
    driven.now += DAY + MINUTE;
    // The record that stands says nothing of the one before it.
    driven.opt_out(&[1], &["*"]).unwrap();
    let at = |time| kind(&driven, time, Proof::Decided(as_of(1, time)));
    assert_eq!(at(out - MINUTE), None);
    assert_eq!(at(out + MINUTE), Some(ViolationKind::AfterOptOut));
    assert_eq!(at(back + MINUTE), None);
    assert_eq!(at(again + MINUTE), Some(ViolationKind::AfterOptOut));
    assert_eq!(at(driven.now), Some(ViolationKind::AfterOptOut));
    let report = processed(back + MINUTE, Proof::None);
    assert_eq!(driven.state.judge(&report, None), Ok(Judged::NeedsHistory));
}

#[test]
fn an_override_makes_right_what_was_done_while_it_was_in_force() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    driven.now += MINUTE;
    let terms = terms(driven.now, 30, &["sale"]);
    let id = made(&driven.propose("ann", ProposedChange::Override(terms)));
    let proposed = driven.now;
    driven.now += MINUTE;
    made(&driven.approve("bob", id, ChangeKind::Override));
    let (began, ends) = (driven.now, proposed + 30 * MINUTE);
    let asked = Proof::Decided(as_of(1, began));
    let all = |driven: &Driven| {
        [
            kind(driven, proposed, Proof::Decided(as_of(1, proposed))),
            kind(driven, began + MINUTE, asked),
            kind(driven, ends - 1, asked),
            kind(driven, ends + limits::PROCESSED_GRACE_MS, asked),
            kind(
                driven,
                ends + MINUTE,
                Proof::Decided(as_of(1, ends + MINUTE)),
            ),
        ]
    };
    let wanted = [
        Some(ViolationKind::AfterOptOut),
        None,
        None,
        Some(ViolationKind::ExpiredOverride),
        Some(ViolationKind::AfterOptOut),
    ];
    assert_eq!(all(&driven), wanted);
    // When its last event is made, and after a snapshot, it is still known.
    driven.now += DAY;
    driven.opt_out(&[9], &["sale"]).unwrap();
    assert_eq!(driven.state.overrides().count(), 0);
    assert_eq!(all(&driven), wanted);
    driven.state = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    assert_eq!(all(&driven), wanted);
}

#[test]
fn a_floor_counts_from_when_it_was_set() {
    let mut driven = Driven::new();
    driven.now += MINUTE;
    let before = driven.now;
    driven.put(purpose("surveys")).unwrap();
    driven.now += MINUTE;
    let request_id = driven.next_request_id();
    let version = driven.state.registry().schema_version();
    driven
        .send(Body::SetSchemaFloor(SetSchemaFloor {
            request_id,
            floor: SchemaFloor {
                purpose: None,
                version,
            },
        }))
        .unwrap();
    assert!(version > 1);
    let at = |time| kind(&driven, time, Proof::Decided(as_of(1, time)));
    assert_eq!(at(before), None);
    let counts = driven.now + limits::PROCESSED_GRACE_MS;
    assert_eq!(at(counts), Some(ViolationKind::BelowFloor));
    let mut new = processed(counts, Proof::Decided(as_of(1, counts)));
    new.schema_version = version;
    assert_eq!(driven.state.judge(&new, None), Ok(Judged::Right));
}

#[test]
fn essential_purposes_take_a_check_and_nothing_else_and_the_unknown_is_refused() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["*"]).unwrap();
    driven.now += MINUTE;
    let mut report = processed(driven.now, Proof::Decided(as_of(1, driven.now)));
    report.purpose = name("service.legal");
    assert_eq!(judge(&driven, &report), Judged::Right);
    report.purpose = name("nonsense");
    let refused = driven.state.judge(&report, None).unwrap_err();
    assert_eq!(refused.reason(), "PURPOSE_UNKNOWN");
}

/// An ALLOW at the state's revision and the time.
fn allowed(driven: &Driven) -> Proof {
    Proof::Decided(answered(driven))
}

fn answered(driven: &Driven) -> Answered {
    Answered {
        revision: driven.state.revision(),
        at: Millis(driven.now),
    }
}

#[test]
fn an_opt_in_counts_at_once() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    driven.now += 10 * MINUTE;
    driven.opt_in(&[1], &["sale"]).unwrap();
    driven.now += SECOND / 2;
    let asked = allowed(&driven);
    driven.now += SECOND / 2;
    assert_eq!(kind(&driven, driven.now, asked), None);
    let unasked = kind(&driven, driven.now, Proof::None);
    assert_eq!(unasked, Some(ViolationKind::NoCheck));
    // And the service's clock may be behind.
    let at = driven.now - 2 * SECOND;
    assert_eq!(kind(&driven, at, asked), None);
    // What came long before is as it was.
    let before = driven.now - MINUTE;
    let early = Proof::Decided(as_of(1, START));
    let wanted = Some(ViolationKind::AfterOptOut);
    assert_eq!(kind(&driven, before, early), wanted);
    // An opt-out after that answer counts.
    driven.now += SECOND;
    driven.opt_out(&[1], &["sale"]).unwrap();
    driven.now += MINUTE;
    assert_eq!(kind(&driven, driven.now, asked), wanted);
}

#[test]
fn an_answer_that_had_seen_an_opt_out_and_allowed_is_believed_as_far_as_its_time_is_right() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    driven.now += MINUTE;
    let seen = answered(&driven);
    // The purpose was essential then, say; a stamp is never made of an override's ALLOW.
    assert_eq!(kind(&driven, driven.now, Proof::Decided(seen)), None);
    assert_eq!(kind(&driven, driven.now, Proof::Stamped(seen)), None);
    // A revision from before the cluster was put back from a backup.
    let lost = Answered {
        revision: seen.revision + 7,
        at: Millis(driven.now - MINUTE - SECOND),
    };
    let wanted = Some(ViolationKind::AfterOptOut);
    assert_eq!(kind(&driven, driven.now, Proof::Decided(lost)), wanted);
}

/// An override of the opt-outs of one subject, or of all, for half an hour from now on; it begins a minute from now.
fn overridden(driven: &mut Driven, whose: Option<u8>) -> EventId {
    let mut terms = terms(driven.now, 30, &["sale"]);
    terms.subject = whose.map(subject);
    let id = made(&driven.propose("ann", ProposedChange::Override(terms)));
    driven.now += MINUTE;
    made(&driven.approve("bob", id, ChangeKind::Override));
    id
}

#[test]
fn an_override_for_one_person_says_nothing_of_another() {
    let mut driven = Driven::new();
    let early = allowed(&driven);
    driven.now += MINUTE;
    driven.opt_out(&[1, 2], &["sale"]).unwrap();
    overridden(&mut driven, Some(1));
    driven.now += MINUTE;
    let of = |tokens: &[u8]| {
        let mut report = processed(driven.now, early);
        report.tokens = subjects(tokens);
        judge(&driven, &report)
    };
    assert_eq!(of(&[1]), Judged::Right);
    for both in [&[1, 2][..], &[2, 1], &[2]] {
        let Judged::Violation { kind, .. } = of(both) else {
            panic!("{both:?}")
        };
        assert_eq!(kind, ViolationKind::AfterOptOut);
    }
}

#[test]
fn clocks_may_differ_about_when_an_override_begins_and_ends() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    driven.now += MINUTE;
    let id = overridden(&mut driven, None);
    let began = driven.now;
    let asked = allowed(&driven);
    let grace = limits::PROCESSED_GRACE_MS;
    assert_eq!(kind(&driven, began - grace, asked), None);
    let expired = Some(ViolationKind::ExpiredOverride);
    assert_eq!(kind(&driven, began - grace - 1, asked), expired);
    assert_eq!(
        kind(&driven, began - 1, Proof::None),
        Some(ViolationKind::AfterOptOut)
    );
    driven.now += MINUTE;
    let just_before = allowed(&driven);
    driven.now += 50;
    made(&driven.withdraw("bob", id, ChangeKind::Override));
    let over = driven.now;
    driven.now += MINUTE;
    assert_eq!(kind(&driven, over + 100, just_before), None);
    assert_eq!(kind(&driven, over + grace, just_before), expired);
    assert_eq!(
        kind(&driven, over + 1, Proof::None),
        Some(ViolationKind::AfterOptOut)
    );
}

#[test]
fn a_stamp_made_afterwards_is_no_check_and_one_of_a_forgotten_key_cannot_be_judged() {
    let mut driven = Driven::new();
    driven.now += MINUTE;
    let later = Proof::Stamped(as_of(1, driven.now + limits::PROCESSED_GRACE_MS + 1));
    assert_eq!(
        kind(&driven, driven.now, later),
        Some(ViolationKind::NoCheck)
    );
    let forgotten = processed(driven.now, Proof::Forgotten);
    assert_eq!(judge(&driven, &forgotten), Judged::KeyForgotten);
    // What was wrong whatever the stamp is, is.
    driven.opt_out(&[1], &["sale"]).unwrap();
    driven.now += MINUTE;
    assert_eq!(
        kind(&driven, driven.now, Proof::Forgotten),
        Some(ViolationKind::AfterOptOut)
    );
}

#[test]
fn a_floor_that_was_raised_leaves_the_one_before_to_what_was_before() {
    let mut driven = Driven::new();
    driven.put(purpose("surveys")).unwrap();
    driven.now += MINUTE;
    let raise = |driven: &mut Driven, version| {
        let request_id = driven.next_request_id();
        let floor = SchemaFloor {
            purpose: None,
            version,
        };
        let floor = SetSchemaFloor { request_id, floor };
        driven.send(Body::SetSchemaFloor(floor)).unwrap();
        driven.now
    };
    let first = raise(&mut driven, 2);
    driven.put(purpose("polls")).unwrap();
    driven.now += 10 * MINUTE;
    let second = raise(&mut driven, 3);
    driven.now += MINUTE;
    driven.state = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    let grace = limits::PROCESSED_GRACE_MS;
    let of = |version, at| {
        let asked = Proof::Decided(as_of(1, at));
        let mut report = processed(at, asked);
        report.schema_version = version;
        judge(&driven, &report) == Judged::Right
    };
    assert!(of(1, first + grace - 1) && !of(1, first + grace));
    assert!(of(2, second + grace - 1) && !of(1, second - MINUTE));
    assert!(!of(2, second + grace) && of(3, second + grace));
}
