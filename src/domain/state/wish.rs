//! One subject's wish, from a request, a signal or a row of an import: the event that it makes, or the one that stands.

use super::State;
use super::anomalies::About;
use super::apply::Events;
use super::decide::{Path, decider};
use super::namespaces::NamespaceId;
use super::record::{Key, Mark, Record};
use super::shards::Records;
use crate::domain::command::{Change, Signal};
use crate::domain::event::{Detail, Event, EventKind, EventToken};
use crate::domain::evidence::SealedEvidence;
use crate::domain::ids::{EventId, Millis, Revision};
use crate::domain::names::{Namespace, Principal, PurposeName, ServiceName};
use crate::domain::refusal::Refusal;
use crate::domain::registry::{PurposeId, Registry};
use crate::domain::token::SubjectToken;
use crate::limits;

/// A wish, with its names looked up.
pub(super) struct Wish<'a> {
    pub(super) event_id: EventId,
    pub(super) principal: &'a Principal,
    pub(super) namespace: &'a Namespace,
    pub(super) namespace_id: NamespaceId,
    pub(super) tokens: &'a [SubjectToken],
    pub(super) opt_out: Named,
    pub(super) opt_in: Named,
    pub(super) signal: Signal,
    pub(super) evidence: Option<&'a SealedEvidence>,
    pub(super) service: &'a ServiceName,
}

/// Purposes by name, with their ids.
#[derive(Default)]
pub(super) struct Named(Vec<(PurposeName, PurposeId)>);

/// What became of a wish.
pub(super) struct Settled {
    pub(super) event_id: EventId,
    pub(super) revision: Revision,
    pub(super) changed: bool,
    pub(super) received_at: Millis,
}

impl Named {
    /// Looks the names up.
    ///
    /// # Errors
    /// `PURPOSE_UNKNOWN`, `PURPOSE_ESSENTIAL`.
    pub(super) fn of(registry: &Registry, names: &[PurposeName]) -> Result<Self, Refusal> {
        let looked_up = names.iter().map(|name| {
            let id = registry.preferable(name)?;
            Ok((name.clone(), id))
        });
        looked_up.collect::<Result<_, _>>().map(Self)
    }

    fn names(&self) -> Vec<PurposeName> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = PurposeId> + '_ {
        self.0.iter().map(|(_, id)| *id)
    }
}

impl Wish<'_> {
    fn by_signal(&self) -> bool {
        self.signal == Signal::Gpc
    }

    /// Each purpose with what is to stand there.
    fn marks(&self) -> impl Iterator<Item = (PurposeId, Mark)> + '_ {
        let out = Mark::of(Change::OptOut, self.signal);
        let opt_out = self.opt_out.ids().map(move |id| (id, out));
        opt_out.chain(self.opt_in.ids().map(|id| (id, Mark::OptIn)))
    }
}

impl State {
    /// Makes and folds the event of a wish, or finds the one that stands where the wish changes nothing.
    pub(super) fn settle(
        &mut self,
        wish: Wish<'_>,
        events: &mut Events,
    ) -> Result<Settled, Refusal> {
        if let Some(standing) = self.standing_for(&wish) {
            self.repeats += 1;
            return Ok(Settled {
                event_id: standing.event_id(),
                revision: standing.revision(),
                changed: false,
                received_at: standing.received_at(),
            });
        }
        let wish = self.without_outweighed(wish);
        let previous = |subject: &SubjectToken| EventToken {
            subject: subject.clone(),
            previous: self.records_of(&wish, subject).last_revision(),
        };
        let (kind, purposes, detail) = match (wish.opt_out.names(), wish.opt_in.names()) {
            (opt_out, opt_in) if opt_in.is_empty() => (EventKind::OptOut, opt_out, Detail::None),
            (opt_out, opt_in) if opt_out.is_empty() => (EventKind::OptIn, opt_in, Detail::None),
            (opt_out, opt_in) => (EventKind::Preferences, opt_out, Detail::OptedIn(opt_in)),
        };
        // Of a signal, only those that it still changes anything for.
        let concerned = |subject: &&SubjectToken| {
            !wish.by_signal()
                || wish
                    .opt_out
                    .ids()
                    .any(|id| !self.outweighed(self.records_of(&wish, subject), id))
        };
        let tokens: Vec<EventToken> = wish.tokens.iter().filter(concerned).map(previous).collect();
        let turned = |token: &EventToken| {
            let turned = self.turns(&wish, &token.subject);
            (token.subject.clone(), turned)
        };
        let counted: Vec<_> = tokens.iter().map(turned).collect();
        let event = Event {
            id: wish.event_id,
            revision: self.revision + 1,
            kind,
            namespace: Some(wish.namespace.clone()),
            tokens,
            purposes,
            signal: wish.signal,
            principal: wish.principal.clone(),
            received_at: self.log_time,
            evidence_sha256: wish.evidence.map(SealedEvidence::sha256),
            detail,
            change_id: None,
            proposed_by: None,
            service: wish.service.clone(),
        };
        self.fold(&event)?;
        if let Some(sealed) = wish.evidence {
            self.keep_evidence_key(&event, wish.namespace_id, sealed.key);
        }
        let settled = Settled {
            event_id: event.id,
            revision: event.revision,
            changed: true,
            received_at: event.received_at,
        };
        events.push((event, wish.evidence.cloned()));
        // An import is measured as a whole, and what is only a rehearsal is nothing out of the ordinary.
        if wish.signal != Signal::Import && !wish.namespace.is_probe() {
            let about = About {
                cause: wish.event_id,
                namespace: Some(wish.namespace),
                principal: wish.principal,
            };
            self.count_change(&about, wish.namespace_id, &counted, events);
        }
        Ok(settled)
    }

    /// Whether the person said the opposite before, at one of the same purposes. A browser's signal is nobody's change of mind.
    fn turns(&self, wish: &Wish<'_>, subject: &SubjectToken) -> bool {
        let records = self.records_of(wish, subject);
        let turned = |(purpose, mark): (PurposeId, Mark)| {
            let change = match mark {
                Mark::OptOut => Change::OptIn,
                Mark::OptIn => Change::OptOut,
                Mark::Signalled => return false,
            };
            records
                .at(purpose)
                .is_some_and(|before| before.change() == change)
        };
        wish.marks().any(turned)
    }

    fn records_of(&self, wish: &Wish<'_>, subject: &SubjectToken) -> Records<'_> {
        self.shards.get(&Key::new(wish.namespace_id, subject.token))
    }

    /// Leaves out of a signal what every one of its subjects' tokens has consented to since.
    fn without_outweighed<'a>(&self, mut wish: Wish<'a>) -> Wish<'a> {
        if wish.by_signal() {
            let all = std::mem::take(&mut wish.opt_out.0);
            let counts = |id: PurposeId| {
                let mut tokens = wish.tokens.iter();
                tokens.any(|subject| !self.outweighed(self.records_of(&wish, subject), id))
            };
            wish.opt_out.0 = all.into_iter().filter(|(_, id)| counts(*id)).collect();
        }
        wish
    }

    /// Whether a signal stands at a purpose and the person has consented since, there or beneath: the same signal again
    /// is no news then, and takes no consent away.
    pub(super) fn outweighed(&self, records: Records<'_>, purpose: PurposeId) -> bool {
        records.signalled_at(purpose).is_some_and(|signalled| {
            records.iter().any(|own| {
                own.change() == Change::OptIn
                    && own.revision() > signalled.revision()
                    && (own.purpose() == purpose || self.registry.is_below(own.purpose(), purpose))
            })
        })
    }

    /// The newest record of those that say already what the wish says; none where it would change anything, or where
    /// one of them is a day old.
    fn standing_for(&self, wish: &Wish<'_>) -> Option<Record> {
        let mut newest: Option<Record> = None;
        for subject in wish.tokens {
            let records = self.records_of(wish, subject);
            for (purpose, mark) in wish.marks() {
                let record = self.standing_at(records, purpose, mark)?;
                if newest.is_none_or(|newest| newest.revision() < record.revision()) {
                    newest = Some(*record);
                }
            }
        }
        newest
    }

    fn standing_at<'a>(
        &self,
        records: Records<'a>,
        purpose: PurposeId,
        mark: Mark,
    ) -> Option<&'a Record> {
        let young = |record: &&Record| {
            let age = self.log_time.0.saturating_sub(record.received_at().0);
            age < limits::REPEAT_WINDOW_MS
        };
        let own = |change| {
            let record = records.at(purpose).filter(young);
            record.filter(|record| record.change() == change)
        };
        match mark {
            Mark::Signalled if self.outweighed(records, purpose) => records.signalled_at(purpose),
            Mark::Signalled => records.signalled_at(purpose).filter(young),
            // An opt-out made again lifts what was opted in to beneath it since.
            Mark::OptOut => own(Change::OptOut).filter(|record| {
                !records.iter().any(|other| {
                    other.change() == Change::OptIn
                        && other.revision() > record.revision()
                        && self.registry.is_below(other.purpose(), purpose)
                })
            }),
            Mark::OptIn => own(Change::OptIn).filter(|_| {
                decider(records, &Path::of(&self.registry, purpose))
                    .is_some_and(|decider| decider.change() == Change::OptIn)
            }),
        }
    }
}
