//! What a write does to the model.

use super::super::script::REMEMBERED;
use super::{Answer, Model, Past, covered};
use crate::domain::*;

fn first_repeat<T: PartialEq>(items: &[T]) -> bool {
    (0..items.len()).any(|a| (0..a).any(|b| items[a] == items[b]))
}

/// What of a command tells requests apart.
fn content(command: &Command) -> (Principal, Body) {
    let mut body = command.body.clone();
    if let Body::SetPreference(set) = &mut body {
        set.schema_version = 0;
        set.min_revision = 0;
        set.if_last_revision = None;
    }
    (command.principal.clone(), body)
}

impl Model {
    /// What [`State::apply`] should answer.
    pub(in crate::domain::properties) fn apply(&mut self, command: &Command) -> Answer {
        self.log_time = self.log_time.max(command.received_at.0);
        self.end_overrides();
        self.end_imports();
        match &command.body {
            Body::SetPreference(set) => {
                Self::check_set(set)?;
                let known = self.remembers(set.request_id);
                let answer = self.once(set.request_id, command, |model| {
                    if !model.namespaces.contains(&set.namespace) {
                        return Err("NAMESPACE_UNKNOWN");
                    }
                    if set.schema_version > model.schema_version {
                        return Err("SCHEMA_UNKNOWN");
                    }
                    model.check_purposes(&set.opt_out)?;
                    model.check_purposes(&set.opt_in)?;
                    for purpose in &set.opt_in {
                        let floors = model.floors.iter();
                        let needed = floors.filter(|(at, _)| {
                            covered(purpose.as_str(), at) || covered(at, purpose.as_str())
                        });
                        if needed.map(|(_, v)| *v).max() > Some(set.schema_version) {
                            return Err("SCHEMA_TOO_OLD");
                        }
                    }
                    if set.min_revision > model.revision {
                        return Err("REVISION_AHEAD");
                    }
                    if let Some(expected) = set.if_last_revision {
                        let own = |c: &&Past| {
                            c.namespace == set.namespace
                                && set.tokens.iter().any(|t| t.token == c.token)
                        };
                        let last = model.changes.iter().filter(own).map(|c| c.revision).max();
                        if last.unwrap_or(0) != expected {
                            return Err("SUBJECT_CHANGED");
                        }
                    }
                    let turned =
                        model.turned(&set.namespace, &set.tokens, &set.opt_out, &set.opt_in);
                    let outcome = model.wish(
                        command.event_id,
                        &set.namespace,
                        &set.tokens,
                        &set.opt_out,
                        &set.opt_in,
                    );
                    if matches!(outcome, Outcome::Preference { changed: true, .. }) {
                        model.prove(set);
                        model.count_change(&command.principal, &set.namespace, &turned);
                    }
                    Ok(outcome)
                })?;
                if known || matches!(answer, Outcome::Preference { changed: false, .. }) {
                    self.count_repeat(content(command));
                }
                Ok(answer)
            }
            Body::ReportSignal(report) => {
                Self::check_tokens(&report.tokens)?;
                let known = self.remembers(report.request_id);
                let answer = self.once(report.request_id, command, |model| {
                    model.signal(command, report)
                })?;
                if known || matches!(answer, Outcome::Signal { changed: false, .. }) {
                    self.count_repeat(content(command));
                }
                Ok(answer)
            }
            Body::ConfigureNamespace(configure) => {
                Self::check_list(&configure.gpc_purposes)?;
                self.once(configure.request_id, command, |model| {
                    if model.check_settings(&configure.gpc_purposes)? {
                        return Err("WIDENS_ALLOW");
                    }
                    let changed = model.gpc.as_ref() != Some(&configure.gpc_purposes);
                    if changed {
                        model.put_settings(&configure.gpc_purposes);
                    }
                    Ok(model.registered(changed.then_some(command.event_id), None))
                })
            }
            Body::SetSchemaFloor(set) => self.once(set.request_id, command, |model| {
                let changed = model.set_floor(&set.floor)?;
                Ok(model.registered(changed.then_some(command.event_id), None))
            }),
            Body::Propose(propose) => {
                Self::check_terms(&propose.change)?;
                self.once(propose.request_id, command, |model| {
                    model.propose(command, propose)
                })
            }
            Body::Approve(approve) => self.once(approve.request_id, command, |model| {
                model.approve(command, approve)
            }),
            Body::Withdraw(withdraw) => self.once(withdraw.request_id, command, |model| {
                model.withdraw(command, withdraw)
            }),
            Body::ConfigureAnomalies(configure) => {
                if configure.settings.repeats == 1 {
                    return Err("THRESHOLD_INVALID");
                }
                self.once(configure.request_id, command, |model| {
                    Ok(model.configure_anomalies(command, configure.settings))
                })
            }
            Body::EraseEvidence(erase) => {
                Self::check_tokens(&erase.tokens)?;
                self.once(erase.request_id, command, |model| {
                    model.erase(command, erase)
                })
            }
            Body::ReportUsage(_) => Ok(Outcome::Done {
                revision: self.revision,
            }),
            Body::ImportChunk(chunk) => self.import(command, chunk),
            Body::PutPurpose(put) => self.once(put.request_id, command, |model| {
                let changed = match model.plan(&put.purpose)? {
                    Some((_, true)) => return Err("WIDENS_ALLOW"),
                    Some((planned, false)) => {
                        model.put_planned(planned);
                        true
                    }
                    None => false,
                };
                let purpose = model.purpose(put.purpose.name.as_str()).cloned();
                Ok(model.registered(changed.then_some(command.event_id), purpose))
            }),
            Body::AddNamespace(add) => self.once(add.request_id, command, |model| {
                let changed = !model.namespaces.contains(&add.namespace);
                if changed {
                    model.namespaces.push(add.namespace.clone());
                    model.revision += 1;
                }
                Ok(model.registered(changed.then_some(command.event_id), None))
            }),
            Body::RecordMembership(done) => Ok(self.remember_member(done)),
            Body::Create(_)
            | Body::AddStampKey(_)
            | Body::RetireStampKeys(_)
            | Body::AddJournalKey(_)
            | Body::RetireJournalKey(_)
            | Body::ReportViolations(_)
            | Body::RewrapEvidence(_)
            | Body::RotateWrappingKey(_)
            | Body::RaiseFeatureLevel(_) => Err("not in scripts"),
        }
    }

    fn check_set(set: &SetPreference) -> Result<(), &'static str> {
        let all: Vec<_> = set.opt_out.iter().chain(&set.opt_in).cloned().collect();
        Self::check_lists(&set.tokens, &all)?;
        let will = matches!(set.signal, Signal::User | Signal::Operator | Signal::Probe);
        let opts_in = !set.opt_in.is_empty();
        if matches!(set.signal, Signal::Import | Signal::Gpc) {
            Err("SIGNAL_INVALID")
        } else if !opts_in && set.evidence.is_some() {
            Err("EVIDENCE_INVALID")
        } else if opts_in && !will {
            Err("SIGNAL_INVALID")
        } else if opts_in && set.evidence.is_none() {
            Err("EVIDENCE_REQUIRED")
        } else {
            Ok(())
        }
    }

    fn check_tokens(tokens: &[SubjectToken]) -> Result<(), &'static str> {
        if tokens.is_empty() {
            Err("IDENTIFIERS_REQUIRED")
        } else if first_repeat(tokens) {
            Err("DUPLICATE_IDENTIFIER")
        } else {
            Ok(())
        }
    }

    pub(super) fn check_list(purposes: &[PurposeName]) -> Result<(), &'static str> {
        if purposes.is_empty() {
            Err("PURPOSES_REQUIRED")
        } else if first_repeat(purposes) {
            Err("DUPLICATE_PURPOSE")
        } else {
            Ok(())
        }
    }

    pub(super) fn check_lists(
        tokens: &[SubjectToken],
        purposes: &[PurposeName],
    ) -> Result<(), &'static str> {
        Self::check_tokens(tokens)?;
        Self::check_list(purposes)
    }

    fn remembers(&self, id: RequestId) -> bool {
        self.requests.iter().any(|(known, ..)| *known == id)
    }

    fn once(
        &mut self,
        id: RequestId,
        command: &Command,
        act: impl FnOnce(&mut Self) -> Answer,
    ) -> Answer {
        let known = self.requests.iter().find(|(known, ..)| *known == id);
        if let Some((_, asked, outcome)) = known {
            let same = *asked == content(command);
            return if same {
                Ok(outcome.clone())
            } else {
                Err("REQUEST_ID_REUSED")
            };
        }
        let smallest = self.requests.iter().map(|(id, ..)| *id).min();
        let full = self.requests.len() == REMEMBERED;
        if self.request_floor >= Some(id) {
            return Err("REQUEST_ID_EXPIRED");
        }
        self.check_new(id, smallest.filter(|_| full), 15_000)?;
        let outcome = act(self)?;
        self.requests.push((id, content(command), outcome.clone()));
        if full {
            self.request_floor = smallest;
            self.requests.retain(|(id, ..)| Some(*id) != smallest);
        }
        Ok(outcome)
    }

    /// A new id comes from no further than 10 s ahead, and drives out nobody who is younger than `window`.
    pub(super) fn check_new(
        &self,
        id: RequestId,
        smallest_of_full: Option<RequestId>,
        window: i128,
    ) -> Result<(), &'static str> {
        let age = |id: RequestId| i128::from(self.log_time) - i128::from(id.timestamp().0);
        if age(id) < -10_000 {
            return Err("REQUEST_ID_INVALID");
        }
        match smallest_of_full {
            Some(smallest) if age(smallest.min(id)) < window => Err("TOO_MANY_REQUESTS"),
            Some(smallest) if id < smallest => Err("REQUEST_ID_EXPIRED"),
            _ => Ok(()),
        }
    }

    pub(super) fn check_purposes(&self, purposes: &[PurposeName]) -> Result<(), &'static str> {
        for name in purposes.iter().filter(|name| !name.is_root()) {
            let purpose = self.purpose(name.as_str()).ok_or("PURPOSE_UNKNOWN")?;
            if purpose.essential {
                return Err("PURPOSE_ESSENTIAL");
            }
        }
        Ok(())
    }

    pub(super) fn wish(
        &mut self,
        event_id: EventId,
        namespace: &Namespace,
        tokens: &[SubjectToken],
        opt_out: &[PurposeName],
        opt_in: &[PurposeName],
    ) -> Outcome {
        let out = opt_out.iter().map(|p| (p, Change::OptOut));
        let wanted: Vec<_> = out
            .chain(opt_in.iter().map(|p| (p, Change::OptIn)))
            .collect();
        let pairs = || {
            let of = |t: &SubjectToken| {
                let token = t.token;
                wanted.iter().map(move |(p, c)| (token, p.as_str(), *c))
            };
            tokens.iter().flat_map(of)
        };
        let standing: Option<Vec<&Past>> = pairs()
            .map(|(token, purpose, change)| self.stands(namespace, token, purpose, change))
            .collect();
        if let Some(newest) = standing.and_then(|s| s.into_iter().max_by_key(|c| c.revision)) {
            return Outcome::Preference {
                event_id: newest.event_id,
                revision: newest.revision,
                changed: false,
                received_at: Millis(newest.received_at),
            };
        }
        self.revision += 1;
        let new: Vec<_> = pairs()
            .map(|(token, purpose, change)| Past {
                revision: self.revision,
                namespace: namespace.clone(),
                token,
                purpose: purpose.to_owned(),
                change,
                signalled: false,
                event_id,
                received_at: self.log_time,
            })
            .collect();
        self.changes.extend(new);
        Outcome::Preference {
            event_id,
            revision: self.revision,
            changed: true,
            received_at: Millis(self.log_time),
        }
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
                .rfind(|c| !c.signalled && c.purpose == place)
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
}
