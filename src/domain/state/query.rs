//! What else can be asked of the state: a subject's preferences, the way into its history, all that stands.

use super::State;
use super::decide::{Decision, Path, Reason};
use super::record::Key;
use crate::domain::command::Change;
use crate::domain::ids::{EventId, Millis, Revision};
use crate::domain::names::{Namespace, PurposeName};
use crate::domain::refusal::Refusal;
use crate::domain::token::{SubjectToken, Token};

/// The record that stands for one token and purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferenceRecord {
    /// The token, with the type that was asked for.
    pub subject: SubjectToken,
    /// The purpose at which it stands; may be `*`.
    pub purpose: PurposeName,
    /// Out or in.
    pub change: Change,
    /// The event that set it.
    pub event_id: EventId,
    /// That event's revision.
    pub revision: Revision,
    /// When the leader received it.
    pub received_at: Millis,
}

/// How one purpose is decided over all tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurposeDecision {
    /// The purpose.
    pub purpose: PurposeName,
    /// ALLOW or DENY.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// The event that decided, if one did.
    pub event_id: Option<EventId>,
}

/// A subject's preferences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// The records that stand, by token as asked and by purpose.
    pub records: Vec<PreferenceRecord>,
    /// Every registered purpose, by name.
    pub decisions: Vec<PurposeDecision>,
    /// The revision at which this holds.
    pub revision: Revision,
}

/// A record that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The tenant.
    pub namespace: Namespace,
    /// The token.
    pub token: Token,
    /// The purpose at which it stands; may be `*`.
    pub purpose: PurposeName,
    /// Out or in.
    pub change: Change,
    /// The event that set it.
    pub event_id: EventId,
    /// That event's revision.
    pub revision: Revision,
}

impl State {
    /// The records that stand for a subject, and how every purpose is decided for it.
    ///
    /// # Errors
    /// As [`State::decide`], but for those about a purpose.
    pub fn preferences(
        &self,
        namespace: &Namespace,
        tokens: &[SubjectToken],
        schema_version: u32,
        min_revision: Revision,
    ) -> Result<Preferences, Refusal> {
        let namespace = self.admit(namespace, tokens, schema_version, min_revision)?;
        let mut records = Vec::new();
        for subject in tokens {
            let standing = self.shards.get(&Key::new(namespace, subject.token));
            let from = records.len();
            records.extend(standing.iter().filter_map(|record| {
                Some(PreferenceRecord {
                    subject: subject.clone(),
                    purpose: self.registry.name(record.purpose())?,
                    change: record.change(),
                    event_id: record.event_id(),
                    revision: record.revision(),
                    received_at: record.received_at(),
                })
            }));
            records[from..].sort_unstable_by(|a, b| a.purpose.cmp(&b.purpose));
        }
        let decisions = self.registry.purposes().filter_map(|purpose| {
            let path = Path::of(&self.registry, self.registry.id(&purpose.name)?);
            let verdict = self.verdict(namespace, tokens, purpose, &path);
            Some(PurposeDecision {
                purpose: purpose.name.clone(),
                decision: verdict.decision,
                reason: verdict.reason,
                event_id: verdict.event_id,
            })
        });
        Ok(Preferences {
            decisions: decisions.collect(),
            records,
            revision: self.revision,
        })
    }

    /// The revision of a token's latest event, from which its history is a walk backwards; 0 where there is none.
    pub fn last_revision(&self, namespace: &Namespace, token: &Token) -> Revision {
        self.namespaces.id(namespace).map_or(0, |namespace| {
            self.shards
                .get(&Key::new(namespace, *token))
                .last_revision()
        })
    }

    /// All records that stand, in an order that is the same on every node. Meant for a clone: it takes its time.
    pub fn standing(&self) -> impl Iterator<Item = Standing> + '_ {
        let shards = (0..).map_while(|shard| self.shards.sorted(shard));
        shards.flatten().filter_map(|(key, record)| {
            Some(Standing {
                namespace: self.namespaces.name(key.namespace())?.clone(),
                token: key.token(),
                purpose: self.registry.name(record.purpose())?,
                change: record.change(),
                event_id: record.event_id(),
                revision: record.revision(),
            })
        })
    }
}
