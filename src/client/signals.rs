//! Wishes that arrive by a signal or a link, evidence that is to be erased, and the tokens that may stand where identifiers may not.

use super::{Client, call::Effect, error::Error, preferences::preferences};
use crate::proto::v1::{
    CreateLinkRequest, CreateLinkResponse, EraseEvidenceRequest, EraseEvidenceResponse,
    GetTokensRequest, GetTokensResponse, ReportSignalRequest, ReportSignalResponse,
};

impl Client {
    /// Reports a signal that a browser or a device sent for its user, such as Global Privacy Control.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn report_signal(
        &self,
        mut request: ReportSignalRequest,
    ) -> Result<ReportSignalResponse, Error> {
        self.name(&mut request.request_id);
        self.tenant(&mut request.namespace);
        self.caller(&mut request.service, &mut request.schema_version);
        self.send(Effect::Changes, request, |channel, request| async move {
            preferences(channel).report_signal(request).await
        })
        .await
    }

    /// Erases a subject's evidence: destroys the keys by which it could be opened. The answer tells how many events have theirs still:
    /// more than one request may be needed, each with an id of its own.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn erase_evidence(
        &self,
        mut request: EraseEvidenceRequest,
    ) -> Result<EraseEvidenceResponse, Error> {
        self.name(&mut request.request_id);
        self.tenant(&mut request.namespace);
        self.send(Effect::Changes, request, |channel, request| async move {
            preferences(channel).erase_evidence(request).await
        })
        .await
    }

    /// What Refrain stores of identifiers: their tokens, in the same order.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn get_tokens(
        &self,
        mut request: GetTokensRequest,
    ) -> Result<GetTokensResponse, Error> {
        self.tenant(&mut request.namespace);
        self.send(Effect::Reads, request, |channel, request| async move {
            preferences(channel).get_tokens(request).await
        })
        .await
    }

    /// A signed link for one-click unsubscribe (RFC 8058): the path below a node's public address.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn create_link(
        &self,
        mut request: CreateLinkRequest,
    ) -> Result<CreateLinkResponse, Error> {
        self.tenant(&mut request.namespace);
        self.send(Effect::Reads, request, |channel, request| async move {
            preferences(channel).create_link(request).await
        })
        .await
    }
}
