//! What nodes told and what was done to them, by hand: I5, I6, I8 and the coverage, each holding and each violated.

use std::time::Duration;

use super::tale::{Tale, done, event, key};
use crate::invariants::coverage::{Needs, shortfalls};
use crate::invariants::history::{
    Call, Closed, Entry, Filter, Outcome, Revision, Seen, State, Waited, Watch,
};
use crate::invariants::judge;

/// Three opt-outs: of Ada's `p`, Bob's `d` and Ada's `p.q`.
fn three() -> Tale {
    let mut tale = Tale::new();
    for at in ["ada/p", "bob/d", "ada/p.q"] {
        let out = tale.out(at);
        tale.set(&out);
    }
    tale
}

/// What a watcher meets, given the journal.
type Story<'a> = &'a dyn Fn(&[Entry]) -> Vec<Seen>;

fn asked(from: Revision) -> Seen {
    Seen::Asked { node: 0, from }
}

fn watched(filter: Filter, seen: Story<'_>) -> Tale {
    let mut tale = three();
    let seen = seen(tale.0.journal());
    tale.0.watches.push(Watch {
        filter,
        seen,
        reaches: 3,
    });
    tale
}

fn all(seen: Story<'_>) -> Tale {
    watched(Filter::default(), seen)
}

fn got(entry: &Entry) -> Seen {
    Seen::Event(entry.clone())
}

#[test]
fn a_watch_that_is_the_replay_holds() {
    all(&|it| {
        vec![
            asked(1),
            got(&it[0]),
            got(&it[1]),
            got(&it[2]),
            Seen::Heartbeat(3),
        ]
    })
    .holds();
    all(&|it| vec![asked(3), got(&it[2])]).holds();
    // Broken off and gone on with.
    all(&|it| {
        vec![
            asked(1),
            got(&it[0]),
            Seen::Heartbeat(1),
            asked(2),
            got(&it[1]),
            got(&it[2]),
        ]
    })
    .holds();
    // Told what is left, and gone on from there.
    all(&|it| vec![asked(1), Seen::EarliestLeft(3), asked(3), got(&it[2])]).holds();
    // Only what lies beneath or above, and a bookmark over the rest.
    let filter = |purpose: &str| Filter {
        purposes: vec![purpose.to_owned()],
        ..Filter::default()
    };
    watched(filter("p.q"), &|it| {
        vec![asked(1), got(&it[0]), Seen::Heartbeat(2), got(&it[2])]
    })
    .holds();
    watched(filter("d"), &|it| {
        vec![asked(1), got(&it[1]), Seen::Heartbeat(3)]
    })
    .holds();
    let bob = Filter {
        tokens: vec!["bob".to_owned()],
        ..Filter::default()
    };
    watched(bob.clone(), &|it| vec![asked(1), got(&it[1])]).holds();
    watched(bob, &|_| vec![asked(1), Seen::Heartbeat(3)]).violates(&["I5"]);
}

#[test]
fn a_watch_that_is_anything_else_is_caught() {
    let stories: [Story<'_>; 11] = [
        // A gap, at the beginning, in between, at the end, under a bookmark, over a resume.
        &|it| vec![asked(1), got(&it[1]), got(&it[2])],
        &|it| vec![asked(1), got(&it[0]), got(&it[2])],
        &|it| vec![asked(1), got(&it[0]), got(&it[1])],
        &|it| vec![asked(1), got(&it[0]), Seen::Heartbeat(3)],
        &|it| vec![asked(1), got(&it[0]), asked(3), got(&it[2])],
        // Again, back, not yet.
        &|it| vec![asked(1), got(&it[0]), got(&it[0]), got(&it[1]), got(&it[2])],
        &|it| {
            vec![
                asked(1),
                got(&it[0]),
                got(&it[1]),
                Seen::Heartbeat(1),
                got(&it[2]),
            ]
        },
        &|it| vec![asked(3), got(&it[2]), Seen::Heartbeat(4)],
        // Uncommitted, and another than was committed.
        &|it| {
            vec![
                asked(3),
                got(&it[2]),
                got(&Entry {
                    revision: 4,
                    ..it[2].clone()
                }),
            ]
        },
        &|it| {
            vec![
                asked(3),
                got(&Entry {
                    event_id: "x".to_owned(),
                    ..it[2].clone()
                }),
            ]
        },
        // Refused, though nothing is gone.
        &|_| vec![asked(2), Seen::EarliestLeft(2)],
    ];
    for (at, story) in stories.iter().enumerate() {
        let violated = judge(&all(*story).0).violated();
        assert_eq!(violated, ["I5"], "story {at}");
    }
}

#[test]
fn a_watcher_that_starves_is_caught() {
    all(&|_| vec![asked(1)]).violates(&["I5"]);
    all(&|_| Vec::new()).violates(&["I5"]);
    all(&|_| vec![asked(1), Seen::EarliestLeft(2)]).violates(&["I5"]);
}

#[test]
fn a_node_that_cannot_know_may_deny_and_not_allow() {
    for (why, acknowledged) in [
        (Closed::NoQuorum, &["I6"][..]),
        (Closed::Starting, &[]),
        (Closed::BrokenDisk, &[]),
    ] {
        let mut tale = Tale::new();
        let closure = tale.0.closes(2, why);
        tale.check(2, "ada/d", false, 0);
        tale.check(1, "ada/p", true, 0);
        tale.call(2, &Call::check(&key("ada/p")), Outcome::Failed);
        tale.holds();
        let out = tale.out("ada/p");
        tale.commit(&out);
        tale.call(2, &out, done(1));
        tale.violates(acknowledged);
        // A call that outlasts it may get whatever is true then.
        let call = Call::check(&key("bob/p"));
        let begun = tale.begin(2, &call);
        tale.0.opens(closure);
        let answer = || Outcome::Decided {
            allow: true,
            revision: 1,
        };
        tale.end(begun, answer());
        tale.violates(acknowledged);
        tale.0.closes(2, why);
        tale.call(2, &call, answer());
        tale.violates(&["I6"]);
    }
}

#[test]
fn an_answer_that_comes_late_is_caught() {
    for (millis, expected) in [(1_100, &[][..]), (1_101, &["I6"])] {
        for outcome in [
            Outcome::Unknown,
            Outcome::Decided {
                allow: true,
                revision: 0,
            },
        ] {
            let mut tale = Tale::new();
            tale.0.grace = Duration::from_millis(100);
            let begun = tale.begin(0, &Call::check(&key("ada/p")));
            let waited = Waited {
                for_: Duration::from_millis(millis),
                deadline: Duration::from_secs(1),
                by_node: true,
            };
            tale.0.end(begun, outcome, Some(waited));
            tale.violates(expected);
        }
    }
}

#[test]
fn a_node_that_cannot_know_and_does_not_say_so_is_caught() {
    for (why, by_node, expected) in [
        (Closed::NoQuorum, 2, &[][..]),
        (Closed::NoQuorum, 1, &["I6"]),
        (Closed::Starting, 1, &["I6"]),
        // What has ended does not answer.
        (Closed::BrokenDisk, 0, &[]),
    ] {
        let mut tale = Tale::new();
        tale.0.closes(0, why);
        for place in 0..4 {
            let begun = tale.begin(0, &Call::check(&key("ada/p")));
            let waited = Waited {
                for_: Duration::from_secs(1),
                deadline: Duration::from_secs(1),
                by_node: place < by_node,
            };
            tale.0.end(begun, Outcome::Unknown, Some(waited));
        }
        tale.violates(expected);
    }
}

fn state(node: usize, revision: Revision, hash: &str, root: &str) -> State {
    State {
        node,
        revision,
        hash: Some(hash.to_owned()),
        root: Some(root.to_owned()),
    }
}

#[test]
fn two_states_of_one_revision_are_caught() {
    let mut tale = three();
    tale.0.states = vec![
        state(0, 1, "a", "b"),
        state(1, 1, "a", "b"),
        state(1, 2, "c", "d"),
    ];
    tale.holds();
    let mut hashes = three();
    hashes.0.states = vec![state(0, 1, "a", "b"), state(1, 1, "x", "b")];
    hashes.violates(&["I8"]);
    let mut roots = three();
    roots.0.states = vec![state(0, 1, "a", "b"), state(1, 1, "a", "x")];
    roots.violates(&["I8"]);
    // The same node, before and after a snapshot.
    let mut itself = three();
    itself.0.states = vec![state(0, 1, "a", "b"), state(0, 1, "x", "b")];
    itself.violates(&["I8"]);
    let mut journals = three();
    let other = event(2, &journals.out("cy/p"));
    journals.0.journals[2].entries[1] = other;
    journals.violates(&["I3", "I8"]);
}

#[test]
fn a_run_that_shows_nothing_is_no_pass() {
    let needs = Needs {
        faults: vec![("kill", 1, 2)],
        acknowledged: 3,
        compared: 1,
        gave_up: 0,
    };
    let short = |tale: &Tale| shortfalls(&tale.0, &judge(&tale.0), &needs).len();
    assert_eq!(short(&Tale::new()), 4);

    let mut tale = three();
    let fault = tale.0.fault("kill");
    tale.check(1, "cy/p", true, 3);
    tale.call(2, &Call::check(&key("cy/p")), Outcome::Unknown);
    tale.0.mended(fault);
    tale.check(1, "cy/p", true, 3);
    tale.0.states = vec![state(0, 3, "a", "b"), state(1, 3, "a", "b")];
    // Of the two answers only one came while the fault lasted, and node 2 told nothing.
    assert_eq!(short(&tale), 2);
    tale.0.fault("kill");
    tale.check(1, "cy/p", true, 3);
    tale.0.states.push(state(2, 3, "a", "b"));
    assert_eq!(short(&tale), 0);

    // A closed node that nobody asked shows nothing.
    tale.0.closes(0, Closed::Starting);
    assert_eq!(short(&tale), 1);
    tale.check(0, "cy/d", false, 3);
    assert_eq!(short(&tale), 0);

    let mut report = judge(&tale.0);
    report.findings[0].2.gave_up.push("too long".to_owned());
    assert_eq!(shortfalls(&tale.0, &report, &needs).len(), 1);
}
