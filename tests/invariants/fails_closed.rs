//! I6: fails closed: without quorum, while starting, with a broken disk or past the deadline, never ALLOW, and an answer in time.
//!
//! Gilbert and Lynch, "Brewer's Conjecture and the Feasibility of Consistent, Available, Partition-Tolerant Web Services" (2002): cut off, a
//! node must give up one of the two, and here that is always the answer. The bound on the wait is what Jepsen calls an `:info` that a
//! client must not have to wait for.

use super::history::{Closed, Closure, History, Operation, Outcome, Tick};
use super::verdict::Findings;

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
    findings
}

/// Whether a call to that node began and ended within the closure.
pub fn within(operation: &Operation, closure: &Closure) -> bool {
    let until = closure.until.unwrap_or(Tick::MAX);
    operation.node == closure.node
        && operation.begun >= closure.from
        && operation.ended.is_some_and(|ended| ended <= until)
}
