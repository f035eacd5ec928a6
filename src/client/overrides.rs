//! Overrides: proposed by one principal, approved by another, never for ever.

use super::{ANSWER_BYTES_MAX, Client, call::Effect, endpoints::Channel, error::Error};
use crate::proto::v1::{
    ApproveOverrideRequest, ApproveOverrideResponse, ListOverridesRequest, ListOverridesResponse,
    ProposeOverrideRequest, ProposeOverrideResponse, RevokeOverrideRequest, RevokeOverrideResponse,
    override_service_client::OverrideServiceClient,
};

impl Client {
    /// Proposes an override. It lifts nothing until another principal approves it.
    ///
    /// # Errors
    /// A refusal, such as `OVERRIDES_OFF`, or no answer in time; see [`Error::outcome`].
    pub async fn propose_override(
        &self,
        mut request: ProposeOverrideRequest,
    ) -> Result<ProposeOverrideResponse, Error> {
        self.name(&mut request.request_id);
        if let Some(scope) = &mut request.scope {
            self.tenant(&mut scope.namespace);
        }
        self.send(Effect::Changes, request, |channel, request| async move {
            overrides(channel).propose_override(request).await
        })
        .await
    }

    /// Approves an override that another principal proposed: from here on it is in force.
    ///
    /// # Errors
    /// A refusal, such as `SECOND_PRINCIPAL_REQUIRED`, or no answer in time; see [`Error::outcome`].
    pub async fn approve_override(
        &self,
        mut request: ApproveOverrideRequest,
    ) -> Result<ApproveOverrideResponse, Error> {
        self.name(&mut request.request_id);
        self.send(Effect::Changes, request, |channel, request| async move {
            overrides(channel).approve_override(request).await
        })
        .await
    }

    /// Ends an override at once, or withdraws one that was only proposed.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn revoke_override(
        &self,
        mut request: RevokeOverrideRequest,
    ) -> Result<RevokeOverrideResponse, Error> {
        self.name(&mut request.request_id);
        self.send(Effect::Changes, request, |channel, request| async move {
            overrides(channel).revoke_override(request).await
        })
        .await
    }

    /// The overrides that are proposed, in force, or over with their totals still being gathered.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn overrides(&self) -> Result<ListOverridesResponse, Error> {
        let request = ListOverridesRequest {};
        self.send(Effect::Reads, request, |channel, request| async move {
            overrides(channel).list_overrides(request).await
        })
        .await
    }
}

fn overrides(channel: Channel) -> OverrideServiceClient<Channel> {
    OverrideServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}
