//! What services report, judged; and what was found.

use std::time::{Duration, Instant};

use tokio::time::Instant as Deadline;

use super::{Authority, Unavailable, query::Query};
use crate::{
    admission::{Admissible, Admitted, Need, Needs, Permission, Touches},
    domain::{
        Event, Found, Judged, Millis, Namespace, Processed, PurposeName, Refusal, Revision, Score,
        ServiceName, StampKey, State, Token, Violations,
    },
    limits,
};

/// May this be reported? With it come the keys of stamps, those too that were retired within the last
/// two weeks, for those under which something was processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayReport {
    /// Where.
    pub namespace: Namespace,
    /// For which purposes.
    pub purposes: Vec<PurposeName>,
}

impl Admissible for MayReport {
    fn needs(&self) -> Needs<'_> {
        Needs::for_each(Permission::Report, &self.namespace, &self.purposes)
    }
}

/// Keys, and the cluster whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllStampKeys {
    /// The cluster's id.
    pub cluster_id: [u8; 16],
    /// The keys.
    pub keys: Vec<StampKey>,
}

impl Query for MayReport {
    type Answer = AllStampKeys;

    fn answer(self, state: &State, _at: Millis) -> Result<AllStampKeys, Refusal> {
        Ok(AllStampKeys {
            cluster_id: state.cluster_id().ok_or(Refusal::ClusterNotInitialised)?,
            keys: state.stamp_keys().to_vec(),
        })
    }
}

/// Was this processed by right?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judge {
    /// What was processed, at most [`limits::REPORTS_AT_ONCE`], each with its subject's events where they are needed.
    pub reports: Vec<(Processed, Option<Vec<Event>>)>,
}

/// What is to be said of some reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    /// Each report, and what is to be said of it.
    pub judged: Vec<(Processed, Result<Finding, Refusal>)>,
    /// How long it took to find out.
    pub took: Duration,
}

/// What is to be said of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// This.
    Judged(Judged),
    /// Its subject's events are needed, which end here.
    EndsAt(Vec<(Token, Revision)>),
}

impl Admissible for Judge {
    fn needs(&self) -> Needs<'_> {
        let each = self.reports.iter().map(|(report, _)| {
            let purpose = Touches::One(&report.purpose);
            Need::within(Permission::Report, &report.namespace, purpose)
        });
        Needs::one(Need::anywhere(Permission::Report)).and(each)
    }
}

impl Query for Judge {
    type Answer = Verdicts;

    fn answer(self, state: &State, at: Millis) -> Result<Verdicts, Refusal> {
        let begun = Instant::now();
        let latest = state
            .judged_at(at)
            .0
            .saturating_add(limits::PROCESSED_AHEAD_MS);
        let judge = |report: &Processed, history: Option<&[Event]>| {
            if report.at.0 > latest {
                return Err(Refusal::ProcessedAhead);
            }
            Ok(match state.judge(report, history)? {
                Judged::NeedsHistory => {
                    let ends = report.tokens.iter().map(|it| {
                        let revision = state.last_revision(&report.namespace, &it.token);
                        (it.token, revision)
                    });
                    Finding::EndsAt(ends.collect())
                }
                judged => Finding::Judged(judged),
            })
        };
        let judged = self
            .reports
            .into_iter()
            .map(|(report, history)| {
                let finding = judge(&report, history.as_deref());
                (report, finding)
            })
            .collect();
        Ok(Verdicts {
            judged,
            took: begun.elapsed(),
        })
    }
}

/// Where are the events of violations?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListViolations {
    /// In this namespace; none for all.
    pub namespace: Option<Namespace>,
    /// Of this service; none for all.
    pub service: Option<ServiceName>,
    /// Received from then on.
    pub since: Millis,
    /// Before this revision; 0 from the newest on.
    pub before: Revision,
    /// At most so many.
    pub limit: usize,
}

impl Admissible for ListViolations {
    fn needs(&self) -> Needs<'_> {
        Needs::one(match &self.namespace {
            Some(namespace) => Need::within(Permission::Audit, namespace, Touches::All),
            None => Need::everywhere(Permission::Audit),
        })
    }
}

impl Query for ListViolations {
    /// Their revisions, the newest first, and whether there are more.
    type Answer = (Vec<Revision>, bool);

    fn answer(self, state: &State, _at: Millis) -> Result<Self::Answer, Refusal> {
        let wanted = |it: &&Found| {
            (self.before == 0 || it.revision < self.before)
                && it.received_at >= self.since
                && self
                    .namespace
                    .as_ref()
                    .is_none_or(|wanted| it.namespace == *wanted)
                && self
                    .service
                    .as_ref()
                    .is_none_or(|wanted| it.service == *wanted)
        };
        let mut found = state.violations().filter(wanted).map(|it| it.revision);
        let page: Vec<Revision> = found.by_ref().take(self.limit).collect();
        Ok((page, found.next().is_some()))
    }
}

/// What did services' reports come to?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetScores {
    /// Of this service; none for all.
    pub service: Option<ServiceName>,
    /// Over so many hours.
    pub hours: u64,
}

impl Admissible for GetScores {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::anywhere(Permission::Audit))
    }
}

impl Query for GetScores {
    type Answer = Vec<Score>;

    fn answer(self, state: &State, at: Millis) -> Result<Vec<Score>, Refusal> {
        let mut scores = state.scores(self.hours, at);
        if let Some(service) = self.service {
            scores.retain(|it| it.service == service);
        }
        Ok(scores)
    }
}

impl Authority {
    /// Has what was found among some reports of a service committed as events, and those that were right counted.
    ///
    /// # Errors
    /// `OVERLOADED`, with nothing done; or `DEADLINE`: it may be committed later.
    pub async fn found(
        &self,
        _admitted: Admitted<MayReport>,
        service: &ServiceName,
        judged: u64,
        found: Vec<Violations>,
        deadline: Deadline,
    ) -> Result<(), Unavailable> {
        self.consensus
            .report_found(service, judged, found, deadline)
            .await
    }
}
