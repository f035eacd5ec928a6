//! Counts who asks, with which schema version, and what overrides let through: for the record, not for any decision.

use super::Api;
use crate::{
    authority::{ReadError, WriteError},
    domain::{PurposeName, Refusal, ServiceName, Verdict},
};

impl Api {
    /// Counts a question that was decided, or refused.
    pub(super) fn count_answer(
        &self,
        service: &ServiceName,
        schema_version: u32,
        answered: Result<&Verdict, &Refusal>,
    ) {
        let usage = self.authority().usage();
        usage.call(service, schema_version, answered.is_err_and(too_old));
        if let Ok(verdict) = answered
            && let Some(id) = verdict.override_id
        {
            usage.lifted(id, service);
        }
    }

    /// As [`Api::count_answer`]; a question that this node could not answer is none of the service's doing.
    pub(super) fn count_read(
        &self,
        service: &ServiceName,
        schema_version: u32,
        failed: &ReadError,
    ) {
        if let ReadError::Refused(refusal) = failed {
            self.count_answer(service, schema_version, Err(refusal));
        }
    }

    /// Counts a change. An opt-out is taken below a floor too, and counted as being there.
    pub(super) fn count_change<T>(
        &self,
        service: &ServiceName,
        schema_version: u32,
        purposes: &[PurposeName],
        written: &Result<T, WriteError>,
    ) {
        let below = match written {
            Ok(_) => self.authority().is_below_floor(purposes, schema_version),
            Err(WriteError::Refused(refusal)) => too_old(refusal),
            Err(WriteError::NotApplied { .. } | WriteError::Unknown { .. }) => return,
        };
        self.authority()
            .usage()
            .call(service, schema_version, below);
    }
}

/// By its reason, which it keeps when another node made it.
fn too_old(refusal: &Refusal) -> bool {
    refusal.reason() == "SCHEMA_TOO_OLD"
}
