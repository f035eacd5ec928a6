//! A change of the registry, or of what belongs to it: admitted, written, and told of, the same way for each.

use super::{Api, Call, convert::answers, status::Failure};
use crate::{
    admission::admit,
    domain::{Body, EventId, Outcome, Purpose, RequestId, Revision},
    proto::v1,
};

/// What became of a change.
pub(super) struct Registered {
    pub(super) request_id: RequestId,
    /// The event that records it; none where nothing changed.
    pub(super) event_id: Option<EventId>,
    pub(super) revision: Revision,
    pub(super) changed: bool,
    /// The purpose as it stands, where it was about one.
    pub(super) purpose: Option<Purpose>,
}

impl Api {
    /// Has a change made. The body bears the same request id.
    pub(super) async fn register(
        &self,
        call: &Call,
        request_id: RequestId,
        body: Body,
    ) -> Result<Registered, Failure> {
        let admitted = admit(&call.caller, body)?;
        let outcome = self
            .authority()
            .write(admitted, call.deadline.step())
            .await?;
        match outcome {
            Outcome::Registry {
                event_id,
                revision,
                changed,
                purpose,
            } => Ok(Registered {
                request_id,
                event_id,
                revision,
                changed,
                purpose,
            }),
            _ => Err(Failure::Panicked),
        }
    }
}

/// The answers that tell of a change, each in the same words.
macro_rules! told_of {
    ($($answer:ident { $($changed:ident)? }),+ $(,)?) => {
        $(impl From<Registered> for v1::$answer {
            fn from(done: Registered) -> Self {
                Self {
                    event_id: answers::event_id(done.event_id),
                    revision: done.revision,
                    $($changed: done.$changed,)?
                    request_id: done.request_id.to_string(),
                }
            }
        })+
    };
}

told_of! {
    ApproveChangeResponse {},
    WithdrawChangeResponse {},
    ApproveOverrideResponse {},
    RevokeOverrideResponse {},
    AddNamespaceResponse { changed },
    ConfigureNamespaceResponse { changed },
    ConfigureAnomaliesResponse { changed },
}
