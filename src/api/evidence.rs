//! Erasing a subject's evidence.

use super::{Api, Call, convert::answers, status::Failure};
use crate::{
    admission::admit,
    domain::{Body, EraseEvidence, Outcome},
    proto::v1::{EraseEvidenceRequest, EraseEvidenceResponse},
};

impl Api {
    /// Destroys the keys by which a subject's evidence could be opened.
    pub(super) async fn erase_evidence(
        &self,
        call: Call,
        request: EraseEvidenceRequest,
    ) -> Result<EraseEvidenceResponse, Failure> {
        let subject = self.subject(&request.namespace, request.identifiers)?;
        let request_id = self.request_id(&request.request_id)?;
        let erase = EraseEvidence {
            request_id,
            namespace: subject.namespace,
            tokens: subject.tokens,
        };
        let admitted = admit(&call.caller, Body::EraseEvidence(erase))?;
        let written = self.authority().write(admitted, call.deadline.step()).await;
        match written? {
            Outcome::Erased {
                event_id,
                revision,
                erased,
                remaining,
            } => Ok(EraseEvidenceResponse {
                event_id: answers::event_id(event_id),
                revision,
                erased,
                remaining,
                request_id: request_id.to_string(),
            }),
            _ => Err(Failure::Panicked),
        }
    }
}
