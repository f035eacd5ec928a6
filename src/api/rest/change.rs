//! Changing what a person wants.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{Api, Call, status::Failure},
    around::{Asking, IfMatch, InNamespace, Key, Path, Query},
    body::Json,
    journal::document,
    problem::{BodyProblems, Problem, Problems},
    subject::{Identifier, by_token, identifiers, some},
    time::Time,
    wishes::Wishes,
    words::{self, Word},
};
use crate::proto::v1;

/// What a person wants from here on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    /// By what the person is known; no two alike. Each gets the change.
    #[schema(min_items = 1, max_items = 16)]
    identifiers: Vec<Identifier>,
    /// What is to change, by purpose. One change, all or nothing.
    preferences: Wishes,
    /// How the wish arrived: `user` unless it says otherwise. `import` is refused.
    #[serde(default)]
    signal: Option<words::Signal>,
    /// What proves the opt-ins. Required where anything is opted in to, refused where nothing is.
    #[serde(default)]
    evidence: Option<Evidence>,
    /// The schema version of the purpose registry that the caller was built for; left out, it counts as 0.
    #[serde(default)]
    schema_version: u32,
    /// A revision that the cluster must have reached.
    #[serde(default)]
    min_revision: u64,
    /// The service that asks.
    #[serde(default)]
    #[schema(max_length = 128, pattern = "^[a-zA-Z0-9._-]*$")]
    service: String,
    /// Whether a receipt is wanted: the proof that the event is in the journal.
    #[serde(default)]
    receipt: bool,
}

/// What proves an opt-in. Sealed at the node that is called, before it is replicated; never logged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    /// What the person saw and did, in words; 1 to 4,096 bytes.
    #[schema(min_length = 1, max_length = 4096)]
    statement: String,
    /// The person's IP address.
    #[serde(default)]
    #[schema(max_length = 64)]
    ip_address: String,
    /// The person's user agent.
    #[serde(default)]
    #[schema(max_length = 1024)]
    user_agent: String,
}

impl From<Evidence> for v1::Evidence {
    fn from(evidence: Evidence) -> Self {
        Self {
            statement: evidence.statement,
            ip_address: evidence.ip_address,
            user_agent: evidence.user_agent,
        }
    }
}

/// The change is synced to stable storage on a majority of the voters.
#[derive(Serialize, ToSchema)]
pub(super) struct Changed {
    /// The event that records the change, or the standing one where nothing changed.
    event_id: String,
    /// That event's revision.
    revision: u64,
    /// Whether anything changed; false for a repeat.
    changed: bool,
    /// When the leader received the request that the event records.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<Time>,
    /// The request's id: the caller's `Idempotency-Key`, or the one that the server made.
    request_id: String,
    /// The receipt of that event, where one was wanted: JSON after the fields of ISO/IEC TS 27560, with its proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<serde_json::Value>,
    /// Why there is none although it was wanted, such as `JOURNAL_KEY_MISSING`. The change was made all the same;
    /// `GET /v1/{namespace}/receipts/{revision}` gives it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_missing: Option<String>,
}

macro_rules! changed {
    ($($answer:ident),+ $(,)?) => {
        $(impl From<v1::$answer> for Changed {
            fn from(done: v1::$answer) -> Self {
                Self {
                    event_id: done.event_id,
                    revision: done.revision,
                    changed: done.changed,
                    received_at: done.received_at.map(Time),
                    request_id: done.request_id,
                    receipt: done.receipt.as_ref().and_then(document),
                    receipt_missing: some(done.receipt_missing),
                }
            }
        })+
    };
}

changed!(SetPreferencesResponse, SetOptOutResponse);

/// Changes what a person wants: out of some purposes, in to others. One command and one event: an `in` without evidence
/// refuses all of it, and no `in` outweighs an `out` above it that came with it.
#[utoipa::path(
    patch,
    path = "/v1/{namespace}/preferences",
    tag = "preferences",
    params(InNamespace, Key, IfMatch),
    request_body = Patch,
    responses(
        (status = 200, description = "It holds.", body = Changed),
        (status = 412, description = "The subject has changed since.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "An `in` without evidence. Nothing was done.", body = Problem, content_type = "application/problem+json"),
        BodyProblems,
    )
)]
pub(super) async fn change(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    key: Key,
    IfMatch { last_revision }: IfMatch,
    Json(patch): Json<Patch>,
) -> Result<Json<Changed>, Failure> {
    let (opt_out, opt_in) = patch.preferences.parted();
    let request = v1::SetPreferencesRequest {
        request_id: key.request_id(),
        namespace,
        identifiers: identifiers(patch.identifiers)?,
        opt_out,
        opt_in,
        signal: patch.signal.map_or(0, Word::number),
        schema_version: patch.schema_version,
        min_revision: patch.min_revision,
        evidence: patch.evidence.map(v1::Evidence::from),
        service: patch.service,
        if_last_revision: last_revision,
        receipt: patch.receipt,
    };
    let done = api.set_preferences(call, request).await?;
    Ok(Json(done.into()))
}

/// A permission of a person.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Permission {
    /// The tenant, controller or brand, such as `default`.
    #[param(min_length = 1, max_length = 64)]
    namespace: String,
    /// What Refrain stores of an identifier, `<generation>:<32 hex digits>`.
    #[param(min_length = 34, max_length = 38)]
    token: String,
    /// What may no longer be done; `*` for all that is not essential.
    #[param(min_length = 1, max_length = 128)]
    purpose: String,
}

/// Takes a permission away: an opt-out. Taking it away again changes nothing. There is no call that gives it back but an
/// opt-in with evidence.
#[utoipa::path(
    delete,
    path = "/v1/{namespace}/subjects/{token}/permissions/{purpose}",
    tag = "preferences",
    params(Permission, Asking, Key, IfMatch),
    responses(
        (status = 200, description = "It is gone.", body = Changed),
        (status = 412, description = "The subject has changed since.", body = Problem, content_type = "application/problem+json"),
        Problems,
    )
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    call: Call,
    Path(permission): Path<Permission>,
    Query(asking): Query<Asking>,
    key: Key,
    IfMatch { last_revision }: IfMatch,
) -> Result<Json<Changed>, Failure> {
    let request = v1::SetOptOutRequest {
        request_id: key.request_id(),
        namespace: permission.namespace,
        identifiers: by_token(permission.token, asking.r#type),
        purposes: vec![permission.purpose],
        signal: v1::Signal::Unspecified.into(),
        schema_version: asking.schema_version,
        min_revision: asking.min_revision,
        service: asking.service,
        if_last_revision: last_revision,
        receipt: false,
    };
    let done = api.set_opt_out(call, request).await?;
    Ok(Json(done.into()))
}
