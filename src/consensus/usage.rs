//! What this node counts (who asks, what overrides let through) and reports to the cluster about once a minute.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::core::Core;
use super::writes;
use crate::clock::Entropy;
use crate::domain::{
    Body, EventId, Lifted, Proposal, ReportUsage, ServiceName, ServiceUsage, State,
};
use crate::limits::{USAGE_ENTRIES, USAGE_LIFTED, USAGE_REPORT_TIMEOUT};

/// The counts since the last report. Counting is cheap, and takes bounded room: what does not fit is counted under no name.
pub struct Usage {
    /// Tells this life of the node from its others.
    start: u64,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    /// Calls, and those below a floor, by service and schema version.
    services: HashMap<(ServiceName, u32), (u64, u64)>,
    lifted: HashMap<(EventId, ServiceName), u64>,
    reports: u64,
    /// Reports that were made and may or may not have been taken: each is sent again as it is, so that it counts once.
    unsure: VecDeque<ReportUsage>,
    /// How often there was no room for a decision that an override made an ALLOW.
    lost: u64,
}

impl Usage {
    /// Begins to count.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut start = [0; 8];
        entropy.fill(&mut start);
        Self {
            start: u64::from_be_bytes(start),
            counted: Mutex::default(),
        }
    }

    /// Counts one question or change of a service; `below_floor` where its schema version was too old.
    pub fn call(&self, service: &ServiceName, schema_version: u32, below_floor: bool) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (service.clone(), schema_version);
        if counted.services.len() >= USAGE_ENTRIES - 1 && !counted.services.contains_key(&key) {
            key = (ServiceName::none(), 0);
        }
        let (calls, below) = counted.services.entry(key).or_default();
        *calls += 1;
        *below += u64::from(below_floor);
    }

    /// Counts one decision that an override made an ALLOW.
    pub fn lifted(&self, override_id: EventId, service: &ServiceName) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (override_id, service.clone());
        // There is room for every override that can stand with every service that it names; should it ever not do, the
        // log says that the end of an override tells of fewer than there were.
        if counted.lifted.len() < USAGE_LIFTED || counted.lifted.contains_key(&key) {
            *counted.lifted.entry(key).or_default() += 1;
        } else {
            counted.lost += 1;
        }
    }

    /// Forgets what was let through by overrides whose last event was made: nobody counts it any more. So no time without
    /// a leader fills the room of those that stand. Tells how often there was no room since it was told last.
    fn keep(&self, standing: &BTreeSet<EventId>) -> u64 {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.lifted.retain(|(id, _), _| standing.contains(id));
        std::mem::take(&mut counted.lost)
    }

    /// The report to send: one that is in doubt, or a new one; none where nothing was counted, unless `anyway`. What does
    /// not fit one report is in the next.
    fn report(&self, node_id: u64, anyway: bool) -> Option<ReportUsage> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unsure) = counted.unsure.front() {
            return Some(unsure.clone());
        }
        if counted.services.is_empty() && counted.lifted.is_empty() && !anyway {
            return None;
        }
        let services = counted.services.drain().map(|(key, counts)| ServiceUsage {
            service: key.0,
            schema_version: key.1,
            calls: counts.0,
            below_floor: counts.1,
        });
        // They fit: there are never more than one report takes.
        let mut services: Vec<ServiceUsage> = services.collect();
        let lifted = counted
            .lifted
            .drain()
            .map(|((override_id, service), count)| Lifted {
                override_id,
                service,
                count,
            });
        let lifted: Vec<Lifted> = lifted.collect();
        for part in 0..lifted.len().div_ceil(USAGE_ENTRIES).max(1) {
            counted.reports += 1;
            let report = ReportUsage {
                node_id,
                start: self.start,
                number: counted.reports,
                services: std::mem::take(&mut services),
                lifted: lifted
                    .iter()
                    .skip(part * USAGE_ENTRIES)
                    .take(USAGE_ENTRIES)
                    .cloned()
                    .collect(),
            };
            counted.unsure.push_back(report);
        }
        counted.unsure.front().cloned()
    }

    /// The report that was sent last was taken; tells whether there are more.
    fn taken(&self) -> bool {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.unsure.pop_front();
        !counted.unsure.is_empty()
    }
}

/// Reports again and again. The leader also does so with nothing to report while an override stands: its last event takes a
/// command, and nobody may be sending any; and each brings the log's time on, which outlives a restart, so that a clock that
/// was set back meanwhile shows.
pub async fn report_again_and_again(core: Arc<Core>, every: Duration) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let stands = |state: &State| state.overrides().next().is_some();
        report(&core, core.leads() && core.replica.with_state(stands)).await;
    }
}

/// Reports what was counted, if anything was. What cannot be sent is kept for the next time.
pub async fn report(core: &Core, anyway: bool) {
    let standing = core
        .replica
        .with_state(|state: &State| state.overrides().map(|it| it.id).collect());
    let lost = core.usage.keep(&standing);
    if lost > 0 {
        tracing::warn!(
            lost,
            "there was no room to count decisions under overrides: the ends of these tell of fewer"
        );
    }
    while let Some(report) = core.usage.report(core.node_id(), anyway) {
        let proposal = Proposal::by_cluster(Body::ReportUsage(report));
        let sent = writes::write(core, &proposal, Instant::now() + USAGE_REPORT_TIMEOUT).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "what was counted could not be reported yet");
            return;
        }
        if !core.usage.taken() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::domain::Millis;

    fn service(text: &str) -> ServiceName {
        ServiceName::parse(text).unwrap()
    }

    #[test]
    fn counts_are_kept_until_their_report_was_taken() {
        let usage = Usage::new(&SystemEntropy);
        assert_eq!(usage.report(1, false), None);
        usage.call(&service("shop"), 2, false);
        usage.call(&service("shop"), 2, true);
        let id = EventId::new(Millis(1), [1; 10]);
        usage.lifted(id, &service("shop"));
        let first = usage.report(1, false).unwrap();
        assert_eq!(first.number, 1);
        assert_eq!(
            (first.services[0].calls, first.services[0].below_floor),
            (2, 1)
        );
        assert_eq!(first.lifted[0].count, 1);
        // Not taken yet: the same again, and what was counted meanwhile waits for the next.
        usage.call(&service("shop"), 2, false);
        assert_eq!(usage.report(1, false), Some(first));
        usage.taken();
        let second = usage.report(1, false).unwrap();
        assert_eq!((second.number, second.services[0].calls), (2, 1));
        usage.taken();
        assert_eq!(usage.report(1, false), None);
        assert_eq!(usage.report(1, true).map(|report| report.number), Some(3));
    }

    #[test]
    fn every_override_has_room_for_every_service_and_what_is_full_says_so() {
        use crate::limits::{OVERRIDE_SERVICES, OVERRIDES};
        let usage = Usage::new(&SystemEntropy);
        let id = |number: usize| EventId::new(Millis(number as u64), [1; 10]);
        for over in 0..OVERRIDES {
            for of in 0..OVERRIDE_SERVICES {
                usage.lifted(id(over), &service(&format!("s{of}")));
            }
        }
        let standing: BTreeSet<EventId> = (0..OVERRIDES).map(id).collect();
        assert_eq!(usage.keep(&standing), 0);
        let mut told = 0;
        let mut number = 0;
        while let Some(report) = usage.report(1, false) {
            number += 1;
            assert_eq!(report.number, number);
            told += report.lifted.iter().map(|it| it.count).sum::<u64>();
            let proposal = Proposal::by_cluster(Body::ReportUsage(report));
            proposal.validate().unwrap();
            usage.taken();
        }
        assert_eq!(told, (OVERRIDES * OVERRIDE_SERVICES) as u64);

        // What cannot be sent for long takes no room from what stands, and what finds no room is told.
        for over in 0..=USAGE_LIFTED {
            usage.lifted(id(over), &service("shop"));
        }
        assert_eq!(usage.keep(&standing), 1);
        assert_eq!(usage.keep(&standing), 0);
        let left = usage.report(1, false).unwrap();
        assert_eq!(left.lifted.len(), OVERRIDES);
    }

    #[test]
    fn many_names_take_bounded_room() {
        let usage = Usage::new(&SystemEntropy);
        for n in 0..2_000 {
            usage.call(&service(&format!("s{n}")), n, false);
        }
        let report = usage.report(1, false).unwrap();
        assert_eq!(report.services.len(), USAGE_ENTRIES);
        let calls: u64 = report.services.iter().map(|it| it.calls).sum();
        assert_eq!(calls, 2_000);
        assert!(
            Proposal::by_cluster(Body::ReportUsage(report))
                .validate()
                .is_ok()
        );
    }
}
