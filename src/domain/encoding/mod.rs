//! How commands, replies and events lie in the log, on the wire between nodes, and in the journal.

mod anomaly;
mod change;
mod command;
mod event;
mod evidence;
mod member;
mod monitor;
mod parts;
mod reply;
mod usage;

pub(crate) use anomaly::{anomaly_kind, anomaly_kind_out, anomaly_settings, anomaly_settings_out};
pub(crate) use change::{
    floor, floor_out, r#override, override_out, pending, pending_out, proposed_out,
};
pub(crate) use command::{
    decode_command, decode_proposal, encode_command, encode_proposal, node_key, node_key_out,
    row_len,
};
pub(crate) use event::{decode_event, encode_event};
pub(crate) use evidence::{wrapped_key, wrapped_key_out, wrapping_id, wrapping_id_out};
pub(crate) use member::{member, member_out};
pub(crate) use parts::{
    digest16, event_id, namespace, principal, purpose, purpose_names, purpose_names_out,
    purpose_out, request_id, service, sha256, token, token_out, uuid_out,
};
pub(crate) use reply::{decode_reply, encode_reply, outcome, outcome_out};
pub(crate) use usage::{lifted, lifted_out, seen, seen_out};

/// Why stored bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A command of a kind, or for a feature level, that this program does not know: the node must stop.
    #[error(
        "a command that this program does not know: it was written by a newer one, so upgrade this node"
    )]
    UnknownCommand,
    /// The bytes do not hold what they should.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

impl From<prost::DecodeError> for DecodeError {
    fn from(_: prost::DecodeError) -> Self {
        Self::Damaged("not the message that was expected")
    }
}
