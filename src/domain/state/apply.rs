//! Apply: checks the rules, makes the event, folds it in; the same on every node, whatever the clock or the hash seed.

use super::State;
use super::decide::{Path, decider};
use super::digest;
use super::imports::Import;
use super::namespaces::NamespaceId;
use super::record::{Key, Record};
use super::requests::Remembered;
use crate::domain::command::{
    Body, Change, Command, ImportChunk, ImportRow, SetPreference, Signal,
};
use crate::domain::event::{Detail, Event, EventKind, EventToken};
use crate::domain::evidence::SealedEvidence;
use crate::domain::ids::{EventId, Millis};
use crate::domain::names::{Namespace, Principal, PurposeName};
use crate::domain::outcome::{Applied, Outcome, Reply};
use crate::domain::refusal::Refusal;
use crate::domain::registry::PurposeId;
use crate::domain::token::SubjectToken;
use crate::limits;

/// New events with their evidence.
pub(super) type Events = Vec<(Event, Option<SealedEvidence>)>;

/// One subject's change, from a request or from a row of an import, with its names looked up.
struct Wish<'a> {
    event_id: EventId,
    principal: &'a Principal,
    namespace: &'a Namespace,
    namespace_id: NamespaceId,
    tokens: &'a [SubjectToken],
    purposes: &'a [PurposeName],
    purpose_ids: Vec<PurposeId>,
    change: Change,
    signal: Signal,
    evidence: Option<&'a SealedEvidence>,
}

impl State {
    /// Applies the next command of the log. What is refused changes nothing but the log's time.
    pub fn apply(&mut self, command: &Command) -> Applied {
        self.log_time = self.log_time.max(command.received_at.min(Millis::MAX));
        let mut events = Vec::new();
        let reply = self.dispatch(command, &mut events);
        Applied { reply, events }
    }

    fn dispatch(&mut self, command: &Command, events: &mut Events) -> Reply {
        command.body.validate()?;
        if let Body::Create(create) = &command.body {
            return self.create(command, create, events);
        }
        self.check_created()?;
        match &command.body {
            Body::Create(_) => Err(Refusal::ClusterAlreadyInitialised),
            Body::SetPreference(set) => self.set_preference(command, set, events),
            Body::ImportChunk(chunk) => self.import(command, chunk, events),
            Body::PutPurpose(put) => self.put_purpose(command, put, events),
            Body::AddNamespace(add) => self.add_namespace(command, add, events),
            Body::RaiseFeatureLevel(raise) => self.raise_feature_level(command, *raise, events),
        }
    }

    fn set_preference(
        &mut self,
        command: &Command,
        set: &SetPreference,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::set_preference(&command.principal, set);
        // Before all that depends on the state: a retry gets its first answer, whatever has changed since.
        let first = self
            .requests
            .find(set.request_id, &digest, command.received_at)?;
        if let Some(outcome) = first {
            return Ok(outcome);
        }
        let namespace_id = self.namespaces.id(&set.namespace)?;
        self.registry.check_schema(set.schema_version)?;
        self.check_reached(set.min_revision)?;
        let outcome = self.settle(
            &Wish {
                event_id: command.event_id,
                principal: &command.principal,
                namespace: &set.namespace,
                namespace_id,
                tokens: &set.tokens,
                purposes: &set.purposes,
                purpose_ids: self.preferable(&set.purposes)?,
                change: set.change,
                signal: set.signal,
                evidence: set.evidence.as_ref(),
            },
            events,
        )?;
        self.requests
            .insert(Remembered::new(set.request_id, digest, &outcome));
        Ok(outcome)
    }

    fn import(&mut self, command: &Command, chunk: &ImportChunk, events: &mut Events) -> Reply {
        let expected = self.imports.find(
            chunk.import_id,
            &chunk.namespace,
            &command.principal,
            command.received_at,
        )?;
        let namespace_id = self.namespaces.id(&chunk.namespace)?;
        self.registry.check_schema(chunk.schema_version)?;
        if chunk.first_row > expected {
            return Err(Refusal::ImportGap {
                first_row: chunk.first_row,
                next_row: expected,
            });
        }
        let (mut changed, mut unchanged, mut skipped) = (0, 0, 0);
        let mut refusals = Vec::new();
        let mut next_row = chunk.first_row;
        for (number, row) in (chunk.first_row..).zip(&chunk.rows) {
            next_row = number + 1;
            let ImportRow::OptOut { tokens, purposes } = row else {
                skipped += u64::from(number < expected);
                continue;
            };
            if number < expected {
                // A try whose answer was lost took it, or refused it: the refusal is told again, for nobody heard it.
                match row.validate().and_then(|()| self.preferable(purposes)) {
                    Ok(_) => skipped += 1,
                    Err(refusal) => refusals.push((number, refusal)),
                }
                continue;
            }
            let settled = row.validate().and_then(|()| {
                let wish = Wish {
                    event_id: command.event_id.derive(number),
                    principal: &command.principal,
                    namespace: &chunk.namespace,
                    namespace_id,
                    tokens,
                    purposes,
                    purpose_ids: self.preferable(purposes)?,
                    change: Change::OptOut,
                    signal: Signal::Import,
                    evidence: None,
                };
                self.settle(&wish, events)
            });
            match settled {
                Ok(Outcome::Preference { changed: false, .. }) => unchanged += 1,
                Ok(_) => changed += 1,
                Err(refusal) => refusals.push((number, refusal)),
            }
        }
        let next_row = next_row.max(expected);
        let import = Import {
            namespace: chunk.namespace.clone(),
            principal: command.principal.clone(),
            next_row,
        };
        self.imports.insert(chunk.import_id, import);
        Ok(Outcome::Import {
            changed,
            unchanged,
            skipped,
            refusals,
            next_row,
            revision: self.revision,
        })
    }

    fn preferable(&self, purposes: &[PurposeName]) -> Result<Vec<PurposeId>, Refusal> {
        let id = |name| self.registry.preferable(name);
        purposes.iter().map(id).collect()
    }

    /// Makes and folds the event of a wish, or finds the one that stands where the wish changes nothing.
    fn settle(&mut self, wish: &Wish<'_>, events: &mut Events) -> Reply {
        if let Some(standing) = self.standing_for(wish) {
            self.repeats += 1;
            return Ok(Outcome::Preference {
                event_id: standing.event_id(),
                revision: standing.revision(),
                changed: false,
                received_at: standing.received_at(),
            });
        }
        let previous = |subject: &SubjectToken| EventToken {
            subject: subject.clone(),
            previous: self
                .shards
                .get(&Key::new(wish.namespace_id, subject.token))
                .last_revision(),
        };
        let event = Event {
            id: wish.event_id,
            revision: self.revision + 1,
            kind: match wish.change {
                Change::OptOut => EventKind::OptOut,
                Change::OptIn => EventKind::OptIn,
            },
            namespace: Some(wish.namespace.clone()),
            tokens: wish.tokens.iter().map(previous).collect(),
            purposes: wish.purposes.to_vec(),
            signal: wish.signal,
            principal: wish.principal.clone(),
            received_at: self.log_time,
            evidence_sha256: wish.evidence.map(SealedEvidence::sha256),
            detail: Detail::None,
        };
        self.fold(&event)?;
        let outcome = Outcome::Preference {
            event_id: event.id,
            revision: event.revision,
            changed: true,
            received_at: event.received_at,
        };
        events.push((event, wish.evidence.cloned()));
        Ok(outcome)
    }

    /// The newest record of those that say already what the wish says; none where it would change anything, or where
    /// one of them is a day old.
    fn standing_for(&self, wish: &Wish<'_>) -> Option<Record> {
        let mut newest: Option<Record> = None;
        for subject in wish.tokens {
            let records = self.shards.get(&Key::new(wish.namespace_id, subject.token));
            for purpose in &wish.purpose_ids {
                let record = records.at(*purpose)?;
                let age = self.log_time.0.saturating_sub(record.received_at().0);
                if record.change() != wish.change || age >= limits::REPEAT_WINDOW_MS {
                    return None;
                }
                let in_force = match wish.change {
                    // An opt-out made again lifts what was opted in to beneath it since.
                    Change::OptOut => !records.iter().any(|other| {
                        other.change() == Change::OptIn
                            && other.revision() > record.revision()
                            && self.registry.is_below(other.purpose(), *purpose)
                    }),
                    Change::OptIn => decider(records, &Path::of(&self.registry, *purpose))
                        .is_some_and(|decider| decider.change() == Change::OptIn),
                };
                if !in_force {
                    return None;
                }
                if newest.is_none_or(|newest| newest.revision() < record.revision()) {
                    newest = Some(*record);
                }
            }
        }
        newest
    }
}
