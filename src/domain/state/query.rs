//! What else can be asked of the state: a subject's preferences, the way into its history, all that stands.

use super::State;
use super::decide::{Asking, Decision, Path, Question, Reason};
use super::namespaces::NamespaceId;
use super::record::Key;
use super::stamp_keys::StampKey;
use crate::domain::change::{Override, Pending};
use crate::domain::command::Change;
use crate::domain::ids::{EventId, Millis, Revision};
use crate::domain::names::{Namespace, PurposeName, ServiceName};
use crate::domain::refusal::Refusal;
use crate::domain::registry::PurposeId;
use crate::domain::token::{SubjectToken, Token};
use crate::domain::usage::ServiceSeen;
use crate::limits;

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
    /// Whether it is what a signal said, kept apart from what the person said.
    pub signalled: bool,
}

/// How one purpose is decided over all tokens, overrides left out.
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
    /// Every registered purpose, by name; without those whose schema floor is above the caller's version.
    pub decisions: Vec<PurposeDecision>,
    /// The revision at which this holds.
    pub revision: Revision,
    /// The revision of the latest event of any of the tokens; 0 where there is none.
    pub last_revision: Revision,
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
    /// Whether it is what a signal said.
    pub signalled: bool,
}

/// The purposes that Global Privacy Control opts out of where a namespace does not say: what the laws that know it name
/// (California's and Colorado's among them), as far as it is registered.
const GPC_PURPOSES: [&str; 3] = ["sale", "sharing", "advertising.targeted"];

impl State {
    /// The records that stand for a subject, and how every purpose is decided for it, with no override. The question's
    /// purpose says nothing, nor does its service.
    ///
    /// # Errors
    /// As [`State::decide`], but for those about a purpose.
    pub fn preferences(&self, question: &Question<'_>) -> Result<Preferences, Refusal> {
        let Question {
            tokens,
            schema_version,
            ..
        } = *question;
        let namespace = self.admit(
            question.namespace,
            tokens,
            schema_version,
            question.min_revision,
        )?;
        let asking = Asking {
            namespace: question.namespace,
            namespace_id: namespace,
            tokens,
            // What the person chose, and not what a service may do all the same: only a decision of its own, which names the
            // override and is counted, is made under one.
            lifted_for: None,
            at: self.judged_at(question.at),
            lifts: self.clock_holds(question.at),
        };
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
                    signalled: record.signalled(),
                })
            }));
            let place = |record: &PreferenceRecord| (record.purpose.clone(), record.signalled);
            records[from..].sort_unstable_by_key(place);
        }
        let decisions = self.registry.purposes().filter_map(|purpose| {
            let id = self.registry.id(&purpose.name)?;
            self.floors.check(&self.registry, id, schema_version).ok()?;
            let path = Path::of(&self.registry, id);
            let verdict = self.verdict(&asking, purpose, &path);
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
            last_revision: self.last_revision_of(question.namespace, tokens),
        })
    }

    /// The revision of the latest event of any of a subject's tokens; 0 where there is none.
    pub fn last_revision_of(&self, namespace: &Namespace, tokens: &[SubjectToken]) -> Revision {
        let last = |subject: &SubjectToken| self.last_revision(namespace, &subject.token);
        tokens.iter().map(last).max().unwrap_or(0)
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
                signalled: record.signalled(),
            })
        })
    }

    /// The schema floor of the whole cluster, or of one purpose itself; 0 for none.
    pub fn schema_floor(&self, purpose: Option<&PurposeName>) -> u32 {
        let id = match purpose {
            None => Some(PurposeId::ROOT),
            Some(purpose) => self.registry.id(purpose),
        };
        id.map_or(0, |id| self.floors.at(id))
    }

    /// The version that a caller needs to ask about a purpose; none where it is not registered.
    pub fn schema_needed(&self, purpose: &PurposeName) -> Option<u32> {
        let id = self.registry.id(purpose)?;
        Some(self.floors.needed(&self.registry, id))
    }

    /// Whether a caller was built for enough to be told of some purposes: by the floor of the cluster, and by theirs.
    ///
    /// # Errors
    /// `SCHEMA_UNKNOWN`, `SCHEMA_TOO_OLD`.
    pub fn check_schema(
        &self,
        schema_version: u32,
        purposes: &[PurposeName],
    ) -> Result<(), Refusal> {
        self.registry.check_schema(schema_version)?;
        let named = purposes.iter().filter_map(|it| self.registry.id(it));
        std::iter::once(PurposeId::ROOT)
            .chain(named)
            .try_for_each(|id| self.floors.check(&self.registry, id, schema_version))
    }

    /// What Global Privacy Control opts out of in a namespace.
    ///
    /// # Errors
    /// `NAMESPACE_UNKNOWN`.
    pub fn gpc_purposes(&self, namespace: &Namespace) -> Result<Vec<PurposeName>, Refusal> {
        let id = self.namespaces.id(namespace)?;
        Ok(self.signal_purposes(id))
    }

    pub(super) fn signal_purposes(&self, namespace: NamespaceId) -> Vec<PurposeName> {
        // One that has become essential since cannot be opted out of any more; the others still can.
        let open = |id: &PurposeId| self.registry.purpose(*id).is_none_or(|it| !it.essential);
        let ids = self.signal_settings(namespace).into_iter().filter(open);
        ids.filter_map(|id| self.registry.name(id)).collect()
    }

    /// What was configured, or what is usual, as far as it is registered; those that are essential too.
    pub(super) fn signal_settings(&self, namespace: NamespaceId) -> Vec<PurposeId> {
        match self.namespaces.gpc(namespace) {
            Some(configured) => configured.to_vec(),
            None => GPC_PURPOSES
                .iter()
                .filter_map(|text| PurposeName::parse(text).ok())
                .filter_map(|name| self.registry.id(&name))
                .collect(),
        }
    }

    /// The changes that wait for a second principal and have not lapsed, by the time at which they were proposed.
    pub fn pending_changes(&self, at: Millis) -> impl Iterator<Item = &Pending> {
        let at = self.judged_at(at);
        let pending = self.changes.pending();
        pending.filter(move |pending| !pending.has_lapsed(at))
    }

    /// The overrides that were approved, by the time at which they were proposed, until their last event is made.
    pub fn overrides(&self) -> impl Iterator<Item = &Override> {
        self.changes.overrides()
    }

    /// The decisions that an override made an ALLOW so far, by service, as far as nodes have reported.
    pub fn lifted_by(&self, id: EventId) -> impl Iterator<Item = (&ServiceName, u64)> {
        self.usage.lifted_by(id)
    }

    /// The services that have asked, by name and version, as far as nodes have reported.
    pub fn services(&self) -> impl Iterator<Item = &ServiceSeen> {
        self.usage.services()
    }

    /// The services that asked within the last day with a version below one.
    pub fn services_below(&self, version: u32) -> impl Iterator<Item = &ServiceSeen> {
        let since = self.log_time.0.saturating_sub(limits::SERVICE_SEEN_MS);
        self.usage
            .services()
            .filter(move |seen| seen.usage.schema_version < version && seen.last_seen.0 >= since)
    }

    /// The public keys that nodes sign stamps with, those too that were retired within the last two weeks, in the order in which they were added.
    pub fn stamp_keys(&self) -> &[StampKey] {
        &self.stamp_keys
    }
}
