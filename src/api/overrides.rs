//! `OverrideService`: lifting opt-outs for a while, by two principals, and never in silence.

use tonic::{Request, Response, Status};

use super::{
    Api, Call,
    convert::{self, answers},
    input::Input,
    status::Failure,
};
use crate::{
    admission::admit,
    authority::{ListOverrides, StandingOverride},
    domain::{
        ChangeKind, Millis, Override, OverrideTerms, Pending, ProposedChange, PurposeName,
        ServiceName,
    },
    limits,
    proto::v1::{
        self, ApproveOverrideRequest, ApproveOverrideResponse, ListOverridesRequest,
        ListOverridesResponse, OverrideScope, OverrideState, ProposeOverrideRequest,
        ProposeOverrideResponse, RevokeOverrideRequest, RevokeOverrideResponse,
        override_service_server::OverrideService,
    },
};

/// The service.
pub(super) struct Overrides(pub(super) Api);

#[tonic::async_trait]
impl OverrideService for Overrides {
    async fn propose_override(
        &self,
        request: Request<ProposeOverrideRequest>,
    ) -> Result<Response<ProposeOverrideResponse>, Status> {
        self.0.unary(request, Api::propose_override).await
    }

    async fn approve_override(
        &self,
        request: Request<ApproveOverrideRequest>,
    ) -> Result<Response<ApproveOverrideResponse>, Status> {
        self.0.unary(request, Api::approve_override).await
    }

    async fn revoke_override(
        &self,
        request: Request<RevokeOverrideRequest>,
    ) -> Result<Response<RevokeOverrideResponse>, Status> {
        self.0.unary(request, Api::revoke_override).await
    }

    async fn list_overrides(
        &self,
        request: Request<ListOverridesRequest>,
    ) -> Result<Response<ListOverridesResponse>, Status> {
        self.0.unary(request, Api::list_overrides).await
    }
}

impl Api {
    /// Proposes an override. It lifts nothing yet.
    pub(super) async fn propose_override(
        &self,
        call: Call,
        request: ProposeOverrideRequest,
    ) -> Result<ProposeOverrideResponse, Failure> {
        let scope = request.scope.ok_or(Input::ScopeRequired)?;
        let expires_at = request.expires_at.ok_or(Input::ExpiryRequired)?;
        let terms = self.terms(scope, request.reason, convert::time(&expires_at)?)?;
        let change = ProposedChange::Override(terms);
        let done = self.propose(call, &request.request_id, change).await?;
        Ok(ProposeOverrideResponse {
            override_id: answers::event_id(done.event_id),
            revision: done.revision,
            request_id: done.request_id.to_string(),
        })
    }

    /// Approves one that another principal proposed.
    pub(super) async fn approve_override(
        &self,
        call: Call,
        request: ApproveOverrideRequest,
    ) -> Result<ApproveOverrideResponse, Failure> {
        let done = self
            .approve(
                call,
                &request.request_id,
                &request.override_id,
                ChangeKind::Override,
            )
            .await?;
        Ok(done.into())
    }

    /// Ends one at once, or withdraws one that waits.
    pub(super) async fn revoke_override(
        &self,
        call: Call,
        request: RevokeOverrideRequest,
    ) -> Result<RevokeOverrideResponse, Failure> {
        let done = self
            .withdraw(
                call,
                &request.request_id,
                &request.override_id,
                ChangeKind::Override,
            )
            .await?;
        Ok(done.into())
    }

    /// Lists those that wait, are in force, or are over with their last event to come.
    pub(super) async fn list_overrides(
        &self,
        call: Call,
        _: ListOverridesRequest,
    ) -> Result<ListOverridesResponse, Failure> {
        let admitted = admit(&call.caller, ListOverrides)?;
        let found = self
            .authority()
            .read(admitted, call.deadline.step())
            .await?;
        let proposed = found.proposed.into_iter().filter_map(waiting);
        let at = found.evaluated_at;
        let approved = found.approved.into_iter().map(|it| standing(it, at));
        let mut overrides: Vec<v1::Override> = proposed.chain(approved).collect();
        // Ids begin with the time.
        overrides.sort_unstable_by(|a, b| a.override_id.cmp(&b.override_id));
        Ok(ListOverridesResponse {
            overrides,
            revision: found.revision,
            evaluated_at: Some(answers::timestamp(at)),
        })
    }

    fn terms(
        &self,
        scope: OverrideScope,
        reason: String,
        expires_at: Millis,
    ) -> Result<OverrideTerms, Failure> {
        let namespace = convert::namespace(&scope.namespace)?;
        let subject = match scope.subject {
            None => None,
            Some(identifier) => self.tokens(&namespace, vec![identifier])?.pop(),
        };
        // So many are never taken; the others need not be parsed.
        let services = scope.services.iter().take(limits::OVERRIDE_SERVICES + 1);
        Ok(OverrideTerms {
            purposes: convert::purposes(&scope.purposes)?,
            services: services
                .map(|name| ServiceName::parse(name))
                .collect::<Result<_, _>>()?,
            namespace,
            subject,
            reason,
            expires_at,
        })
    }
}

fn scope(terms: &OverrideTerms) -> OverrideScope {
    OverrideScope {
        namespace: terms.namespace.to_string(),
        purposes: terms.purposes.iter().map(PurposeName::to_string).collect(),
        services: terms.services.iter().map(ServiceName::to_string).collect(),
        subject: terms.subject.as_ref().map(answers::identifier),
    }
}

/// One that waits; none for a change that is no override.
fn waiting(pending: Pending) -> Option<v1::Override> {
    let ProposedChange::Override(terms) = pending.change else {
        return None;
    };
    Some(v1::Override {
        override_id: pending.id.to_string(),
        state: OverrideState::Proposed.into(),
        scope: Some(scope(&terms)),
        expires_at: Some(answers::timestamp(terms.expires_at)),
        reason: terms.reason,
        proposed_by: pending.proposed_by.to_string(),
        approved_by: String::new(),
        proposed_at: Some(answers::timestamp(pending.proposed_at)),
        lifted: Vec::new(),
    })
}

fn standing(found: StandingOverride, at: Millis) -> v1::Override {
    let StandingOverride { standing, lifted } = found;
    v1::Override {
        override_id: standing.id.to_string(),
        state: state(&standing, at).into(),
        scope: Some(scope(&standing.terms)),
        reason: standing.terms.reason,
        expires_at: Some(answers::timestamp(standing.terms.expires_at)),
        proposed_by: standing.proposed_by.to_string(),
        approved_by: standing.approved_by.to_string(),
        proposed_at: Some(answers::timestamp(standing.proposed_at)),
        lifted: answers::counts(lifted),
    }
}

fn state(standing: &Override, at: Millis) -> OverrideState {
    if standing.revoked_at.is_some() {
        OverrideState::Revoked
    } else if standing.is_active(at) {
        OverrideState::Active
    } else {
        OverrideState::Expired
    }
}
