//! Changes that need two principals, overrides and schema floors, as they lie in commands, events and snapshots.

use bytes::Bytes;

use super::DecodeError;
use super::parts::{
    digest16, event_id, namespace, principal, purpose, purpose_name, purpose_names,
    purpose_names_out, purpose_out, request_id, service, subject, subject_out, uuid_out,
};
use crate::domain::basis::{Basis, Credential};
use crate::domain::change::{
    Approve, ChangeKind, NamespaceSettings, Override, OverrideTerms, Pending, Propose,
    ProposedChange, SchemaFloor, Withdraw,
};
use crate::domain::ids::{EventId, Millis, RequestId};
use crate::proto::persisted::{self, proposed_change::Change};

pub(crate) fn floor_out(floor: &SchemaFloor) -> persisted::SchemaFloor {
    persisted::SchemaFloor {
        purpose: floor
            .purpose
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        version: floor.version,
    }
}

pub(crate) fn floor(message: &persisted::SchemaFloor) -> Result<SchemaFloor, DecodeError> {
    Ok(SchemaFloor {
        purpose: match &*message.purpose {
            "" => None,
            text => Some(purpose_name(text)?),
        },
        version: message.version,
    })
}

fn terms_out(terms: &OverrideTerms) -> persisted::OverrideTerms {
    persisted::OverrideTerms {
        namespace: terms.namespace.to_string(),
        purposes: purpose_names_out(&terms.purposes),
        services: terms.services.iter().map(ToString::to_string).collect(),
        subject: terms.subject.as_ref().map(subject_out),
        reason: terms.reason.clone(),
        expires_at_ms: terms.expires_at.0,
    }
}

fn terms(message: persisted::OverrideTerms) -> Result<OverrideTerms, DecodeError> {
    Ok(OverrideTerms {
        namespace: namespace(&message.namespace)?,
        purposes: purpose_names(&message.purposes)?,
        services: message
            .services
            .iter()
            .map(|text| service(text))
            .collect::<Result<_, _>>()?,
        subject: message.subject.as_ref().map(subject).transpose()?,
        reason: message.reason,
        expires_at: Millis(message.expires_at_ms),
    })
}

pub(crate) fn proposed_out(change: &ProposedChange) -> persisted::ProposedChange {
    let change = match change {
        ProposedChange::Override(terms) => Change::Override(terms_out(terms)),
        ProposedChange::Purpose(purpose) => Change::Purpose(purpose_out(purpose)),
        ProposedChange::SchemaFloor(floor) => Change::SchemaFloor(floor_out(floor)),
        ProposedChange::Settings(settings) => Change::Settings(persisted::ConfigureNamespace {
            request_id: Bytes::new(),
            namespace: settings.namespace.to_string(),
            gpc_purposes: purpose_names_out(&settings.gpc_purposes),
        }),
    };
    persisted::ProposedChange {
        change: Some(change),
    }
}

/// In an event or a snapshot a kind that is not known is damage; in a command it is a newer program's.
pub(crate) fn proposed(
    message: Option<persisted::ProposedChange>,
) -> Result<ProposedChange, DecodeError> {
    let message = message.ok_or(DecodeError::Damaged("a proposed change"))?;
    Ok(match message.change.ok_or(DecodeError::UnknownCommand)? {
        Change::Override(message) => ProposedChange::Override(terms(message)?),
        Change::Purpose(message) => ProposedChange::Purpose(purpose(message)?),
        Change::SchemaFloor(message) => ProposedChange::SchemaFloor(floor(&message)?),
        Change::Settings(message) => ProposedChange::Settings(NamespaceSettings {
            namespace: namespace(&message.namespace)?,
            gpc_purposes: purpose_names(&message.gpc_purposes)?,
        }),
    })
}

pub(super) fn propose_out(propose: &Propose) -> persisted::Propose {
    persisted::Propose {
        request_id: uuid_out(propose.request_id.0),
        change: Some(proposed_out(&propose.change)),
        max_minutes: propose.max_minutes,
        credential: credential_out(propose.credential),
    }
}

pub(super) fn propose(message: persisted::Propose) -> Result<Propose, DecodeError> {
    Ok(Propose {
        request_id: request_id(&message.request_id)?,
        change: proposed(message.change)?,
        max_minutes: message.max_minutes,
        credential: credential(&message.credential)?,
    })
}

fn credential_out(credential: Option<Credential>) -> Bytes {
    credential
        .map(|it| Bytes::copy_from_slice(&it.0))
        .unwrap_or_default()
}

fn credential(bytes: &[u8]) -> Result<Option<Credential>, DecodeError> {
    match bytes {
        [] => Ok(None),
        bytes => Ok(Some(Credential(digest16(bytes)?))),
    }
}

pub(crate) fn basis_out(basis: &Basis) -> persisted::Basis {
    persisted::Basis {
        credential: credential_out(Some(basis.credential)),
        max_minutes: basis.max_minutes,
        stood: basis.stood.as_deref().map(proposed_out),
    }
}

pub(crate) fn basis(message: persisted::Basis) -> Result<Basis, DecodeError> {
    Ok(Basis {
        credential: Credential(digest16(&message.credential)?),
        max_minutes: message.max_minutes,
        stood: message
            .stood
            .map(|stood| proposed(Some(stood)).map(Box::new))
            .transpose()?,
    })
}

fn reference_out(
    request_id: RequestId,
    change_id: EventId,
    kind: ChangeKind,
) -> persisted::ChangeReference {
    persisted::ChangeReference {
        request_id: uuid_out(request_id.0),
        change_id: uuid_out(change_id.0),
        is_override: kind == ChangeKind::Override,
        max_minutes: None,
        credential: Bytes::new(),
    }
}

fn kind(message: &persisted::ChangeReference) -> ChangeKind {
    if message.is_override {
        ChangeKind::Override
    } else {
        ChangeKind::Registry
    }
}

pub(super) fn approve_out(approve: &Approve) -> persisted::ChangeReference {
    persisted::ChangeReference {
        max_minutes: approve.max_minutes,
        credential: credential_out(approve.credential),
        ..reference_out(approve.request_id, approve.change_id, approve.kind)
    }
}

pub(super) fn approve(message: &persisted::ChangeReference) -> Result<Approve, DecodeError> {
    Ok(Approve {
        request_id: request_id(&message.request_id)?,
        change_id: event_id(&message.change_id)?,
        kind: kind(message),
        max_minutes: message.max_minutes,
        credential: credential(&message.credential)?,
    })
}

pub(super) fn withdraw_out(withdraw: &Withdraw) -> persisted::ChangeReference {
    reference_out(withdraw.request_id, withdraw.change_id, withdraw.kind)
}

pub(super) fn withdraw(message: &persisted::ChangeReference) -> Result<Withdraw, DecodeError> {
    Ok(Withdraw {
        request_id: request_id(&message.request_id)?,
        change_id: event_id(&message.change_id)?,
        kind: kind(message),
    })
}

pub(crate) fn pending_out(pending: &Pending) -> persisted::PendingChange {
    persisted::PendingChange {
        id: uuid_out(pending.id.0),
        change: Some(proposed_out(&pending.change)),
        proposed_by: pending.proposed_by.to_string(),
        proposed_at_ms: pending.proposed_at.0,
        basis: pending.basis.as_ref().map(basis_out),
    }
}

pub(crate) fn pending(message: persisted::PendingChange) -> Result<Pending, DecodeError> {
    Ok(Pending {
        id: event_id(&message.id)?,
        change: proposed(message.change)?,
        proposed_by: principal(&message.proposed_by)?,
        proposed_at: Millis(message.proposed_at_ms),
        basis: message.basis.map(basis).transpose()?,
    })
}

pub(crate) fn override_out(standing: &Override) -> persisted::Override {
    persisted::Override {
        id: uuid_out(standing.id.0),
        terms: Some(terms_out(&standing.terms)),
        proposed_by: standing.proposed_by.to_string(),
        proposed_at_ms: standing.proposed_at.0,
        approved_by: standing.approved_by.to_string(),
        since: standing.since,
        revoked_at_ms: standing.revoked_at.map(|at| at.0),
    }
}

pub(crate) fn r#override(message: persisted::Override) -> Result<Override, DecodeError> {
    let lost = DecodeError::Damaged("an override without its terms");
    Ok(Override {
        id: event_id(&message.id)?,
        terms: terms(message.terms.ok_or(lost)?)?,
        proposed_by: principal(&message.proposed_by)?,
        proposed_at: Millis(message.proposed_at_ms),
        approved_by: principal(&message.approved_by)?,
        since: message.since,
        revoked_at: message.revoked_at_ms.map(Millis),
    })
}
