//! What is refused, what a retry gets, and what evidence leaves behind.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

#[test]
fn a_retry_gets_the_first_answer() {
    let mut driven = Driven::new();
    let set = driven.preference(Change::OptOut, &[1], &["sale"]);
    let first = driven.send(Body::SetPreference(set.clone()));
    driven.opt_in(&[1], &["sale"]).unwrap();
    driven.now += 3 * DAY;
    let before = driven.state.hash();
    assert_eq!(driven.send(Body::SetPreference(set)), first);
    assert_eq!(driven.state.hash(), before);
    assert_eq!(
        driven.reason(&[1], "sale"),
        Reason::OptedIn,
        "an old retry overrides nothing"
    );
}

#[test]
fn a_retry_may_wait_for_another_revision_and_be_sealed_anew() {
    let mut driven = Driven::new();
    let mut set = driven.preference(Change::OptIn, &[1], &["sale"]);
    let first = driven.send(Body::SetPreference(set.clone()));
    set.min_revision = 1_000;
    set.schema_version = 1_000;
    if let Some(sealed) = &mut set.evidence {
        sealed.bytes = b"sealed with other random bytes".as_slice().into();
    }
    assert_eq!(driven.send(Body::SetPreference(set.clone())), first);
    set.evidence = Some(evidence("something else"));
    assert_eq!(
        refused(&driven.send(Body::SetPreference(set))),
        "REQUEST_ID_REUSED"
    );
}

#[test]
fn an_id_names_one_request() {
    let mut driven = Driven::new();
    driven.add_namespace("other").unwrap();
    let set = driven.preference(Change::OptOut, &[1], &["sale"]);
    driven.send(Body::SetPreference(set.clone())).unwrap();
    let changed = |change: &dyn Fn(&mut SetPreference)| {
        let mut other = set.clone();
        change(&mut other);
        Body::SetPreference(other)
    };
    let bodies = [
        changed(&|set| {
            set.namespace = Namespace::parse("other").unwrap();
        }),
        changed(&|set| {
            set.tokens = subjects(&[2]);
        }),
        changed(&|set| {
            set.tokens.push(subject(2));
        }),
        changed(&|set| {
            set_purposes(set, names(&["sharing"]));
        }),
        changed(&|set| {
            set.signal = Signal::Operator;
        }),
        changed(&|set| {
            set.opt_in = std::mem::take(&mut set.opt_out);
            set.evidence = Some(evidence("x"));
        }),
        changed(&|set| {
            set.opt_in = names(&["sharing"]);
            set.evidence = Some(evidence("x"));
        }),
        Body::PutPurpose(PutPurpose {
            request_id: set.request_id,
            purpose: purpose("new"),
        }),
        Body::AddNamespace(AddNamespace {
            request_id: set.request_id,
            namespace: Namespace::parse("new").unwrap(),
        }),
    ];
    for body in bodies {
        assert_eq!(
            refused(&driven.send(body.clone())),
            "REQUEST_ID_REUSED",
            "{body:?}"
        );
    }
    let mut command = driven.command(Body::SetPreference(set));
    command.principal = Principal::parse("somebody-else").unwrap();
    assert_eq!(refused(&driven.apply(&command)), "REQUEST_ID_REUSED");
}

#[test]
fn what_was_refused_may_be_tried_again() {
    let mut driven = Driven::new();
    let mut set = driven.preference(Change::OptOut, &[1], &["later"]);
    let body = Body::SetPreference(set.clone());
    assert_eq!(refused(&driven.send(body.clone())), "PURPOSE_UNKNOWN");
    driven.put(purpose("later")).unwrap();
    assert!(told(&driven.send(body)).2);
    set.request_id = driven.next_request_id();
    assert!(!told(&driven.send(Body::SetPreference(set))).2);
}

#[test]
fn an_id_past_the_window_is_refused() {
    let mut driven = Driven::new();
    driven.state.requests.set_capacity(2);
    let first = driven.preference(Change::OptOut, &[1], &["sale"]);
    driven.send(Body::SetPreference(first.clone())).unwrap();
    driven.opt_out(&[2], &["sale"]).unwrap();
    driven.now += limits::REQUEST_WINDOW_MS;
    driven.opt_out(&[3], &["sale"]).unwrap();
    assert_eq!(
        refused(&driven.send(Body::SetPreference(first))),
        "REQUEST_ID_EXPIRED"
    );
    let mut future = driven.preference(Change::OptOut, &[4], &["sale"]);
    future.request_id = request_id(driven.now + limits::REQUEST_ID_AHEAD_MS + 1, 0);
    assert_eq!(
        refused(&driven.send(Body::SetPreference(future))),
        "REQUEST_ID_INVALID"
    );
}

#[test]
fn nobody_is_locked_out_by_ids_that_lie_ahead() {
    let mut driven = Driven::new();
    driven.state.requests.set_capacity(3);
    let of = |driven: &mut Driven, subject: u8, at: u64| {
        let mut set = driven.preference(Change::OptOut, &[subject], &["sale"]);
        set.request_id = request_id(at, u64::from(subject));
        set
    };
    // As far ahead as ids may lie, until the table is full.
    for subject in 1..=3 {
        let at = driven.now + limits::REQUEST_ID_AHEAD_MS;
        let set = of(&mut driven, subject, at);
        driven.send(Body::SetPreference(set)).unwrap();
    }
    let made_at = driven.now;
    let honest = of(&mut driven, 4, made_at);
    let send = |driven: &mut Driven| driven.send(Body::SetPreference(honest.clone()));
    // Nothing is said to be too old that was just made: it waits, and the others' retries are known all along.
    let mut waited = 0;
    while driven.now < made_at + limits::REQUEST_WINDOW_MS {
        assert_eq!(refused(&send(&mut driven)), "TOO_MANY_REQUESTS");
        driven.now += 1_000;
        waited += 1;
    }
    assert_eq!(waited, 15);
    // By now it is older than what is kept for certain. A fresh id has its turn as soon as the others are as old.
    assert_eq!(refused(&send(&mut driven)), "REQUEST_ID_EXPIRED");
    let fresh = |driven: &mut Driven| driven.opt_out(&[5], &["sale"]);
    assert_eq!(refused(&fresh(&mut driven)), "TOO_MANY_REQUESTS");
    driven.now = made_at + limits::REQUEST_ID_AHEAD_MS + limits::REQUEST_WINDOW_MS;
    fresh(&mut driven).unwrap();
}

#[test]
fn an_id_is_judged_by_the_logs_time_and_not_by_a_new_leaders_clock() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    let mut ahead = driven.preference(Change::OptOut, &[2], &["sale"]);
    ahead.request_id = request_id(driven.now + limits::REQUEST_ID_AHEAD_MS, 7);
    driven.now -= 60_000;
    driven.send(Body::SetPreference(ahead.clone())).unwrap();
    ahead.request_id = request_id(START + limits::REQUEST_ID_AHEAD_MS + 1, 7);
    let reply = driven.send(Body::SetPreference(ahead));
    assert_eq!(refused(&reply), "REQUEST_ID_INVALID");
    let advice = reply.unwrap_err().to_string();
    assert!(advice.contains("set the clock"), "{advice}");
}

#[test]
fn a_repeat_is_remembered_too() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    let set = driven.preference(Change::OptOut, &[1], &["sale"]);
    let first = driven.send(Body::SetPreference(set.clone()));
    assert!(!told(&first).2);
    driven.opt_in(&[1], &["sale"]).unwrap();
    assert_eq!(driven.send(Body::SetPreference(set)), first);
    assert_eq!(driven.reason(&[1], "sale"), Reason::OptedIn);
}

/// Makes a good request a bad one.
type Spoil<'a> = &'a dyn Fn(&mut SetPreference);

#[test]
fn bad_preferences_are_refused_and_change_nothing() {
    let mut driven = Driven::new();
    let many: Vec<_> = (0..65).map(|n| name(&format!("p{n}"))).collect();
    let cases: [(&str, Spoil); 12] = [
        ("IDENTIFIERS_REQUIRED", &|set| {
            set.tokens.clear();
        }),
        ("TOO_MANY_IDENTIFIERS", &|set| {
            set.tokens = (0..17).map(subject).collect();
        }),
        ("DUPLICATE_IDENTIFIER", &|set| {
            set.tokens = subjects(&[1, 2, 1]);
        }),
        ("PURPOSES_REQUIRED", &|set| {
            set_purposes(set, Vec::new());
        }),
        ("TOO_MANY_PURPOSES", &|set| {
            set_purposes(set, many.clone());
        }),
        ("DUPLICATE_PURPOSE", &|set| {
            set_purposes(set, names(&["sale", "sale"]));
        }),
        ("PURPOSE_UNKNOWN", &|set| {
            set_purposes(set, names(&["sale", "nothing"]));
        }),
        ("PURPOSE_ESSENTIAL", &|set| {
            set_purposes(set, names(&["service"]));
        }),
        ("NAMESPACE_UNKNOWN", &|set| {
            set.namespace = Namespace::parse("x").unwrap();
        }),
        ("SCHEMA_UNKNOWN", &|set| {
            set.schema_version = 2;
        }),
        ("REVISION_AHEAD", &|set| {
            set.min_revision = 2;
        }),
        ("SIGNAL_INVALID", &|set| {
            set.signal = Signal::Import;
        }),
    ];
    for (reason, change) in cases {
        for kind in [Change::OptOut, Change::OptIn] {
            let before = driven.state.hash();
            let mut set = driven.preference(kind, &[1], &["sale"]);
            change(&mut set);
            assert_eq!(refused(&driven.send(Body::SetPreference(set))), reason);
            assert_eq!(driven.state.hash(), before);
        }
    }
    assert_eq!(driven.state.revision(), 1);
}

#[test]
fn an_opt_in_needs_evidence_and_a_signal_of_will() {
    let mut driven = Driven::new();
    let mut set = driven.preference(Change::OptIn, &[1], &["sale"]);
    set.evidence = None;
    assert_eq!(
        refused(&driven.send(Body::SetPreference(set.clone()))),
        "EVIDENCE_REQUIRED"
    );
    set.opt_out = std::mem::take(&mut set.opt_in);
    set.evidence = Some(evidence("x"));
    assert_eq!(
        refused(&driven.send(Body::SetPreference(set.clone()))),
        "EVIDENCE_INVALID"
    );
    set.opt_in = std::mem::take(&mut set.opt_out);
    for signal in [Signal::Gpc, Signal::ListUnsubscribe, Signal::Import] {
        set.signal = signal;
        assert_eq!(
            refused(&driven.send(Body::SetPreference(set.clone()))),
            "SIGNAL_INVALID"
        );
    }
    if let Some(sealed) = &mut set.evidence {
        sealed.bytes = vec![0; limits::SEALED_EVIDENCE_BYTES + 1].into();
    }
    set.signal = Signal::User;
    assert_eq!(
        refused(&driven.send(Body::SetPreference(set))),
        "EVIDENCE_INVALID"
    );
}

#[test]
fn evidence_goes_beside_its_event() {
    let mut driven = Driven::new();
    let set = driven.preference(Change::OptIn, &[1], &["sale"]);
    let sealed = set.evidence.clone().unwrap();
    let command = driven.command(Body::SetPreference(set));
    let applied = driven.state.apply(&command);
    let [(event, Some(kept))] = applied.events.as_slice() else {
        panic!("one event with its evidence");
    };
    assert_eq!(*kept, sealed);
    assert_eq!(event.evidence_sha256, Some(sealed.sha256()));
    let leaf = event.encode();
    assert!(
        !leaf
            .windows(16)
            .any(|part| sealed.bytes.windows(16).any(|w| w == part))
    );
}

#[test]
fn time_never_goes_back() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    driven.now -= 10_000;
    let reply = driven.opt_out(&[2], &["sale"]);
    assert!(matches!(
        reply,
        Ok(Outcome::Preference {
            received_at: Millis(START),
            ..
        })
    ));
    assert_eq!(driven.state.log_time(), Millis(START));
    driven.now = u64::MAX;
    driven.opt_out(&[3], &["sale"]).unwrap();
    assert_eq!(driven.state.log_time(), Millis::MAX);
}
