//! What was found in services' reports, as it lies in commands, events and snapshots.

use super::DecodeError;
use super::parts::{
    event_id, namespace, principal, purpose_name, service, subject, subject_out, uuid_out,
};
use crate::domain::ids::{EventId, Millis};
use crate::domain::monitor::{ReportViolations, Sample, ViolationKind, Violations};
use crate::domain::names::{Principal, ServiceName};
use crate::proto::persisted;

pub(super) fn found_out(report: &ReportViolations) -> persisted::ReportViolations {
    persisted::ReportViolations {
        node_id: report.node_id,
        start: report.start,
        number: report.number,
        judged: report.judged.iter().map(judged_out).collect(),
        found: report.found.iter().map(violations_out).collect(),
    }
}

pub(super) fn found(
    message: &persisted::ReportViolations,
) -> Result<ReportViolations, DecodeError> {
    Ok(ReportViolations {
        node_id: message.node_id,
        start: message.start,
        number: message.number,
        judged: message
            .judged
            .iter()
            .map(judged)
            .collect::<Result<_, _>>()?,
        found: message
            .found
            .iter()
            .map(violations)
            .collect::<Result<_, _>>()?,
    })
}

fn judged_out((service, count): &(ServiceName, u64)) -> persisted::JudgedReports {
    persisted::JudgedReports {
        service: service.to_string(),
        count: *count,
    }
}

fn judged(message: &persisted::JudgedReports) -> Result<(ServiceName, u64), DecodeError> {
    Ok((service(&message.service)?, message.count))
}

pub(super) fn violations_out(found: &Violations) -> persisted::Violations {
    persisted::Violations {
        namespace: found.namespace.to_string(),
        service: found.service.to_string(),
        purpose: found.purpose.to_string(),
        kind: kind_out(found.kind).into(),
        count: found.count,
        first_at_ms: found.first_at.0,
        last_at_ms: found.last_at.0,
        samples: found.samples.iter().map(sample_out).collect(),
        reported_by: found.reported_by.to_string(),
    }
}

pub(super) fn violations(message: &persisted::Violations) -> Result<Violations, DecodeError> {
    Ok(Violations {
        namespace: namespace(&message.namespace)?,
        service: service(&message.service)?,
        purpose: purpose_name(&message.purpose)?,
        kind: kind(message.kind)?,
        count: message.count,
        first_at: Millis(message.first_at_ms),
        last_at: Millis(message.last_at_ms),
        samples: message
            .samples
            .iter()
            .map(sample)
            .collect::<Result<_, _>>()?,
        reported_by: match &*message.reported_by {
            "" => Principal::cluster(),
            who => principal(who)?,
        },
    })
}

fn sample_out(sample: &Sample) -> persisted::ViolationSample {
    let id = |id: EventId| uuid_out(id.0);
    persisted::ViolationSample {
        token: Some(subject_out(&sample.token)),
        at_ms: sample.at.0,
        opt_out: sample.opt_out.map(id).unwrap_or_default(),
    }
}

fn sample(message: &persisted::ViolationSample) -> Result<Sample, DecodeError> {
    let token = message.token.as_ref();
    Ok(Sample {
        token: subject(token.ok_or(DecodeError::Damaged("a violation's token"))?)?,
        at: Millis(message.at_ms),
        opt_out: match &*message.opt_out {
            [] => None,
            id => Some(event_id(id)?),
        },
    })
}

fn kind_out(kind: ViolationKind) -> persisted::ViolationKind {
    match kind {
        ViolationKind::AfterOptOut => persisted::ViolationKind::AfterOptOut,
        ViolationKind::StaleStamp => persisted::ViolationKind::StaleStamp,
        ViolationKind::ExpiredOverride => persisted::ViolationKind::ExpiredOverride,
        ViolationKind::FalseProof => persisted::ViolationKind::FalseProof,
        ViolationKind::NoCheck => persisted::ViolationKind::NoCheck,
        ViolationKind::BelowFloor => persisted::ViolationKind::BelowFloor,
    }
}

fn kind(number: i32) -> Result<ViolationKind, DecodeError> {
    match persisted::ViolationKind::try_from(number) {
        Ok(persisted::ViolationKind::AfterOptOut) => Ok(ViolationKind::AfterOptOut),
        Ok(persisted::ViolationKind::StaleStamp) => Ok(ViolationKind::StaleStamp),
        Ok(persisted::ViolationKind::ExpiredOverride) => Ok(ViolationKind::ExpiredOverride),
        Ok(persisted::ViolationKind::FalseProof) => Ok(ViolationKind::FalseProof),
        Ok(persisted::ViolationKind::NoCheck) => Ok(ViolationKind::NoCheck),
        Ok(persisted::ViolationKind::BelowFloor) => Ok(ViolationKind::BelowFloor),
        Ok(persisted::ViolationKind::Unspecified) | Err(_) => {
            Err(DecodeError::Damaged("a kind of violation"))
        }
    }
}
