//! Signals that a browser sends for its user, and the support of Global Privacy Control that a site tells of.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{Api, Call, status::Failure},
    around::{GpcSent, InNamespace, Key, Path},
    body::Json,
    problem::{BodyProblems, Problems},
    subject::{Identifier, identifiers},
    time::Time,
};
use crate::proto::v1;

/// The date of the last change of how Global Privacy Control is supported here.
const GPC_LAST_UPDATE: &str = "2026-11-24";

/// Whose browser sent it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Signalled {
    /// By what the visitor is known; no two alike. Each gets the opt-out.
    #[schema(min_items = 1, max_items = 16)]
    identifiers: Vec<Identifier>,
    /// The schema version of the purpose registry that the caller was built for; left out, it counts as 0.
    #[serde(default)]
    schema_version: u32,
    /// The service that asks.
    #[serde(default)]
    #[schema(max_length = 128, pattern = "^[a-zA-Z0-9._-]*$")]
    service: String,
}

/// The signal is kept.
#[derive(Serialize, ToSchema)]
pub(super) struct Kept {
    /// The event that records it, or the standing one: a signal that stands already, or that the person has outweighed by an
    /// opt-in since, makes none.
    event_id: String,
    /// That event's revision.
    revision: u64,
    /// Whether anything changed.
    changed: bool,
    /// When the leader received the request that the event records.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<Time>,
    /// The request's id: the caller's `Idempotency-Key`, or the one that the server made.
    request_id: String,
    /// The purposes that the signal opts out of in this namespace.
    purposes: Vec<String>,
}

/// Reports Global Privacy Control: called by a site's back end or edge with the visitor's own `Sec-GPC: 1`. Opts out of
/// the purposes that the namespace's settings name for it.
#[utoipa::path(
    post,
    path = "/v1/{namespace}/signals",
    tag = "preferences",
    params(InNamespace, Key, ("Sec-GPC" = String, Header, description = "As the visitor's browser sent it: `1`. Without it there is no signal to report.", pattern = "^1$")),
    request_body = Signalled,
    responses((status = 200, description = "The signal is kept.", body = Kept), BodyProblems)
)]
pub(super) async fn report(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    key: Key,
    _: GpcSent,
    Json(signalled): Json<Signalled>,
) -> Result<Json<Kept>, Failure> {
    let request = v1::ReportSignalRequest {
        request_id: key.request_id(),
        namespace,
        identifiers: identifiers(signalled.identifiers)?,
        signal: v1::Signal::Gpc.into(),
        schema_version: signalled.schema_version,
        service: signalled.service,
    };
    let kept = api.report_signal(call, request).await?;
    Ok(Json(Kept {
        event_id: kept.event_id,
        revision: kept.revision,
        changed: kept.changed,
        received_at: kept.received_at.map(Time),
        request_id: kept.request_id,
        purposes: kept.purposes,
    }))
}

/// That Global Privacy Control is honoured.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GpcSupport {
    /// Whether it is.
    gpc: bool,
    /// Since when, as a date.
    #[schema(format = Date)]
    last_update: &'static str,
}

/// Tells that Global Privacy Control is honoured. Open to everybody.
#[utoipa::path(
    get,
    path = "/.well-known/gpc.json",
    tag = "documents",
    security(()),
    responses((status = 200, description = "It is.", body = GpcSupport), Problems)
)]
pub(super) async fn gpc_support() -> Json<GpcSupport> {
    Json(GpcSupport {
        gpc: true,
        last_update: GPC_LAST_UPDATE,
    })
}
