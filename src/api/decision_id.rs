//! Decision ids: names for answers that can be checked later without a log of every check.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::derived::{DerivedKey, MAC};
use crate::domain::{Decision, Millis, Namespace, PurposeName, Revision, SubjectToken};

/// The form of an id: its first byte.
const FORM: u8 = 1;

/// Bytes of the part that says what was answered.
const SAID: usize = 1 + 8 + 8 + 8 + 1;

/// What sets this use of the token key apart from every other.
const PURPOSE_OF_KEY: &[u8] = b"refrain decision id 1";

/// The key that decision ids are authenticated with, derived from the cluster's token key: every node can check what
/// any node answered.
pub struct DecisionKey(DerivedKey);

/// What was asked: the MAC binds the answer to it.
pub struct Question<'a> {
    /// The namespace.
    pub namespace: &'a Namespace,
    /// The subject's tokens, in any order.
    pub tokens: &'a [SubjectToken],
    /// The purpose.
    pub purpose: &'a PurposeName,
    /// The service that asked; empty where it did not say.
    pub service: &'a str,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The node that answered.
    pub node: u64,
    /// The revision at which the answer held.
    pub revision: Revision,
    /// When it was decided, by the node's clock.
    pub evaluated_at: Millis,
    /// The decision.
    pub decision: Decision,
}

impl DecisionKey {
    /// Derives the key.
    pub fn derive(token_key: &[u8; 32]) -> Self {
        Self(DerivedKey::new(token_key, PURPOSE_OF_KEY))
    }

    /// Names an answer: base64url, 56 characters.
    pub fn name(&self, question: &Question<'_>, answer: &Answer) -> String {
        let said = encode(answer);
        let mut id = [0; SAID + MAC];
        id[..SAID].copy_from_slice(&said);
        id[SAID..].copy_from_slice(&self.mac(&said, question).finalize().into_bytes()[..MAC]);
        URL_SAFE_NO_PAD.encode(id)
    }

    /// Reads an id back: `None` unless this cluster gave exactly this answer to exactly this question.
    pub fn verify(&self, id: &str, question: &Question<'_>) -> Option<Answer> {
        let bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let (said, mac) = bytes.split_at_checked(SAID)?;
        let said: &[u8; SAID] = said.try_into().ok()?;
        if mac.len() != MAC {
            return None;
        }
        self.mac(said, question).verify_truncated_left(mac).ok()?;
        decode(said)
    }

    /// The MAC over the answer and the parts of the question, each with its length before it.
    fn mac(&self, said: &[u8; SAID], question: &Question<'_>) -> Hmac<Sha256> {
        let mut tokens: Vec<_> = question
            .tokens
            .iter()
            .map(|subject| (subject.token.generation, subject.token.bytes))
            .collect();
        tokens.sort_unstable();
        let mut mac = self.0.mac();
        mac.update(said);
        for text in [
            question.namespace.as_str(),
            question.purpose.as_str(),
            question.service,
        ] {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        }
        for (generation, bytes) in tokens {
            mac.update(&generation.to_be_bytes());
            mac.update(&bytes);
        }
        mac
    }
}

fn encode(answer: &Answer) -> [u8; SAID] {
    let mut said = [0; SAID];
    said[0] = FORM;
    said[1..9].copy_from_slice(&answer.node.to_be_bytes());
    said[9..17].copy_from_slice(&answer.revision.to_be_bytes());
    said[17..25].copy_from_slice(&answer.evaluated_at.0.to_be_bytes());
    said[25] = match answer.decision {
        Decision::Deny => 1,
        Decision::Allow => 2,
    };
    said
}

fn decode(said: &[u8; SAID]) -> Option<Answer> {
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&said[at..at + 8]);
        u64::from_be_bytes(bytes)
    };
    if said[0] != FORM {
        return None;
    }
    Some(Answer {
        node: number(1),
        revision: number(9),
        evaluated_at: Millis(number(17)),
        decision: match said[25] {
            1 => Decision::Deny,
            2 => Decision::Allow,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{IdentifierType, Token};

    fn token(byte: u8) -> SubjectToken {
        SubjectToken {
            identifier_type: IdentifierType::parse("email").expect("type"),
            token: Token {
                generation: 1,
                bytes: [byte; 16],
            },
        }
    }

    #[test]
    fn an_id_holds_for_its_own_question_alone() {
        let key = DecisionKey::derive(&[7; 32]);
        let namespace = Namespace::default_namespace();
        let purpose = PurposeName::parse("marketing.email").expect("purpose");
        let tokens = [token(1), token(2)];
        let question = Question {
            namespace: &namespace,
            tokens: &tokens,
            purpose: &purpose,
            service: "mailer",
        };
        let answer = Answer {
            node: 0xfeed,
            revision: 42,
            evaluated_at: Millis(1_700_000_000_000),
            decision: Decision::Allow,
        };
        let id = key.name(&question, &answer);
        assert_eq!(id.len(), 56);
        assert_eq!(key.verify(&id, &question), Some(answer));

        let turned = [token(2), token(1)];
        let same = Question {
            tokens: &turned,
            ..question
        };
        assert_eq!(
            key.verify(&id, &same),
            Some(answer),
            "the order of tokens says nothing"
        );

        let fewer = Question {
            tokens: &tokens[..1],
            ..question
        };
        assert_eq!(key.verify(&id, &fewer), None);
        let other = Question {
            service: "mailer2",
            ..question
        };
        assert_eq!(key.verify(&id, &other), None);
        assert_eq!(DecisionKey::derive(&[8; 32]).verify(&id, &question), None);

        for at in 0..id.len() {
            let mut forged = id.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'Z' } else { b'A' };
            let forged = String::from_utf8(forged).expect("ascii");
            assert_eq!(key.verify(&forged, &question), None, "{at}");
        }
        for wrong in ["", "AAAA", "not base64!"] {
            assert_eq!(key.verify(wrong, &question), None);
        }
    }
}
