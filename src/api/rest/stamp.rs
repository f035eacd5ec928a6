//! Stamps: whether one still holds, and the keys that they are verified with.

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{Api, Call, deadline::Deadline, status::Failure},
    around::{InNamespace, Path},
    body::Json,
    problem::{BodyProblems, Problems},
    subject::{Identifier, identifiers, some},
    time::Time,
    words::{self, Word},
};
use crate::{domain::Refusal, proto::v1};

/// Does it still hold?
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Stamped {
    /// The stamp, as it was got.
    #[schema(min_length = 1, max_length = 8192)]
    stamp: String,
    /// What the data would be used for; one of the stamp's purposes.
    #[schema(max_length = 128, example = "marketing.email")]
    purpose: String,
    /// Whom the data is about, where anything but the stamp says so: each must be one of those whom the stamp is about.
    #[serde(default)]
    #[schema(value_type = Vec<Identifier>, required = false, min_items = 1, max_items = 16)]
    identifiers: Option<Vec<Identifier>>,
    /// The schema version of the purpose registry that the caller was built for; left out, it counts as 0.
    #[serde(default)]
    schema_version: u32,
    /// The service that asks.
    #[serde(default)]
    #[schema(max_length = 128, pattern = "^[a-zA-Z0-9._-]*$")]
    service: String,
}

/// What holds now. Go on for `allow` alone; everything else, an error included, is a denial.
#[derive(Serialize, ToSchema)]
pub(super) struct Verified {
    /// May the caller process, now?
    decision: words::Decision,
    /// Why.
    reason: words::Reason,
    /// The event that decided, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The revision at which this holds.
    revision: u64,
    /// Names this answer, so that it can be quoted and checked later.
    decision_id: String,
    /// The time at which it was decided; only the expiry of overrides looks at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluated_at: Option<Time>,
    /// The override that made this an `allow`, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    override_id: Option<String>,
    /// What the stamp itself says.
    stamped_decision: words::Decision,
    /// The revision at which the stamp was made.
    stamped_revision: u64,
    /// Whom the stamp is about: their tokens. The decision is about all of them together.
    tokens: Vec<String>,
}

impl From<v1::VerifyStampResponse> for Verified {
    fn from(answer: v1::VerifyStampResponse) -> Self {
        Self {
            decision: Word::of(answer.decision),
            reason: Word::of(answer.reason),
            event_id: some(answer.event_id),
            revision: answer.revision,
            decision_id: answer.decision_id,
            evaluated_at: answer.evaluated_at.map(Time),
            override_id: some(answer.override_id),
            stamped_decision: Word::of(answer.stamped_decision),
            stamped_revision: answer.stamped_revision,
            tokens: answer.tokens,
        }
    }
}

/// Tells whether a stamp is genuine, and what the decision is now, for whom it is about. The answer reflects every change
/// that was acknowledged before. A stamp that is forged, of another cluster, namespace, purpose or person, or expired, is a problem
/// and no answer: deny.
#[utoipa::path(
    post,
    path = "/v1/{namespace}/stamps/verify",
    tag = "decisions",
    params(InNamespace),
    request_body = Stamped,
    responses((status = 200, description = "The decision.", body = Verified), BodyProblems)
)]
pub(super) async fn verify(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    Json(stamped): Json<Stamped>,
) -> Result<Json<Verified>, Failure> {
    let named = match stamped.identifiers {
        // Who means to name somebody and names nobody is not to hear of whom the stamp is about instead.
        Some(none) if none.is_empty() => return Err(Refusal::IdentifiersRequired.into()),
        named => named.unwrap_or_default(),
    };
    let request = v1::VerifyStampRequest {
        stamp: stamped.stamp,
        service: stamped.service,
        schema_version: stamped.schema_version,
        purpose: stamped.purpose,
        namespace,
        identifiers: identifiers(named)?,
    };
    let answer = api.verify_stamp(call, request).await?;
    Ok(Json(answer.into()))
}

/// The public keys of the cluster's stamps (RFC 7517).
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what a `KeySet` writes")]
struct JwkSet {
    /// The cluster's id: `iss` of every stamp that these keys sign.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    issuer: String,
    /// The keys.
    keys: Vec<Jwk>,
}

/// A public key (RFC 8037).
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what a `KeySet` writes")]
struct Jwk {
    /// `OKP`.
    #[schema(pattern = "^OKP$")]
    kty: String,
    /// `Ed25519`.
    #[schema(pattern = "^Ed25519$")]
    crv: String,
    /// The key, base64url.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    x: String,
    /// Its id, as in a stamp's header: the thumbprint (RFC 7638), base64url.
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    kid: String,
    /// `sig`.
    #[schema(pattern = "^sig$")]
    r#use: String,
    /// `EdDSA`.
    #[schema(pattern = "^EdDSA$")]
    alg: String,
}

/// The keys that stamps are verified with, those of them that were retired within the life of a stamp too. Open to
/// everybody.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "documents",
    security(()),
    responses(
        (status = 200, description = "The keys.", body = JwkSet, content_type = "application/jwk-set+json"),
        Problems,
    )
)]
pub(super) async fn jwks(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Failure> {
    let deadline = Deadline::of(&headers, api.parts().deadlines);
    let keys = api.key_set(&deadline).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        // Whoever meets a key that is not in the set denies, or gets it again.
        (header::CACHE_CONTROL, "public, max-age=60"),
    ];
    Ok((headers, keys.to_json()).into_response())
}
