//! Questions about what governs decisions: overrides, changes that wait, schema floors, and who asks.

use super::query::Query;
use crate::{
    admission::{self, Admissible, Need, Needs, Permission},
    domain::{
        ChangeKind, Millis, Override, Pending, Refusal, Revision, SchemaFloor, ServiceName,
        ServiceSeen, State,
    },
};

/// Which overrides are there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListOverrides;

/// The overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrides {
    /// Those that wait for a second principal.
    pub proposed: Vec<Pending>,
    /// Those that were approved, until their last event is made.
    pub approved: Vec<StandingOverride>,
    /// The revision at which this holds.
    pub revision: Revision,
    /// The time by which it was judged which are over.
    pub evaluated_at: Millis,
}

/// An override with what it let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingOverride {
    /// The override.
    pub standing: Override,
    /// The decisions that it made an ALLOW, by service, as far as nodes have reported.
    pub lifted: Vec<(ServiceName, u64)>,
}

impl Admissible for ListOverrides {
    fn needs(&self) -> Needs<'_> {
        // It tells of every namespace, and of subjects by their tokens.
        Needs::one(Need::everywhere(Permission::Override))
    }
}

impl Query for ListOverrides {
    type Answer = Overrides;

    fn answer(self, state: &State, at: Millis) -> Result<Overrides, Refusal> {
        let standing = |standing: &Override| StandingOverride {
            standing: standing.clone(),
            lifted: state
                .lifted_by(standing.id)
                .map(|(service, count)| (service.clone(), count))
                .collect(),
        };
        Ok(Overrides {
            proposed: pending(state, at, ChangeKind::Override),
            approved: state.overrides().map(standing).collect(),
            revision: state.revision(),
            evaluated_at: state.judged_at(at),
        })
    }
}

/// Which changes of the registry wait for a second principal?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPending;

/// The changes that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingChanges {
    /// By the time at which they were proposed.
    pub changes: Vec<Pending>,
    /// The revision at which this holds.
    pub revision: Revision,
}

impl Admissible for ListPending {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::anywhere(Permission::Registry))
    }
}

impl Query for ListPending {
    type Answer = PendingChanges;

    fn answer(self, state: &State, at: Millis) -> Result<PendingChanges, Refusal> {
        Ok(PendingChanges {
            changes: pending(state, at, ChangeKind::Registry),
            revision: state.revision(),
        })
    }
}

fn pending(state: &State, at: Millis, kind: ChangeKind) -> Vec<Pending> {
    let waiting = state.pending_changes(at);
    waiting
        .filter(|pending| pending.change.kind() == kind)
        .cloned()
        .collect()
}

/// Who asks?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListServices;

/// The services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// By name and version.
    pub services: Vec<ServiceSeen>,
    /// The revision at which this holds.
    pub revision: Revision,
}

impl Admissible for ListServices {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::anywhere(Permission::Audit))
    }
}

impl Query for ListServices {
    type Answer = Services;

    fn answer(self, state: &State, _at: Millis) -> Result<Services, Refusal> {
        Ok(Services {
            services: state.services().cloned().collect(),
            revision: state.revision(),
        })
    }
}

/// Who would be refused by a schema floor?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldRefuse {
    /// The floor.
    pub floor: SchemaFloor,
}

impl Admissible for WouldRefuse {
    fn needs(&self) -> Needs<'_> {
        Needs::one(admission::floor(&self.floor))
    }
}

impl Query for WouldRefuse {
    type Answer = Services;

    fn answer(self, state: &State, _at: Millis) -> Result<Services, Refusal> {
        let SchemaFloor { purpose, version } = self.floor;
        state.registry().check_schema(version)?;
        if let Some(purpose) = purpose
            && state.registry().get(&purpose).is_none()
        {
            let purpose = purpose.to_string();
            return Err(Refusal::PurposeUnknown { purpose });
        }
        Ok(Services {
            services: state.services_below(version).cloned().collect(),
            revision: state.revision(),
        })
    }
}
