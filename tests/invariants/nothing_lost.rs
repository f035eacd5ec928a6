//! I3: no acknowledged change is lost, and each is exactly once in every node's journal, also after a power cut of the whole cluster.
//!
//! Jepsen's `set` and `total-queue` checkers (<https://jepsen-io.github.io/jepsen/jepsen.checker.html>) ask the same of any store: what was
//! acknowledged and is not there is lost; what is there twice is duplicated.

use std::collections::BTreeMap;

use super::history::{Change, Entry, History, Journal, Key, Revision};
use super::requests::{Request, requests};
use super::verdict::Findings;

/// Judges a history.
pub fn check(history: &History) -> Findings {
    let mut findings = Findings::default();
    let requests = requests(history);
    let acknowledged = || requests.iter().filter(|request| request.done.is_some());
    if history.journals.is_empty() && acknowledged().next().is_some() {
        findings.violation(
            "changes were acknowledged, and no journal was read",
            [""; 0],
        );
    }
    for journal in &history.journals {
        dense(journal, &mut findings);
        let mut by_id: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        let mut setting: BTreeMap<&Key, Vec<(Revision, Change)>> = BTreeMap::new();
        for entry in &journal.entries {
            by_id.entry(&entry.event_id).or_default().push(entry);
            for (key, change) in &entry.changes {
                let of_key = setting.entry(key).or_default();
                of_key.push((entry.revision, *change));
            }
        }
        for (id, entries) in &by_id {
            if entries.len() > 1 {
                let what = format!(
                    "node {}: event {id} is there {} times",
                    journal.node,
                    entries.len()
                );
                findings.violation(what, entries);
            }
        }
        for request in acknowledged() {
            if let Some(why) = missing(request, &by_id, &setting) {
                let what = format!("node {}: {why}", journal.node);
                findings.violation(what, &request.attempts);
            }
        }
    }
    findings
}

/// A journal's revisions must be 1, 2, 3 and so on.
fn dense(journal: &Journal, findings: &mut Findings) {
    for (expected, entry) in (1..).zip(&journal.entries) {
        if entry.revision != expected {
            let what = format!(
                "node {}: its event {expected} has another number",
                journal.node
            );
            findings.violation(what, [entry]);
            return;
        }
    }
}

/// What of an acknowledged change is not in a journal.
fn missing(
    request: &Request<'_>,
    by_id: &BTreeMap<&str, Vec<&Entry>>,
    setting: &BTreeMap<&Key, Vec<(Revision, Change)>>,
) -> Option<String> {
    let (revision, event_id, changed) = request.done?;
    let Some(entry) = by_id.get(event_id).and_then(|entries| entries.first()) else {
        return Some(format!("the acknowledged event {event_id} is not there"));
    };
    if entry.revision != revision {
        let there = entry.revision;
        return Some(format!(
            "the acknowledged event {event_id} is at revision {there}"
        ));
    }
    if changed {
        let own = entry.changes == *request.changes;
        return (!own).then(|| format!("the acknowledged event {event_id} does something else"));
    }
    // Nothing changed: at the event that is said to stand, every key must have been set so already.
    request.changes.iter().find_map(|(key, change)| {
        let of_key = setting.get(key).map_or(&[][..], Vec::as_slice);
        let count = of_key.partition_point(|(at, _)| *at <= revision);
        let stood = of_key[..count].last().map(|(_, change)| *change);
        (stood != Some(*change)).then(|| {
            format!(
                "at the event {event_id}, which is said to stand, {} did not stand so",
                key.purpose
            )
        })
    })
}
