//! I1: each key's history is linearizable, said by two checkers that share no code.
//!
//! Linearizability: Herlihy and Wing, "Linearizability: A Correctness Condition for Concurrent Objects" (TOPLAS 1990). It is local (their
//! theorem 1), so that each subject's history is judged by itself; subjects that one call names together are judged together, and so are
//! a subject's purposes, since one purpose decides for those beneath it.

pub mod by_revision;
mod standing;
pub mod wing_gong_lowe;

use super::history::History;
use super::verdict::Findings;

/// Judges a history, by both.
pub fn check(history: &History) -> Findings {
    let mut findings = by_revision::check(history);
    let searched = wing_gong_lowe::check(history, wing_gong_lowe::STEPS);
    // Of many only the first are shown: something of each.
    let second = findings.violations.len().min(1);
    let violations = searched.violations;
    findings.violations.splice(second..second, violations);
    findings.gave_up.extend(searched.gave_up);
    findings
}
