//! What a write does to the model.

use super::super::script::{IMPORTS, REMEMBERED};
use super::{Answer, Model, Past, covered};
use crate::domain::*;

fn first_repeat<T: PartialEq>(items: &[T]) -> bool {
    (0..items.len()).any(|a| (0..a).any(|b| items[a] == items[b]))
}

/// What of a body tells requests apart.
fn content(body: &Body) -> Body {
    let mut body = body.clone();
    if let Body::SetPreference(set) = &mut body {
        set.schema_version = 0;
        set.min_revision = 0;
    }
    body
}

impl Model {
    /// What [`State::apply`] should answer.
    pub(in crate::domain::properties) fn apply(&mut self, command: &Command) -> Answer {
        self.log_time = self.log_time.max(command.received_at.0);
        match &command.body {
            Body::SetPreference(set) => {
                Self::check_set(set)?;
                self.once(set.request_id, command, |model| {
                    if !model.namespaces.contains(&set.namespace) {
                        return Err("NAMESPACE_UNKNOWN");
                    }
                    if set.schema_version > model.schema_version {
                        return Err("SCHEMA_UNKNOWN");
                    }
                    if set.min_revision > model.revision {
                        return Err("REVISION_AHEAD");
                    }
                    model.wish(
                        command.event_id,
                        &set.namespace,
                        &set.tokens,
                        &set.purposes,
                        set.change,
                    )
                })
            }
            Body::ImportChunk(chunk) => self.import(command, chunk),
            Body::PutPurpose(put) => self.once(put.request_id, command, |model| {
                let changed = model.put(&put.purpose)?;
                model.revision += u64::from(changed);
                Ok(Outcome::Registry {
                    event_id: changed.then_some(command.event_id),
                    revision: model.revision,
                    changed,
                    purpose: model.purpose(put.purpose.name.as_str()).cloned(),
                })
            }),
            Body::AddNamespace(add) => self.once(add.request_id, command, |model| {
                let changed = !model.namespaces.contains(&add.namespace);
                if changed {
                    model.namespaces.push(add.namespace.clone());
                    model.revision += 1;
                }
                Ok(Outcome::Registry {
                    event_id: changed.then_some(command.event_id),
                    revision: model.revision,
                    changed,
                    purpose: None,
                })
            }),
            Body::Create(_) | Body::RaiseFeatureLevel(_) => Err("not in scripts"),
        }
    }

    fn check_set(set: &SetPreference) -> Result<(), &'static str> {
        Self::check_lists(&set.tokens, &set.purposes)?;
        let will = matches!(set.signal, Signal::User | Signal::Operator | Signal::Probe);
        match set.change {
            _ if set.signal == Signal::Import => Err("SIGNAL_INVALID"),
            Change::OptIn if !will => Err("SIGNAL_INVALID"),
            Change::OptIn if set.evidence.is_none() => Err("EVIDENCE_REQUIRED"),
            _ => Ok(()),
        }
    }

    fn check_lists(tokens: &[SubjectToken], purposes: &[PurposeName]) -> Result<(), &'static str> {
        if tokens.is_empty() {
            Err("IDENTIFIERS_REQUIRED")
        } else if first_repeat(tokens) {
            Err("DUPLICATE_IDENTIFIER")
        } else if purposes.is_empty() {
            Err("PURPOSES_REQUIRED")
        } else if first_repeat(purposes) {
            Err("DUPLICATE_PURPOSE")
        } else {
            Ok(())
        }
    }

    fn once(
        &mut self,
        id: RequestId,
        command: &Command,
        act: impl FnOnce(&mut Self) -> Answer,
    ) -> Answer {
        let known = self.requests.iter().find(|(known, ..)| *known == id);
        if let Some((_, body, outcome)) = known {
            let same = *body == content(&command.body);
            return if same {
                Ok(outcome.clone())
            } else {
                Err("REQUEST_ID_REUSED")
            };
        }
        let smallest = self.requests.iter().map(|(id, ..)| *id).min();
        let full = self.requests.len() == REMEMBERED;
        if self.request_floor >= Some(id) || (full && smallest > Some(id)) {
            return Err("REQUEST_ID_EXPIRED");
        }
        if id.timestamp().0 > command.received_at.0 + 5 * 60_000 {
            return Err("REQUEST_ID_INVALID");
        }
        let outcome = act(self)?;
        self.requests
            .push((id, content(&command.body), outcome.clone()));
        if full {
            self.request_floor = smallest;
            self.requests.retain(|(id, ..)| Some(*id) != smallest);
        }
        Ok(outcome)
    }

    fn import(&mut self, command: &Command, chunk: &ImportChunk) -> Answer {
        if chunk.rows.is_empty() {
            return Err("IMPORT_ROWS_REQUIRED");
        }
        let known = self
            .imports
            .iter()
            .find(|(id, _)| *id == chunk.import_id)
            .map(|(_, row)| *row);
        let smallest = self.imports.iter().map(|(id, _)| *id).min();
        let full = self.imports.len() == IMPORTS;
        let next = match known {
            Some(next) => next,
            None if self.import_floor >= Some(chunk.import_id) => return Err("REQUEST_ID_EXPIRED"),
            None if full && smallest > Some(chunk.import_id) => return Err("REQUEST_ID_EXPIRED"),
            None => 0,
        };
        if chunk.first_row > next {
            return Err("IMPORT_GAP");
        }
        let (mut changed, mut unchanged, mut skipped) = (0, 0, 0);
        let mut refusals = Vec::new();
        for (at, row) in chunk.rows.iter().enumerate() {
            let number = chunk.first_row + at as u64;
            match row {
                ImportRow::Refused => {}
                ImportRow::OptOut { tokens, purposes } if number < next => {
                    let fits = Self::check_lists(tokens, purposes)
                        .and_then(|()| self.check_purposes(purposes));
                    match fits {
                        Ok(()) => skipped += 1,
                        Err(reason) => refusals.push((number, reason)),
                    }
                }
                ImportRow::OptOut { tokens, purposes } => {
                    let id = command.event_id.derive(number);
                    let settled = Self::check_lists(tokens, purposes).and_then(|()| {
                        self.wish(id, &chunk.namespace, tokens, purposes, Change::OptOut)
                    });
                    match settled {
                        Ok(Outcome::Preference { changed: true, .. }) => changed += 1,
                        Ok(_) => unchanged += 1,
                        Err(reason) => refusals.push((number, reason)),
                    }
                }
            }
        }
        let next_row = next.max(chunk.first_row + chunk.rows.len() as u64);
        self.imports.retain(|(id, _)| *id != chunk.import_id);
        self.imports.push((chunk.import_id, next_row));
        if self.imports.len() > IMPORTS {
            self.import_floor = smallest;
            self.imports.retain(|(id, _)| Some(*id) != smallest);
        }
        let refusals = refusals.into_iter().map(|(row, reason)| {
            let kind = RefusalKind::Invalid;
            (row, Refusal::relayed(reason, String::new(), kind))
        });
        Ok(Outcome::Import {
            changed,
            unchanged,
            skipped,
            refusals: refusals.collect(),
            next_row,
            revision: self.revision,
        })
    }

    fn check_purposes(&self, purposes: &[PurposeName]) -> Result<(), &'static str> {
        for name in purposes.iter().filter(|name| !name.is_root()) {
            let purpose = self.purpose(name.as_str()).ok_or("PURPOSE_UNKNOWN")?;
            if purpose.essential {
                return Err("PURPOSE_ESSENTIAL");
            }
        }
        Ok(())
    }

    fn wish(
        &mut self,
        event_id: EventId,
        namespace: &Namespace,
        tokens: &[SubjectToken],
        purposes: &[PurposeName],
        change: Change,
    ) -> Answer {
        self.check_purposes(purposes)?;
        let pairs = || {
            tokens
                .iter()
                .flat_map(|t| purposes.iter().map(move |p| (t.token, p.as_str())))
        };
        let standing: Option<Vec<&Past>> = pairs()
            .map(|(token, purpose)| self.stands(namespace, token, purpose, change))
            .collect();
        if let Some(newest) = standing.and_then(|s| s.into_iter().max_by_key(|c| c.revision)) {
            return Ok(Outcome::Preference {
                event_id: newest.event_id,
                revision: newest.revision,
                changed: false,
                received_at: Millis(newest.received_at),
            });
        }
        self.revision += 1;
        let new: Vec<_> = pairs()
            .map(|(token, purpose)| Past {
                revision: self.revision,
                namespace: namespace.clone(),
                token,
                purpose: purpose.to_owned(),
                change,
                event_id,
                received_at: self.log_time,
            })
            .collect();
        self.changes.extend(new);
        Ok(Outcome::Preference {
            event_id,
            revision: self.revision,
            changed: true,
            received_at: Millis(self.log_time),
        })
    }

    /// The last change at exactly this purpose, if it is the one that is wished for, young, and in force.
    fn stands(
        &self,
        namespace: &Namespace,
        token: Token,
        purpose: &str,
        change: Change,
    ) -> Option<&Past> {
        let last_at = |place: &str| {
            self.of(namespace, token)
                .filter(|c| c.purpose == place)
                .last()
        };
        let last = last_at(purpose)?;
        if last.change != change || last.received_at + fixtures::DAY <= self.log_time {
            return None;
        }
        let in_force = match change {
            Change::OptOut => !self.of(namespace, token).any(|c| {
                let beneath = c.purpose != purpose && covered(&c.purpose, purpose);
                let stands = last_at(&c.purpose).is_some_and(|l| l.revision == c.revision);
                beneath && stands && c.change == Change::OptIn && c.revision > last.revision
            }),
            Change::OptIn => self.denying(namespace, token, purpose).is_none(),
        };
        in_force.then_some(last)
    }

    fn put(&mut self, put: &Purpose) -> Result<bool, &'static str> {
        let name = put.name.as_str();
        let parent = name.rsplit_once('.').map(|(parent, _)| parent);
        let parent_essential = match parent {
            None => true,
            Some(parent) => self.purpose(parent).ok_or("PARENT_UNKNOWN")?.essential,
        };
        if put.essential && !parent_essential {
            return Err("ESSENTIAL_MISPLACED");
        }
        let next = Purpose {
            schema_version: self.schema_version + 1,
            ..put.clone()
        };
        let Some(old) = self.purpose(name).cloned() else {
            self.purposes.push(next);
            self.schema_version += 1;
            return Ok(true);
        };
        // Does anybody without a record get an ALLOW that was a DENY, or lose the way to opt out?
        if !old.essential && (put.essential || (old.default_deny && !put.default_deny)) {
            return Err("WIDENS_ALLOW");
        }
        let child = |p: &Purpose| p.name.parent() == Some(name) && p.essential;
        if old.essential && !put.essential && self.purposes.iter().any(child) {
            return Err("ESSENTIAL_MISPLACED");
        }
        let meaning = old.essential != put.essential || old.default_deny != put.default_deny;
        if !meaning && old.description == put.description {
            return Ok(false);
        }
        let version = if meaning {
            self.schema_version + 1
        } else {
            old.schema_version
        };
        self.schema_version = self.schema_version.max(version);
        self.purposes.retain(|p| p.name.as_str() != name);
        self.purposes.push(Purpose {
            schema_version: version,
            ..put.clone()
        });
        Ok(true)
    }
}
