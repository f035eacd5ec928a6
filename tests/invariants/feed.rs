//! I5: a watch equals the replay of its range: no gap, no repeat, nothing uncommitted; a resume has no gap or says the earliest revision
//! left.
//!
//! The guarantees that etcd gives of its watches (ordered, unique, reliable, atomic, resumable, bookmarkable:
//! <https://etcd.io/docs/v3.6/learning/api_guarantees/>), judged as etcd's robustness tests judge them: against the events that were persisted.

use super::fold::path;
use super::history::{Entry, Filter, History, Revision, Seen, Watch};
use super::verdict::Findings;

/// Judges a history.
pub fn check(history: &History) -> Findings {
    let mut findings = Findings::default();
    for (at, watch) in history.watches.iter().enumerate() {
        if let Err((what, excerpt)) = follow(watch, history.journal()) {
            findings.violation(format!("watcher {at} {what}"), excerpt);
        }
    }
    findings
}

/// What is wrong, and what shows it.
type Wrong = (String, Vec<String>);

/// Follows one watcher through the journal up to the first thing that is wrong.
fn follow(watch: &Watch, journal: &[Entry]) -> Result<(), Wrong> {
    let last = journal.last().map_or(0, |entry| entry.revision);
    let wanted = |from: Revision, until: Revision| {
        let start = journal.partition_point(|entry| entry.revision < from);
        let range = journal[start..].iter();
        let range = range.take_while(move |entry| entry.revision <= until);
        range.filter(|entry| passes(&watch.filter, entry))
    };
    // A gap is at the first event that was wanted and left out.
    let gap = |from: Revision, until: Revision| match wanted(from, until).next() {
        Some(left_out) => Err((
            "missed an event".to_owned(),
            vec![
                left_out.to_string(),
                format!("but went on to revision {until}"),
            ],
        )),
        None => Ok(()),
    };
    let wrong = |what: String| Err((what, Vec::new()));

    // The revision that comes next, once a node was asked; and the node that had no more of it.
    let mut next = None;
    let mut earliest = None;
    for seen in &watch.seen {
        match (seen, next) {
            (Seen::Asked { node, from }, _) => {
                let expected = earliest.take().or(next).unwrap_or(*from);
                if *from != expected {
                    return wrong(format!(
                        "asks node {node} for {from}, where {expected} comes next"
                    ));
                }
                next = Some(*from);
            }
            (_, None) => return wrong("got something before it asked".to_owned()),
            (Seen::Event(event), Some(expected)) => {
                if event.revision < expected {
                    let shown = vec![event.to_string()];
                    return Err((format!("got an event before {expected} again"), shown));
                }
                gap(expected, event.revision - 1)?;
                let committed = wanted(event.revision, event.revision).next();
                if !committed.is_some_and(|entry| entry.agrees(event)) {
                    let in_journal = committed.map_or_else(
                        || "the journal has none there that it wanted".to_owned(),
                        |entry| format!("in the journal: {entry}"),
                    );
                    let shown = vec![event.to_string(), in_journal];
                    return Err(("got an event that was not committed so".to_owned(), shown));
                }
                next = Some(event.revision + 1);
            }
            (Seen::Heartbeat(revision), Some(expected)) => {
                if *revision > last {
                    return wrong(format!(
                        "got a bookmark at {revision}, ahead of the journal's {last}"
                    ));
                }
                if revision + 1 < expected {
                    return wrong(format!(
                        "got a bookmark at {revision}, back from {expected}"
                    ));
                }
                gap(expected, *revision)?;
                next = Some(revision + 1);
            }
            (Seen::EarliestLeft(revision), Some(expected)) => {
                if *revision <= expected {
                    return wrong(format!("was refused {expected}, though {revision} is left"));
                }
                earliest = Some(*revision);
            }
        }
    }
    match next {
        Some(next) if earliest.is_none() => gap(next, watch.reaches),
        _ if watch.reaches > 0 => wrong(format!("never got as far as {}", watch.reaches)),
        _ => Ok(()),
    }
}

/// Whether a watcher wants an event. What concerns no namespace or no subject concerns all of them.
fn passes(filter: &Filter, entry: &Entry) -> bool {
    let in_namespace = |wanted: &String| entry.namespace.as_ref().is_none_or(|it| it == wanted);
    let touches = |wanted: &String| {
        entry.purposes.iter().any(|touched| {
            path(touched).contains(&wanted.as_str()) || path(wanted).contains(&touched.as_str())
        })
    };
    let concerns = |wanted: &String| {
        entry.changes.is_empty() || entry.changes.keys().any(|key| key.token == *wanted)
    };
    let any = |wanted: &[String], passes: &dyn Fn(&String) -> bool| {
        wanted.is_empty() || wanted.iter().any(passes)
    };
    any(&filter.namespaces, &in_namespace)
        && any(&filter.purposes, &touches)
        && any(&filter.tokens, &concerns)
}
