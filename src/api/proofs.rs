//! Under what something was processed: decision ids and stamps, held against what is reported.

use std::collections::HashMap;

use super::decision_id::{DecisionKey, Question};
use crate::{
    domain::{Answered, Decision, Millis, Proof, StampKey},
    limits,
    stamp::{Claims, KeySet, PublicKey, StampError, Stamped},
};

/// What proofs are verified with.
pub(super) struct Proofs<'a> {
    decisions: &'a DecisionKey,
    stamps: KeySet,
    /// By the id of each key that is retired, the latest second in which it may have signed.
    retired: HashMap<String, u64>,
}

impl<'a> Proofs<'a> {
    /// With the key of decision ids, and the keys that stamps were signed with, as far as they are known: what was processed a while
    /// ago may have been under one that has been retired since. Such a key proves nothing that was signed later.
    pub(super) fn new(
        decisions: &'a DecisionKey,
        cluster_id: &[u8; 16],
        keys: &[StampKey],
    ) -> Self {
        let mut retired = HashMap::new();
        let stamps = keys.iter().filter_map(|key| {
            let public = PublicKey::from_bytes(&key.public_key)?;
            if let Some(until) = key.accepted_until {
                // Its last stamps end with the time for which it is accepted.
                let last = (until.0 / 1_000).saturating_sub(limits::STAMP_SECONDS);
                retired.insert(public.kid().to_owned(), last);
            }
            Some(public)
        });
        Self {
            decisions,
            stamps: KeySet::new(cluster_id, stamps),
            retired,
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
            return match self.stamped(stamp, at) {
                Ok(claims) if is_for(&claims, question) => Proof::Stamped(Answered {
                    revision: claims.revision,
                    at: Millis(claims.issued_at.saturating_mul(1_000).saturating_add(999)),
                }),
                Err(StampError::UnknownKey) => Proof::Forgotten,
                _ => Proof::False,
            };
        }
        if decision_id.is_empty() {
            return Proof::None;
        }
        match self.decisions.verify(decision_id, question) {
            Some(answer) if answer.decision == Decision::Allow => Proof::Decided(Answered {
                revision: answer.revision,
                at: answer.evaluated_at,
            }),
            _ => Proof::False,
        }
    }

    /// What a stamp says, once it is certain that a key has signed it while it was in use.
    fn stamped(&self, stamp: &str, at: Millis) -> Result<Claims, StampError> {
        let claims = self.stamps.verify(stamp, at.0 / 1_000)?;
        let named = self.stamps.named_by(stamp);
        match named.and_then(|key| self.retired.get(key.kid())) {
            Some(last) if claims.issued_at > *last => Err(StampError::BadSignature),
            _ => Ok(claims),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{IdentifierType, Namespace, PurposeName, SubjectToken, Token},
        stamp::SigningKey,
    };

    const NOW: u64 = 1_700_000_000;

    fn stamp_key(key: &SigningKey, accepted_until: Option<u64>) -> StampKey {
        StampKey {
            node_id: 1,
            public_key: *key.public().as_bytes(),
            added_at: Millis(0),
            accepted_until: accepted_until.map(|seconds| Millis(seconds * 1_000)),
        }
    }

    #[test]
    fn a_retired_key_proves_what_it_signed_before_and_one_that_is_not_known_proves_nothing() {
        let decisions = DecisionKey::derive(&[7; 32]);
        let key = SigningKey::new(&[1; 32]);
        let namespace = Namespace::default_namespace();
        let purpose = PurposeName::parse("sale").unwrap();
        let tokens = [SubjectToken {
            identifier_type: IdentifierType::parse("email").unwrap(),
            token: Token {
                generation: 1,
                bytes: [5; 16],
            },
        }];
        let question = Question {
            namespace: &namespace,
            tokens: &tokens,
            purpose: &purpose,
            service: "shop",
        };
        let token = tokens[0].token.to_string();
        let claims = |issued_at| Claims {
            cluster_id: hex::encode([9; 16]),
            subject: token.clone(),
            tokens: vec![token.clone()],
            namespace: namespace.to_string(),
            purposes: vec![purpose.to_string()],
            decision: Stamped::Allow,
            revision: 5,
            service: "shop".to_owned(),
            issued_at,
            expires_at: issued_at + limits::STAMP_SECONDS,
            decision_id: String::new(),
        };
        let proof = |keys: &[StampKey], issued_at| {
            let proofs = Proofs::new(&decisions, &[9; 16], keys);
            let stamp = key.sign(&claims(issued_at)).unwrap();
            proofs.verify("", &stamp, &question, Millis(issued_at * 1_000 + 5_000))
        };
        let stamped = |issued_at: u64| {
            Proof::Stamped(Answered {
                revision: 5,
                at: Millis(issued_at * 1_000 + 999),
            })
        };
        assert_eq!(proof(&[stamp_key(&key, None)], NOW), stamped(NOW));
        // Retired, and its last stamps have ended long ago.
        let retired = [stamp_key(&key, Some(NOW + limits::STAMP_SECONDS))];
        assert_eq!(proof(&retired, NOW - 60), stamped(NOW - 60));
        assert_eq!(proof(&retired, NOW), stamped(NOW));
        assert_eq!(proof(&retired, NOW + 1), Proof::False);
        let other = [stamp_key(&SigningKey::new(&[2; 32]), None)];
        assert_eq!(proof(&other, NOW), Proof::Forgotten);
    }
}
