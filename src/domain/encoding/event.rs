//! Events as leaves of the journal: these bytes are hashed into the Merkle tree and can never change.

use bytes::Bytes;
use prost::Message as _;

use super::DecodeError;
use super::anomaly::{anomaly, anomaly_out, anomaly_settings, anomaly_settings_out};
use super::change::{basis, basis_out, floor, floor_out, proposed, proposed_out};
use super::command::{create, create_out, node_key, node_key_out};
use super::evidence::{erased, erased_out};
use super::member::{record, record_out};
use super::monitor::{violations, violations_out};
use super::parts::{
    event_id, namespace, principal, purpose, purpose_names, purpose_names_out, purpose_out,
    service, sha256, signal, signal_out, subject, subject_out, uuid_out,
};
use super::usage::{totals, totals_out};
use crate::domain::event::{Detail, Event, EventKind, EventToken};
use crate::domain::ids::Millis;
use crate::domain::names::PurposeName;
use crate::proto::persisted::{self, event::Detail as DetailMessage};

pub(crate) fn encode_event(event: &Event) -> Vec<u8> {
    persisted::Event {
        id: uuid_out(event.id.0),
        revision: event.revision,
        kind: kind_out(event.kind).into(),
        namespace: event
            .namespace
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        tokens: event
            .tokens
            .iter()
            .map(|token| persisted::EventToken {
                subject: Some(subject_out(&token.subject)),
                previous: token.previous,
            })
            .collect(),
        purposes: purpose_names_out(&event.purposes),
        signal: signal_out(event.signal).into(),
        principal: event.principal.to_string(),
        received_at_ms: event.received_at.0,
        evidence_sha256: event
            .evidence_sha256
            .map(|sha| Bytes::copy_from_slice(&sha))
            .unwrap_or_default(),
        detail: match &event.detail {
            Detail::None => None,
            Detail::Created(create) => Some(DetailMessage::Created(create_out(create))),
            Detail::Purpose(purpose) => Some(DetailMessage::Purpose(purpose_out(purpose))),
            Detail::FeatureLevel(level) => Some(DetailMessage::FeatureLevel(*level)),
            Detail::OptedIn(names) => Some(DetailMessage::OptedIn(names_out(names))),
            Detail::Settings(names) => Some(DetailMessage::Settings(names_out(names))),
            Detail::SchemaFloor(floor) => Some(DetailMessage::SchemaFloor(floor_out(floor))),
            Detail::Proposed(change, _) => Some(DetailMessage::Proposed(proposed_out(change))),
            Detail::Lifted(services) => Some(DetailMessage::Lifted(totals_out(services))),
            Detail::StampKey {
                node_id,
                public_key,
            } => Some(DetailMessage::StampKey(node_key_out(
                *node_id,
                public_key.as_ref(),
            ))),
            Detail::JournalKey {
                node_id,
                public_key,
            } => Some(DetailMessage::JournalKey(node_key_out(
                *node_id,
                public_key.as_ref(),
            ))),
            Detail::Membership(done) => Some(DetailMessage::Membership(record_out(done))),
            Detail::Violation(found) => Some(DetailMessage::Violations(violations_out(found))),
            Detail::Anomaly(found) => Some(DetailMessage::Anomaly(anomaly_out(found))),
            Detail::AnomalySettings(settings) => Some(DetailMessage::AnomalySettings(
                anomaly_settings_out(settings),
            )),
            Detail::ErasedEvidence(it) => Some(DetailMessage::ErasedEvidence(erased_out(it))),
        },
        change_id: event.change_id.map(|id| uuid_out(id.0)).unwrap_or_default(),
        proposed_by: event
            .proposed_by
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        basis: match &event.detail {
            Detail::Proposed(_, basis) => basis.as_ref().map(basis_out),
            _ => None,
        },
        service: event.service.to_string(),
    }
    .encode_to_vec()
}

pub(crate) fn decode_event(bytes: &[u8]) -> Result<Event, DecodeError> {
    let message = persisted::Event::decode(bytes)?;
    let kind = kind(message.kind)?;
    let detail = match message.detail {
        None => Detail::None,
        Some(DetailMessage::Created(message)) => Detail::Created(Box::new(create(message)?)),
        Some(DetailMessage::Purpose(message)) => Detail::Purpose(Box::new(purpose(message)?)),
        Some(DetailMessage::FeatureLevel(level)) => Detail::FeatureLevel(level),
        Some(DetailMessage::OptedIn(message)) => Detail::OptedIn(purpose_names(&message.names)?),
        Some(DetailMessage::Settings(message)) => Detail::Settings(purpose_names(&message.names)?),
        Some(DetailMessage::SchemaFloor(message)) => Detail::SchemaFloor(floor(&message)?),
        Some(DetailMessage::Proposed(change)) => Detail::Proposed(
            Box::new(proposed(Some(change))?),
            message.basis.map(basis).transpose()?,
        ),
        Some(DetailMessage::Lifted(message)) => Detail::Lifted(totals(&message)?),
        Some(DetailMessage::StampKey(message)) => {
            let (node_id, public_key) = node_key(&message)?;
            Detail::StampKey {
                node_id,
                public_key,
            }
        }
        Some(DetailMessage::JournalKey(message)) => {
            let (node_id, public_key) = node_key(&message)?;
            Detail::JournalKey {
                node_id,
                public_key,
            }
        }
        Some(DetailMessage::Membership(message)) => Detail::Membership(record(&message)?),
        Some(DetailMessage::Violations(message)) => {
            Detail::Violation(Box::new(violations(&message)?))
        }
        Some(DetailMessage::Anomaly(message)) => Detail::Anomaly(Box::new(anomaly(&message)?)),
        Some(DetailMessage::AnomalySettings(message)) => {
            Detail::AnomalySettings(anomaly_settings(&message))
        }
        Some(DetailMessage::ErasedEvidence(message)) => {
            Detail::ErasedEvidence(Box::new(erased(&message)?))
        }
    };
    Ok(Event {
        id: event_id(&message.id)?,
        revision: message.revision,
        kind,
        namespace: match &*message.namespace {
            "" => None,
            text => Some(namespace(text)?),
        },
        tokens: message
            .tokens
            .iter()
            .map(|token| {
                let message = token
                    .subject
                    .as_ref()
                    .ok_or(DecodeError::Damaged("an event's token"))?;
                Ok(EventToken {
                    subject: subject(message)?,
                    previous: token.previous,
                })
            })
            .collect::<Result<_, DecodeError>>()?,
        purposes: purpose_names(&message.purposes)?,
        signal: signal(message.signal)?,
        principal: principal(&message.principal)?,
        received_at: Millis(message.received_at_ms),
        evidence_sha256: match &*message.evidence_sha256 {
            [] => None,
            bytes => Some(sha256(bytes)?),
        },
        detail,
        change_id: match &*message.change_id {
            [] => None,
            bytes => Some(event_id(bytes)?),
        },
        proposed_by: match &*message.proposed_by {
            "" => None,
            text => Some(principal(text)?),
        },
        service: service(&message.service)?,
    })
}

fn names_out(names: &[PurposeName]) -> persisted::PurposeNames {
    persisted::PurposeNames {
        names: purpose_names_out(names),
    }
}

fn kind_out(kind: EventKind) -> persisted::EventKind {
    match kind {
        EventKind::Created => persisted::EventKind::Created,
        EventKind::OptOut => persisted::EventKind::OptOut,
        EventKind::OptIn => persisted::EventKind::OptIn,
        EventKind::Purpose => persisted::EventKind::Purpose,
        EventKind::Namespace => persisted::EventKind::Namespace,
        EventKind::FeatureLevel => persisted::EventKind::FeatureLevel,
        EventKind::Preferences => persisted::EventKind::Preferences,
        EventKind::NamespaceSettings => persisted::EventKind::NamespaceSettings,
        EventKind::SchemaFloor => persisted::EventKind::SchemaFloor,
        EventKind::ChangeProposed => persisted::EventKind::ChangeProposed,
        EventKind::ChangeWithdrawn => persisted::EventKind::ChangeWithdrawn,
        EventKind::OverrideBegan => persisted::EventKind::OverrideBegan,
        EventKind::OverrideRevoked => persisted::EventKind::OverrideRevoked,
        EventKind::OverrideEnded => persisted::EventKind::OverrideEnded,
        EventKind::StampKey => persisted::EventKind::StampKey,
        EventKind::JournalKey => persisted::EventKind::JournalKey,
        EventKind::Membership => persisted::EventKind::Membership,
        EventKind::Violation => persisted::EventKind::Violation,
        EventKind::Anomaly => persisted::EventKind::Anomaly,
        EventKind::AnomalySettings => persisted::EventKind::AnomalySettings,
        EventKind::EvidenceErased => persisted::EventKind::EvidenceErased,
    }
}

fn kind(number: i32) -> Result<EventKind, DecodeError> {
    match persisted::EventKind::try_from(number) {
        Ok(persisted::EventKind::Created) => Ok(EventKind::Created),
        Ok(persisted::EventKind::OptOut) => Ok(EventKind::OptOut),
        Ok(persisted::EventKind::OptIn) => Ok(EventKind::OptIn),
        Ok(persisted::EventKind::Purpose) => Ok(EventKind::Purpose),
        Ok(persisted::EventKind::Namespace) => Ok(EventKind::Namespace),
        Ok(persisted::EventKind::FeatureLevel) => Ok(EventKind::FeatureLevel),
        Ok(persisted::EventKind::Preferences) => Ok(EventKind::Preferences),
        Ok(persisted::EventKind::NamespaceSettings) => Ok(EventKind::NamespaceSettings),
        Ok(persisted::EventKind::SchemaFloor) => Ok(EventKind::SchemaFloor),
        Ok(persisted::EventKind::ChangeProposed) => Ok(EventKind::ChangeProposed),
        Ok(persisted::EventKind::ChangeWithdrawn) => Ok(EventKind::ChangeWithdrawn),
        Ok(persisted::EventKind::OverrideBegan) => Ok(EventKind::OverrideBegan),
        Ok(persisted::EventKind::OverrideRevoked) => Ok(EventKind::OverrideRevoked),
        Ok(persisted::EventKind::OverrideEnded) => Ok(EventKind::OverrideEnded),
        Ok(persisted::EventKind::StampKey) => Ok(EventKind::StampKey),
        Ok(persisted::EventKind::JournalKey) => Ok(EventKind::JournalKey),
        Ok(persisted::EventKind::Membership) => Ok(EventKind::Membership),
        Ok(persisted::EventKind::Violation) => Ok(EventKind::Violation),
        Ok(persisted::EventKind::Anomaly) => Ok(EventKind::Anomaly),
        Ok(persisted::EventKind::AnomalySettings) => Ok(EventKind::AnomalySettings),
        Ok(persisted::EventKind::EvidenceErased) => Ok(EventKind::EvidenceErased),
        Ok(persisted::EventKind::Unspecified) | Err(_) => {
            Err(DecodeError::Damaged("an event's kind"))
        }
    }
}
