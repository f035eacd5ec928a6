//! What was found in a batch of reports: in the contract's words, and like with like for the log.

use std::collections::BTreeMap;

use super::{convert::answers, status::Failure};
use crate::{
    domain::{
        EventId, Judged, Namespace, Principal, Processed, PurposeName, Sample, ServiceName, Tally,
        ViolationKind, Violations,
    },
    limits,
    proto::v1::{
        FoundViolation, ItemError, RefusedReport, ReportProcessingResponse, ViolationCount,
    },
    receipt,
};

/// A report's place in its batch, the report, and what is to be said of it.
pub(super) type Verdict = (usize, Processed, Judged);

/// What becomes of a batch.
pub(super) fn answer(
    judged: &[Verdict],
    mut refused: Vec<(usize, Failure)>,
) -> ReportProcessingResponse {
    let index = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
    let violations = judged
        .iter()
        .filter_map(|(place, _, verdict)| match verdict {
            Judged::Violation { kind, opt_out } => Some(FoundViolation {
                index: index(*place),
                kind: receipt::contract::violation_kind(*kind).into(),
                opt_out_event_id: answers::event_id(*opt_out),
            }),
            Judged::Right | Judged::NeedsHistory | Judged::KeyForgotten => None,
        });
    refused.sort_by_key(|(place, _)| *place);
    ReportProcessingResponse {
        judged: index(judged.len()),
        violations: violations.collect(),
        refused: refused
            .into_iter()
            .map(|(place, failure)| RefusedReport {
                index: index(place),
                error: Some(ItemError::from(failure)),
            })
            .collect(),
    }
}

/// The violations, like with like.
pub(super) fn alike(
    namespace: &Namespace,
    service: &ServiceName,
    reported_by: &Principal,
    judged: Vec<Verdict>,
) -> Vec<Violations> {
    let mut found: BTreeMap<(PurposeName, ViolationKind), Violations> = BTreeMap::new();
    for (_, report, verdict) in judged {
        let Judged::Violation { kind, opt_out } = verdict else {
            continue;
        };
        let one = found
            .entry((report.purpose.clone(), kind))
            .or_insert_with(|| Violations {
                namespace: namespace.clone(),
                service: service.clone(),
                purpose: report.purpose.clone(),
                kind,
                count: 0,
                first_at: report.at,
                last_at: report.at,
                samples: Vec::new(),
                reported_by: reported_by.clone(),
            });
        one.count += 1;
        one.first_at = one.first_at.min(report.at);
        one.last_at = one.last_at.max(report.at);
        if let Some(sample) = sample(report, opt_out)
            && one.samples.len() < limits::VIOLATION_SAMPLES
        {
            one.samples.push(sample);
        }
    }
    found.into_values().collect()
}

fn sample(report: Processed, opt_out: Option<EventId>) -> Option<Sample> {
    Some(Sample {
        token: report.tokens.into_iter().next()?,
        at: report.at,
        opt_out,
    })
}

/// A score from 0 to 100.
#[allow(
    clippy::cast_precision_loss,
    reason = "hundredths up to 10,000 are exact"
)]
pub(super) fn percent(tally: &Tally) -> Option<f64> {
    tally.score().map(|hundredths| hundredths as f64 / 100.0)
}

/// The violations by kind; kinds without any are left out.
pub(super) fn counts(tally: &Tally) -> Vec<ViolationCount> {
    let each = ViolationKind::ALL.into_iter().zip(tally.found);
    each.filter(|(_, count)| *count > 0)
        .map(|(kind, count)| ViolationCount {
            kind: receipt::contract::violation_kind(kind).into(),
            count,
        })
        .collect()
}
