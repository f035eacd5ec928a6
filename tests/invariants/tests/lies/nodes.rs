//! Lies in what nodes keep and deliver.

use super::super::tale::event;
use super::{acknowledged, choose, operations};
use crate::invariants::history::{Call, Changes, History, Outcome, Revision, Seen};

/// Where in the journals an acknowledged event is.
fn acknowledged_place(history: &History, pick: usize) -> Option<usize> {
    let place = choose(&operations(history, acknowledged), pick)?;
    let revision = history.operations[place].outcome.revision()?;
    usize::try_from(revision - 1).ok()
}

/// Gives the journals' events the revisions of their places.
fn renumber(history: &mut History) {
    for journal in &mut history.journals {
        for (revision, entry) in (1..).zip(&mut journal.entries) {
            entry.revision = revision;
        }
    }
}

pub fn gone_everywhere(history: &mut History, pick: usize) -> bool {
    let Some(place) = acknowledged_place(history, pick) else {
        return false;
    };
    for journal in &mut history.journals {
        journal.entries.remove(place);
    }
    renumber(history);
    true
}

pub fn gone_on_one(history: &mut History, pick: usize) -> bool {
    let Some(place) = acknowledged_place(history, pick) else {
        return false;
    };
    history.journals[pick % 3].entries.truncate(place);
    true
}

pub fn twice_on_one(history: &mut History, pick: usize) -> bool {
    let entries = &mut history.journals[pick % 3].entries;
    let Some(index) = pick.checked_rem(entries.len()) else {
        return false;
    };
    let copy = entries[index].clone();
    entries.insert(index, copy);
    renumber(history);
    true
}

/// Everywhere, so that only time tells: of two of which one began when the other was known.
pub fn swapped(history: &mut History, pick: usize) -> bool {
    let known_since = |revision: Revision| {
        let operations = history.operations.iter();
        let saw = operations.filter(|it| it.outcome.revision() == Some(revision));
        saw.filter_map(|it| it.ended).min()
    };
    let places = operations(history, |it| {
        let attempts = history.operations.iter();
        let attempts = attempts.filter(|other| other.call == it.call);
        let begun = attempts.map(|attempt| attempt.begun).min();
        let first = it.outcome.revision().unwrap_or(0).saturating_sub(1);
        let since = known_since(first);
        acknowledged(it) && first > 0 && since.is_some() && since < begun
    });
    let Some(place) = choose(&places, pick) else {
        return false;
    };
    let second = history.operations[place].outcome.revision().unwrap();
    let index = usize::try_from(second).unwrap() - 1;
    let ids = [index - 1, index].map(|at| history.journal()[at].event_id.clone());
    for journal in &mut history.journals {
        journal.entries.swap(index - 1, index);
    }
    renumber(history);
    for operation in &mut history.operations {
        if let Outcome::Done {
            revision, event_id, ..
        } = &mut operation.outcome
        {
            if *event_id == ids[1] {
                *revision = second - 1;
            } else if *event_id == ids[0] {
                *revision = second;
            }
        }
    }
    true
}

/// The events that the first watcher met, by their places.
fn events(history: &History) -> Vec<usize> {
    let seen = history.watches[0].seen.iter().enumerate();
    let events = seen.filter(|(_, seen)| matches!(seen, Seen::Event(_)));
    events.map(|(at, _)| at).collect()
}

pub fn event_missed(history: &mut History, pick: usize) -> bool {
    let Some(place) = choose(&events(history), pick) else {
        return false;
    };
    history.watches[0].seen.remove(place);
    true
}

pub fn event_repeated(history: &mut History, pick: usize) -> bool {
    let Some(place) = choose(&events(history), pick) else {
        return false;
    };
    let again = history.watches[0].seen[place].clone();
    history.watches[0].seen.insert(place, again);
    true
}

pub fn events_swapped(history: &mut History, pick: usize) -> bool {
    let places = events(history);
    let Some(index) = pick.checked_rem(places.len().saturating_sub(1)) else {
        return false;
    };
    let seen = &mut history.watches[0].seen;
    seen.swap(places[index], places[index + 1]);
    true
}

pub fn bookmark_ahead(history: &mut History, _: usize) -> bool {
    let last = history.journal().len() as Revision;
    history.watches[0].seen.push(Seen::Heartbeat(last + 1));
    true
}

/// Unless another request, of which nobody heard, can have had the second effect.
pub fn effect_twice(history: &mut History, pick: usize) -> bool {
    let sets =
        |call: &Call, to: &Changes| matches!(call, Call::Set { changes, .. } if changes == to);
    let places = operations(history, |it| {
        let Call::Set { changes, .. } = &it.call else {
            return false;
        };
        let unknown = operations(history, |other| other.outcome == Outcome::Unknown);
        let mut unknown = unknown.into_iter().map(|at| &history.operations[at]);
        acknowledged(it) && !unknown.any(|other| sets(&other.call, changes))
    });
    let Some(place) = choose(&places, pick) else {
        return false;
    };
    let revision = history.journal().len() as Revision + 1;
    let again = event(revision, &history.operations[place].call);
    for journal in &mut history.journals {
        journal.entries.push(again.clone());
    }
    true
}

pub fn other_state(history: &mut History, pick: usize) -> bool {
    let Some(index) = pick.checked_rem(history.states.len()) else {
        return false;
    };
    history.states[index].hash = Some("another".to_owned());
    true
}

pub fn other_event(history: &mut History, pick: usize) -> bool {
    let entries = &mut history.journals[pick % 3].entries;
    let Some(index) = pick.checked_rem(entries.len()) else {
        return false;
    };
    "another".clone_into(&mut entries[index].event_id);
    true
}
