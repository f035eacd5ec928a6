//! A naive model of the rules, written without a look at the state: it keeps every event, and answers by scanning.

use super::script::{IMPORTS, REMEMBERED};
use crate::domain::*;

/// One change of one subject at one purpose.
struct Change1 {
    revision: Revision,
    namespace: Namespace,
    token: Token,
    purpose: String,
    change: Change,
    event_id: EventId,
    received_at: u64,
}

/// What the model remembers.
pub(super) struct Model {
    revision: Revision,
    changes: Vec<Change1>,
    purposes: Vec<Purpose>,
    schema_version: u32,
    namespaces: Vec<Namespace>,
    log_time: u64,
    /// Every request that was ever taken, with what counts of it, and the answer; by id, as far as remembered.
    requests: Vec<(RequestId, Body, Outcome)>,
    request_floor: Option<RequestId>,
    imports: Vec<(RequestId, u64)>,
    import_floor: Option<RequestId>,
}

type Answer = Result<Outcome, &'static str>;

/// Whether `purpose` is `above` or lies beneath it.
fn covered(purpose: &str, above: &str) -> bool {
    above == "*" || purpose == above || purpose.starts_with(&format!("{above}."))
}

fn depth(purpose: &str) -> usize {
    if purpose == "*" {
        0
    } else {
        purpose.split('.').count()
    }
}

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
    /// A cluster with what ships.
    pub(super) fn new() -> Self {
        let mut purposes = default_purposes();
        purposes
            .iter_mut()
            .for_each(|purpose| purpose.schema_version = 1);
        Self {
            revision: 1,
            changes: Vec::new(),
            purposes,
            schema_version: 1,
            namespaces: vec![Namespace::default_namespace()],
            log_time: fixtures::START,
            requests: Vec::new(),
            request_floor: None,
            imports: Vec::new(),
            import_floor: None,
        }
    }

    fn purpose(&self, name: &str) -> Option<&Purpose> {
        self.purposes
            .iter()
            .find(|purpose| purpose.name.as_str() == name)
    }

    fn of<'a>(&'a self, namespace: &Namespace, token: Token) -> impl Iterator<Item = &'a Change1> {
        let namespace = namespace.clone();
        self.changes
            .iter()
            .filter(move |c| c.namespace == namespace && c.token == token)
    }

    /// An opt-out at q covers its subtree, unless an opt-in came later at q or between q and the purpose.
    fn denying(&self, namespace: &Namespace, token: Token, purpose: &str) -> Option<&Change1> {
        let on_path = |c: &&Change1| covered(purpose, &c.purpose);
        let outs = self
            .of(namespace, token)
            .filter(on_path)
            .filter(|c| c.change == Change::OptOut);
        outs.filter(|out| {
            !self.of(namespace, token).filter(on_path).any(|c| {
                c.change == Change::OptIn
                    && c.revision > out.revision
                    && depth(&c.purpose) >= depth(&out.purpose)
            })
        })
        .max_by_key(|out| out.revision)
    }

    /// What [`State::decide`] should say: the decision, the reason, the event.
    pub(super) fn decide(
        &self,
        namespace: &Namespace,
        tokens: &[SubjectToken],
        purpose: &str,
    ) -> Result<(Decision, Reason, Option<EventId>), &'static str> {
        if !self.namespaces.contains(namespace) {
            return Err("NAMESPACE_UNKNOWN");
        }
        let asked = self.purpose(purpose).ok_or("PURPOSE_UNKNOWN")?;
        if asked.essential {
            return Ok((Decision::Allow, Reason::Essential, None));
        }
        let denying = tokens
            .iter()
            .filter_map(|t| self.denying(namespace, t.token, purpose));
        if let Some(out) = denying.max_by_key(|out| out.revision) {
            return Ok((Decision::Deny, Reason::OptedOut, Some(out.event_id)));
        }
        // Nothing denies: each opt-in on the path stands.
        let opt_in = |token: Token| {
            let on_path = self
                .of(namespace, token)
                .filter(|c| covered(purpose, &c.purpose));
            on_path
                .filter(|c| c.change == Change::OptIn)
                .max_by_key(|c| c.revision)
        };
        let opt_ins: Vec<_> = tokens.iter().map(|t| opt_in(t.token)).collect();
        if asked.default_deny && opt_ins.iter().any(Option::is_none) {
            return Ok((Decision::Deny, Reason::DefaultDeny, None));
        }
        match opt_ins.into_iter().flatten().max_by_key(|c| c.revision) {
            Some(lifted) => Ok((Decision::Allow, Reason::OptedIn, Some(lifted.event_id))),
            None => Ok((Decision::Allow, Reason::DefaultAllow, None)),
        }
    }

    /// What [`State::apply`] should answer.
    pub(super) fn apply(&mut self, command: &Command) -> Answer {
        self.log_time = self.log_time.max(command.received_at.0);
        match &command.body {
            Body::SetPreference(set) => {
                self.check_set(set)?;
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

    /// How many events there have been.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    fn check_set(&self, set: &SetPreference) -> Result<(), &'static str> {
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
                _ if number < next => skipped += 1,
                ImportRow::Refused => {}
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

    fn wish(
        &mut self,
        event_id: EventId,
        namespace: &Namespace,
        tokens: &[SubjectToken],
        purposes: &[PurposeName],
        change: Change,
    ) -> Answer {
        for name in purposes.iter().filter(|name| !name.is_root()) {
            let purpose = self.purpose(name.as_str()).ok_or("PURPOSE_UNKNOWN")?;
            if purpose.essential {
                return Err("PURPOSE_ESSENTIAL");
            }
        }
        let pairs = || {
            tokens
                .iter()
                .flat_map(|t| purposes.iter().map(move |p| (t.token, p.as_str())))
        };
        let standing: Option<Vec<&Change1>> = pairs()
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
            .map(|(token, purpose)| Change1 {
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
    ) -> Option<&Change1> {
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
