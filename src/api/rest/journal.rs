//! The journal over HTTP: checkpoints, tiles and bundles as C2SP tlog-tiles has them; keys; receipts.

use axum::{
    extract::{Path as AxumPath, State},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    super::{
        Api, Call,
        deadline::Deadline,
        status::{Failure, Transport},
    },
    around::Path,
    body::Json,
    problem::Problems,
};
use crate::{
    proof::KnownKey,
    proto::v1::{self, GetReceiptRequest},
    receipt,
};

const TEXT: &str = "text/plain; charset=utf-8";

/// The journal's newest checkpoint, a signed note. Open to everybody.
#[utoipa::path(
    get,
    path = "/checkpoint",
    tag = "journal",
    security(()),
    responses(
        (status = 200, description = "The checkpoint.", body = String, content_type = "text/plain; charset=utf-8"),
        Problems,
    )
)]
pub(super) async fn checkpoint(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let deadline = Deadline::of(&headers, api.parts().deadlines);
    let checkpoint = api.checkpoint(&deadline).await?;
    let headers = [
        (header::CONTENT_TYPE, TEXT),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, checkpoint).into_response())
}

/// The keys that checkpoints are verified by, one a line; lines that begin with `#` say whose each is, and when it was retired. Open to everybody: whether they are
/// the right ones, this list does not prove.
#[utoipa::path(
    get,
    path = "/journal/keys",
    tag = "journal",
    security(()),
    responses(
        (status = 200, description = "The keys.", body = String, content_type = "text/plain; charset=utf-8"),
        Problems,
    )
)]
pub(super) async fn keys(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Failure> {
    let deadline = Deadline::of(&headers, api.parts().deadlines);
    let listed = api.journal_keys(&deadline).await?;
    let mut text = String::new();
    for key in listed.keys {
        let (node, added) = (&key.node_id, key.added_at);
        text += &KnownKey::lines(&key.verifier_key, node, added, key.retired_at);
    }
    let headers = [
        (header::CONTENT_TYPE, TEXT),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}

/// A hash tile or an entry bundle: `<level>/<number>`, `entries/<number>`, and the partial ones with `.p/<width>` after them, as C2SP
/// tlog-tiles writes them. They hold tokens.
#[utoipa::path(
    get,
    path = "/tile/{path}",
    tag = "journal",
    params(("path" = String, Path, description = "The path below `/tile/`, such as `0/x001/234` or `entries/000.p/17`; it holds slashes.")),
    responses(
        (status = 200, description = "The tile, or the bundle.", body = Vec<u8>, content_type = "application/octet-stream"),
        Problems,
    )
)]
pub(super) async fn tile(
    State(api): State<Api>,
    call: Call,
    path: Result<AxumPath<String>, axum::extract::rejection::PathRejection>,
) -> Result<Response, Failure> {
    let AxumPath(path) = path.map_err(|_| Transport::PathInvalid)?;
    let (resource, bytes) = api.tile(&call, &format!("tile/{path}")).await?;
    let cached = if resource.is_full() {
        // It never changes; and it is for those alone who may read it.
        "private, max-age=31536000, immutable"
    } else {
        "private, max-age=60"
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, cached),
    ];
    Ok((headers, bytes).into_response())
}

/// An event of a tenant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfEvent {
    /// The tenant, controller or brand, such as `default`.
    #[param(min_length = 1, max_length = 64)]
    namespace: String,
    /// The event's revision.
    #[param(minimum = 1)]
    revision: u64,
}

/// An event of the whole cluster.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfClusterEvent {
    /// The event's revision.
    #[param(minimum = 1)]
    revision: u64,
}

/// The receipt of a tenant's event: JSON after the fields of ISO/IEC TS 27560, with the proof that the event is in the journal.
/// `refrain verify` verifies it offline.
#[utoipa::path(
    get,
    path = "/v1/{namespace}/receipts/{revision}",
    tag = "journal",
    params(OfEvent),
    responses((status = 200, description = "The receipt.", body = serde_json::Value), Problems)
)]
pub(super) async fn receipt(
    State(api): State<Api>,
    call: Call,
    Path(OfEvent {
        namespace,
        revision,
    }): Path<OfEvent>,
) -> Result<Json<serde_json::Value>, Failure> {
    let request = GetReceiptRequest {
        namespace,
        revision,
    };
    document_of(api.get_receipt(call, request).await?.receipt).map(Json)
}

/// The receipt of an event that concerns the whole cluster.
#[utoipa::path(
    get,
    path = "/admin/v1/receipts/{revision}",
    tag = "journal",
    params(OfClusterEvent),
    responses((status = 200, description = "The receipt.", body = serde_json::Value), Problems)
)]
pub(super) async fn cluster_receipt(
    State(api): State<Api>,
    call: Call,
    Path(OfClusterEvent { revision }): Path<OfClusterEvent>,
) -> Result<Json<serde_json::Value>, Failure> {
    let request = GetReceiptRequest {
        namespace: String::new(),
        revision,
    };
    document_of(api.get_receipt(call, request).await?.receipt).map(Json)
}

fn document_of(receipt: Option<v1::Receipt>) -> Result<serde_json::Value, Failure> {
    let receipt = receipt.ok_or(Failure::Panicked)?;
    document(&receipt).ok_or(Failure::Panicked)
}

/// A receipt as JSON; none where it cannot be read, which the log says.
pub(super) fn document(made: &v1::Receipt) -> Option<serde_json::Value> {
    receipt::to_json(made)
        .inspect_err(|error| tracing::error!(%error, "a receipt cannot be written as JSON"))
        .ok()
}
