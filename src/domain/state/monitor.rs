//! What nodes have found in services' reports: a soft table of counts by the hour, beside the events of what was found.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::State;
use super::apply::Events;
use crate::domain::change::Override;
use crate::domain::command::{Command, Signal};
use crate::domain::event::{Detail, Event, EventKind};
use crate::domain::ids::{EventId, Millis, Revision};
use crate::domain::monitor::{ReportViolations, Score, Tally, Violations};
use crate::domain::names::{Namespace, ServiceName};
use crate::domain::outcome::{Outcome, Reply};
use crate::domain::refusal::Refusal;
use crate::domain::registry::PurposeId;
use crate::limits;

/// Milliseconds of an hour.
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// The table. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Monitor(Arc<Tables>);

#[derive(Debug, Clone, Default)]
struct Tables {
    /// By the hour, since the epoch, of the log's time at which it was reported.
    hours: BTreeMap<(u64, ServiceName), Tally>,
    /// The last report of each node: its start and its number.
    reports: BTreeMap<u64, (u64, u64)>,
    /// Where the newest events of violations are, the newest last.
    found: VecDeque<Found>,
    /// When the overrides that stand were approved.
    began: BTreeMap<EventId, Millis>,
    /// The overrides that ended last, with when they were approved.
    ended: VecDeque<(Override, Millis)>,
    /// When floors were set, and what stood there before.
    floors: BTreeMap<PurposeId, FloorSet>,
    /// In how many of the hours each service is counted: what `hours` says, by name.
    named: BTreeMap<ServiceName, usize>,
}

/// When a floor was set, and the one that it took the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FloorSet {
    /// When it was set.
    pub(super) since: Millis,
    /// The version before it.
    pub(super) before: u32,
    /// When that was set.
    pub(super) before_since: Millis,
}

/// Where an event of violations is, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its revision.
    pub revision: Revision,
    /// The tenant.
    pub namespace: Namespace,
    /// The service.
    pub service: ServiceName,
    /// When the leader received the report.
    pub received_at: Millis,
}

impl State {
    /// Takes a node's report in, unless it was taken before.
    pub(super) fn report_violations(
        &mut self,
        command: &Command,
        report: &ReportViolations,
        events: &mut Events,
    ) -> Reply {
        if self.monitor.take(report, self.log_time) {
            for (ordinal, violations) in (0_u64..).zip(&report.found) {
                // Names are the same for ever: one that is not registered was refused when the report was judged.
                if self.namespaces.id(&violations.namespace).is_err() {
                    continue;
                }
                let event = Event {
                    id: command.event_id.derive(ordinal),
                    namespace: Some(violations.namespace.clone()),
                    purposes: vec![violations.purpose.clone()],
                    signal: Signal::Operator,
                    // A node only judged it.
                    principal: violations.reported_by.clone(),
                    ..self.event(
                        command,
                        EventKind::Violation,
                        Detail::Violation(Box::new(violations.clone())),
                    )
                };
                self.record(event, events)?;
            }
        }
        Ok(Outcome::Done {
            revision: self.revision,
        })
    }

    pub(super) fn fold_violation(
        &mut self,
        event: &Event,
        violations: &Violations,
    ) -> Result<(), Refusal> {
        let Some(namespace) = &event.namespace else {
            return super::fold::inconsistent("a violation without a namespace");
        };
        let tables = Arc::make_mut(&mut self.monitor.0);
        tables.found.push_back(Found {
            revision: event.revision,
            namespace: namespace.clone(),
            service: violations.service.clone(),
            received_at: event.received_at,
        });
        while tables.found.len() > limits::VIOLATIONS_LISTED {
            tables.found.pop_front();
        }
        Ok(())
    }

    /// Where the events of violations are, the newest first, as far as they are kept at hand.
    pub fn violations(&self) -> impl Iterator<Item = &Found> {
        self.monitor.0.found.iter().rev()
    }

    /// How many violations of each kind were reported within the time for which counts are kept, up to the log's time.
    pub fn violation_counts(&self) -> [u64; 6] {
        let kept = (self.log_time.0 / HOUR_MS).saturating_sub(limits::MONITOR_HOURS);
        let mut sum = Tally::default();
        let hours = self.monitor.0.hours.range((kept, ServiceName::none())..);
        for (_, tally) in hours {
            sum.add(tally);
        }
        sum.found
    }

    /// The scores of all services over so many hours up to a time, by name.
    pub fn scores(&self, hours: u64, at: Millis) -> Vec<Score> {
        let now = self.judged_at(at).0 / HOUR_MS;
        let begins = (now + 1).saturating_sub(hours);
        let before = begins.saturating_sub(hours);
        let mut scores: BTreeMap<&ServiceName, (Tally, Tally)> = BTreeMap::new();
        for ((hour, service), tally) in &self.monitor.0.hours {
            if *hour < before {
                continue;
            }
            let (this, last) = scores.entry(service).or_default();
            if *hour >= begins { this } else { last }.add(tally);
        }
        let score = |(service, (tally, before)): (&ServiceName, (Tally, Tally))| Score {
            service: service.clone(),
            tally,
            before,
        };
        scores.into_iter().map(score).collect()
    }
}

impl Monitor {
    /// Counts a report. False where it was counted before.
    fn take(&mut self, report: &ReportViolations, at: Millis) -> bool {
        let mark = (report.start, report.number);
        let known = self.0.reports.get(&report.node_id);
        if known.is_some_and(|(start, number)| *start == mark.0 && *number >= mark.1) {
            return false;
        }
        let tables = Arc::make_mut(&mut self.0);
        tables.reports.insert(report.node_id, mark);
        while tables.reports.len() > limits::USAGE_REPORTERS {
            tables.reports.pop_first();
        }
        let hour = at.0 / HOUR_MS;
        let kept = hour.saturating_sub(limits::MONITOR_HOURS);
        tables.forget(kept);
        for (service, count) in report.judged.iter().filter(|(_, count)| *count > 0) {
            let tally = tables.tally(hour, service);
            tally.judged = tally.judged.saturating_add(*count);
        }
        for violations in &report.found {
            let tally = tables.tally(hour, &violations.service);
            if let Some(count) = tally.found.get_mut(violations.kind.place()) {
                *count = count.saturating_add(violations.count);
            }
        }
        true
    }

    /// Notes when an override was approved.
    pub(super) fn began(&mut self, id: EventId, at: Millis) {
        Arc::make_mut(&mut self.0).began.insert(id, at);
    }

    /// Keeps an override that is over.
    pub(super) fn ended(&mut self, ended: Override) {
        let tables = Arc::make_mut(&mut self.0);
        let began = tables.began.remove(&ended.id);
        let began = began.unwrap_or(ended.proposed_at);
        tables.ended.push_back((ended, began));
        while tables.ended.len() > limits::OVERRIDES_ENDED {
            tables.ended.pop_front();
        }
    }

    /// When an override that stands was approved.
    pub(super) fn began_at(&self, standing: &Override) -> Millis {
        let began = self.0.began.get(&standing.id).copied();
        began.unwrap_or(standing.proposed_at)
    }

    /// The overrides that are over, with when they were approved, as far as they are kept.
    pub(super) fn overrides(&self) -> impl Iterator<Item = (&Override, Millis)> {
        self.0.ended.iter().map(|(it, began)| (it, *began))
    }

    pub(super) fn begun(&self) -> impl Iterator<Item = (EventId, Millis)> {
        self.0.began.iter().map(|(id, at)| (*id, *at))
    }

    /// Notes when a floor was set, and which stood there.
    pub(super) fn floor_set(&mut self, id: PurposeId, at: Millis, before: u32) {
        let floors = &mut Arc::make_mut(&mut self.0).floors;
        let before_since = floors.get(&id).map(|it| it.since).unwrap_or_default();
        let set = FloorSet {
            since: at,
            before,
            before_since,
        };
        floors.insert(id, set);
    }

    /// The floor at a purpose at a time, where this one stands now; 0 where it is not known any more.
    pub(super) fn floor_at(&self, id: PurposeId, stands: u32, at: Millis) -> u32 {
        let set = self.0.floors.get(&id).copied().unwrap_or_default();
        if set.since <= at {
            stands
        } else if set.before_since <= at {
            set.before
        } else {
            0
        }
    }

    pub(super) fn hours(&self) -> impl Iterator<Item = (&(u64, ServiceName), &Tally)> {
        self.0.hours.iter()
    }

    pub(super) fn reports(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let reports = self.0.reports.iter();
        reports.map(|(node, (start, number))| (*node, *start, *number))
    }

    pub(super) fn found(&self) -> impl Iterator<Item = &Found> {
        self.0.found.iter()
    }

    pub(super) fn floors(&self) -> impl Iterator<Item = (PurposeId, FloorSet)> {
        self.0.floors.iter().map(|(id, set)| (*id, *set))
    }

    /// Puts back what a snapshot holds. False where it comes twice.
    pub(super) fn restore_hour(&mut self, hour: u64, service: ServiceName, tally: Tally) -> bool {
        let tables = Arc::make_mut(&mut self.0);
        *tables.named.entry(service.clone()).or_default() += 1;
        tables.hours.insert((hour, service), tally).is_none()
    }

    /// As [`Monitor::restore_hour`].
    pub(super) fn restore_floor(&mut self, id: PurposeId, set: FloorSet) {
        Arc::make_mut(&mut self.0).floors.insert(id, set);
    }

    /// As [`Monitor::restore_hour`].
    pub(super) fn restore_report(&mut self, node_id: u64, start: u64, number: u64) -> bool {
        let tables = Arc::make_mut(&mut self.0);
        tables.reports.insert(node_id, (start, number)).is_none()
    }

    /// As [`Monitor::restore_hour`]; they come in order.
    pub(super) fn restore_ended(&mut self, ended: Override, began: Millis) {
        Arc::make_mut(&mut self.0).ended.push_back((ended, began));
    }

    /// As [`Monitor::restore_hour`]; they come in order.
    pub(super) fn restore_found(&mut self, found: Found) -> bool {
        let tables = Arc::make_mut(&mut self.0);
        let last = tables.found.back().map_or(0, |last| last.revision);
        let next = found.revision > last;
        tables.found.push_back(found);
        next
    }
}

impl Tables {
    /// The counts of a service in an hour; those of no name where too many have one of their own.
    fn tally(&mut self, hour: u64, service: &ServiceName) -> &mut Tally {
        let none = ServiceName::none();
        let names = self.named.len() - usize::from(self.named.contains_key(&none));
        // One that has counts keeps its name, however many others come.
        let known = self.named.contains_key(service) || names < limits::MONITOR_SERVICES;
        let name = if known { service.clone() } else { none };
        let hours = &mut self.named;
        self.hours.entry((hour, name.clone())).or_insert_with(|| {
            *hours.entry(name).or_default() += 1;
            Tally::default()
        })
    }

    /// Forgets the hours before this one.
    fn forget(&mut self, before: u64) {
        let kept = self.hours.split_off(&(before, ServiceName::none()));
        for (_, service) in std::mem::replace(&mut self.hours, kept).into_keys() {
            if let Some(hours) = self.named.get_mut(&service) {
                *hours -= 1;
                if *hours == 0 {
                    self.named.remove(&service);
                }
            }
        }
    }
}
