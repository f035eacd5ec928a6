//! The overrides of a made-up node, which are listed and lift nothing.

use refrain::proto::v1::{override_service_server::*, *};
use tonic::{Code, Request};

use super::{
    model::{noon, principal},
    refusal,
    services::{Api, Reply},
};

#[tonic::async_trait]
impl OverrideService for Api {
    async fn propose_override(
        &self,
        request: Request<ProposeOverrideRequest>,
    ) -> Reply<ProposeOverrideResponse> {
        let proposed_by = principal(&request);
        let asked = request.into_inner();
        self.answer(|model| {
            let override_id = model.change_id(&asked.request_id);
            if !model
                .overrides
                .iter()
                .any(|it| it.override_id == override_id)
            {
                model.overrides.push(Override {
                    override_id: override_id.clone(),
                    state: OverrideState::Proposed.into(),
                    scope: asked.scope,
                    reason: asked.reason,
                    expires_at: asked.expires_at,
                    proposed_by,
                    proposed_at: Some(noon()),
                    ..Override::default()
                });
            }
            Ok(ProposeOverrideResponse {
                override_id,
                revision: model.revision(),
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn approve_override(
        &self,
        request: Request<ApproveOverrideRequest>,
    ) -> Reply<ApproveOverrideResponse> {
        let approved_by = principal(&request);
        let asked = request.into_inner();
        self.answer(|model| {
            let found = model.overridden(&asked.override_id)?;
            if found.proposed_by == approved_by {
                let reason = "SECOND_PRINCIPAL_REQUIRED";
                return Err(refusal(Code::FailedPrecondition, reason, "not_applied"));
            }
            found.approved_by = approved_by;
            found.state = OverrideState::Active.into();
            Ok(ApproveOverrideResponse {
                event_id: "made-up".to_owned(),
                revision: model.revision(),
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn revoke_override(
        &self,
        request: Request<RevokeOverrideRequest>,
    ) -> Reply<RevokeOverrideResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            let found = model.overridden(&asked.override_id)?;
            let over = found.state == i32::from(OverrideState::Revoked);
            found.state = OverrideState::Revoked.into();
            Ok(RevokeOverrideResponse {
                event_id: if over {
                    String::new()
                } else {
                    "made-up".to_owned()
                },
                revision: model.revision(),
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn list_overrides(
        &self,
        _: Request<ListOverridesRequest>,
    ) -> Reply<ListOverridesResponse> {
        self.answer(|model| {
            Ok(ListOverridesResponse {
                overrides: model.overrides.clone(),
                revision: model.revision(),
                evaluated_at: Some(noon()),
            })
        })
        .await
    }
}
