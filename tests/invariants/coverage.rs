//! Whether a run has shown anything: each fault fired, enough was acknowledged while it lasted, closed nodes were asked, states were
//! compared, and little was left unjudged.
//!
//! As FoundationDB's `TEST()` probes and etcd's fail points, whose runs count as nothing where they were not reached.

use std::collections::{BTreeMap, BTreeSet};

use super::fails_closed::within;
use super::history::{History, Node, Outcome, Revision, Tick};
use super::verdict::Report;

/// What a run has to reach.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// By kind of fault: how often it has to fire, and how many answers to have while it lasts, over all its times.
    pub faults: Vec<(&'static str, usize, usize)>,
    /// How many changes have to be acknowledged in all.
    pub acknowledged: usize,
    /// At how many revisions all members' states have to be compared.
    pub compared: usize,
    /// How many parts of the history may be left unjudged.
    pub gave_up: usize,
}

/// What the run did not reach, a line each.
pub fn shortfalls(history: &History, report: &Report, needs: &Needs) -> Vec<String> {
    let mut short = Vec::new();
    let mut at_least = |what: String, wanted: usize, reached: usize| {
        if reached < wanted {
            short.push(format!("{what}: {reached}, and {wanted} are needed"));
        }
    };
    for (kind, times, answers) in &needs.faults {
        let fired = || history.faults.iter().filter(|fault| fault.kind == *kind);
        at_least(
            format!("times that `{kind}` fired"),
            *times,
            fired().count(),
        );
        let during = fired().map(|fault| answered(history, fault.from, fault.until));
        at_least(format!("answers during `{kind}`"), *answers, during.sum());
    }
    let done = |outcome: &Outcome| matches!(outcome, Outcome::Done { .. });
    let acknowledged = history.operations.iter().filter(|it| done(&it.outcome));
    at_least(
        "changes acknowledged".to_owned(),
        needs.acknowledged,
        acknowledged.count(),
    );
    let compared = compared(history);
    at_least(
        "revisions with all states compared".to_owned(),
        needs.compared,
        compared,
    );
    for closure in &history.closures {
        let asked = history.operations.iter().filter(|it| within(it, closure));
        let what = format!(
            "calls to node {} while it cannot know ({:?})",
            closure.node, closure.why
        );
        at_least(what, 1, asked.count());
    }
    let gave_up = report.gave_up();
    if gave_up > needs.gave_up {
        short.push(format!(
            "parts left unjudged: {gave_up}, and {} may be",
            needs.gave_up
        ));
    }
    short
}

/// How many calls got an answer within a time.
pub(super) fn answered(history: &History, from: Tick, until: Option<Tick>) -> usize {
    let during = |at: Tick| from <= at && at <= until.unwrap_or(Tick::MAX);
    let answers = history.operations.iter().filter(|operation| {
        operation.outcome.revision().is_some() && operation.ended.is_some_and(during)
    });
    answers.count()
}

/// At how many revisions every node with a journal told its state.
fn compared(history: &History) -> usize {
    let members: BTreeSet<Node> = history.journals.iter().map(|it| it.node).collect();
    let mut told: BTreeMap<Revision, BTreeSet<Node>> = BTreeMap::new();
    for state in history.states.iter().filter(|it| it.hash.is_some()) {
        told.entry(state.revision).or_default().insert(state.node);
    }
    let all = told.values().filter(|nodes| nodes.is_superset(&members));
    all.count()
}
