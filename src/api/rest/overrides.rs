//! Overrides: lifting opt-outs for a while, by two principals.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{Api, Call, status::Failure},
    around::{Key, Path},
    body::Json,
    history::ServiceCount,
    judged::{Judged, WithId},
    problem::{BodyProblems, Problems},
    subject::{Identifier, Token, identifiers, some},
    time::Time,
    words::{self, Word},
};
use crate::proto::v1;

/// What an override is to cover.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeWish {
    /// The tenant. It must be said, `default` too.
    #[schema(min_length = 1, max_length = 64)]
    namespace: String,
    /// The purposes, each with what lies under it. Not `*`, and none that is essential.
    #[schema(min_items = 1, max_items = 16)]
    purposes: Vec<String>,
    /// The services that may go on.
    #[schema(min_items = 1, max_items = 16)]
    services: Vec<String>,
    /// One person, whose opt-out alone is lifted; left out for everybody of the namespace.
    #[serde(default)]
    subject: Option<Identifier>,
}

/// An override that somebody asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideWish {
    /// What it is to cover.
    scope: ScopeWish,
    /// Why, for those who audit; no personal data.
    #[schema(min_length = 1, max_length = 1024)]
    reason: String,
    /// When it ends: later than now, and no later than the cluster's maximum from now.
    expires_at: Time,
}

impl OverrideWish {
    fn into_proto(self, request_id: String) -> Result<v1::ProposeOverrideRequest, Failure> {
        let subject = identifiers(self.scope.subject.into_iter().collect())?.pop();
        Ok(v1::ProposeOverrideRequest {
            request_id,
            scope: Some(v1::OverrideScope {
                namespace: self.scope.namespace,
                purposes: self.scope.purposes,
                services: self.scope.services,
                subject,
            }),
            reason: self.reason,
            expires_at: Some(self.expires_at.0),
        })
    }
}

/// What an override covers.
#[derive(Serialize, ToSchema)]
pub(super) struct Scope {
    /// The tenant.
    namespace: String,
    /// The purposes, each with what lies under it.
    purposes: Vec<String>,
    /// The services that may go on.
    services: Vec<String>,
    /// The one person, where it covers one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Token>,
}

/// One override.
#[derive(Serialize, ToSchema)]
pub(super) struct Override {
    /// Its id.
    override_id: String,
    /// What has become of it.
    state: words::OverrideState,
    /// What it covers.
    scope: Scope,
    /// Why.
    reason: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
    /// Who proposed it.
    proposed_by: String,
    /// Who approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    /// When it was proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_at: Option<Time>,
    /// The decisions that it made an ALLOW so far, by service, as the nodes have reported once a minute.
    lifted: Vec<ServiceCount>,
}

impl From<v1::Override> for Override {
    fn from(one: v1::Override) -> Self {
        let scope = one.scope.unwrap_or_default();
        Self {
            override_id: one.override_id,
            state: Word::of(one.state),
            scope: Scope {
                namespace: scope.namespace,
                purposes: scope.purposes,
                services: scope.services,
                subject: scope.subject.map(Token::from),
            },
            reason: one.reason,
            expires_at: one.expires_at.map(Time),
            proposed_by: one.proposed_by,
            approved_by: some(one.approved_by),
            proposed_at: one.proposed_at.map(Time),
            lifted: one.lifted.into_iter().map(ServiceCount::from).collect(),
        }
    }
}

/// All overrides.
#[derive(Serialize, ToSchema)]
pub(super) struct Overrides {
    /// By the time at which they were proposed.
    overrides: Vec<Override>,
    /// The revision at which this holds.
    revision: u64,
    /// The time by which it was judged which are over.
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluated_at: Option<Time>,
}

/// Lists the overrides that are proposed, in force, or over with their totals still being gathered.
#[utoipa::path(
    get,
    path = "/admin/v1/overrides",
    tag = "overrides",
    responses((status = 200, description = "The overrides.", body = Overrides), Problems)
)]
pub(super) async fn list(State(api): State<Api>, call: Call) -> Result<Json<Overrides>, Failure> {
    let found = api
        .list_overrides(call, v1::ListOverridesRequest {})
        .await?;
    Ok(Json(Overrides {
        overrides: found.overrides.into_iter().map(Override::from).collect(),
        revision: found.revision,
        evaluated_at: found.evaluated_at.map(Time),
    }))
}

/// It waits for a second principal.
#[derive(Serialize, ToSchema)]
pub(super) struct OverrideProposed {
    /// The override's id: the id of the event that proposed it.
    override_id: String,
    /// The revision of that event.
    revision: u64,
    /// The request's id: the caller's `Idempotency-Key`, or the one that the server made.
    request_id: String,
}

/// Proposes an override. It lifts nothing until another principal approves it; unapproved, it lapses after 24 hours.
#[utoipa::path(
    post,
    path = "/admin/v1/overrides",
    tag = "overrides",
    params(Key),
    request_body = OverrideWish,
    responses((status = 200, description = "It waits for a second principal.", body = OverrideProposed), BodyProblems)
)]
pub(super) async fn propose(
    State(api): State<Api>,
    call: Call,
    key: Key,
    Json(wish): Json<OverrideWish>,
) -> Result<Json<OverrideProposed>, Failure> {
    let request = wish.into_proto(key.request_id())?;
    let done = api.propose_override(call, request).await?;
    Ok(Json(OverrideProposed {
        override_id: done.override_id,
        revision: done.revision,
        request_id: done.request_id,
    }))
}

/// Approves an override that another principal proposed: from here on it lifts opt-outs.
#[utoipa::path(
    post,
    path = "/admin/v1/overrides/{id}/approve",
    tag = "overrides",
    params(WithId, Key),
    responses((status = 200, description = "It is in force.", body = Judged), Problems)
)]
pub(super) async fn approve(
    State(api): State<Api>,
    call: Call,
    Path(WithId { id }): Path<WithId>,
    key: Key,
) -> Result<Json<Judged>, Failure> {
    let request = v1::ApproveOverrideRequest {
        request_id: key.request_id(),
        override_id: id,
    };
    let done = api.approve_override(call, request).await?;
    Ok(Json(done.into()))
}

/// Ends an override at once, or withdraws one that was only proposed.
#[utoipa::path(
    post,
    path = "/admin/v1/overrides/{id}/revoke",
    tag = "overrides",
    params(WithId, Key),
    responses((status = 200, description = "It lifts nothing any more.", body = Judged), Problems)
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    call: Call,
    Path(WithId { id }): Path<WithId>,
    key: Key,
) -> Result<Json<Judged>, Failure> {
    let request = v1::RevokeOverrideRequest {
        request_id: key.request_id(),
        override_id: id,
    };
    let done = api.revoke_override(call, request).await?;
    Ok(Json(done.into()))
}
