//! Purposes: what data may be used for.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{Api, Call, status::Failure},
    around::{Key, Path},
    body::Json,
    problem::{BodyProblems, Problems},
    subject::some,
};
use crate::proto::v1;

/// One purpose.
#[derive(Serialize, ToSchema)]
pub(super) struct Purpose {
    /// Its dotted name; the part before the last dot is its parent.
    name: String,
    /// What it means, for people.
    description: String,
    /// Whether a person without a record is denied.
    default_deny: bool,
    /// Whether it cannot be opted out of.
    essential: bool,
    /// The registry's schema version at which it last changed its meaning.
    schema_version: u32,
    /// The schema version that a caller must be built for to ask about it, or what lies under it; 0 for none.
    schema_floor: u32,
}

impl From<v1::Purpose> for Purpose {
    fn from(purpose: v1::Purpose) -> Self {
        Self {
            default_deny: purpose.default_deny(),
            name: purpose.name,
            description: purpose.description,
            essential: purpose.essential,
            schema_version: purpose.schema_version,
            schema_floor: purpose.schema_floor,
        }
    }
}

/// All purposes.
#[derive(Serialize, ToSchema)]
pub(super) struct Purposes {
    /// By name. The root `*` is not among them.
    purposes: Vec<Purpose>,
    /// The registry's schema version.
    schema_version: u32,
    /// The schema version that every caller must be built for; 0 for none.
    schema_floor: u32,
    /// The revision at which this holds.
    revision: u64,
}

/// Lists the purposes.
#[utoipa::path(
    get,
    path = "/admin/v1/purposes",
    tag = "registry",
    responses((status = 200, description = "All purposes.", body = Purposes), Problems)
)]
pub(super) async fn list(State(api): State<Api>, call: Call) -> Result<Json<Purposes>, Failure> {
    let found = api.list_purposes(call, v1::ListPurposesRequest {}).await?;
    Ok(Json(Purposes {
        purposes: found.purposes.into_iter().map(Purpose::from).collect(),
        schema_version: found.schema_version,
        schema_floor: found.schema_floor,
        revision: found.revision,
    }))
}

/// Which purpose.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Named {
    /// Its dotted name: 1 to 8 lower-case words of `a-z 0-9 _`, each starting with a letter.
    #[param(min_length = 1, max_length = 128)]
    name: String,
}

/// What a purpose is to be. What it allows must be said: nothing that is left out may come to mean ALLOW.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Meaning {
    /// What it means, for people.
    #[serde(default)]
    #[schema(max_length = 1024)]
    description: String,
    /// Whether a person without a record is denied. Has no meaning for an essential purpose.
    default_deny: bool,
    /// Whether it cannot be opted out of. Only beneath an essential parent, or without a parent.
    essential: bool,
}

impl Meaning {
    /// The purpose of this meaning.
    pub(super) fn named(self, name: String) -> v1::Purpose {
        v1::Purpose {
            name,
            description: self.description,
            default_deny: Some(self.default_deny),
            essential: self.essential,
            schema_version: 0,
            schema_floor: 0,
        }
    }
}

/// What became of a purpose.
#[derive(Serialize, ToSchema)]
pub(super) struct PurposeChanged {
    /// The event, where anything changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The revision after the change.
    revision: u64,
    /// Whether anything changed.
    changed: bool,
    /// The purpose as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<Purpose>,
    /// The request's id: the caller's `Idempotency-Key`, or the one that the server made.
    request_id: String,
}

/// Adds a purpose or changes one. What would allow what is denied today is refused: propose it instead.
#[utoipa::path(
    put,
    path = "/admin/v1/purposes/{name}",
    tag = "registry",
    params(Named, Key),
    request_body = Meaning,
    responses((status = 200, description = "It stands.", body = PurposeChanged), BodyProblems)
)]
pub(super) async fn put(
    State(api): State<Api>,
    call: Call,
    Path(Named { name }): Path<Named>,
    key: Key,
    Json(meaning): Json<Meaning>,
) -> Result<Json<PurposeChanged>, Failure> {
    let request = v1::PutPurposeRequest {
        request_id: key.request_id(),
        purpose: Some(meaning.named(name)),
    };
    let done = api.put_purpose(call, request).await?;
    Ok(Json(PurposeChanged {
        event_id: some(done.event_id),
        revision: done.revision,
        changed: done.changed,
        purpose: done.purpose.map(Purpose::from),
        request_id: done.request_id,
    }))
}
