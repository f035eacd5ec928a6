//! Lies in what callers were answered.

use std::time::Duration;

use super::{choose, operations};
use crate::invariants::fails_closed::within;
use crate::invariants::fold::Fold;
use crate::invariants::history::{
    Call, Change, History, Key, Operation, Outcome, Revision, Waited,
};

/// The highest revision that was known before a call began.
fn known(history: &History, before: &Operation) -> Revision {
    let operations = history.operations.iter();
    let over = operations.filter(|it| it.over_before(before.begun));
    over.filter_map(|it| it.outcome.revision())
        .max()
        .unwrap_or(0)
}

/// The right answer to a check at a revision.
fn answer(history: &History, call: &Call, revision: Revision) -> Option<bool> {
    let Call::Check {
        namespace,
        tokens,
        purpose,
    } = call
    else {
        return None;
    };
    let mut fold = Fold::default();
    let journal = history.journal().iter();
    for entry in journal.take_while(|entry| entry.revision <= revision) {
        fold.apply(entry);
    }
    Some(fold.allows(namespace, tokens, purpose, history.rules[purpose]))
}

pub fn stale(history: &mut History, pick: usize) -> bool {
    tell_stale(history, pick, |known| known - 1)
}

pub fn stale_marked_new(history: &mut History, pick: usize) -> bool {
    tell_stale(history, pick, |known| known)
}

/// Where an honest answer from before what was known would have been another.
fn tell_stale(history: &mut History, pick: usize, marked: fn(Revision) -> Revision) -> bool {
    let places = operations(history, |it| {
        let known = known(history, it);
        matches!(it.outcome, Outcome::Decided { .. })
            && known > 0
            && answer(history, &it.call, known - 1) != answer(history, &it.call, known)
    });
    let Some(place) = choose(&places, pick) else {
        return false;
    };
    let known = known(history, &history.operations[place]);
    let allow = answer(history, &history.operations[place].call, known - 1).unwrap();
    let revision = marked(known);
    history.operations[place].outcome = Outcome::Decided { allow, revision };
    true
}

/// Of a subject that never opted in there.
pub fn allow_after_opt_out(history: &mut History, pick: usize) -> bool {
    let sets = |it: &Operation, key: &Key, to: Change| matches!(&it.call, Call::Set { changes, .. } if changes.get(key) == Some(&to));
    let places = operations(history, |it| {
        let (
            Call::Check {
                namespace,
                tokens,
                purpose,
            },
            Outcome::Decided { allow: false, .. },
        ) = (&it.call, &it.outcome)
        else {
            return false;
        };
        let key = Key::new(namespace, &tokens[0], purpose);
        let mut all = history.operations.iter();
        let opted_out = all.any(|other| {
            sets(other, &key, Change::OptOut)
                && matches!(other.outcome, Outcome::Done { .. })
                && other.over_before(it.begun)
        });
        let mut all = history.operations.iter();
        opted_out && !all.any(|other| sets(other, &key, Change::OptIn))
    });
    choose(&places, pick).is_some_and(|place| turn(&mut history.operations[place]))
}

pub fn turned_round(history: &mut History, pick: usize) -> bool {
    let places = operations(history, |it| matches!(it.outcome, Outcome::Decided { .. }));
    choose(&places, pick).is_some_and(|place| turn(&mut history.operations[place]))
}

fn turn(operation: &mut Operation) -> bool {
    if let Outcome::Decided { allow, .. } = &mut operation.outcome {
        *allow = !*allow;
    }
    true
}

/// Of a request that was answered once: of two answers, I7 tells that they differ.
pub fn repeat_of_another(history: &mut History, pick: usize) -> bool {
    let places = operations(history, |it| {
        let all = history
            .operations
            .iter()
            .filter(|other| other.call == it.call);
        let answered = all.filter(|other| other.outcome.revision().is_some());
        matches!(it.outcome, Outcome::Done { changed: false, .. }) && answered.count() == 1
    });
    let Some(place) = choose(&places, pick) else {
        return false;
    };
    if let Outcome::Done { revision, .. } = &mut history.operations[place].outcome {
        *revision += 1;
    }
    true
}

pub fn record_left_out(history: &mut History, pick: usize) -> bool {
    let places = operations(
        history,
        |it| matches!(&it.outcome, Outcome::Stands { records, .. } if !records.is_empty()),
    );
    let Some(place) = choose(&places, pick) else {
        return false;
    };
    if let Outcome::Stands { records, .. } = &mut history.operations[place].outcome {
        records.pop_first();
    }
    true
}

pub fn allow_while_closed(history: &mut History, pick: usize) -> bool {
    let places = operations(history, |it| {
        let mut closures = history.closures.iter();
        matches!(it.call, Call::Check { .. }) && closures.any(|closure| within(it, closure))
    });
    let Some(place) = choose(&places, pick) else {
        return false;
    };
    let revision = history.journal().len() as Revision;
    let allow = true;
    history.operations[place].outcome = Outcome::Decided { allow, revision };
    true
}

pub fn late(history: &mut History, pick: usize) -> bool {
    let places = operations(history, |it| it.ended.is_some());
    let Some(place) = choose(&places, pick) else {
        return false;
    };
    history.operations[place].waited = Some(Waited {
        for_: Duration::from_secs(2),
        deadline: Duration::from_secs(1),
        by_node: true,
    });
    true
}
