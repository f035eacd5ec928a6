//! Reading what a person wants.

use axum::{
    extract::State,
    http::{HeaderName, header},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{Api, Call, status::Failure},
    around::{Asking, InNamespace, OfSubject, Path, Query},
    body::Json,
    problem::{BodyProblems, Problems},
    subject::{Identifier, by_token, identifiers, some},
    time::Time,
    words::{self, Word},
};
use crate::proto::v1;

/// Whose preferences?
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhosePreferences {
    /// By what the person is known; no two alike.
    #[schema(min_items = 1, max_items = 16)]
    identifiers: Vec<Identifier>,
    /// The schema version of the purpose registry that the caller was built for; left out, it counts as 0.
    #[serde(default)]
    schema_version: u32,
    /// A revision that the answer must have reached.
    #[serde(default)]
    min_revision: u64,
    /// The service that asks.
    #[serde(default)]
    #[schema(max_length = 128, pattern = "^[a-zA-Z0-9._-]*$")]
    service: String,
}

/// What a person wants, at one revision.
#[derive(Serialize, ToSchema)]
pub(super) struct Preferences {
    /// The records that stand, by token and purpose.
    preferences: Vec<Preference>,
    /// Every registered purpose with its decision over all identifiers.
    decisions: Vec<PurposeDecision>,
    /// The revision at which this holds.
    revision: u64,
    /// The revision of the latest event of any of the identifiers; 0 where there is none.
    last_revision: u64,
}

/// The record that stands for one token and purpose.
#[derive(Serialize, ToSchema)]
pub(super) struct Preference {
    /// The token.
    token: String,
    /// The identifier's type, as it was asked for.
    r#type: String,
    /// The purpose at which the record stands.
    purpose: String,
    /// What was changed.
    change: words::Change,
    /// The event that set it.
    event_id: String,
    /// That event's revision.
    revision: u64,
    /// When the leader received it.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<Time>,
    /// Whether it is what a signal (Global Privacy Control) said; kept apart from what the person said.
    signalled: bool,
}

/// How one purpose is decided for the person as a whole, overrides left out.
#[derive(Serialize, ToSchema)]
pub(super) struct PurposeDecision {
    /// The purpose.
    purpose: String,
    /// May it be done?
    decision: words::Decision,
    /// Why.
    reason: words::Reason,
    /// The event that decided, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
}

impl From<v1::GetPreferencesResponse> for Preferences {
    fn from(found: v1::GetPreferencesResponse) -> Self {
        let preference = |one: v1::Preference| Preference {
            token: one.token,
            r#type: one.r#type,
            purpose: one.purpose,
            change: Word::of(one.change),
            event_id: one.event_id,
            revision: one.revision,
            received_at: one.received_at.map(Time),
            signalled: one.signalled,
        };
        let decision = |one: v1::PurposeDecision| PurposeDecision {
            purpose: one.purpose,
            decision: Word::of(one.decision),
            reason: Word::of(one.reason),
            event_id: some(one.event_id),
        };
        Self {
            preferences: found.preferences.into_iter().map(preference).collect(),
            decisions: found.decisions.into_iter().map(decision).collect(),
            revision: found.revision,
            last_revision: found.last_revision,
        }
    }
}

/// What a person wants, by identifiers in the body.
#[utoipa::path(
    post,
    path = "/v1/{namespace}/preferences:query",
    tag = "preferences",
    params(InNamespace),
    request_body = WhosePreferences,
    responses((status = 200, description = "What stands.", body = Preferences), BodyProblems)
)]
pub(super) async fn query(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    Json(whose): Json<WhosePreferences>,
) -> Result<Json<Preferences>, Failure> {
    let request = v1::GetPreferencesRequest {
        namespace,
        identifiers: identifiers(whose.identifiers)?,
        schema_version: whose.schema_version,
        min_revision: whose.min_revision,
        service: whose.service,
    };
    let found = api.get_preferences(call, request).await?;
    Ok(Json(found.into()))
}

/// What a person wants, by token: for a screen that shows it. `ETag` is the person's last revision, for `If-Match`.
#[utoipa::path(
    get,
    path = "/v1/{namespace}/subjects/{token}/preferences",
    tag = "preferences",
    params(OfSubject, Asking),
    responses(
        (status = 200, description = "What stands.", body = Preferences, headers(("ETag" = String, description = "The person's last revision, in quotes."))),
        Problems,
    )
)]
pub(super) async fn show(
    State(api): State<Api>,
    call: Call,
    Path(OfSubject { namespace, token }): Path<OfSubject>,
    Query(asking): Query<Asking>,
) -> Result<([(HeaderName, String); 1], Json<Preferences>), Failure> {
    let request = v1::GetPreferencesRequest {
        namespace,
        identifiers: by_token(token, asking.r#type),
        schema_version: asking.schema_version,
        min_revision: asking.min_revision,
        service: asking.service,
    };
    let found = api.get_preferences(call, request).await?;
    let tag = format!("\"{}\"", found.last_revision);
    Ok(([(header::ETAG, tag)], Json(found.into())))
}
