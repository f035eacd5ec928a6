//! What nodes count, as it lies in commands, events and snapshots.

use bytes::Bytes;

use super::DecodeError;
use super::parts::{event_id, service, uuid_out};
use crate::domain::ids::Millis;
use crate::domain::names::ServiceName;
use crate::domain::usage::{Lifted, ReportUsage, ServiceSeen, ServiceUsage};
use crate::proto::persisted;

pub(super) fn report_out(report: &ReportUsage) -> persisted::ReportUsage {
    persisted::ReportUsage {
        node_id: report.node_id,
        start: report.start,
        number: report.number,
        services: report.services.iter().map(usage_out).collect(),
        lifted: report.lifted.iter().map(lifted_out).collect(),
    }
}

pub(super) fn report(message: &persisted::ReportUsage) -> Result<ReportUsage, DecodeError> {
    Ok(ReportUsage {
        node_id: message.node_id,
        start: message.start,
        number: message.number,
        services: message
            .services
            .iter()
            .map(usage)
            .collect::<Result<_, _>>()?,
        lifted: message
            .lifted
            .iter()
            .map(lifted)
            .collect::<Result<_, _>>()?,
    })
}

fn usage_out(usage: &ServiceUsage) -> persisted::ServiceUsage {
    persisted::ServiceUsage {
        service: usage.service.to_string(),
        schema_version: usage.schema_version,
        calls: usage.calls,
        below_floor: usage.below_floor,
    }
}

fn usage(message: &persisted::ServiceUsage) -> Result<ServiceUsage, DecodeError> {
    Ok(ServiceUsage {
        service: service(&message.service)?,
        schema_version: message.schema_version,
        calls: message.calls,
        below_floor: message.below_floor,
    })
}

pub(crate) fn lifted_out(lifted: &Lifted) -> persisted::Lifted {
    persisted::Lifted {
        override_id: uuid_out(lifted.override_id.0),
        service: lifted.service.to_string(),
        count: lifted.count,
    }
}

pub(crate) fn lifted(message: &persisted::Lifted) -> Result<Lifted, DecodeError> {
    Ok(Lifted {
        override_id: event_id(&message.override_id)?,
        service: service(&message.service)?,
        count: message.count,
    })
}

/// The totals of one override, which the event names.
pub(super) fn totals_out(totals: &[(ServiceName, u64)]) -> persisted::LiftedTotals {
    persisted::LiftedTotals {
        lifted: totals
            .iter()
            .map(|(service, count)| persisted::Lifted {
                override_id: Bytes::new(),
                service: service.to_string(),
                count: *count,
            })
            .collect(),
    }
}

pub(super) fn totals(
    message: &persisted::LiftedTotals,
) -> Result<Vec<(ServiceName, u64)>, DecodeError> {
    message
        .lifted
        .iter()
        .map(|lifted| Ok((service(&lifted.service)?, lifted.count)))
        .collect()
}

pub(crate) fn seen_out(seen: &ServiceSeen) -> persisted::KnownService {
    persisted::KnownService {
        usage: Some(usage_out(&seen.usage)),
        first_seen_ms: seen.first_seen.0,
        last_seen_ms: seen.last_seen.0,
    }
}

pub(crate) fn seen(message: &persisted::KnownService) -> Result<ServiceSeen, DecodeError> {
    let lost = DecodeError::Damaged("a service without its counts");
    Ok(ServiceSeen {
        usage: usage(message.usage.as_ref().ok_or(lost)?)?,
        first_seen: Millis(message.first_seen_ms),
        last_seen: Millis(message.last_seen_ms),
    })
}
