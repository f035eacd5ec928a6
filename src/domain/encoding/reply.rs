//! Replies: what became of a command, on its way to the node that forwarded it; outcomes also lie in snapshots.

use bytes::Bytes;
use prost::Message as _;

use super::DecodeError;
use super::parts::{event_id, purpose, purpose_names, purpose_names_out, purpose_out, uuid_out};
use crate::domain::ids::{EventId, Millis};
use crate::domain::outcome::{Outcome, Reply};
use crate::domain::refusal::{Refusal, RefusalKind};
use crate::proto::persisted::{self, outcome::Kind, reply::Result as ReplyResult};

pub(crate) fn encode_reply(reply: &Reply) -> Bytes {
    let result = match reply {
        Ok(outcome) => ReplyResult::Outcome(outcome_out(outcome)),
        Err(refusal) => ReplyResult::Refusal(refusal_out(refusal)),
    };
    persisted::Reply {
        result: Some(result),
    }
    .encode_to_vec()
    .into()
}

pub(crate) fn decode_reply(bytes: &[u8]) -> Result<Reply, DecodeError> {
    match persisted::Reply::decode(bytes)?.result {
        Some(ReplyResult::Outcome(message)) => Ok(Ok(outcome(message)?)),
        Some(ReplyResult::Refusal(message)) => Ok(Err(refusal(message)?)),
        None => Err(DecodeError::Damaged("a reply without a result")),
    }
}

/// An outcome.
pub(crate) fn outcome_out(outcome: &Outcome) -> persisted::Outcome {
    let kind = match outcome {
        Outcome::Preference {
            event_id,
            revision,
            changed,
            received_at,
        } => Kind::Preference(persisted::PreferenceOutcome {
            event_id: uuid_out(event_id.0),
            revision: *revision,
            changed: *changed,
            received_at_ms: received_at.0,
        }),
        Outcome::Signal {
            event_id,
            revision,
            changed,
            received_at,
            purposes,
        } => Kind::Signal(persisted::SignalOutcome {
            preference: Some(persisted::PreferenceOutcome {
                event_id: uuid_out(event_id.0),
                revision: *revision,
                changed: *changed,
                received_at_ms: received_at.0,
            }),
            purposes: purpose_names_out(purposes),
        }),
        Outcome::Import {
            changed,
            unchanged,
            skipped,
            refusals,
            next_row,
            revision,
        } => Kind::Import(persisted::ImportOutcome {
            changed: *changed,
            unchanged: *unchanged,
            skipped: *skipped,
            refusals: refusals
                .iter()
                .map(|(row, refusal)| persisted::RowRefusal {
                    row: *row,
                    refusal: Some(refusal_out(refusal)),
                })
                .collect(),
            next_row: *next_row,
            revision: *revision,
        }),
        Outcome::Registry {
            event_id,
            revision,
            changed,
            purpose,
        } => Kind::Registry(persisted::RegistryOutcome {
            event_id: event_id.map(|id| uuid_out(id.0)).unwrap_or_default(),
            revision: *revision,
            changed: *changed,
            purpose: purpose.as_ref().map(purpose_out),
        }),
        Outcome::Erased {
            event_id,
            revision,
            erased,
            remaining,
        } => Kind::Erased(persisted::ErasedOutcome {
            event_id: event_id.map(|id| uuid_out(id.0)).unwrap_or_default(),
            revision: *revision,
            erased: *erased,
            remaining: *remaining,
        }),
        Outcome::Done { revision } => Kind::Done(persisted::DoneOutcome {
            revision: *revision,
        }),
    };
    persisted::Outcome { kind: Some(kind) }
}

/// An outcome.
pub(crate) fn outcome(message: persisted::Outcome) -> Result<Outcome, DecodeError> {
    let kind = message
        .kind
        .ok_or(DecodeError::Damaged("an outcome without a kind"))?;
    Ok(match kind {
        Kind::Preference(message) => Outcome::Preference {
            event_id: event_id(&message.event_id)?,
            revision: message.revision,
            changed: message.changed,
            received_at: Millis(message.received_at_ms),
        },
        Kind::Signal(message) => {
            let preference = message
                .preference
                .ok_or(DecodeError::Damaged("a signal without its outcome"))?;
            Outcome::Signal {
                event_id: event_id(&preference.event_id)?,
                revision: preference.revision,
                changed: preference.changed,
                received_at: Millis(preference.received_at_ms),
                purposes: purpose_names(&message.purposes)?,
            }
        }
        Kind::Import(message) => Outcome::Import {
            changed: message.changed,
            unchanged: message.unchanged,
            skipped: message.skipped,
            refusals: message
                .refusals
                .into_iter()
                .map(|row| {
                    let message = row
                        .refusal
                        .ok_or(DecodeError::Damaged("a row without its refusal"))?;
                    Ok((row.row, refusal(message)?))
                })
                .collect::<Result<_, DecodeError>>()?,
            next_row: message.next_row,
            revision: message.revision,
        },
        Kind::Registry(message) => Outcome::Registry {
            event_id: optional_event_id(&message.event_id)?,
            revision: message.revision,
            changed: message.changed,
            purpose: message.purpose.map(purpose).transpose()?,
        },
        Kind::Erased(message) => Outcome::Erased {
            event_id: optional_event_id(&message.event_id)?,
            revision: message.revision,
            erased: message.erased,
            remaining: message.remaining,
        },
        Kind::Done(message) => Outcome::Done {
            revision: message.revision,
        },
    })
}

fn optional_event_id(bytes: &[u8]) -> Result<Option<EventId>, DecodeError> {
    match bytes {
        [] => Ok(None),
        bytes => Ok(Some(event_id(bytes)?)),
    }
}

fn refusal_out(refusal: &Refusal) -> persisted::Refusal {
    let kind = match refusal.kind() {
        RefusalKind::Invalid => persisted::RefusalKind::Invalid,
        RefusalKind::NotFound => persisted::RefusalKind::NotFound,
        RefusalKind::AlreadyExists => persisted::RefusalKind::AlreadyExists,
        RefusalKind::Precondition => persisted::RefusalKind::Precondition,
        RefusalKind::OutOfRange => persisted::RefusalKind::OutOfRange,
        RefusalKind::Exhausted => persisted::RefusalKind::Exhausted,
    };
    persisted::Refusal {
        reason: refusal.reason().to_owned(),
        message: refusal.to_string(),
        kind: kind.into(),
    }
}

fn refusal(message: persisted::Refusal) -> Result<Refusal, DecodeError> {
    let kind = match persisted::RefusalKind::try_from(message.kind) {
        Ok(persisted::RefusalKind::Invalid) => RefusalKind::Invalid,
        Ok(persisted::RefusalKind::NotFound) => RefusalKind::NotFound,
        Ok(persisted::RefusalKind::AlreadyExists) => RefusalKind::AlreadyExists,
        Ok(persisted::RefusalKind::Precondition) => RefusalKind::Precondition,
        Ok(persisted::RefusalKind::OutOfRange) => RefusalKind::OutOfRange,
        Ok(persisted::RefusalKind::Exhausted) => RefusalKind::Exhausted,
        Ok(persisted::RefusalKind::Unspecified) | Err(_) => {
            return Err(DecodeError::Damaged("a refusal's kind"));
        }
    };
    Ok(Refusal::relayed(&message.reason, message.message, kind))
}
