//! Single lies that can be put into a correct history, each with the invariant that has to catch it.

mod answers;
mod nodes;

use crate::invariants::history::{History, Operation, Outcome};
use answers::{
    allow_after_opt_out, allow_while_closed, late, record_left_out, repeat_of_another, stale,
    stale_marked_new, turned_round,
};
use nodes::{
    bookmark_ahead, effect_twice, event_missed, event_repeated, events_swapped, gone_everywhere,
    gone_on_one, other_event, other_state, swapped, twice_on_one,
};

/// A lie: its name, who has to catch it, and how to tell it. The number chooses among the places where it can be told; the answer is whether
/// there was any.
pub struct Lie {
    pub name: &'static str,
    pub caught_by: &'static str,
    pub tell: fn(&mut History, usize) -> bool,
}

const fn lie(
    name: &'static str,
    caught_by: &'static str,
    tell: fn(&mut History, usize) -> bool,
) -> Lie {
    Lie {
        name,
        caught_by,
        tell,
    }
}

#[rustfmt::skip]
pub const LIES: [Lie; 19] = [
    lie("a stale answer, marked as new", "I1", stale_marked_new),
    lie("ALLOW after an opt-out", "I2", allow_after_opt_out),
    lie("an acknowledged event is gone everywhere", "I3", gone_everywhere),
    lie("an acknowledged event is gone on one node", "I3", gone_on_one),
    lie("an event is on one node twice", "I3", twice_on_one),
    lie("a repeat names another event", "I3", repeat_of_another),
    lie("an answer is turned round", "I4", turned_round),
    lie("a stale answer, honestly marked", "I4", stale),
    lie("two changes have swapped revisions", "I4", swapped),
    lie("preferences lack a record", "I4", record_left_out),
    lie("a watch lacks an event", "I5", event_missed),
    lie("a watch has an event twice", "I5", event_repeated),
    lie("a watch has two events swapped", "I5", events_swapped),
    lie("a watch has a bookmark ahead", "I5", bookmark_ahead),
    lie("a cut-off node allows", "I6", allow_while_closed),
    lie("an answer is late", "I6", late),
    lie("a request takes effect twice", "I7", effect_twice),
    lie("a node has another state", "I8", other_state),
    lie("a node has another event", "I8", other_event),
];

/// One of the places, if there is any.
fn choose(places: &[usize], pick: usize) -> Option<usize> {
    let index = pick.checked_rem(places.len())?;
    Some(places[index])
}

/// The operations that fit, by their places.
fn operations(history: &History, fits: impl Fn(&Operation) -> bool) -> Vec<usize> {
    let all = history.operations.iter().enumerate();
    let fitting = all.filter(|(_, operation)| fits(operation));
    fitting.map(|(at, _)| at).collect()
}

/// Whether a change was acknowledged with an event of its own.
fn acknowledged(operation: &Operation) -> bool {
    matches!(operation.outcome, Outcome::Done { changed: true, .. })
}
