//! Changes that can widen ALLOW, so that one principal proposes and another approves: overrides and some of the registry.

use super::basis::{Basis, Credential};
use super::ids::{EventId, Millis, RequestId, Revision};
use super::names::{Namespace, Principal, PurposeName, ServiceName};
use super::purpose::Purpose;
use super::refusal::Refusal;
use super::token::SubjectToken;
use super::validate::{check_purposes, check_signal_purposes};
use crate::limits;

/// A schema version that callers must be built for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFloor {
    /// The purpose that it holds for, with what lies under it; none for the whole cluster.
    pub purpose: Option<PurposeName>,
    /// The version; 0 for none.
    pub version: u32,
}

/// What a namespace's signals mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceSettings {
    /// The tenant.
    pub namespace: Namespace,
    /// What Global Privacy Control opts out of: 1 to 16 purposes, no two alike.
    pub gpc_purposes: Vec<PurposeName>,
}

/// What an override lifts, why, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideTerms {
    /// The tenant.
    pub namespace: Namespace,
    /// 1 to 16 purposes, no two alike, each with what lies under it; never `*`.
    pub purposes: Vec<PurposeName>,
    /// 1 to 16 services, no two alike, each with a name.
    pub services: Vec<ServiceName>,
    /// The one identifier whose opt-out is lifted; none for every subject.
    pub subject: Option<SubjectToken>,
    /// Why, for those who audit.
    pub reason: String,
    /// When it ends.
    pub expires_at: Millis,
}

/// What was proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposedChange {
    /// Opt-outs are to be lifted for a while.
    Override(OverrideTerms),
    /// A purpose is to stand so; its schema version is 0.
    Purpose(Purpose),
    /// A floor is to stand so.
    SchemaFloor(SchemaFloor),
    /// A namespace's signals are to mean this.
    Settings(NamespaceSettings),
}

/// Which permission a proposed change belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// An override.
    Override,
    /// A change of the registry: a purpose, a floor or a namespace's settings.
    Registry,
}

/// Proposes a change. Nothing changes by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Propose {
    /// Names the request.
    pub request_id: RequestId,
    /// What is proposed.
    pub change: ProposedChange,
    /// How far from now an override may end, in minutes, as the node that was called is set; 0 for other changes.
    pub max_minutes: u32,
    /// What the caller has proven itself by; none where that is not known.
    pub credential: Option<Credential>,
}

/// Approves a change, and so makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approve {
    /// Names the request.
    pub request_id: RequestId,
    /// The event that proposed it.
    pub change_id: EventId,
    /// What the approver takes it for.
    pub kind: ChangeKind,
    /// How far from now an override may end, in minutes, as the node that was called is set; none where it did not tell.
    pub max_minutes: Option<u32>,
    /// What the caller has proven itself by; none where that is not known.
    pub credential: Option<Credential>,
}

/// Withdraws a change that waits, or revokes an override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdraw {
    /// Names the request.
    pub request_id: RequestId,
    /// The event that proposed it.
    pub change_id: EventId,
    /// What the caller takes it for.
    pub kind: ChangeKind,
}

/// A change that waits for a second principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The event that proposed it.
    pub id: EventId,
    /// What is to change.
    pub change: ProposedChange,
    /// Who proposed it.
    pub proposed_by: Principal,
    /// When, by the log's time.
    pub proposed_at: Millis,
    /// What it rests on, where that is known.
    pub basis: Option<Basis>,
}

/// An override that was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The event that proposed it.
    pub id: EventId,
    /// What it lifts.
    pub terms: OverrideTerms,
    /// Who proposed it.
    pub proposed_by: Principal,
    /// When, by the log's time.
    pub proposed_at: Millis,
    /// Who approved it.
    pub approved_by: Principal,
    /// From which revision on it lifts.
    pub since: Revision,
    /// When it was revoked, by the log's time.
    pub revoked_at: Option<Millis>,
}

impl SchemaFloor {
    /// The checks that need no state.
    pub(super) fn validate(&self) -> Result<(), Refusal> {
        match &self.purpose {
            Some(purpose) if purpose.is_root() => Err(Refusal::PurposeInvalid {
                why: "the floor of the whole cluster is set by naming no purpose",
            }),
            _ => Ok(()),
        }
    }
}

impl ProposedChange {
    /// Which permission it belongs to.
    pub fn kind(&self) -> ChangeKind {
        match self {
            Self::Override(_) => ChangeKind::Override,
            Self::Purpose(_) | Self::SchemaFloor(_) | Self::Settings(_) => ChangeKind::Registry,
        }
    }

    /// The checks that need no state.
    pub(super) fn validate(&self) -> Result<(), Refusal> {
        match self {
            Self::Override(terms) => terms.validate(),
            Self::Purpose(purpose) => purpose.validate(),
            Self::SchemaFloor(floor) => floor.validate(),
            Self::Settings(settings) => check_signal_purposes(&settings.gpc_purposes),
        }
    }
}

impl OverrideTerms {
    fn validate(&self) -> Result<(), Refusal> {
        check_purposes(&self.purposes)?;
        let repeated = |at: usize| self.services[..at].contains(&self.services[at]);
        let why = if self.purposes.len() > limits::OVERRIDE_PURPOSES {
            "it covers more than 16 purposes"
        } else if self.purposes.iter().any(PurposeName::is_root) {
            "`*` covers too much: name the purposes"
        } else if self.services.is_empty() || self.services.len() > limits::OVERRIDE_SERVICES {
            "it names 1 to 16 services that may go on"
        } else if self.services.iter().any(ServiceName::is_none) {
            "a service has a name"
        } else if (0..self.services.len()).any(repeated) {
            "a service is given twice"
        } else if self.reason.trim().is_empty() || self.reason.len() > limits::REASON_BYTES {
            "it needs a reason of 1 to 1,024 bytes"
        } else {
            return Ok(());
        };
        Err(Refusal::OverrideInvalid { why })
    }
}

impl Pending {
    /// Whether it has waited for too long.
    pub fn has_lapsed(&self, at: Millis) -> bool {
        at >= self.lapses_at()
    }

    /// When it lapses.
    pub fn lapses_at(&self) -> Millis {
        Millis(self.proposed_at.0.saturating_add(limits::PENDING_MS))
    }
}

impl Override {
    /// Whether it lifts anything at a time.
    pub fn is_active(&self, at: Millis) -> bool {
        self.revoked_at.is_none() && at < self.terms.expires_at
    }

    /// When it was, or will be, over.
    pub fn over_at(&self) -> Millis {
        self.revoked_at
            .map_or(self.terms.expires_at, |at| at.min(self.terms.expires_at))
    }

    /// Whether it lifts the opt-out of a token from a purpose for a service.
    pub(super) fn lifts(
        &self,
        namespace: &Namespace,
        token: &SubjectToken,
        purpose: &PurposeName,
        service: &ServiceName,
        at: Millis,
    ) -> bool {
        self.is_active(at) && self.covers(namespace, token, purpose, service)
    }

    /// Whether it is made for the opt-out of a token from a purpose for a service, in force or not.
    pub(super) fn covers(
        &self,
        namespace: &Namespace,
        token: &SubjectToken,
        purpose: &PurposeName,
        service: &ServiceName,
    ) -> bool {
        let terms = &self.terms;
        terms.namespace == *namespace
            && terms.services.contains(service)
            && terms.purposes.iter().any(|it| purpose.is_within(it))
            && terms
                .subject
                .as_ref()
                .is_none_or(|subject| subject.token == token.token)
    }
}
