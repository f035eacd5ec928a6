//! Apply for what needs two principals: one proposes, another approves; and for the end of overrides, which needs nobody.

use std::sync::Arc;

use super::State;
use super::administer::Planned;
use super::apply::Events;
use super::changes::about;
use super::digest;
use crate::domain::basis::{Basis, Credential};
use crate::domain::change::{
    Approve, ChangeKind, NamespaceSettings, OverrideTerms, Pending, Propose, ProposedChange,
    SchemaFloor, Withdraw,
};
use crate::domain::command::{Command, Signal};
use crate::domain::event::{Detail, Event, EventKind};
use crate::domain::ids::{EventId, Millis};
use crate::domain::names::{Principal, ServiceName};
use crate::domain::outcome::Reply;
use crate::domain::refusal::Refusal;
use crate::limits;

impl State {
    pub(super) fn propose(
        &mut self,
        command: &Command,
        propose: &Propose,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::propose(&command.principal, propose);
        self.once(propose.request_id, digest, |state| {
            state.check_proposed(&propose.change)?;
            if let ProposedChange::Override(terms) = &propose.change {
                state.check_expiry(terms, propose.max_minutes, command.received_at)?;
            }
            if state.changes.waiting_count(state.log_time) >= limits::PENDING_CHANGES {
                return Err(Refusal::TooManyChanges {
                    what: "proposed changes",
                    limit: limits::PENDING_CHANGES,
                });
            }
            let (namespace, purposes) = about(&propose.change);
            let basis = propose.credential.map(|credential| Basis {
                credential,
                max_minutes: propose.max_minutes,
                stood: state.stands_there(&propose.change).map(Box::new),
            });
            let detail = Detail::Proposed(Box::new(propose.change.clone()), basis);
            let event = Event {
                namespace,
                purposes,
                change_id: Some(command.event_id),
                ..state.event(command, EventKind::ChangeProposed, detail)
            };
            let event_id = state.record(event, events)?;
            Ok(state.registered(Some(event_id), None))
        })
    }

    pub(super) fn approve(
        &mut self,
        command: &Command,
        approve: &Approve,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::approve(&command.principal, approve);
        self.once(approve.request_id, digest, |state| {
            let pending = state.waiting(approve.change_id, approve.kind)?.clone();
            if !are_two(&pending, &command.principal, approve.credential) {
                return Err(Refusal::SecondPrincipalRequired);
            }
            // The log has moved since it was proposed, and who approves it has looked at what was proposed then.
            let stands = state.stands_there(&pending.change);
            let moved = |basis: &Basis| basis.stood.as_deref() != stands.as_ref();
            if pending.basis.as_ref().is_some_and(moved) {
                return Err(Refusal::ChangeOutdated);
            }
            state.check_proposed(&pending.change)?;
            let event = state.approved_event(command, approve, &pending)?;
            let event_id = state.record(event, events)?;
            Ok(state.registered(Some(event_id), None))
        })
    }

    /// The event of the change itself, which says who proposed it.
    fn approved_event(
        &self,
        command: &Command,
        approve: &Approve,
        pending: &Pending,
    ) -> Result<Event, Refusal> {
        let event = match &pending.change {
            ProposedChange::Purpose(put) => {
                let plan = self
                    .registry
                    .plan(put)?
                    .ok_or(Refusal::ChangeWidensNothing)?;
                self.purpose_event(command, plan.purpose)
            }
            ProposedChange::SchemaFloor(floor) => self.floor_event(command, floor.clone()),
            ProposedChange::Settings(settings) => self.settings_event(command, settings.clone()),
            ProposedChange::Override(terms) => {
                let proposed = pending.basis.as_ref().map(|basis| basis.max_minutes);
                let both = approve.max_minutes.into_iter().chain(proposed);
                let minutes = both.min().unwrap_or(limits::OVERRIDE_MINUTES);
                self.check_expiry(terms, minutes, command.received_at)?;
                if self.changes.overrides().count() >= limits::OVERRIDES {
                    return Err(Refusal::TooManyChanges {
                        what: "overrides",
                        limit: limits::OVERRIDES,
                    });
                }
                Event {
                    namespace: Some(terms.namespace.clone()),
                    purposes: terms.purposes.clone(),
                    ..self.event(command, EventKind::OverrideBegan, Detail::None)
                }
            }
        };
        Ok(Event {
            change_id: Some(pending.id),
            proposed_by: Some(pending.proposed_by.clone()),
            ..event
        })
    }

    /// Narrowing needs one principal, whoever it is.
    pub(super) fn withdraw(
        &mut self,
        command: &Command,
        withdraw: &Withdraw,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::withdraw(&command.principal, withdraw);
        self.once(withdraw.request_id, digest, |state| {
            let id = withdraw.change_id;
            let standing = state
                .changes
                .standing(id)
                .filter(|_| withdraw.kind == ChangeKind::Override);
            let (kind, (namespace, purposes)) = match standing {
                None => {
                    let pending = state.waiting(id, withdraw.kind)?;
                    (EventKind::ChangeWithdrawn, about(&pending.change))
                }
                Some(standing) if standing.is_active(state.log_time) => {
                    let terms = standing.terms.clone();
                    let about = about(&ProposedChange::Override(terms));
                    (EventKind::OverrideRevoked, about)
                }
                // It is over, and its last event comes by itself.
                Some(_) => return Ok(state.registered(None, None)),
            };
            let event = Event {
                namespace,
                purposes,
                change_id: Some(id),
                ..state.event(command, kind, Detail::None)
            };
            let event_id = state.record(event, events)?;
            Ok(state.registered(Some(event_id), None))
        })
    }

    /// Makes the last event of each override that has been over for long enough: every node has reported by then.
    pub(super) fn end_overrides(&mut self, cause: EventId, events: &mut Events) {
        let gathered = |over: Millis| over.0.saturating_add(limits::OVERRIDE_GATHER_MS);
        let changes = Arc::clone(&self.changes);
        let now = self.log_time.0;
        let over = changes
            .overrides()
            .filter(|it| gathered(it.over_at()) <= now);
        // From the end, far from the numbers of an import's rows.
        for (ordinal, standing) in (0..=u64::MAX).rev().zip(over) {
            let totals = self.usage.take_totals(standing.id);
            let event = Event {
                id: cause.derive(ordinal),
                revision: self.revision + 1,
                kind: EventKind::OverrideEnded,
                namespace: Some(standing.terms.namespace.clone()),
                tokens: Vec::new(),
                purposes: standing.terms.purposes.clone(),
                signal: Signal::Operator,
                principal: Principal::cluster(),
                received_at: self.log_time,
                evidence_sha256: None,
                detail: Detail::Lifted(totals),
                change_id: Some(standing.id),
                proposed_by: None,
                service: ServiceName::none(),
            };
            // It fits: the override stands, and this is the next revision.
            if self.fold(&event).is_ok() {
                events.push((event, None));
            }
        }
    }

    fn waiting(&self, id: EventId, kind: ChangeKind) -> Result<&Pending, Refusal> {
        self.changes
            .waiting(id, self.log_time)
            .filter(|pending| pending.change.kind() == kind)
            .ok_or(Refusal::ChangeUnknown)
    }

    /// The checks that need the state, of what is proposed and again of what is approved.
    fn check_proposed(&self, change: &ProposedChange) -> Result<(), Refusal> {
        match change {
            ProposedChange::Purpose(put) => match self.registry.plan(put)? {
                Some(plan) if plan.widens => Ok(()),
                _ => Err(Refusal::ChangeWidensNothing),
            },
            ProposedChange::SchemaFloor(floor) => {
                if floor.version < self.plan_floor(floor)? {
                    Ok(())
                } else {
                    Err(Refusal::ChangeWidensNothing)
                }
            }
            ProposedChange::Settings(settings) => match self.plan_settings(settings)? {
                Planned::Widening => Ok(()),
                Planned::Nothing | Planned::Narrowing => Err(Refusal::ChangeWidensNothing),
            },
            ProposedChange::Override(terms) => {
                self.namespaces.id(&terms.namespace)?;
                let preferable = |name| self.registry.preferable(name).map(drop);
                terms.purposes.iter().try_for_each(preferable)
            }
        }
    }

    /// What stands where a change is to be made; none where nothing does, and for an override.
    fn stands_there(&self, change: &ProposedChange) -> Option<ProposedChange> {
        match change {
            ProposedChange::Override(_) => None,
            ProposedChange::Purpose(put) => {
                let standing = self.registry.get(&put.name)?;
                Some(ProposedChange::Purpose(standing.clone()))
            }
            ProposedChange::SchemaFloor(floor) => {
                let version = self.floors.at(self.floor_place(floor).ok()?);
                let purpose = floor.purpose.clone();
                Some(ProposedChange::SchemaFloor(SchemaFloor {
                    purpose,
                    version,
                }))
            }
            ProposedChange::Settings(settings) => {
                let ids = self.signal_settings(self.namespaces.id(&settings.namespace).ok()?);
                let names = ids.into_iter().filter_map(|id| self.registry.name(id));
                Some(ProposedChange::Settings(NamespaceSettings {
                    namespace: settings.namespace.clone(),
                    gpc_purposes: names.collect(),
                }))
            }
        }
    }

    /// How far an override reaches is judged by the leader's clock too: the log's time may stand still after a clock leapt
    /// ahead, and what ends soon by it would last for as long again.
    fn check_expiry(
        &self,
        terms: &OverrideTerms,
        max_minutes: u32,
        received_at: Millis,
    ) -> Result<(), Refusal> {
        let minutes = max_minutes.min(limits::OVERRIDE_MINUTES);
        let now = self.log_time.min(received_at);
        let latest = now.0.saturating_add(u64::from(minutes) * 60_000);
        if terms.expires_at > self.log_time && terms.expires_at.0 <= latest {
            Ok(())
        } else {
            Err(Refusal::OverrideExpiryInvalid { minutes })
        }
    }
}

/// Whether whoever approves is another one than who proposed, as far as can be told: by another name, with another
/// credential, and both names proven.
fn are_two(pending: &Pending, principal: &Principal, credential: Option<Credential>) -> bool {
    let proposer = pending.basis.as_ref().map(|basis| basis.credential);
    let same =
        pending.proposed_by == *principal || proposer.is_some_and(|it| credential == Some(it));
    !same && !pending.proposed_by.is_reserved() && !principal.is_reserved()
}
