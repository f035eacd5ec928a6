//! What the second of two principals does with a change that was proposed: which one it is, and what came of it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::subject::some;
use crate::proto::v1;

/// Which one.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct WithId {
    /// The id of the event that proposed it.
    #[param(format = Uuid)]
    pub(super) id: String,
}

/// It is done.
#[derive(Serialize, ToSchema)]
pub(super) struct Judged {
    /// The event that records it; left out where there was nothing left to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The revision after it.
    revision: u64,
    /// The request's id: the caller's `Idempotency-Key`, or the one that the server made.
    request_id: String,
}

macro_rules! judged {
    ($($answer:ident),+ $(,)?) => {
        $(impl From<v1::$answer> for Judged {
            fn from(done: v1::$answer) -> Self {
                Self {
                    event_id: some(done.event_id),
                    revision: done.revision,
                    request_id: done.request_id,
                }
            }
        })+
    };
}

judged!(
    ApproveChangeResponse,
    WithdrawChangeResponse,
    ApproveOverrideResponse,
    RevokeOverrideResponse,
);
