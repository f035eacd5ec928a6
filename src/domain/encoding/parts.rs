//! The parts that stored messages have in common: ids, names, tokens, purposes.

use bytes::Bytes;
use uuid::Uuid;

use super::DecodeError;
use crate::domain::command::{Change, Signal};
use crate::domain::ids::{EventId, RequestId};
use crate::domain::names::{IdentifierType, Namespace, Principal, PurposeName, ServiceName};
use crate::domain::purpose::Purpose;
use crate::domain::token::{SubjectToken, Token};
use crate::proto::persisted;

/// A UUID as 16 bytes.
pub(crate) fn uuid_out(uuid: Uuid) -> Bytes {
    Bytes::copy_from_slice(uuid.as_bytes())
}

fn uuid(bytes: &[u8]) -> Result<Uuid, DecodeError> {
    Uuid::from_slice(bytes).map_err(|_| DecodeError::Damaged("an id"))
}

/// An event's id.
pub(crate) fn event_id(bytes: &[u8]) -> Result<EventId, DecodeError> {
    uuid(bytes).map(EventId)
}

/// A request's id.
pub(crate) fn request_id(bytes: &[u8]) -> Result<RequestId, DecodeError> {
    RequestId::from_uuid(uuid(bytes)?).map_err(|_| DecodeError::Damaged("a request id"))
}

/// 16 bytes of a digest, a fingerprint or a cluster's id.
pub(crate) fn digest16(bytes: &[u8]) -> Result<[u8; 16], DecodeError> {
    bytes
        .try_into()
        .map_err(|_| DecodeError::Damaged("16 bytes"))
}

/// A SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Result<[u8; 32], DecodeError> {
    bytes
        .try_into()
        .map_err(|_| DecodeError::Damaged("32 bytes"))
}

/// A namespace.
pub(crate) fn namespace(text: &str) -> Result<Namespace, DecodeError> {
    Namespace::parse(text).map_err(|_| DecodeError::Damaged("a namespace"))
}

/// A principal.
pub(crate) fn principal(text: &str) -> Result<Principal, DecodeError> {
    Principal::parse(text).map_err(|_| DecodeError::Damaged("a principal"))
}

/// A service.
pub(crate) fn service(text: &str) -> Result<ServiceName, DecodeError> {
    ServiceName::parse(text).map_err(|_| DecodeError::Damaged("a service's name"))
}

/// The name of a purpose.
pub(super) fn purpose_name(text: &str) -> Result<PurposeName, DecodeError> {
    PurposeName::parse(text).map_err(|_| DecodeError::Damaged("a purpose's name"))
}

/// Names of purposes.
pub(crate) fn purpose_names(texts: &[String]) -> Result<Vec<PurposeName>, DecodeError> {
    texts.iter().map(|text| purpose_name(text)).collect()
}

/// Names of purposes.
pub(crate) fn purpose_names_out(names: &[PurposeName]) -> Vec<String> {
    names.iter().map(PurposeName::to_string).collect()
}

/// A purpose.
pub(crate) fn purpose(message: persisted::Purpose) -> Result<Purpose, DecodeError> {
    Ok(Purpose {
        name: purpose_name(&message.name)?,
        description: message.description,
        default_deny: message.default_deny,
        essential: message.essential,
        schema_version: message.schema_version,
    })
}

/// A purpose.
pub(crate) fn purpose_out(purpose: &Purpose) -> persisted::Purpose {
    persisted::Purpose {
        name: purpose.name.to_string(),
        description: purpose.description.clone(),
        default_deny: purpose.default_deny,
        essential: purpose.essential,
        schema_version: purpose.schema_version,
    }
}

/// A token with its type.
pub(super) fn subject(message: &persisted::SubjectToken) -> Result<SubjectToken, DecodeError> {
    Ok(SubjectToken {
        identifier_type: IdentifierType::parse(&message.r#type)
            .map_err(|_| DecodeError::Damaged("a type of identifier"))?,
        token: token(&message.token)?,
    })
}

/// A token with its type.
pub(super) fn subject_out(subject: &SubjectToken) -> persisted::SubjectToken {
    persisted::SubjectToken {
        r#type: subject.identifier_type.to_string(),
        token: token_out(&subject.token),
    }
}

/// A token.
pub(crate) fn token(bytes: &[u8]) -> Result<Token, DecodeError> {
    let (generation, bytes) = bytes
        .split_first_chunk::<2>()
        .ok_or(DecodeError::Damaged("a token"))?;
    Ok(Token {
        generation: u16::from_be_bytes(*generation),
        bytes: digest16(bytes)?,
    })
}

/// A token.
pub(crate) fn token_out(token: &Token) -> Bytes {
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&token.generation.to_be_bytes());
    bytes[2..].copy_from_slice(&token.bytes);
    Bytes::copy_from_slice(&bytes)
}

/// Tokens with their types.
pub(super) fn subjects(
    messages: &[persisted::SubjectToken],
) -> Result<Vec<SubjectToken>, DecodeError> {
    messages.iter().map(subject).collect()
}

/// What a change does.
pub(super) fn change(number: i32) -> Result<Change, DecodeError> {
    match persisted::Change::try_from(number) {
        Ok(persisted::Change::OptOut) => Ok(Change::OptOut),
        Ok(persisted::Change::OptIn) => Ok(Change::OptIn),
        Ok(persisted::Change::Unspecified) | Err(_) => Err(DecodeError::Damaged("a change")),
    }
}

/// What a change does.
pub(super) fn change_out(change: Change) -> persisted::Change {
    match change {
        Change::OptOut => persisted::Change::OptOut,
        Change::OptIn => persisted::Change::OptIn,
    }
}

/// How a wish arrived.
pub(super) fn signal(number: i32) -> Result<Signal, DecodeError> {
    match persisted::Signal::try_from(number) {
        Ok(persisted::Signal::User) => Ok(Signal::User),
        Ok(persisted::Signal::Gpc) => Ok(Signal::Gpc),
        Ok(persisted::Signal::ListUnsubscribe) => Ok(Signal::ListUnsubscribe),
        Ok(persisted::Signal::Import) => Ok(Signal::Import),
        Ok(persisted::Signal::Operator) => Ok(Signal::Operator),
        Ok(persisted::Signal::Probe) => Ok(Signal::Probe),
        Ok(persisted::Signal::Unspecified) | Err(_) => Err(DecodeError::Damaged("a signal")),
    }
}

/// How a wish arrived.
pub(super) fn signal_out(signal: Signal) -> persisted::Signal {
    match signal {
        Signal::User => persisted::Signal::User,
        Signal::Gpc => persisted::Signal::Gpc,
        Signal::ListUnsubscribe => persisted::Signal::ListUnsubscribe,
        Signal::Import => persisted::Signal::Import,
        Signal::Operator => persisted::Signal::Operator,
        Signal::Probe => persisted::Signal::Probe,
    }
}
