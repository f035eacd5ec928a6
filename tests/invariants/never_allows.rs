//! I2: no ALLOW after an acknowledged opt-out.
//!
//! If an opt-out of k returned OK at revision r and a check on any node that began later returns ALLOW, then an opt-in of k with a revision
//! above r (or one whose outcome is unknown) began before that check ended. A check of a purpose is covered by opt-outs at it and above
//! it, and an opt-in counts from the opt-out's purpose down to the one asked.
//!
//! After the one-line properties that FoundationDB's simulation holds beside its models (Zhou et al., "FoundationDB: A Distributed
//! Unbundled Transactional Key Value Store", SIGMOD 2021, section 4): it knows neither journal nor linearization, so that an error in either
//! cannot hide the one lie that matters most.

use std::collections::BTreeMap;

use super::earlier::Earlier;
use super::fold::path;
use super::history::{Call, Change, History, Key, Outcome, Revision, Rule, Tick};
use super::requests::requests;
use super::verdict::Findings;

/// A request's moment and revision, under the key that it sets.
type Moments = BTreeMap<Key, Vec<(Tick, Revision, usize)>>;

/// Judges a history.
pub fn check(history: &History) -> Findings {
    let requests = requests(history);
    let mut opt_outs = Moments::new();
    let mut opt_ins = Moments::new();
    for (at, request) in requests.iter().enumerate() {
        for (key, change) in request.changes {
            match (change, request.done, request.ended) {
                (Change::OptOut, Some((revision, ..)), Some(ended)) => {
                    let of_key = opt_outs.entry(key.clone()).or_default();
                    of_key.push((ended, revision, at));
                }
                (Change::OptOut, ..) => {}
                (Change::OptIn, done, _) => {
                    // One whose outcome is unknown may stand at any revision.
                    let revision = done.map_or(Revision::MAX, |(revision, ..)| revision);
                    let of_key = opt_ins.entry(key.clone()).or_default();
                    of_key.push((request.begun, revision, at));
                }
            }
        }
    }
    let index = |moments: Moments| -> BTreeMap<Key, Earlier<usize>> {
        let each = moments.into_iter();
        each.map(|(key, moments)| (key, Earlier::new(moments)))
            .collect()
    };
    let (opt_outs, opt_ins) = (index(opt_outs), index(opt_ins));

    let mut findings = Findings::default();
    for check in &history.operations {
        let (
            Call::Check {
                namespace,
                tokens,
                purpose,
            },
            Outcome::Decided { allow: true, .. },
        ) = (&check.call, &check.outcome)
        else {
            continue;
        };
        if history.rules.get(purpose) == Some(&Rule::Essential) {
            continue;
        }
        for token in tokens {
            let mut opted_in = None;
            for step in path(purpose).into_iter().rev() {
                let key = Key::new(namespace, token, step);
                let later = check.ended.unwrap_or(Tick::MAX);
                let here = opt_ins.get(&key).and_then(|it| it.before(later));
                opted_in = opted_in.max(here.map(|(revision, _)| revision));
                let opted_out = opt_outs.get(&key).and_then(|it| it.before(check.begun));
                if let Some((revision, whose)) = opted_out
                    && opted_in <= Some(revision)
                {
                    let request = &requests[whose];
                    let told = request.attempts.iter().map(ToString::to_string);
                    findings.violation(
                        format!(
                            "allows {purpose} after the opt-out of {step} at revision {revision}"
                        ),
                        told.chain([check.to_string()]),
                    );
                }
            }
        }
    }
    findings
}
