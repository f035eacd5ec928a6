//! What this node has found in services' reports: gathered for a moment, like with like, and committed as events.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::core::Core;
use super::outcome::Unavailable;
use super::writes;
use crate::clock::Entropy;
use crate::domain::{
    Body, Namespace, Principal, Proposal, PurposeName, ReportViolations, ServiceName,
    ViolationKind, Violations,
};
use crate::limits::{
    FOUND_INTERVAL, FOUND_KINDS, FOUND_WAITING, MONITOR_SERVICES, USAGE_REPORT_TIMEOUT,
    VIOLATION_SAMPLES, VIOLATIONS_PER_REPORT,
};

/// What makes violations alike.
type Alike = (
    Namespace,
    ServiceName,
    PurposeName,
    ViolationKind,
    Principal,
);

/// Who waits until what was found is committed.
type Waiter = oneshot::Sender<()>;

/// What was found and not committed yet.
pub struct Found {
    /// Tells this life of the node from its others.
    start: u64,
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    judged: HashMap<ServiceName, u64>,
    found: HashMap<Alike, Violations>,
    waiting: Vec<Waiter>,
    reports: u64,
    /// A report that may or may not have been taken: it is sent again as it is, so that it counts once. And who waits for it.
    unsure: Option<(ReportViolations, Vec<Waiter>)>,
}

impl Found {
    /// Nothing yet.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut start = [0; 8];
        entropy.fill(&mut start);
        Self {
            start: u64::from_be_bytes(start),
            gathered: Mutex::default(),
        }
    }

    /// Adds what was found among some reports of a service, and how many there were. What is returned ends when all of it is
    /// committed; at once where nothing was found.
    ///
    /// # Errors
    /// `OVERLOADED`: too much waits already. Then nothing was added.
    pub fn add(
        &self,
        service: &ServiceName,
        judged: u64,
        found: Vec<Violations>,
    ) -> Result<Option<oneshot::Receiver<()>>, Unavailable> {
        let mut gathered = self.gathered();
        let full = gathered.found.len() + found.len() > FOUND_KINDS
            || gathered.waiting.len() >= FOUND_WAITING;
        if !found.is_empty() && full {
            return Err(Unavailable::Overloaded);
        }
        if judged == 0 && found.is_empty() {
            return Ok(None);
        }
        let count = if gathered.judged.contains_key(service)
            || gathered.judged.len() < MONITOR_SERVICES - 1
        {
            gathered.judged.entry(service.clone()).or_default()
        } else {
            gathered.judged.entry(ServiceName::none()).or_default()
        };
        *count += judged;
        if found.is_empty() {
            return Ok(None);
        }
        for more in found {
            let alike = (
                more.namespace.clone(),
                more.service.clone(),
                more.purpose.clone(),
                more.kind,
                more.reported_by.clone(),
            );
            match gathered.found.get_mut(&alike) {
                Some(known) => merge(known, more),
                None => drop(gathered.found.insert(alike, more)),
            }
        }
        let (waiter, committed) = oneshot::channel();
        gathered.waiting.push(waiter);
        Ok(Some(committed))
    }

    /// The next report; none where there is nothing to tell. Without `all`, mere counts wait until something is found.
    fn next(&self, node_id: u64, all: bool) -> Option<ReportViolations> {
        let mut gathered = self.gathered();
        if let Some((report, _)) = &gathered.unsure {
            return Some(report.clone());
        }
        // Many names do not wait until there is no room for more: a service that finds none is counted under no name.
        let all = all || gathered.judged.len() >= MONITOR_SERVICES / 2;
        if gathered.found.is_empty() && (gathered.judged.is_empty() || !all) {
            return None;
        }
        let taken: Vec<Alike> = gathered
            .found
            .keys()
            .take(VIOLATIONS_PER_REPORT)
            .cloned()
            .collect();
        let found = taken
            .iter()
            .filter_map(|alike| gathered.found.remove(alike))
            .collect();
        // Whoever waits for one of those that are left waits for all.
        let waiting = if gathered.found.is_empty() {
            std::mem::take(&mut gathered.waiting)
        } else {
            Vec::new()
        };
        gathered.reports += 1;
        let report = ReportViolations {
            node_id,
            start: self.start,
            number: gathered.reports,
            judged: gathered.judged.drain().collect(),
            found,
        };
        gathered.unsure = Some((report.clone(), waiting));
        Some(report)
    }

    /// The report was taken: those who waited for it are told.
    fn taken(&self) {
        let told = self.gathered().unsure.take();
        for waiter in told.into_iter().flat_map(|(_, waiting)| waiting) {
            // Who gave up has gone.
            let _ = waiter.send(());
        }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn merge(known: &mut Violations, more: Violations) {
    known.count = known.count.saturating_add(more.count);
    known.first_at = known.first_at.min(more.first_at);
    known.last_at = known.last_at.max(more.last_at);
    known.samples.extend(more.samples);
    known.samples.truncate(VIOLATION_SAMPLES);
}

/// Commits what was found, again and again; mere counts with every so many rounds.
pub async fn commit_again_and_again(core: Arc<Core>) {
    let mut tick = interval(FOUND_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let every = std::time::Duration::from_millis(core.timing.usage_report_ms);
    let mut told = Instant::now();
    loop {
        tick.tick().await;
        let all = told.elapsed() >= every;
        if all {
            told = Instant::now();
        }
        commit(&core, all).await;
    }
}

/// Commits what was found. What cannot be sent is kept for the next time.
pub async fn commit(core: &Core, all: bool) {
    while let Some(report) = core.found.next(core.node_id(), all) {
        let proposal = Proposal::by_cluster(Body::ReportViolations(report.clone()));
        let sent = writes::write(core, &proposal, Instant::now() + USAGE_REPORT_TIMEOUT).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "what was found in reports could not be committed yet");
            return;
        }
        core.found.taken();
        for found in &report.found {
            tracing::warn!(
                service = %found.service,
                reported_by = %found.reported_by,
                namespace = %found.namespace,
                purpose = %found.purpose,
                kind = ?found.kind,
                count = found.count,
                "a service processed against the rules"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::domain::fixtures::violation_report;

    fn mailer() -> ServiceName {
        ServiceName::parse("mailer").unwrap()
    }

    #[test]
    fn what_is_alike_is_one_and_whoever_added_it_is_told_once_it_is_committed() {
        let found = Found::new(&SystemEntropy);
        assert_eq!(found.next(1, true), None);
        assert!(found.add(&mailer(), 5, Vec::new()).unwrap().is_none());
        assert_eq!(found.next(1, false), None, "counts alone can wait");
        let one = || violation_report(1, 1).found;
        let mut first = found.add(&mailer(), 2, one()).unwrap().unwrap();
        let mut second = found.add(&mailer(), 2, one()).unwrap().unwrap();
        let report = found.next(1, false).unwrap();
        assert_eq!(report.judged, [(mailer(), 9)]);
        assert_eq!((report.number, report.found.len()), (1, 1));
        assert_eq!(report.found[0].count, 2 * one()[0].count);
        // Not taken yet: the same again, whatever was found meanwhile.
        let mut third = found.add(&mailer(), 1, one()).unwrap().unwrap();
        assert_eq!(found.next(1, false), Some(report));
        assert!(first.try_recv().is_err());
        found.taken();
        assert!(first.try_recv().is_ok() && second.try_recv().is_ok());
        assert!(third.try_recv().is_err());
        assert_eq!(found.next(1, false).unwrap().number, 2);
        found.taken();
        assert!(third.try_recv().is_ok());
        assert_eq!(found.next(1, true), None);
        // Of whom nothing could be judged no name is kept.
        assert!(found.add(&mailer(), 0, Vec::new()).unwrap().is_none());
        assert_eq!(found.next(1, true), None);
        // Two accusers are told apart.
        assert!(found.add(&mailer(), 1, one()).unwrap().is_some());
        let mut other = one();
        other[0].reported_by = Principal::parse("another").unwrap();
        assert!(found.add(&mailer(), 1, other).unwrap().is_some());
        assert_eq!(found.next(1, false).unwrap().found.len(), 2);
    }

    #[test]
    fn more_than_one_report_holds_is_told_in_several_and_room_is_bounded() {
        let found = Found::new(&SystemEntropy);
        let of = |n: usize| {
            let mut one = violation_report(1, 1).found.remove(0);
            one.service = ServiceName::parse(&format!("s{n}")).unwrap();
            one
        };
        let many = (0..=VIOLATIONS_PER_REPORT).map(of).collect();
        let mut waiter = found.add(&mailer(), 1, many).unwrap().unwrap();
        let first = found.next(1, false).unwrap();
        assert_eq!(first.found.len(), VIOLATIONS_PER_REPORT);
        found.taken();
        assert!(waiter.try_recv().is_err(), "a part is still to come");
        assert_eq!(found.next(1, false).unwrap().found.len(), 1);
        found.taken();
        assert!(waiter.try_recv().is_ok());

        for n in 0..MONITOR_SERVICES / 2 {
            assert_eq!(found.next(1, false), None, "counts of {n} services");
            assert!(found.add(&of(n).service, 1, Vec::new()).unwrap().is_none());
        }
        assert!(found.next(1, false).is_some());
        found.taken();

        let many = (0..FOUND_KINDS).map(of).collect();
        assert!(found.add(&mailer(), 1, many).is_ok());
        let full = found.add(&mailer(), 1, vec![of(FOUND_KINDS)]);
        assert_eq!(full.err(), Some(Unavailable::Overloaded));
        assert!(found.add(&mailer(), 1, Vec::new()).is_ok());
    }
}
