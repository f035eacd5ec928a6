//! Whether something was processed by right: a report of it held against what stood at that time.

use super::State;
use super::decide::{Path, decider};
use super::namespaces::NamespaceId;
use super::record::{Key, Record};
use super::shards::Shards;
use crate::domain::command::Change;
use crate::domain::event::Event;
use crate::domain::ids::{EventId, Millis, Revision};
use crate::domain::monitor::{Judged, Processed, Proof, ViolationKind};
use crate::domain::refusal::Refusal;
use crate::domain::registry::PurposeId;
use crate::limits;

impl State {
    /// Judges a report by what stood when it was processed. Where the subject's preferences have changed since, its events up to then
    /// are needed, the oldest first; without them the answer is that they are.
    ///
    /// An opt-out counts from a moment after it was received ([`limits::PROCESSED_GRACE_MS`]): the service's clock is not the
    /// cluster's, and what was asked just before may still be under way.
    ///
    /// # Errors
    /// As [`State::decide`], but for the schema version, which is judged and not refused.
    pub fn judge(&self, report: &Processed, history: Option<&[Event]>) -> Result<Judged, Refusal> {
        let namespace = self
            .admit(&report.namespace, &report.tokens, 0, 0)
            .or_else(
                // A floor of the whole cluster keeps nobody from reporting.
                |refusal| match refusal {
                    Refusal::SchemaTooOld { .. } => self.namespaces.id(&report.namespace),
                    other => Err(other),
                },
            )?;
        let unknown = || Refusal::PurposeUnknown {
            purpose: report.purpose.to_string(),
        };
        let id = self.registry.id(&report.purpose).ok_or_else(unknown)?;
        let purpose = self.registry.purpose(id).ok_or_else(unknown)?;
        let path = Path::of(&self.registry, id);
        let since = Millis(report.at.0.saturating_sub(limits::PROCESSED_GRACE_MS));
        let opt_out = if purpose.essential {
            None
        } else {
            match self.opt_out_at(namespace, report, &path, since, history)? {
                Ok(found) => found,
                Err(ChangedSince) => return Ok(Judged::NeedsHistory),
            }
        };
        let violation = |kind, opt_out: Option<(EventId, Revision)>| {
            let opt_out = opt_out.map(|(id, _)| id);
            Ok(Judged::Violation { kind, opt_out })
        };
        if let Some((_, revision)) = opt_out
            && !self.lifted_at(report, report.at)
        {
            let kind = match report.proof {
                Proof::Decided(asked) if self.lifted_at(report, asked) => {
                    ViolationKind::ExpiredOverride
                }
                Proof::Stamped(stamped) if stamped < revision => ViolationKind::StaleStamp,
                _ => ViolationKind::AfterOptOut,
            };
            return violation(kind, opt_out);
        }
        match report.proof {
            Proof::None => violation(ViolationKind::NoCheck, None),
            Proof::False => violation(ViolationKind::FalseProof, None),
            // Asked afterwards.
            Proof::Decided(asked)
                if asked.0.saturating_sub(report.at.0) > limits::PROCESSED_GRACE_MS =>
            {
                violation(ViolationKind::NoCheck, None)
            }
            Proof::Decided(_) | Proof::Stamped(_) => Ok(self.floor_of(report, id)),
        }
    }

    /// Whether the service was built for the floor that stood then.
    fn floor_of(&self, report: &Processed, id: PurposeId) -> Judged {
        let below = self.registry.path(id).any(|step| {
            let since = self.monitor.floor_since(step).unwrap_or_default();
            self.floors.at(step) > report.schema_version && since <= report.at
        });
        if below {
            Judged::Violation {
                kind: ViolationKind::BelowFloor,
                opt_out: None,
            }
        } else {
            Judged::Right
        }
    }

    /// The opt-out that stood against a report at a time, over all of its tokens.
    fn opt_out_at(
        &self,
        namespace: NamespaceId,
        report: &Processed,
        path: &Path,
        at: Millis,
        history: Option<&[Event]>,
    ) -> Result<Result<Option<(EventId, Revision)>, ChangedSince>, Refusal> {
        let keys = report.tokens.iter();
        let keys: Vec<Key> = keys.map(|it| Key::new(namespace, it.token)).collect();
        let changed = keys
            .iter()
            .flat_map(|key| self.shards.get(key).iter())
            .any(|record| record.received_at() > at);
        let past;
        let shards = match (changed, history) {
            (false, _) => &self.shards,
            (true, None) => return Ok(Err(ChangedSince)),
            (true, Some(events)) => {
                past = self.as_of(events, at)?;
                &past
            }
        };
        let found = keys
            .iter()
            .filter_map(|key| decider(shards.get(key), path))
            .filter(|record| record.change() == Change::OptOut)
            .max_by_key(|record| record.revision())
            .map(|record: &Record| (record.event_id(), record.revision()));
        Ok(Ok(found))
    }

    /// The preferences that these events leave, up to a time.
    fn as_of(&self, events: &[Event], at: Millis) -> Result<Shards, Refusal> {
        let mut past = Self {
            shards: Shards::default(),
            ..self.clone()
        };
        for event in events.iter().filter(|event| event.received_at <= at) {
            past.fold_preference(event)?;
        }
        Ok(past.shards)
    }

    /// Whether an override, in force or over by now, lifted the opt-out at a time.
    fn lifted_at(&self, report: &Processed, at: Millis) -> bool {
        let standing = self.overrides().map(|it| (it, self.monitor.began_at(it)));
        standing.chain(self.monitor.overrides()).any(|(it, began)| {
            let covers =
                |token| it.covers(&report.namespace, token, &report.purpose, &report.service);
            began <= at && at < it.over_at() && report.tokens.iter().any(covers)
        })
    }
}

/// The subject's preferences have changed since the time in question.
struct ChangedSince;
