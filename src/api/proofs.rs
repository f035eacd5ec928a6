//! Under what something was processed: decision ids and stamps, held against what is reported.

use super::decision_id::{DecisionKey, Question};
use crate::{
    domain::{Decision, Millis, Proof, StampKey},
    stamp::{Claims, KeySet, PublicKey, Stamped},
};

/// What proofs are verified with.
pub(super) struct Proofs<'a> {
    decisions: &'a DecisionKey,
    stamps: KeySet,
}

impl<'a> Proofs<'a> {
    /// With the key of decision ids, and all keys that stamps were ever signed with: what was processed long ago may have been under one
    /// that has been retired since.
    pub(super) fn new(
        decisions: &'a DecisionKey,
        cluster_id: &[u8; 16],
        keys: &[StampKey],
    ) -> Self {
        let keys = keys.iter();
        let keys = keys.filter_map(|key| PublicKey::from_bytes(&key.public_key));
        Self {
            decisions,
            stamps: KeySet::new(cluster_id, keys),
        }
    }

    /// What a report names, as a proof for its question at the time at which it was processed.
    pub(super) fn verify(
        &self,
        decision_id: &str,
        stamp: &str,
        question: &Question<'_>,
        at: Millis,
    ) -> Proof {
        if !stamp.is_empty() {
            let claims = self.stamps.verify(stamp, at.0 / 1_000);
            return match claims {
                Ok(claims) if is_for(&claims, question) => Proof::Stamped(claims.revision),
                _ => Proof::False,
            };
        }
        if decision_id.is_empty() {
            return Proof::None;
        }
        match self.decisions.verify(decision_id, question) {
            Some(answer) if answer.decision == Decision::Allow => {
                Proof::Decided(answer.evaluated_at)
            }
            _ => Proof::False,
        }
    }
}

/// Whether a stamp allows what was done. It travels inside a message: who uses it need not be who asked for it.
fn is_for(claims: &Claims, question: &Question<'_>) -> bool {
    claims.decision == Stamped::Allow
        && claims.namespace == question.namespace.as_str()
        && claims
            .purposes
            .iter()
            .any(|it| it == question.purpose.as_str())
        && question
            .tokens
            .iter()
            .all(|it| claims.tokens.contains(&it.token.to_string()))
}
