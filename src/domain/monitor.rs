//! What services report that they processed, how it is judged, and what a node tells the cluster of it.

use super::ids::{EventId, Millis, Revision};
use super::names::{Namespace, Principal, PurposeName, ServiceName};
use super::refusal::Refusal;
use super::token::SubjectToken;
use crate::limits;

/// How something was processed against the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViolationKind {
    /// After an opt-out had taken effect, with or without an answer of before.
    AfterOptOut,
    /// After an opt-out had taken effect, under a stamp that is older than it.
    StaleStamp,
    /// After an opt-out had taken effect, under an override that was over.
    ExpiredOverride,
    /// Under something that is no proof: forged, about somebody or something else, or a denial.
    FalseProof,
    /// Without having asked, or having asked only afterwards.
    NoCheck,
    /// By a service that was built for too old a schema.
    BelowFloor,
}

impl ViolationKind {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 6] = [
        Self::AfterOptOut,
        Self::StaleStamp,
        Self::ExpiredOverride,
        Self::FalseProof,
        Self::NoCheck,
        Self::BelowFloor,
    ];

    /// How much one of them weighs in a service's score, in percent of a report.
    pub fn weight(self) -> u64 {
        match self {
            Self::AfterOptOut | Self::StaleStamp | Self::ExpiredOverride | Self::FalseProof => 100,
            Self::NoCheck => 25,
            Self::BelowFloor => 10,
        }
    }

    /// Its place in [`ViolationKind::ALL`].
    pub(super) fn place(self) -> usize {
        self as usize
    }
}

/// Under what something was processed, as far as it could be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Nothing was named.
    None,
    /// What was named is no proof of an ALLOW for this.
    False,
    /// A stamp of a key that is not known, or not any more: nobody can tell whether it is forged.
    Forgotten,
    /// An ALLOW that this service was answered.
    Decided(Answered),
    /// A stamp that says ALLOW.
    Stamped(Answered),
}

/// When an ALLOW was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// As of this revision: what changed up to it was taken into account.
    pub revision: Revision,
    /// At this time, by which it was decided; of a stamp, the end of its second.
    pub at: Millis,
}

/// One thing that a service says it processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// The tenant.
    pub namespace: Namespace,
    /// Whose data: 1 to 16 tokens, no two alike.
    pub tokens: Vec<SubjectToken>,
    /// What for.
    pub purpose: PurposeName,
    /// Who did it.
    pub service: ServiceName,
    /// The schema version that it was built for, or 0.
    pub schema_version: u32,
    /// When, by the service's clock.
    pub at: Millis,
    /// Under what.
    pub proof: Proof,
}

/// What is to be said of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It was right.
    Right,
    /// It was not.
    Violation {
        /// How.
        kind: ViolationKind,
        /// The opt-out that stood against it; none where none did.
        opt_out: Option<EventId>,
    },
    /// The subject's preferences have changed since: its history has to be looked at.
    NeedsHistory,
    /// It names a stamp whose key is not known any more, and nothing else is wrong with it.
    KeyForgotten,
}

/// What a node has found since its last report. One that is sent again counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportViolations {
    /// The node.
    pub node_id: u64,
    /// Drawn at random at each of its starts.
    pub start: u64,
    /// The number of the report since that start, from 1.
    pub number: u64,
    /// How many reports of each service were judged, right or not; at most 256.
    pub judged: Vec<(ServiceName, u64)>,
    /// What was found, like with like; at most 64. Each becomes an event.
    pub found: Vec<Violations>,
}

/// Violations that are alike: of one service, purpose and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    /// The tenant.
    pub namespace: Namespace,
    /// The service.
    pub service: ServiceName,
    /// The purpose that it processed for.
    pub purpose: PurposeName,
    /// How.
    pub kind: ViolationKind,
    /// How many there were.
    pub count: u64,
    /// When the first was, by the service's clock.
    pub first_at: Millis,
    /// When the last was.
    pub last_at: Millis,
    /// Some of them, 1 to 4.
    pub samples: Vec<Sample>,
    /// Who reported them, whoever the service is.
    pub reported_by: Principal,
}

/// One violation among those that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Whose data: the first token that was named.
    pub token: SubjectToken,
    /// When it was processed, by the service's clock.
    pub at: Millis,
    /// The opt-out that stood against it.
    pub opt_out: Option<EventId>,
}

impl ReportViolations {
    pub(super) fn validate(&self) -> Result<(), Refusal> {
        let fits = |it: &Violations| {
            !it.service.is_none()
                && !it.purpose.is_root()
                && it.count >= it.samples.len() as u64
                && (1..=limits::VIOLATION_SAMPLES).contains(&it.samples.len())
                && it.first_at <= it.last_at
                && it.last_at <= Millis::MAX
        };
        let all = self.judged.len() <= limits::MONITOR_SERVICES
            && self.found.len() <= limits::VIOLATIONS_PER_REPORT
            && self.found.iter().all(fits);
        if all {
            Ok(())
        } else {
            Err(Refusal::CommandTooLarge)
        }
    }
}

/// What a service's reports came to in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Reports that were judged, right or not.
    pub judged: u64,
    /// Violations by kind, in the order of [`ViolationKind::ALL`].
    pub found: [u64; 6],
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.judged = self.judged.saturating_add(other.judged);
        for (count, more) in self.found.iter_mut().zip(other.found) {
            *count = count.saturating_add(more);
        }
    }

    /// The score in hundredths: 10,000 where nothing was wrong, and less by the weight of each violation as a part of all reports. None
    /// where nothing was reported.
    pub fn score(&self) -> Option<u64> {
        let weighed = ViolationKind::ALL.iter().zip(self.found);
        let weighed = weighed.fold(0_u128, |sum, (kind, count)| {
            sum + u128::from(kind.weight()) * u128::from(count)
        });
        let all = u128::from(self.judged.max(self.found.iter().sum()));
        if all == 0 {
            return None;
        }
        // Rounded so that one violation among many millions still shows.
        let lost = (weighed * 100).div_ceil(all).min(10_000);
        Some(10_000 - u64::try_from(lost).unwrap_or(10_000))
    }
}

/// A service's score, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// The service.
    pub service: ServiceName,
    /// The span that ends now.
    pub tally: Tally,
    /// The span of the same length before it.
    pub before: Tally,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_what_is_left_of_the_reports() {
        let score = |judged, found| Tally { judged, found }.score();
        assert_eq!(score(0, [0; 6]), None);
        assert_eq!(score(10, [0; 6]), Some(10_000));
        assert_eq!(score(10, [1, 0, 0, 0, 0, 0]), Some(9_000));
        assert_eq!(score(10, [0, 0, 0, 0, 4, 0]), Some(9_000));
        assert_eq!(score(10, [0, 0, 0, 0, 0, 10]), Some(9_000));
        assert_eq!(score(10, [5, 5, 0, 0, 0, 0]), Some(0));
        // The counts of what was judged come later than what was found.
        assert_eq!(score(0, [1, 0, 0, 0, 1, 0]), Some(3_750));
        assert_eq!(score(1_000_000_000, [1, 0, 0, 0, 0, 0]), Some(9_999));
        assert_eq!(score(u64::MAX, [u64::MAX, 0, 0, 0, 0, 0]), Some(0));
    }

    #[test]
    fn kinds_are_counted_where_they_stand() {
        for (place, kind) in ViolationKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.place(), place);
        }
    }
}
