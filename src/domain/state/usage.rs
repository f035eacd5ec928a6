//! What nodes have reported: a soft table, since it changes without events.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::ids::{EventId, Millis};
use crate::domain::names::ServiceName;
use crate::domain::usage::{Lifted, ReportUsage, ServiceSeen, ServiceUsage};
use crate::limits;

/// The table. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage(Arc<Tables>);

#[derive(Debug, Clone, Default)]
struct Tables {
    services: BTreeMap<(ServiceName, u32), ServiceSeen>,
    lifted: BTreeMap<(EventId, ServiceName), u64>,
    /// The last report of each node: its start and its number.
    reports: BTreeMap<u64, (u64, u64)>,
}

impl Usage {
    /// Takes a report in, unless it was taken before. Of overrides, only those that `stands` says stand are counted.
    pub(super) fn take(
        &mut self,
        report: &ReportUsage,
        at: Millis,
        stands: impl Fn(EventId) -> bool,
    ) {
        let mark = (report.start, report.number);
        let known = self.0.reports.get(&report.node_id);
        if known.is_some_and(|(start, number)| *start == mark.0 && *number >= mark.1) {
            return;
        }
        let tables = Arc::make_mut(&mut self.0);
        tables.reports.insert(report.node_id, mark);
        while tables.reports.len() > limits::USAGE_REPORTERS {
            tables.reports.pop_first();
        }
        for usage in &report.services {
            tables.count(usage, at);
        }
        for lifted in report.lifted.iter().filter(|it| stands(it.override_id)) {
            let count = tables
                .lifted
                .entry((lifted.override_id, lifted.service.clone()))
                .or_default();
            *count = count.saturating_add(lifted.count);
        }
    }

    /// The services, by name and version.
    pub(super) fn services(&self) -> impl Iterator<Item = &ServiceSeen> {
        self.0.services.values()
    }

    /// What an override let through, by service.
    pub(super) fn lifted_by(&self, id: EventId) -> impl Iterator<Item = (&ServiceName, u64)> {
        self.0
            .lifted
            .iter()
            .filter(move |((by, _), _)| *by == id)
            .map(|((_, service), count)| (service, *count))
    }

    /// What an override let through, by service, which is forgotten here.
    pub(super) fn take_totals(&mut self, id: EventId) -> Vec<(ServiceName, u64)> {
        let totals: Vec<_> = self
            .lifted_by(id)
            .map(|(service, count)| (service.clone(), count))
            .collect();
        if !totals.is_empty() {
            Arc::make_mut(&mut self.0)
                .lifted
                .retain(|(by, _), _| *by != id);
        }
        totals
    }

    /// What overrides let through, by override and service.
    pub(super) fn lifted(&self) -> impl Iterator<Item = Lifted> + '_ {
        self.0
            .lifted
            .iter()
            .map(|((override_id, service), count)| Lifted {
                override_id: *override_id,
                service: service.clone(),
                count: *count,
            })
    }

    /// The last report of each node: the node, its start, the number.
    pub(super) fn reports(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.0
            .reports
            .iter()
            .map(|(node, (start, number))| (*node, *start, *number))
    }

    /// Puts a service as a snapshot recorded it; false where it does not come after the last.
    pub(super) fn restore_service(&mut self, seen: ServiceSeen) -> bool {
        let key = (seen.usage.service.clone(), seen.usage.schema_version);
        let services = &mut Arc::make_mut(&mut self.0).services;
        let fits = services.len() < limits::SERVICES
            && services
                .last_key_value()
                .is_none_or(|(last, _)| *last < key);
        services.insert(key, seen);
        fits
    }

    /// Puts a count as a snapshot recorded it; false where it does not come after the last.
    pub(super) fn restore_lifted(&mut self, lifted: Lifted) -> bool {
        let key = (lifted.override_id, lifted.service);
        let table = &mut Arc::make_mut(&mut self.0).lifted;
        let fits = table.last_key_value().is_none_or(|(last, _)| *last < key);
        table.insert(key, lifted.count);
        fits
    }

    /// Puts a node's last report as a snapshot recorded it; false where it does not come after the last.
    pub(super) fn restore_report(&mut self, node: u64, start: u64, number: u64) -> bool {
        let reports = &mut Arc::make_mut(&mut self.0).reports;
        let fits = reports
            .last_key_value()
            .is_none_or(|(last, _)| *last < node);
        reports.insert(node, (start, number));
        fits
    }
}

impl Tables {
    fn count(&mut self, usage: &ServiceUsage, at: Millis) {
        let key = (usage.service.clone(), usage.schema_version);
        if let Some(seen) = self.services.get_mut(&key) {
            seen.usage.calls = seen.usage.calls.saturating_add(usage.calls);
            seen.usage.below_floor = seen.usage.below_floor.saturating_add(usage.below_floor);
            seen.last_seen = at;
            return;
        }
        if self.services.len() >= limits::SERVICES {
            // One that has not asked within a day, or else the one that has asked least: names that are made up, each for
            // a call or two, push out one another and nobody who is well known. Of equals, the one seen longest ago; of
            // those, the first by key: the same on every node.
            let least = self.services.iter().min_by_key(|(_, seen)| {
                let recent = seen.last_seen.0.saturating_add(limits::SERVICE_SEEN_MS) >= at.0;
                (recent, seen.usage.calls, seen.last_seen)
            });
            if let Some(key) = least.map(|(key, _)| key.clone()) {
                self.services.remove(&key);
            }
        }
        self.services.insert(
            key,
            ServiceSeen {
                usage: usage.clone(),
                first_seen: at,
                last_seen: at,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(number: u64, names: &[&str]) -> ReportUsage {
        ReportUsage {
            node_id: 1,
            start: 7,
            number,
            services: names
                .iter()
                .map(|name| ServiceUsage {
                    service: ServiceName::parse(name).unwrap(),
                    schema_version: 1,
                    calls: 2,
                    below_floor: 1,
                })
                .collect(),
            lifted: Vec::new(),
        }
    }

    #[test]
    fn a_report_that_comes_again_counts_once_and_a_new_start_begins_anew() {
        let mut usage = Usage::default();
        usage.take(&report(1, &["a"]), Millis(1), |_| true);
        usage.take(&report(1, &["a"]), Millis(2), |_| true);
        usage.take(&report(2, &["a"]), Millis(3), |_| true);
        usage.take(&report(1, &["a"]), Millis(4), |_| true);
        let again = ReportUsage {
            start: 8,
            ..report(1, &["a"])
        };
        usage.take(&again, Millis(5), |_| true);
        let seen: Vec<_> = usage.services().collect();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].usage.calls, seen[0].usage.below_floor), (6, 3));
        assert_eq!(
            (seen[0].first_seen, seen[0].last_seen),
            (Millis(1), Millis(5))
        );
    }

    #[test]
    fn made_up_names_push_out_one_another_and_who_is_gone() {
        let mut usage = Usage::default();
        let often = |number, name| {
            let mut often = report(number, &[name]);
            often.services[0].calls = 1_000;
            often
        };
        usage.take(&often(1, "gone"), Millis(1), |_| true);
        usage.take(&often(2, "shop"), Millis(limits::SERVICE_SEEN_MS), |_| true);
        let now = Millis(limits::SERVICE_SEEN_MS + 2);
        for n in 0..2 * limits::SERVICES as u64 {
            usage.take(&report(n + 3, &[&format!("m{n}")]), now, |_| true);
        }
        let names: Vec<_> = usage
            .services()
            .map(|it| it.usage.service.as_str())
            .collect();
        assert_eq!(names.len(), limits::SERVICES);
        assert!(names.contains(&"shop") && !names.contains(&"gone"));
    }

    #[test]
    fn of_equals_the_service_seen_longest_ago_makes_room() {
        let mut usage = Usage::default();
        for n in 0..limits::SERVICES as u64 {
            usage.take(&report(n + 1, &[&format!("s{n}")]), Millis(n), |_| true);
        }
        let last = limits::SERVICES as u64;
        usage.take(&report(last + 1, &["s0"]), Millis(last), |_| true);
        usage.take(&report(last + 2, &["new"]), Millis(last), |_| true);
        let names: Vec<_> = usage
            .services()
            .map(|it| it.usage.service.as_str())
            .collect();
        assert_eq!(names.len(), limits::SERVICES);
        assert!(names.contains(&"s0") && names.contains(&"new") && !names.contains(&"s1"));
    }
}
