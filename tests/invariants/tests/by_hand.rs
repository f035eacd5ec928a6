//! What callers saw, told by hand: I1, I2, I3, I4 and I7, each holding and each violated.

use super::tale::{Tale, done, key, stood};
use crate::invariants::history::{Call, Change, Outcome};
use crate::invariants::judge;
use crate::invariants::linearizable::{by_revision, wing_gong_lowe};

#[test]
fn a_plain_story_holds() {
    let mut tale = Tale::new();
    tale.check(1, "ada/p", true, 0);
    let out = tale.out("ada/p");
    tale.set(&out);
    tale.check(2, "ada/p.q", false, 1);
    let again = tale.in_("ada/p.q");
    tale.set(&again);
    tale.check(0, "ada/p.q", true, 2);
    tale.check(0, "ada/p", false, 2);
    tale.check(0, "ada/d", false, 2);
    tale.check(0, "ada/e", true, 2);
    let call = Call::Preferences {
        namespace: "n".to_owned(),
        tokens: vec!["ada".to_owned()],
    };
    let records = [
        (key("ada/p"), (Change::OptOut, 1)),
        (key("ada/p.q"), (Change::OptIn, 2)),
    ];
    let (records, revision) = (records.into(), 2);
    tale.call(1, &call, Outcome::Stands { records, revision });
    tale.holds();
}

#[test]
fn the_least_permissive_of_several_tokens_wins() {
    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.set(&out);
    let call = Call::Check {
        namespace: "n".to_owned(),
        tokens: vec!["bob".to_owned(), "ada".to_owned()],
        purpose: "p".to_owned(),
    };
    let answer = |allow| Outcome::Decided { allow, revision: 1 };
    tale.call(0, &call, answer(false));
    tale.holds();
    tale.call(0, &call, answer(true));
    tale.violates(&["I1", "I2", "I4"]);
}

#[test]
fn what_overlaps_may_come_in_either_order() {
    for seen in [false, true] {
        let mut tale = Tale::new();
        let out = tale.out("ada/p");
        let begun = tale.begin(0, &out);
        let revision = tale.commit(&out);
        tale.check(1, "ada/p", !seen, u64::from(seen));
        tale.end(begun, done(revision));
        tale.holds();
    }
}

#[test]
fn what_was_seen_once_stays_seen() {
    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    let begun = tale.begin(0, &out);
    let revision = tale.commit(&out);
    tale.check(1, "ada/p", false, 1);
    tale.check(2, "ada/p", true, 0);
    tale.end(begun, done(revision));
    tale.violates(&["I1", "I4"]);
    // Both checkers see it.
    assert_eq!(by_revision::check(&tale.0).violations.len(), 1);
    let searched = wing_gong_lowe::check(&tale.0, wing_gong_lowe::STEPS);
    assert_eq!(searched.violations.len(), 1);
}

#[test]
fn an_unknown_change_may_take_effect_late_or_never() {
    for late in [false, true] {
        let mut tale = Tale::new();
        let out = tale.out("ada/p");
        tale.call(0, &out, Outcome::Unknown);
        tale.check(1, "ada/p", true, 0);
        if late {
            tale.commit(&out);
            tale.check(2, "ada/p", false, 1);
            tale.holds();
            tale.check(2, "ada/p", true, 1);
            tale.violates(&["I1", "I4"]);
        } else {
            tale.holds();
        }
    }
}

#[test]
fn a_search_that_is_too_long_is_no_pass() {
    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.set(&out);
    tale.check(0, "ada/p", true, 1);
    let cut_short = wing_gong_lowe::check(&tale.0, 0);
    assert!(cut_short.violations.is_empty());
    assert_eq!(cut_short.gave_up.len(), 1);
}

#[test]
fn a_long_story_of_one_subject_is_judged_or_given_up() {
    let mut tale = Tale::new();
    for turn in 0..1_024 {
        let call = if turn % 2 == 0 {
            tale.out("ada/p")
        } else {
            tale.in_("ada/p")
        };
        tale.set(&call);
    }
    tale.holds();
    tale.check(0, "ada/p", true, 1_024);
    let report = judge(&tale.0);
    report.assert_holds();
    assert_eq!(report.gave_up(), 1);
}

#[test]
fn an_allow_after_an_acknowledged_opt_out_is_caught_whatever_revision_it_claims() {
    for revision in [0, 1] {
        for asked in ["ada/p", "ada/p.q"] {
            let mut tale = Tale::new();
            let out = tale.out("ada/p");
            tale.set(&out);
            tale.check(1, asked, true, revision);
            tale.violates(&["I1", "I2", "I4"]);
        }
    }
}

#[test]
fn only_a_later_opt_in_or_an_unknown_one_excuses_an_allow() {
    // An opt-in from before excuses nothing, also when it is sent again after the opt-out.
    let mut tale = Tale::new();
    let again = tale.in_("ada/p");
    tale.set(&again);
    let out = tale.out("ada/p");
    tale.set(&out);
    tale.call(1, &again, done(1));
    tale.holds();
    tale.check(1, "ada/p", true, 2);
    tale.violates(&["I1", "I2", "I4"]);

    // One of another purpose beneath excuses nothing either, nor one that began only afterwards.
    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.set(&out);
    let beneath = tale.in_("ada/p.q");
    tale.set(&beneath);
    tale.check(1, "ada/p.q", true, 2);
    tale.holds();
    tale.check(1, "ada/p", true, 2);
    let after = tale.in_("ada/p");
    tale.set(&after);
    tale.violates(&["I1", "I2", "I4"]);

    // Of one whose outcome is unknown, it is not for I2 to say.
    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.set(&out);
    let unknown = tale.in_("ada/p");
    tale.call(2, &unknown, Outcome::Unknown);
    tale.check(1, "ada/p", true, 1);
    tale.violates(&["I1", "I4"]);
}

#[test]
fn what_a_journal_lacks_or_has_twice_is_caught() {
    let told = || {
        let mut tale = Tale::new();
        for at in ["ada/p", "bob/p", "cy/p"] {
            let out = tale.out(at);
            tale.set(&out);
        }
        tale.holds();
        tale
    };
    let mut lost = told();
    lost.0.journals[1].entries.pop();
    lost.violates(&["I3"]);

    let mut twice = told();
    let mut copy = twice.0.journals[2].entries[0].clone();
    copy.revision = 4;
    twice.0.journals[2].entries.push(copy);
    twice.violates(&["I3", "I7"]);

    let mut unread = told();
    unread.0.journals.clear();
    unread.violates(&["I3"]);

    let mut other = told();
    for journal in &mut other.0.journals {
        let entry = &mut journal.entries[0];
        entry.changes = [(key("ada/p"), Change::OptIn)].into();
    }
    other.violates(&["I3"]);
}

#[test]
fn a_repeat_is_right_only_where_all_stands() {
    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.set(&out);
    let other = tale.out("bob/p");
    tale.set(&other);
    let again = tale.out("ada/p");
    tale.call(1, &again, stood(1));
    tale.holds();
    // After an opt-in beneath it, the opt-out would be news.
    let beneath = tale.in_("ada/p.q");
    tale.set(&beneath);
    let again = tale.out("ada/p");
    tale.call(1, &again, stood(1));
    tale.violates(&["I1"]);

    let mut tale = Tale::new();
    let opted_in = tale.in_("ada/p");
    tale.set(&opted_in);
    let out = tale.out("ada/p");
    tale.call(1, &out, stood(1));
    tale.violates(&["I1", "I3"]);
}

#[test]
fn revisions_that_run_against_time_are_caught() {
    // Two subjects, so that neither's own history shows it.
    let mut tale = Tale::new();
    let (ada, bob) = (
        tale.out("ada/p"),
        Call::set("other", Change::OptOut, [key("bob/p")]),
    );
    tale.commit(&ada);
    tale.commit(&bob);
    tale.call(0, &bob, done(2));
    tale.call(0, &ada, done(1));
    tale.violates(&["I4"]);

    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.set(&out);
    tale.check(0, "bob/p", true, 0);
    tale.violates(&["I4"]);

    let mut ahead = Tale::new();
    ahead.check(0, "bob/p", true, 1);
    ahead.violates(&["I4"]);

    let mut unregistered = Tale::new();
    unregistered.check(0, "bob/x", true, 0);
    unregistered.violates(&["I1", "I4"]);
}

#[test]
fn a_retried_request_has_one_effect() {
    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.call(0, &out, Outcome::Unknown);
    tale.commit(&out);
    let opted_in = tale.in_("ada/p");
    tale.set(&opted_in);
    tale.call(1, &out, done(1));
    tale.check(1, "ada/p", true, 2);
    tale.holds();

    // It takes effect again, whether or not somebody is told.
    let revision = tale.commit(&out);
    tale.violates(&["I7"]);
    tale.call(2, &out, done(revision));
    tale.violates(&["I7"]);
}

#[test]
fn no_event_without_a_request() {
    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.commit(&out);
    tale.violates(&["I7"]);
    // Who asked only when it had been seen did not make it.
    tale.check(0, "ada/p", false, 1);
    tale.call(0, &out, Outcome::Unknown);
    tale.violates(&["I1", "I7"]);

    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.call(0, &out, Outcome::Failed);
    tale.holds();
    tale.commit(&out);
    tale.violates(&["I7"]);
}

#[test]
fn one_event_for_two_requests_is_caught() {
    let mut tale = Tale::new();
    let out = tale.out("ada/p");
    tale.set(&out);
    let other = tale.out("ada/p");
    tale.call(0, &other, done(1));
    let report = judge(&tale.0);
    assert!(report.violated().contains(&"I7"), "{report}");

    let mut reused = Tale::new();
    let out = Call::set("same", Change::OptOut, [key("ada/p")]);
    let other = Call::set("same", Change::OptOut, [key("bob/p")]);
    reused.set(&out);
    reused.set(&other);
    reused.violates(&["I7"]);
}

#[test]
fn a_violation_shows_little_and_enough() {
    let mut tale = Tale::new();
    for _ in 0..100 {
        tale.check(1, "ada/p", true, 0);
    }
    let out = tale.out("ada/p");
    tale.set(&out);
    tale.check(1, "ada/p", true, 1);
    let text = judge(&tale.0).to_string();
    let shown = "I2 is violated 1 times: no ALLOW after an acknowledged opt-out
  allows p after the opt-out of p at revision 1
    [201..202] client 0, node 0: opt-out n/ada/p (request r100) -> done: event e1 at revision 1
    [203..204] client 1, node 1: check n/ada/p -> ALLOW at revision 1
";
    assert!(text.contains(shown), "{text}");
    assert!(text.lines().count() < 40, "{text}");
}
