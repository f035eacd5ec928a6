//! Changes of the registry that can widen ALLOW: proposed by one principal, approved by another.

use super::{Client, call::Effect, error::Error, registry::registry};
use crate::proto::v1::{
    ApproveChangeRequest, ApproveChangeResponse, ListPendingChangesRequest,
    ListPendingChangesResponse, ProposeChangeRequest, ProposeChangeResponse, WithdrawChangeRequest,
    WithdrawChangeResponse, pending_change::Change,
};

impl Client {
    /// Proposes a change that can widen ALLOW. Nothing changes until another principal approves it.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn propose_change(
        &self,
        mut request: ProposeChangeRequest,
    ) -> Result<ProposeChangeResponse, Error> {
        if let Some(Change::Settings(settings)) =
            request.change.as_mut().and_then(|it| it.change.as_mut())
        {
            self.tenant(&mut settings.namespace);
        }
        self.name(&mut request.request_id);
        self.send(Effect::Changes, request, |channel, request| async move {
            registry(channel).propose_change(request).await
        })
        .await
    }

    /// Approves, and so makes, a change that another principal proposed.
    ///
    /// # Errors
    /// A refusal, such as `SECOND_PRINCIPAL_REQUIRED`, or no answer in time; see [`Error::outcome`].
    pub async fn approve_change(
        &self,
        mut request: ApproveChangeRequest,
    ) -> Result<ApproveChangeResponse, Error> {
        self.name(&mut request.request_id);
        self.send(Effect::Changes, request, |channel, request| async move {
            registry(channel).approve_change(request).await
        })
        .await
    }

    /// Withdraws a change that was proposed.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn withdraw_change(
        &self,
        mut request: WithdrawChangeRequest,
    ) -> Result<WithdrawChangeResponse, Error> {
        self.name(&mut request.request_id);
        self.send(Effect::Changes, request, |channel, request| async move {
            registry(channel).withdraw_change(request).await
        })
        .await
    }

    /// The changes that wait for a second principal, overrides left out.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn pending_changes(&self) -> Result<ListPendingChangesResponse, Error> {
        let request = ListPendingChangesRequest {};
        self.send(Effect::Reads, request, |channel, request| async move {
            registry(channel).list_pending_changes(request).await
        })
        .await
    }
}
