//! Changes of the registry that can widen ALLOW, and wait for a second principal.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{Api, Call, status::Failure},
    around::{Key, Path},
    body::Json,
    floor::SchemaFloor,
    judged::{Judged, WithId},
    namespace::NamedSettings,
    problem::{BodyProblems, Problems},
    purpose::{Meaning, Purpose},
    time::Time,
};
use crate::proto::v1::{self, pending_change};

/// A change that needs two principals.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChangeWish {
    /// A purpose as it is to stand.
    Purpose(NamedMeaning),
    /// A schema floor as it is to stand.
    Floor(SchemaFloor),
    /// A namespace's settings as they are to stand.
    Settings(NamedSettings),
}

/// A purpose as it is to stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedMeaning {
    /// Its name.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// What it is to be.
    meaning: Meaning,
}

impl From<ChangeWish> for v1::PendingChange {
    fn from(wish: ChangeWish) -> Self {
        let change = match wish {
            ChangeWish::Purpose(NamedMeaning { name, meaning }) => {
                pending_change::Change::Purpose(meaning.named(name))
            }
            ChangeWish::Floor(floor) => pending_change::Change::Floor(floor.into()),
            ChangeWish::Settings(settings) => pending_change::Change::Settings(settings.into()),
        };
        Self {
            change: Some(change),
        }
    }
}

/// It waits for a second principal.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangeProposed {
    /// The change's id: the id of the event that proposed it.
    change_id: String,
    /// The revision of that event.
    revision: u64,
    /// The request's id: the caller's `Idempotency-Key`, or the one that the server made.
    request_id: String,
}

/// Proposes a change that can widen ALLOW. Nothing changes until another principal approves it; unapproved, it lapses after
/// 24 hours.
#[utoipa::path(
    post,
    path = "/admin/v1/changes",
    tag = "registry",
    params(Key),
    request_body = ChangeWish,
    responses((status = 200, description = "It waits for a second principal.", body = ChangeProposed), BodyProblems)
)]
pub(super) async fn propose(
    State(api): State<Api>,
    call: Call,
    key: Key,
    Json(wish): Json<ChangeWish>,
) -> Result<Json<ChangeProposed>, Failure> {
    let request = v1::ProposeChangeRequest {
        request_id: key.request_id(),
        change: Some(wish.into()),
    };
    let done = api.propose_change(call, request).await?;
    Ok(Json(ChangeProposed {
        change_id: done.change_id,
        revision: done.revision,
        request_id: done.request_id,
    }))
}

/// What is to change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhatChanges {
    /// A purpose.
    Purpose(Purpose),
    /// A schema floor.
    Floor(SchemaFloor),
    /// A namespace's settings.
    Settings(NamedSettings),
}

/// A change that waits.
#[derive(Serialize, ToSchema)]
pub(super) struct Pending {
    /// Its id.
    change_id: String,
    /// What is to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<WhatChanges>,
    /// Who proposed it.
    proposed_by: String,
    /// When it was proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_at: Option<Time>,
    /// When it lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    lapses_at: Option<Time>,
}

impl From<v1::Pending> for Pending {
    fn from(one: v1::Pending) -> Self {
        let what = |change| match change {
            pending_change::Change::Purpose(purpose) => WhatChanges::Purpose(purpose.into()),
            pending_change::Change::Floor(floor) => WhatChanges::Floor(floor.into()),
            pending_change::Change::Settings(change) => WhatChanges::Settings(change.into()),
        };
        Self {
            change_id: one.change_id,
            change: one.change.and_then(|it| it.change).map(what),
            proposed_by: one.proposed_by,
            proposed_at: one.proposed_at.map(Time),
            lapses_at: one.lapses_at.map(Time),
        }
    }
}

/// The changes that wait.
#[derive(Serialize, ToSchema)]
pub(super) struct PendingChanges {
    /// By the time at which they were proposed.
    changes: Vec<Pending>,
    /// The revision at which this holds.
    revision: u64,
}

/// Lists the changes that wait for a second principal, overrides left out.
#[utoipa::path(
    get,
    path = "/admin/v1/changes",
    tag = "registry",
    responses((status = 200, description = "The changes that wait.", body = PendingChanges), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    call: Call,
) -> Result<Json<PendingChanges>, Failure> {
    let found = api
        .list_pending_changes(call, v1::ListPendingChangesRequest {})
        .await?;
    Ok(Json(PendingChanges {
        changes: found.changes.into_iter().map(Pending::from).collect(),
        revision: found.revision,
    }))
}

/// Approves, and so makes, a change that another principal proposed.
#[utoipa::path(
    post,
    path = "/admin/v1/changes/{id}/approve",
    tag = "registry",
    params(WithId, Key),
    responses((status = 200, description = "It is made.", body = Judged), Problems)
)]
pub(super) async fn approve(
    State(api): State<Api>,
    call: Call,
    Path(WithId { id }): Path<WithId>,
    key: Key,
) -> Result<Json<Judged>, Failure> {
    let request = v1::ApproveChangeRequest {
        request_id: key.request_id(),
        change_id: id,
    };
    let done = api.approve_change(call, request).await?;
    Ok(Json(done.into()))
}

/// Withdraws a change that was proposed.
#[utoipa::path(
    post,
    path = "/admin/v1/changes/{id}/withdraw",
    tag = "registry",
    params(WithId, Key),
    responses((status = 200, description = "It is gone.", body = Judged), Problems)
)]
pub(super) async fn withdraw(
    State(api): State<Api>,
    call: Call,
    Path(WithId { id }): Path<WithId>,
    key: Key,
) -> Result<Json<Judged>, Failure> {
    let request = v1::WithdrawChangeRequest {
        request_id: key.request_id(),
        change_id: id,
    };
    let done = api.withdraw_change(call, request).await?;
    Ok(Json(done.into()))
}
