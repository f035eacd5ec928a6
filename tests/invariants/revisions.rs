//! I4: revisions follow real time; an answer's revision is at least every revision acknowledged before it was asked for, and what it says is
//! what a replay to that revision says.
//!
//! Real time as in strict serializability (Herlihy and Wing, "Linearizability", TOPLAS 1990, section 2), over all keys at once; the replay
//! as in etcd's robustness tests (`tests/robustness/validate` in etcd), which judge answers by the events that were persisted.

use super::earlier::Earlier;
use super::fold::Fold;
use super::history::{Call, History, Operation, Outcome, Revision};
use super::requests::{Request, requests};
use super::verdict::Findings;

/// Where a revision was seen.
#[derive(Clone, Copy)]
enum Source {
    Request(usize),
    Read(usize),
}

/// Judges a history.
pub fn check(history: &History) -> Findings {
    let mut findings = Findings::default();
    let requests = requests(history);
    real_time(history, &requests, &mut findings);
    replay(history, &mut findings);
    findings
}

fn real_time(history: &History, requests: &[Request<'_>], findings: &mut Findings) {
    let written = requests.iter().enumerate().filter_map(|(at, request)| {
        let (revision, ..) = request.done?;
        Some((request.ended?, revision, Source::Request(at)))
    });
    let reads = || {
        let reads = history.operations.iter().enumerate();
        reads.filter(|(_, operation)| !matches!(operation.call, Call::Set { .. }))
    };
    let read = reads().filter_map(|(at, operation)| {
        let revision = operation.outcome.revision()?;
        Some((operation.ended?, revision, Source::Read(at)))
    });
    let known = Earlier::new(written.chain(read));
    let told = |source| match source {
        Source::Request(at) => lines(&requests[at].attempts),
        Source::Read(at) => lines(&[&history.operations[at]]),
    };

    for request in requests {
        // An event that stood already is older than who finds it.
        let Some(revision) = request.own() else {
            continue;
        };
        if let Some((before, source)) = known.before(request.begun)
            && before >= revision
        {
            let what = format!("revision {revision} is given after revision {before} was known");
            let own = lines(&request.attempts);
            findings.violation(what, told(source).into_iter().chain(own));
        }
    }
    for (_, operation) in reads() {
        if let Some(revision) = operation.outcome.revision()
            && let Some((before, source)) = known.before(operation.begun)
            && before > revision
        {
            let what = format!("answers at revision {revision} after revision {before} was known");
            let own = lines(&[operation]);
            findings.violation(what, told(source).into_iter().chain(own));
        }
    }
}

fn lines(operations: &[&Operation]) -> Vec<String> {
    operations.iter().map(ToString::to_string).collect()
}

fn replay(history: &History, findings: &mut Findings) {
    let answered = history.operations.iter().filter_map(|operation| {
        let read = !matches!(operation.call, Call::Set { .. });
        let revision = operation.outcome.revision().filter(|_| read)?;
        Some((revision, operation))
    });
    let mut answered: Vec<(Revision, &Operation)> = answered.collect();
    answered.sort_by_key(|(revision, _)| *revision);

    let mut ahead = history.journal().iter().peekable();
    let mut fold = Fold::default();
    let mut reached = 0;
    for (revision, operation) in answered {
        while let Some(entry) = ahead.next_if(|entry| entry.revision <= revision) {
            fold.apply(entry);
            reached = entry.revision;
        }
        if reached < revision {
            findings.violation(
                format!("answers at revision {revision}, and no journal holds more than {reached}"),
                [operation],
            );
        } else if let Some(other) = differs(history, &fold, operation) {
            findings.violation(
                format!("a replay to revision {revision} says otherwise: {other}"),
                [operation],
            );
        }
    }
}

/// What the answer should have been, where it is another.
fn differs(history: &History, fold: &Fold, operation: &Operation) -> Option<String> {
    match (&operation.call, &operation.outcome) {
        (
            Call::Check {
                namespace,
                tokens,
                purpose,
            },
            Outcome::Decided { allow, .. },
        ) => {
            let Some(rule) = history.rules.get(purpose) else {
                return Some(format!("{purpose} is not registered"));
            };
            let right = fold.allows(namespace, tokens, purpose, *rule);
            (right != *allow).then(|| if right { "ALLOW" } else { "DENY" }.to_owned())
        }
        (Call::Preferences { namespace, tokens }, Outcome::Stands { records, revision }) => {
            let right = fold.of(namespace, tokens);
            (right != *records).then(|| {
                let records = right;
                let revision = *revision;
                Outcome::Stands { records, revision }.to_string()
            })
        }
        _ => Some("this is no answer to that question".to_owned()),
    }
}
