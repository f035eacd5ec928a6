//! I7: one effect per `request_id`, via any node, across fail-over, snapshot and restart; and no effect without a request.
//!
//! The exactly-once semantics of Lee et al., "Implementing Linearizability at Large Scale and Low Latency" (RIFL, SOSP 2015): the retries of
//! a request are one operation, and all of them learn its one result. Effects are tied to requests as Elle ties a version to the one write that
//! can have made it (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations", VLDB 2020).

use std::collections::BTreeMap;

use super::history::{Call, Changes, Entry, History, Outcome};
use super::requests::{Request, origins};
use super::verdict::Findings;

/// Judges a history.
pub fn check(history: &History) -> Findings {
    let mut findings = Findings::default();
    let origins = origins(history);
    let mut owners: BTreeMap<&str, &Request<'_>> = BTreeMap::new();
    let mut contents: BTreeMap<&str, &Changes> = BTreeMap::new();
    for request in &origins.requests {
        let results = request
            .attempts
            .iter()
            .filter(|attempt| done(&attempt.outcome));
        let results: Vec<_> = results.collect();
        if let Some(other) = results.iter().find(|it| it.outcome != results[0].outcome) {
            let id = request.id;
            let what = format!("request {id} was acknowledged with two results");
            findings.violation(what, [results[0], other]);
        }
        if let Some((_, event_id, true)) = request.done
            && let Some(other) = owners.insert(event_id, request)
        {
            let both = other.attempts.iter().chain(&request.attempts);
            findings.violation(format!("two requests made event {event_id}"), both);
        }
        if request.done.is_some()
            && let Some(other) = contents.insert(request.id, request.changes)
            && other != request.changes
        {
            let what = format!("request {} was acknowledged for two things", request.id);
            findings.violation(what, &request.attempts);
        }
    }
    for orphan in &origins.orphans {
        findings.violation(
            format!(
                "event {} has no request of its own: {}",
                orphan.event_id,
                why(history, orphan)
            ),
            [orphan.to_string()]
                .into_iter()
                .chain(suspects(history, orphan)),
        );
    }
    findings
}

fn done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done { .. })
}

/// The calls that asked for what the event does.
fn suspects(history: &History, orphan: &Entry) -> Vec<String> {
    let asked = history.operations.iter().filter(|operation| {
        matches!(&operation.call, Call::Set { request_id, changes } if *changes == orphan.changes
            && orphan.request_id.as_ref().is_none_or(|id| id == request_id))
    });
    asked.map(ToString::to_string).collect()
}

fn why(history: &History, orphan: &Entry) -> &'static str {
    if suspects(history, orphan).is_empty() {
        "nobody asked for it"
    } else {
        "whoever asked for it had another event, failed for certain, or asked only after it was seen"
    }
}
