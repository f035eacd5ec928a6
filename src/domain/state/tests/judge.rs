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
        Judged::NeedsHistory => panic!("it has the history"),
    }
}

#[test]
fn what_was_asked_for_before_an_opt_out_is_right() {
    let mut driven = Driven::new();
    driven.now += MINUTE;
    let asked = Proof::Decided(Millis(driven.now));
    assert_eq!(kind(&driven, driven.now, asked), None);
    assert_eq!(kind(&driven, driven.now, Proof::Stamped(1)), None);
    assert_eq!(
        kind(&driven, driven.now, Proof::None),
        Some(ViolationKind::NoCheck)
    );
    assert_eq!(
        kind(&driven, driven.now, Proof::False),
        Some(ViolationKind::FalseProof)
    );
    // Asked when it was done already.
    let later = Proof::Decided(Millis(driven.now + limits::PROCESSED_GRACE_MS + 1));
    assert_eq!(
        kind(&driven, driven.now, later),
        Some(ViolationKind::NoCheck)
    );
}

#[test]
fn an_opt_out_counts_from_a_moment_after_it_was_received() {
    let mut driven = Driven::new();
    driven.now += MINUTE;
    let asked = Proof::Decided(Millis(driven.now));
    let stamped = Proof::Stamped(driven.state.revision());
    driven.now += SECOND;
    let (opt_out, revision, _) = told(&driven.opt_out(&[1], &["sale"]));
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
    assert_eq!(
        kind(&driven, counts, Proof::Stamped(revision)),
        Some(ViolationKind::AfterOptOut)
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
    let at = |time| kind(&driven, time, Proof::Decided(Millis(time)));
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
    let asked = Proof::Decided(Millis(began));
    let all = |driven: &Driven| {
        [
            kind(driven, proposed, Proof::Decided(Millis(proposed))),
            kind(driven, began + MINUTE, asked),
            kind(driven, ends - 1, asked),
            kind(driven, ends, asked),
            kind(driven, ends + MINUTE, Proof::Decided(Millis(ends + MINUTE))),
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
    let at = |time| kind(&driven, time, Proof::Decided(Millis(time)));
    assert_eq!(at(before), None);
    assert_eq!(at(driven.now), Some(ViolationKind::BelowFloor));
    let mut new = processed(driven.now, Proof::Decided(Millis(driven.now)));
    new.schema_version = version;
    assert_eq!(driven.state.judge(&new, None), Ok(Judged::Right));
}

#[test]
fn essential_purposes_take_a_check_and_nothing_else_and_the_unknown_is_refused() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["*"]).unwrap();
    driven.now += MINUTE;
    let mut report = processed(driven.now, Proof::Decided(Millis(driven.now)));
    report.purpose = name("service.legal");
    assert_eq!(judge(&driven, &report), Judged::Right);
    report.purpose = name("nonsense");
    let refused = driven.state.judge(&report, None).unwrap_err();
    assert_eq!(refused.reason(), "PURPOSE_UNKNOWN");
}
