//! Whether something was processed by right: a report of it held against what stood at that time.

use super::State;
use super::decide::{Path, decider};
use super::namespaces::NamespaceId;
use super::past::Past;
use super::record::{Key, Record};
use crate::domain::change::Override;
use crate::domain::command::Change;
use crate::domain::event::Event;
use crate::domain::ids::{EventId, Millis};
use crate::domain::monitor::{Answered, Judged, Processed, Proof, ViolationKind};
use crate::domain::refusal::Refusal;
use crate::domain::registry::PurposeId;
use crate::domain::token::SubjectToken;
use crate::limits;

impl State {
    /// Judges a report by what stood when it was processed. Where the subject's preferences have changed since, its events up to then
    /// are needed, the oldest first; without them the answer is that they are.
    ///
    /// An opt-out counts from a moment after it was received ([`limits::PROCESSED_GRACE_MS`]): the service's clock is not the
    /// cluster's, and what was asked just before may still be under way. One that an ALLOW had seen already does not count against what
    /// was done under it: something had lifted it. Only where that was an override is it asked whether the override was still in force.
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
        let violation = |kind, opt_out: Option<EventId>| Ok(Judged::Violation { kind, opt_out });
        if !purpose.essential {
            let path = Path::of(&self.registry, id);
            let Some(standing) = self.opt_outs(namespace, report, &path, history)? else {
                return Ok(Judged::NeedsHistory);
            };
            let against = standing
                .iter()
                .filter(|(token, record)| self.counts_against(report, token, record))
                .max_by_key(|(_, record)| record.revision());
            if let Some((token, record)) = against {
                let kind = self.kind_after(report, token, record);
                return violation(kind, Some(record.event_id()));
            }
        }
        match report.proof {
            Proof::None => violation(ViolationKind::NoCheck, None),
            Proof::False => violation(ViolationKind::FalseProof, None),
            Proof::Forgotten => Ok(Judged::KeyForgotten),
            // Asked afterwards.
            Proof::Decided(asked) | Proof::Stamped(asked)
                if asked.at.0.saturating_sub(report.at.0) > limits::PROCESSED_GRACE_MS =>
            {
                violation(ViolationKind::NoCheck, None)
            }
            Proof::Decided(_) | Proof::Stamped(_) => Ok(self.floor_of(report, id)),
        }
    }

    /// Whether the service was built for the floor that stood then, and a moment before.
    fn floor_of(&self, report: &Processed, id: PurposeId) -> Judged {
        let below = self.registry.path(id).any(|step| {
            let stands = self.floors.at(step);
            let then = self.monitor.floor_at(step, stands, before(report.at));
            let now = self.monitor.floor_at(step, stands, report.at);
            then.min(now) > report.schema_version
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

    /// The opt-outs that had taken effect when something was processed and stood still, each with its token. None where the subject's
    /// events are needed to tell.
    fn opt_outs<'a>(
        &self,
        namespace: NamespaceId,
        report: &'a Processed,
        path: &Path,
        history: Option<&[Event]>,
    ) -> Result<Option<Vec<(&'a SubjectToken, Record)>>, Refusal> {
        let since = before(report.at);
        let tokens = report.tokens.iter();
        let keys: Vec<Key> = tokens.map(|it| Key::new(namespace, it.token)).collect();
        let opt_out = |record: Option<&Record>| {
            let record = record.filter(|record| record.change() == Change::OptOut);
            record.copied()
        };
        let changed = keys
            .iter()
            .flat_map(|key| self.shards.get(key).iter())
            .any(|record| record.received_at() > since);
        let found: Vec<Option<Record>> = match (changed, history) {
            (false, _) => {
                let stands = keys.iter().map(|key| decider(self.shards.get(key), path));
                stands.map(opt_out).collect()
            }
            (true, None) => return Ok(None),
            (true, Some(events)) => {
                let mut past = Past::new(&keys);
                let (first, rest) =
                    events.split_at(events.partition_point(|it| it.received_at <= since));
                self.go_on(&mut past, namespace, first)?;
                let effective = past.each().map(|records| opt_out(decider(records, path)));
                let effective: Vec<Option<Record>> = effective.collect();
                let rest = &rest[..rest.partition_point(|it| it.received_at <= report.at)];
                self.go_on(&mut past, namespace, rest)?;
                // What was lifted meanwhile was lifted.
                let stands = past.each().map(|records| opt_out(decider(records, path)));
                let both = effective.into_iter().zip(stands);
                both.map(|(then, now)| then.filter(|_| now.is_some()))
                    .collect()
            }
        };
        let each = report.tokens.iter().zip(found);
        Ok(Some(
            each.filter_map(|(token, record)| Some((token, record?)))
                .collect(),
        ))
    }

    /// Whether an opt-out that had taken effect makes what was done wrong.
    fn counts_against(&self, report: &Processed, token: &SubjectToken, opt_out: &Record) -> bool {
        let at = report.at;
        let lifted = self.overrides_of(report, token).any(|(it, began)| {
            let in_force = |time: Millis| began <= time && time < it.over_at();
            // Asked while it was in force, and done at once: clocks differ here as they do about opt-outs.
            let asked = matches!(report.proof, Proof::Decided(asked) if in_force(asked.at));
            in_force(at) || asked && began <= after(at) && before(at) < it.over_at()
        });
        if lifted {
            return false;
        }
        // Both, because after a cluster was put back from a backup its revisions go on from where they were then.
        let has_seen = |asked: Answered| {
            asked.revision >= opt_out.revision() && asked.at >= opt_out.received_at()
        };
        match report.proof {
            // An ALLOW all the same: from an override, or because the opt-out did not decide then.
            Proof::Decided(asked) => !has_seen(asked) || self.lifted_at(report, token, asked.at),
            // No stamp is made of what an override allows.
            Proof::Stamped(asked) => !has_seen(asked),
            Proof::None | Proof::False | Proof::Forgotten => true,
        }
    }

    fn kind_after(
        &self,
        report: &Processed,
        token: &SubjectToken,
        opt_out: &Record,
    ) -> ViolationKind {
        match report.proof {
            Proof::Decided(asked) if self.lifted_at(report, token, asked.at) => {
                ViolationKind::ExpiredOverride
            }
            Proof::Stamped(asked) if asked.revision < opt_out.revision() => {
                ViolationKind::StaleStamp
            }
            _ => ViolationKind::AfterOptOut,
        }
    }

    fn lifted_at(&self, report: &Processed, token: &SubjectToken, at: Millis) -> bool {
        let mut overrides = self.overrides_of(report, token);
        overrides.any(|(it, began)| began <= at && at < it.over_at())
    }

    /// The overrides, in force or over by now, that are made for this service and a token, with when they were approved.
    fn overrides_of<'a>(
        &'a self,
        report: &'a Processed,
        token: &'a SubjectToken,
    ) -> impl Iterator<Item = (&'a Override, Millis)> {
        let standing = self.overrides().map(|it| (it, self.monitor.began_at(it)));
        let known = standing.chain(self.monitor.overrides());
        known.filter(move |(it, _)| {
            it.covers(&report.namespace, token, &report.purpose, &report.service)
        })
    }
}

/// A moment before.
fn before(at: Millis) -> Millis {
    Millis(at.0.saturating_sub(limits::PROCESSED_GRACE_MS))
}

/// A moment after.
fn after(at: Millis) -> Millis {
    Millis(at.0.saturating_add(limits::PROCESSED_GRACE_MS))
}
