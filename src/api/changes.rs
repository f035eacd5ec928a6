//! Changes of the registry that need two principals: proposing, approving, withdrawing, and what waits.

use super::{
    Api, Call,
    convert::{self, answers},
    input::Input,
    registered::Registered,
    status::Failure,
};
use crate::{
    admission::admit,
    authority::ListPending,
    domain::{
        Approve, Body, ChangeKind, NamespaceSettings, Pending, Propose, ProposedChange, Withdraw,
    },
    proto::v1::{
        self, ApproveChangeRequest, ApproveChangeResponse, ListPendingChangesRequest,
        ListPendingChangesResponse, PendingChange, ProposeChangeRequest, ProposeChangeResponse,
        WithdrawChangeRequest, WithdrawChangeResponse, pending_change::Change,
    },
};

impl Api {
    /// Proposes a change that can widen ALLOW.
    pub(super) async fn propose_change(
        &self,
        call: Call,
        request: ProposeChangeRequest,
    ) -> Result<ProposeChangeResponse, Failure> {
        let asked = request.change.and_then(|change| change.change);
        let change = match asked.ok_or(Input::ChangeRequired)? {
            Change::Purpose(purpose) => ProposedChange::Purpose(convert::purpose(purpose)?),
            Change::Floor(floor) => ProposedChange::SchemaFloor(convert::floor(&floor)?),
            Change::Settings(change) => {
                let settings = change.settings.ok_or(Input::SettingsRequired)?;
                ProposedChange::Settings(NamespaceSettings {
                    namespace: convert::namespace(&change.namespace)?,
                    gpc_purposes: convert::purposes(&settings.gpc_purposes)?,
                })
            }
        };
        let done = self.propose(call, &request.request_id, change).await?;
        Ok(ProposeChangeResponse {
            change_id: answers::event_id(done.event_id),
            revision: done.revision,
            request_id: done.request_id.to_string(),
        })
    }

    /// Approves a change that another principal proposed.
    pub(super) async fn approve_change(
        &self,
        call: Call,
        request: ApproveChangeRequest,
    ) -> Result<ApproveChangeResponse, Failure> {
        let done = self
            .approve(
                call,
                &request.request_id,
                &request.change_id,
                ChangeKind::Registry,
            )
            .await?;
        Ok(done.into())
    }

    /// Withdraws a change that waits.
    pub(super) async fn withdraw_change(
        &self,
        call: Call,
        request: WithdrawChangeRequest,
    ) -> Result<WithdrawChangeResponse, Failure> {
        let done = self
            .withdraw(
                call,
                &request.request_id,
                &request.change_id,
                ChangeKind::Registry,
            )
            .await?;
        Ok(done.into())
    }

    /// Lists the changes that wait, overrides left out.
    pub(super) async fn list_pending_changes(
        &self,
        call: Call,
        _: ListPendingChangesRequest,
    ) -> Result<ListPendingChangesResponse, Failure> {
        let admitted = admit(&call.caller, ListPending)?;
        let found = self
            .authority()
            .read(admitted, call.deadline.step())
            .await?;
        Ok(ListPendingChangesResponse {
            changes: found.changes.into_iter().map(waiting).collect(),
            revision: found.revision,
        })
    }

    /// Has a change proposed, whatever it is.
    pub(super) async fn propose(
        &self,
        call: Call,
        request_id: &str,
        change: ProposedChange,
    ) -> Result<Registered, Failure> {
        let max_minutes = match change.kind() {
            ChangeKind::Override => self.parts().override_max_minutes,
            ChangeKind::Registry => 0,
        };
        let request_id = self.request_id(request_id)?;
        let body = Body::Propose(Propose {
            request_id,
            change,
            max_minutes,
            credential: call.caller.credential(),
        });
        self.register(&call, request_id, body).await
    }

    /// Has a change approved, whatever it is.
    pub(super) async fn approve(
        &self,
        call: Call,
        request_id: &str,
        change_id: &str,
        kind: ChangeKind,
    ) -> Result<Registered, Failure> {
        let request_id = self.request_id(request_id)?;
        let body = Body::Approve(Approve {
            request_id,
            change_id: convert::change_id(change_id)?,
            kind,
            max_minutes: match kind {
                ChangeKind::Override => Some(self.parts().override_max_minutes),
                ChangeKind::Registry => None,
            },
            credential: call.caller.credential(),
        });
        self.register(&call, request_id, body).await
    }

    /// Has a change withdrawn, or an override revoked.
    pub(super) async fn withdraw(
        &self,
        call: Call,
        request_id: &str,
        change_id: &str,
        kind: ChangeKind,
    ) -> Result<Registered, Failure> {
        let request_id = self.request_id(request_id)?;
        let body = Body::Withdraw(Withdraw {
            request_id,
            change_id: convert::change_id(change_id)?,
            kind,
        });
        self.register(&call, request_id, body).await
    }
}

fn waiting(pending: Pending) -> v1::Pending {
    let lapses_at = answers::timestamp(pending.lapses_at());
    let change = match pending.change {
        ProposedChange::Purpose(purpose) => Some(Change::Purpose(answers::purpose(purpose, 0))),
        ProposedChange::SchemaFloor(floor) => Some(Change::Floor(answers::floor(&floor))),
        ProposedChange::Settings(settings) => Some(Change::Settings(answers::settings(&settings))),
        // Not asked for: overrides have a list of their own.
        ProposedChange::Override(_) => None,
    };
    v1::Pending {
        change_id: pending.id.to_string(),
        change: Some(PendingChange { change }),
        proposed_by: pending.proposed_by.to_string(),
        proposed_at: Some(answers::timestamp(pending.proposed_at)),
        lapses_at: Some(lapses_at),
    }
}
