//! Evidence, which is never shown, and can be erased.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{Api, Call, status::Failure},
    around::{InNamespace, Key, Path},
    body::Json,
    problem::BodyProblems,
    subject::{Identifier, identifiers},
};
use crate::proto::v1;

/// Whose evidence is to be erased.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ToErase {
    /// By what the person is known; no two alike. Evidence of each event that names any of them is erased.
    #[schema(min_items = 1, max_items = 16)]
    identifiers: Vec<Identifier>,
}

/// It is erased.
#[derive(Serialize, ToSchema)]
pub(super) struct Erased {
    /// The event that records it; absent where there was nothing to erase.
    #[serde(skip_serializing_if = "String::is_empty")]
    event_id: String,
    /// The revision after it.
    revision: u64,
    /// Of how many events the evidence was erased.
    #[schema(maximum = 1024)]
    erased: u64,
    /// How many events of the person have theirs still: send another request until this is 0.
    remaining: u64,
    /// The request's id: the caller's `Idempotency-Key`, or the one that the server made.
    request_id: String,
}

/// Erases a person's evidence: destroys the keys by which it could be opened, on every node. The journal, the preferences and every receipt
/// stay as they are.
#[utoipa::path(
    post,
    path = "/v1/{namespace}/evidence:erase",
    tag = "preferences",
    params(InNamespace, Key),
    request_body = ToErase,
    responses((status = 200, description = "It is erased.", body = Erased), BodyProblems)
)]
pub(super) async fn erase(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    key: Key,
    Json(asked): Json<ToErase>,
) -> Result<Json<Erased>, Failure> {
    let request = v1::EraseEvidenceRequest {
        request_id: key.request_id(),
        namespace,
        identifiers: identifiers(asked.identifiers)?,
    };
    let done = api.erase_evidence(call, request).await?;
    Ok(Json(Erased {
        event_id: done.event_id,
        revision: done.revision,
        erased: done.erased,
        remaining: done.remaining,
        request_id: done.request_id,
    }))
}
