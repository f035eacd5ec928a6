//! What a stamp says, and the rules that each stamp keeps to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{error::StampError, jws::Parts};
use crate::limits;

/// What a stamp says. The names in JSON are those of RFC 7519 where it has one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The cluster that decided: its id, 32 lower-case hex digits.
    #[serde(rename = "iss")]
    pub cluster_id: String,
    /// About whom: the first of the tokens.
    #[serde(rename = "sub")]
    pub subject: String,
    /// All tokens that were asked about, each `<generation>:<32 hex digits>`; 1 to 16.
    pub tokens: Vec<String>,
    /// The namespace.
    #[serde(rename = "ns")]
    pub namespace: String,
    /// The purposes that were asked about; 1 to 64. The decision holds for these and for none under or above them.
    pub purposes: Vec<String>,
    /// What was decided.
    pub decision: Stamped,
    /// The revision at which it was decided.
    #[serde(rename = "rev")]
    pub revision: u64,
    /// The service that asked; empty where it named none.
    #[serde(rename = "svc")]
    pub service: String,
    /// When it was decided.
    #[serde(rename = "iat")]
    pub issued_at: u64,
    /// From when on the stamp says nothing; at most 15 minutes after `issued_at`.
    #[serde(rename = "exp")]
    pub expires_at: u64,
    /// The id of the decision.
    #[serde(rename = "jti")]
    pub decision_id: String,
}

/// The decision that a stamp carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stamped {
    /// Allowed, as of the stamp's revision.
    #[serde(rename = "ALLOW")]
    Allow,
    /// Denied.
    #[serde(rename = "DENY")]
    Deny,
}

/// Without whom it is about: tokens are personal data, and what can be printed is printed into logs.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("decision", &self.decision)
            .field("purposes", &self.purposes)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Claims {
    /// What a stamp claims, whoever made it. Not to be believed: for who must know what it is about before it can be
    /// verified, with [`KeySet::verify`](super::KeySet::verify).
    ///
    /// # Errors
    /// [`StampError::Malformed`].
    pub fn unverified(stamp: &str) -> Result<Self, StampError> {
        Parts::of(stamp)?.unverified()
    }

    /// The rules that hold at any time, for who signs and for who reads.
    pub(super) fn check(&self) -> Result<(), StampError> {
        let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let token = |text: &String| {
            text.split_once(':').is_some_and(|(generation, digits)| {
                generation
                    .parse::<u16>()
                    .is_ok_and(|it| it > 0 && it.to_string() == generation)
                    && digits.len() == 32
                    && hex(digits)
            })
        };
        let purpose = |text: &String| (1..=limits::PURPOSE_BYTES).contains(&text.len());
        let rules = [
            (
                self.cluster_id.len() == 32 && hex(&self.cluster_id),
                "`iss` is no id of a cluster",
            ),
            (
                (1..=limits::IDENTIFIERS).contains(&self.tokens.len())
                    && self.tokens.iter().all(token),
                "`tokens` are not 1 to 16 tokens",
            ),
            (
                self.tokens.first() == Some(&self.subject),
                "`sub` is not the first token",
            ),
            (
                (1..=limits::NAMESPACE_BYTES).contains(&self.namespace.len()),
                "`ns` is no namespace",
            ),
            (
                (1..=limits::PURPOSES_PER_REQUEST).contains(&self.purposes.len())
                    && self.purposes.iter().all(purpose),
                "`purposes` are not 1 to 64 purposes",
            ),
            (
                self.service.len() <= limits::SERVICE_BYTES,
                "`svc` is no service",
            ),
            (
                self.decision_id.len() <= limits::DECISION_ID_BYTES,
                "`jti` is no decision id",
            ),
            (
                self.expires_at
                    .checked_sub(self.issued_at)
                    .is_some_and(|life| (1..=limits::STAMP_SECONDS).contains(&life)),
                "it does not live for 1 second to 15 minutes",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(StampError::Malformed(why)),
            None => Ok(()),
        }
    }

    /// Whether the stamp counts at `now`.
    pub(super) fn check_time(&self, now: u64) -> Result<(), StampError> {
        if self.issued_at > now.saturating_add(limits::STAMP_AHEAD_SECONDS) {
            Err(StampError::NotYetValid)
        } else if now >= self.expires_at {
            Err(StampError::Expired)
        } else {
            Ok(())
        }
    }
}
