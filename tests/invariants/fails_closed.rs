//! I6: fails closed: without quorum, while starting, with a broken disk or past the deadline, never ALLOW, and an answer in time.
//!
//! Gilbert and Lynch, "Brewer's Conjecture and the Feasibility of Consistent, Available, Partition-Tolerant Web Services" (2002): cut off, a
//! node must give up one of the two, and here that is always the answer. Whether it was cut off is for the run to say, whether it answered for
//! the caller; neither is taken from the node. It is the node that has to answer: a caller that gives up proves nothing of it.

use super::history::{Closed, Closure, History, Operation, Outcome, Tick};
use super::verdict::Findings;

/// Calls to a node that cannot know, from which on it shows whether it says so.
const ENOUGH: usize = 4;

/// Judges a history.
pub fn check(history: &History) -> Findings {
    let mut findings = Findings::default();
    for operation in &history.operations {
        let closed = history.closures.iter().find(|it| within(operation, it));
        let allows = matches!(operation.outcome, Outcome::Decided { allow: true, .. });
        let acknowledges = matches!(operation.outcome, Outcome::Done { .. });
        if let Some(closure) = closed {
            let why = closure.why;
            if allows {
                findings.violation(
                    format!("allows while it cannot know ({why:?})"),
                    [operation],
                );
            }
            if acknowledges && why == Closed::NoQuorum {
                findings.violation("acknowledges without a quorum", [operation]);
            }
        }
        if let Some(waited) = operation.waited
            && waited.for_ > waited.deadline + history.grace
        {
            let (took, deadline) = (waited.for_, waited.deadline);
            let what = if allows { "allows" } else { "answers" };
            findings.violation(
                format!("{what} after {took:?}, past its deadline of {deadline:?}"),
                [operation],
            );
        }
    }
    for closure in &history.closures {
        silent(history, closure, &mut findings);
    }
    findings
}

/// A node that cannot know says so itself, to half of those who ask it at least: some ask when the machine has no time for it.
fn silent(history: &History, closure: &Closure, findings: &mut Findings) {
    // What has ended of its disk does not answer.
    if closure.why == Closed::BrokenDisk {
        return;
    }
    let asked = history.operations.iter().filter(|it| within(it, closure));
    let asked: Vec<_> = asked.filter(|it| it.waited.is_some()).collect();
    let unanswered = asked
        .iter()
        .filter(|it| it.waited.is_some_and(|waited| !waited.by_node));
    let unanswered: Vec<&Operation> = unanswered.copied().collect();
    if asked.len() >= ENOUGH && unanswered.len() * 2 > asked.len() {
        let (of, why) = (asked.len(), closure.why);
        findings.violation(
            format!("leaves most of {of} calls without an answer while it cannot know ({why:?})"),
            unanswered,
        );
    }
}

/// Whether a call to that node began and ended within the closure.
pub fn within(operation: &Operation, closure: &Closure) -> bool {
    let until = closure.until.unwrap_or(Tick::MAX);
    operation.node == closure.node
        && operation.begun >= closure.from
        && operation.ended.is_some_and(|ended| ended <= until)
}
