//! Apply: checks the rules, makes the event, folds it in; the same on every node, whatever the clock or the hash seed.

use super::State;
use super::anomalies::About;
use super::digest;
use super::imports::Import;
use super::requests::Remembered;
use super::wish::{Named, Wish};
use crate::domain::command::{
    Body, Command, ImportChunk, ImportRow, ReportSignal, SetPreference, Signal,
};
use crate::domain::event::Event;
use crate::domain::evidence::SealedEvidence;
use crate::domain::ids::{Millis, RequestId};
use crate::domain::names::{Namespace, ServiceName};
use crate::domain::outcome::{Applied, Outcome, Reply};
use crate::domain::refusal::Refusal;
use crate::domain::token::SubjectToken;

/// New events with their evidence.
pub(super) type Events = Vec<(Event, Option<SealedEvidence>)>;

impl State {
    /// Applies the next command of the log. What is refused changes nothing but the log's time, and what has expired by it.
    pub fn apply(&mut self, command: &Command) -> Applied {
        self.log_time = self.log_time.max(command.received_at.min(Millis::MAX));
        let mut events = Vec::new();
        self.end_overrides(command.event_id, &mut events);
        self.end_imports(command.event_id, &mut events);
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
            Body::ReportSignal(report) => self.report_signal(command, report, events),
            Body::ImportChunk(chunk) => self.import(command, chunk, events),
            Body::PutPurpose(put) => self.put_purpose(command, put, events),
            Body::AddNamespace(add) => self.add_namespace(command, add, events),
            Body::ConfigureNamespace(configure) => self.configure(command, configure, events),
            Body::SetSchemaFloor(set) => self.set_schema_floor(command, set, events),
            Body::ConfigureAnomalies(configure) => {
                self.configure_anomalies(command, configure, events)
            }
            Body::Propose(propose) => self.propose(command, propose, events),
            Body::Approve(approve) => self.approve(command, approve, events),
            Body::Withdraw(withdraw) => self.withdraw(command, withdraw, events),
            Body::AddStampKey(add) => self.add_stamp_key(command, add, events),
            Body::RetireStampKeys(retire) => self.retire_stamp_keys(command, *retire, events),
            Body::AddJournalKey(add) => self.add_journal_key(command, add, events),
            Body::RetireJournalKey(retire) => self.retire_journal_key(command, *retire, events),
            Body::EraseEvidence(erase) => self.erase_evidence(command, erase, events),
            Body::RewrapEvidence(rewrap) => Ok(self.rewrap_evidence(rewrap)),
            Body::RotateWrappingKey(rotate) => Ok(self.rotate_wrapping_key(rotate)),
            Body::RecordMembership(done) => self.record_membership(command, done, events),
            Body::ReportUsage(report) => Ok(self.report_usage(report)),
            Body::ReportViolations(report) => self.report_violations(command, report, events),
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
        let known = self.requests.knows(set.request_id);
        let reply = self.once(set.request_id, digest, |state| {
            let namespace_id = state.namespaces.id(&set.namespace)?;
            state.registry.check_schema(set.schema_version)?;
            let (opt_out, opt_in) = (
                Named::of(&state.registry, &set.opt_out)?,
                Named::of(&state.registry, &set.opt_in)?,
            );
            // An opt-out is taken from whoever brings it; an opt-in only from who knows what it means today.
            for purpose in opt_in.ids() {
                state
                    .floors
                    .check_all(&state.registry, purpose, set.schema_version)?;
            }
            state.check_reached(set.min_revision)?;
            state.check_last_revision(set)?;
            state.check_evidence(set.evidence.as_ref().map(|sealed| &sealed.key))?;
            let wish = Wish {
                event_id: command.event_id,
                principal: &command.principal,
                namespace: &set.namespace,
                namespace_id,
                tokens: &set.tokens,
                opt_out,
                opt_in,
                signal: set.signal,
                evidence: set.evidence.as_ref(),
                service: &set.service,
            };
            let settled = state.settle(wish, events)?;
            Ok(Outcome::Preference {
                event_id: settled.event_id,
                revision: settled.revision,
                changed: settled.changed,
                received_at: settled.received_at,
            })
        });
        let kept = !known && matches!(reply, Ok(Outcome::Preference { changed: true, .. }));
        if set.evidence.is_some() && !kept {
            self.note_stray_evidence(&reply);
        }
        let reply = reply?;
        if known || !matches!(reply, Outcome::Preference { changed: true, .. }) {
            self.repeated(command, &set.namespace, &set.tokens, &digest, events);
        }
        Ok(reply)
    }

    /// A request changed nothing, since it was made before: it counts, unless it is a rehearsal.
    fn repeated(
        &mut self,
        command: &Command,
        namespace: &Namespace,
        tokens: &[SubjectToken],
        digest: &[u8; 16],
        events: &mut Events,
    ) {
        if !namespace.is_probe() {
            let about = About {
                cause: command.event_id,
                namespace: Some(namespace),
                principal: &command.principal,
            };
            self.count_repeat(&about, tokens.first(), digest, events);
        }
    }

    fn check_last_revision(&self, set: &SetPreference) -> Result<(), Refusal> {
        let Some(asked) = set.if_last_revision else {
            return Ok(());
        };
        let last = self.last_revision_of(&set.namespace, &set.tokens);
        if asked == last {
            Ok(())
        } else {
            Err(Refusal::SubjectChanged { asked, last })
        }
    }

    fn report_signal(
        &mut self,
        command: &Command,
        report: &ReportSignal,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::report_signal(&command.principal, report);
        let known = self.requests.knows(report.request_id);
        let reply = self.once(report.request_id, digest, |state| {
            let namespace_id = state.namespaces.id(&report.namespace)?;
            state.registry.check_schema(report.schema_version)?;
            let purposes = state.signal_purposes(namespace_id);
            if purposes.is_empty() {
                return Err(Refusal::SignalUnconfigured);
            }
            let wish = Wish {
                event_id: command.event_id,
                principal: &command.principal,
                namespace: &report.namespace,
                namespace_id,
                tokens: &report.tokens,
                opt_out: Named::of(&state.registry, &purposes)?,
                opt_in: Named::default(),
                signal: report.signal,
                evidence: None,
                service: &report.service,
            };
            let settled = state.settle(wish, events)?;
            Ok(Outcome::Signal {
                event_id: settled.event_id,
                revision: settled.revision,
                changed: settled.changed,
                received_at: settled.received_at,
                purposes,
            })
        })?;
        if known || !matches!(reply, Outcome::Signal { changed: true, .. }) {
            self.repeated(command, &report.namespace, &report.tokens, &digest, events);
        }
        Ok(reply)
    }

    /// Has a request take effect once: a retry gets its first answer, whatever has changed since. A refusal is not
    /// remembered.
    pub(super) fn once(
        &mut self,
        id: RequestId,
        digest: [u8; 16],
        act: impl FnOnce(&mut Self) -> Reply,
    ) -> Reply {
        let first = self.requests.find(id, &digest, self.log_time)?;
        if let Some(outcome) = first {
            return Ok(outcome);
        }
        let outcome = act(self)?;
        self.requests.insert(Remembered::new(id, digest, &outcome));
        Ok(outcome)
    }

    fn import(&mut self, command: &Command, chunk: &ImportChunk, events: &mut Events) -> Reply {
        let expected = self.imports.find(
            chunk.import_id,
            &chunk.namespace,
            &command.principal,
            self.log_time,
        )?;
        let namespace_id = self.namespaces.id(&chunk.namespace)?;
        self.registry.check_schema(chunk.schema_version)?;
        if chunk.first_row > expected {
            return Err(Refusal::ImportGap {
                first_row: chunk.first_row,
                next_row: expected,
            });
        }
        let nobody = ServiceName::none();
        let (mut changed, mut unchanged, mut skipped) = (0, 0, 0);
        let mut refusals = Vec::new();
        let mut next_row = chunk.first_row;
        for (number, row) in (chunk.first_row..).zip(&chunk.rows) {
            next_row = number + 1;
            let ImportRow::OptOut { tokens, purposes } = row else {
                // The edge has refused it, and tells of it.
                continue;
            };
            if number < expected {
                // A try whose answer was lost took it, or refused it: the refusal is told again, for nobody heard it.
                let named = row
                    .validate()
                    .and_then(|()| Named::of(&self.registry, purposes));
                match named {
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
                    opt_out: Named::of(&self.registry, purposes)?,
                    opt_in: Named::default(),
                    signal: Signal::Import,
                    evidence: None,
                    service: &nobody,
                };
                self.settle(wish, events)
            });
            match settled {
                Ok(settled) if settled.changed => changed += 1,
                Ok(_) => unchanged += 1,
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
        if next_row > expected && !chunk.namespace.is_probe() {
            let about = About {
                cause: command.event_id,
                namespace: Some(&chunk.namespace),
                principal: &command.principal,
            };
            self.measure_import(&about, chunk.import_id, namespace_id, next_row, events);
        }
        Ok(Outcome::Import {
            changed,
            unchanged,
            skipped,
            refusals,
            next_row,
            revision: self.revision,
        })
    }
}
