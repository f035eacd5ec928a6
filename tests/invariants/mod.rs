//! What Refrain promises, judged over what a run recorded.
//!
//! Each invariant is a function of a [`history::History`] and nothing else: no network, no clock, and nothing of the product, so that the
//! judge cannot share an error with the judged. Simulated runs and runs on real processes record the same history. The tests of the judges,
//! in `tests`, are part of one of these binaries only, the simulation.

#![allow(dead_code, reason = "each test binary uses what it can observe")]

pub mod coverage;
mod earlier;
pub mod fails_closed;
mod feed;
pub mod fold;
pub mod history;
pub mod linearizable;
mod never_allows;
mod nothing_lost;
mod one_effect;
pub mod record;
mod requests;
mod revisions;
mod same_state;
pub mod tally;
pub mod verdict;

use history::History;
use verdict::{Findings, Report};

/// One promise.
pub struct Invariant {
    /// Its number.
    pub number: &'static str,
    /// What is promised.
    pub promise: &'static str,
    check: fn(&History) -> Findings,
}

const fn invariant(
    number: &'static str,
    promise: &'static str,
    check: fn(&History) -> Findings,
) -> Invariant {
    Invariant {
        number,
        promise,
        check,
    }
}

/// The promises, and who judges each. I9 and I10 are judged from outside the nodes.
#[rustfmt::skip]
pub const INVARIANTS: [Invariant; 8] = [
    invariant("I1", "each key's history is linearizable", linearizable::check),
    invariant("I2", "no ALLOW after an acknowledged opt-out", never_allows::check),
    invariant("I3", "no acknowledged change is lost, and none is there twice", nothing_lost::check),
    invariant("I4", "revisions follow real time, and answers equal the replay", revisions::check),
    invariant("I5", "a watch equals the replay of its range", feed::check),
    invariant("I6", "a node that cannot know does not allow, and answers in time", fails_closed::check),
    invariant("I7", "one effect per request, and none without one", one_effect::check),
    invariant("I8", "same revision, same state and same journal on all nodes", same_state::check),
];

/// Judges a history by all of them.
pub fn judge(history: &History) -> Report {
    let judged = INVARIANTS.map(|it| (it.number, it.promise, (it.check)(history)));
    Report {
        findings: judged.to_vec(),
    }
}
