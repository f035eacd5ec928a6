//! What a run came to, in numbers: outcomes by kind, and how often each fault struck and what was answered meanwhile.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::coverage::answered;
use super::history::{History, Outcome};

/// The numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Calls, batched questions counted each.
    pub operations: usize,
    /// Changes that were acknowledged.
    pub acknowledged: usize,
    /// Checks and preferences that were answered.
    pub answered: usize,
    /// Calls of which nothing is known.
    pub unknown: usize,
    /// Calls that did nothing for certain.
    pub failed: usize,
    /// By kind of fault: how often, and how many answers while it lasted.
    pub faults: BTreeMap<String, (usize, usize)>,
}

impl Tally {
    /// Counts what a run recorded.
    pub fn of(history: &History) -> Self {
        let mut tally = Self {
            operations: history.operations.len(),
            ..Self::default()
        };
        for operation in &history.operations {
            *match operation.outcome {
                Outcome::Done { .. } => &mut tally.acknowledged,
                Outcome::Decided { .. } | Outcome::Stands { .. } => &mut tally.answered,
                Outcome::Failed => &mut tally.failed,
                Outcome::Unknown => &mut tally.unknown,
            } += 1;
        }
        for fault in &history.faults {
            let during = answered(history, fault.from, fault.until);
            tally.strike(fault.kind, 1, during);
        }
        tally
    }

    /// Adds what another run came to.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.acknowledged += other.acknowledged;
        self.answered += other.answered;
        self.unknown += other.unknown;
        self.failed += other.failed;
        for (kind, (times, answers)) in &other.faults {
            self.strike(kind, *times, *answers);
        }
    }

    fn strike(&mut self, kind: &str, times: usize, answers: usize) {
        let entry = self.faults.entry(kind.to_owned()).or_default();
        entry.0 += times;
        entry.1 += answers;
    }
}
