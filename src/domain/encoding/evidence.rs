//! Evidence's keys, as they are stored: wrapped, in commands and snapshots, and their erasure.

use bytes::Bytes;

use super::DecodeError;
use super::parts::{digest16, namespace, request_id, subject_out, subjects, uuid_out};
use crate::domain::erasure::{EraseEvidence, ErasedEvidence, RewrapEvidence, RotateWrappingKey};
use crate::domain::evidence::{WrappedKey, WrappingId};
use crate::proto::persisted;

/// A wrapped key.
pub(crate) fn wrapped_key_out(key: &WrappedKey) -> persisted::WrappedKey {
    persisted::WrappedKey {
        under: wrapping_id_out(key.under),
        nonce: Bytes::copy_from_slice(&key.nonce),
        wrapped: Bytes::copy_from_slice(&key.wrapped),
    }
}

/// A wrapped key.
pub(crate) fn wrapped_key(
    message: Option<&persisted::WrappedKey>,
) -> Result<WrappedKey, DecodeError> {
    let damaged = || DecodeError::Damaged("a key of evidence");
    let message = message.ok_or_else(damaged)?;
    Ok(WrappedKey {
        under: wrapping_id(&message.under)?,
        nonce: message.nonce[..].try_into().map_err(|_| damaged())?,
        wrapped: message.wrapped[..].try_into().map_err(|_| damaged())?,
    })
}

/// The id of a wrapping key.
pub(crate) fn wrapping_id_out(id: WrappingId) -> Bytes {
    Bytes::copy_from_slice(&id.0)
}

/// The id of a wrapping key.
pub(crate) fn wrapping_id(bytes: &[u8]) -> Result<WrappingId, DecodeError> {
    digest16(bytes).map(WrappingId)
}

pub(super) fn erase_out(erase: &EraseEvidence) -> persisted::EraseEvidence {
    persisted::EraseEvidence {
        request_id: uuid_out(erase.request_id.0),
        namespace: erase.namespace.to_string(),
        tokens: erase.tokens.iter().map(subject_out).collect(),
    }
}

pub(super) fn erase(message: &persisted::EraseEvidence) -> Result<EraseEvidence, DecodeError> {
    Ok(EraseEvidence {
        request_id: request_id(&message.request_id)?,
        namespace: namespace(&message.namespace)?,
        tokens: subjects(&message.tokens)?,
    })
}

pub(super) fn rewrap_out(rewrap: &RewrapEvidence) -> persisted::RewrapEvidence {
    let key = |(revision, key): &(u64, WrappedKey)| persisted::KeptKey {
        revision: *revision,
        key: Some(wrapped_key_out(key)),
        ..persisted::KeptKey::default()
    };
    persisted::RewrapEvidence {
        from: wrapping_id_out(rewrap.from),
        keys: rewrap.keys.iter().map(key).collect(),
    }
}

pub(super) fn rewrap(message: &persisted::RewrapEvidence) -> Result<RewrapEvidence, DecodeError> {
    let keys = message.keys.iter();
    let keys = keys.map(|it| Ok((it.revision, wrapped_key(it.key.as_ref())?)));
    Ok(RewrapEvidence {
        from: wrapping_id(&message.from)?,
        keys: keys.collect::<Result<_, DecodeError>>()?,
    })
}

pub(super) fn rotate_out(rotate: &RotateWrappingKey) -> persisted::RotateWrappingKey {
    let retired = rotate.retired.iter();
    persisted::RotateWrappingKey {
        node_id: rotate.node_id,
        since: rotate.since,
        retired: retired.map(|id| wrapping_id_out(*id)).collect(),
        given_up: rotate.given_up.clone(),
    }
}

pub(super) fn rotate(
    message: &persisted::RotateWrappingKey,
) -> Result<RotateWrappingKey, DecodeError> {
    let retired = message.retired.iter().map(|id| wrapping_id(id));
    Ok(RotateWrappingKey {
        node_id: message.node_id,
        since: message.since,
        retired: retired.collect::<Result<_, _>>()?,
        given_up: message.given_up.clone(),
    })
}

pub(super) fn erased_out(erased: &ErasedEvidence) -> persisted::ErasedEvidence {
    persisted::ErasedEvidence {
        tokens: erased.tokens.iter().map(subject_out).collect(),
        revisions: erased.revisions.clone(),
    }
}

pub(super) fn erased(message: &persisted::ErasedEvidence) -> Result<ErasedEvidence, DecodeError> {
    Ok(ErasedEvidence {
        tokens: subjects(&message.tokens)?,
        revisions: message.revisions.clone(),
    })
}
