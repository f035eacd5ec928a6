//! Schema floors, and the services that ask.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{Api, Call, status::Failure},
    around::{Key, Query},
    body::Json,
    problem::{BodyProblems, Problems},
    subject::some,
    time::Time,
};
use crate::proto::v1;

/// A schema version that callers must be built for.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemaFloor {
    /// The purpose that it holds for, with what lies under it; left out for the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128)]
    purpose: Option<String>,
    /// The version; 0 for none. Not above the registry's.
    version: u32,
}

impl From<SchemaFloor> for v1::SchemaFloor {
    fn from(floor: SchemaFloor) -> Self {
        Self {
            purpose: floor.purpose.unwrap_or_default(),
            version: floor.version,
        }
    }
}

impl From<v1::SchemaFloor> for SchemaFloor {
    fn from(floor: v1::SchemaFloor) -> Self {
        Self {
            purpose: some(floor.purpose),
            version: floor.version,
        }
    }
}

/// The floors that stand.
#[derive(Serialize, ToSchema)]
pub(super) struct SchemaFloors {
    /// That of the whole cluster first, then those of purposes, by name.
    floors: Vec<SchemaFloor>,
    /// The registry's schema version: no floor can be above it.
    schema_version: u32,
    /// The revision at which this holds.
    revision: u64,
}

/// Lists the schema floors.
#[utoipa::path(
    get,
    path = "/admin/v1/schema-floors",
    tag = "registry",
    responses((status = 200, description = "The floors that stand.", body = SchemaFloors), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    call: Call,
) -> Result<Json<SchemaFloors>, Failure> {
    let found = api.list_purposes(call, v1::ListPurposesRequest {}).await?;
    let cluster = SchemaFloor {
        purpose: None,
        version: found.schema_floor,
    };
    let purposes = found.purposes.into_iter().map(|purpose| SchemaFloor {
        purpose: Some(purpose.name),
        version: purpose.schema_floor,
    });
    let floors = std::iter::once(cluster).chain(purposes);
    Ok(Json(SchemaFloors {
        floors: floors.filter(|floor| floor.version > 0).collect(),
        schema_version: found.schema_version,
        revision: found.revision,
    }))
}

/// Whether to do it.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DryRun {
    /// Only tell who would be refused.
    #[serde(default)]
    #[param(required = false)]
    dry_run: bool,
}

/// Done, or what it would do.
#[derive(Serialize, ToSchema)]
pub(super) struct FloorSet {
    /// The event, where anything changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The revision after the change, or at which a dry run looked.
    revision: u64,
    /// Whether anything changed.
    changed: bool,
    /// The request's id: the caller's `Idempotency-Key`, or the one that the server made.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The services that asked within the last day with a version below this floor. Which purposes a service asks about is
    /// not recorded: of a purpose's floor, only those of them that ask about it are refused.
    refused: Vec<ServiceSeen>,
}

/// Raises the schema floor of the cluster or of one purpose, or shows who would be refused by it. Lowering one is refused:
/// propose it.
#[utoipa::path(
    put,
    path = "/admin/v1/schema-floors",
    tag = "registry",
    params(DryRun, Key),
    request_body = SchemaFloor,
    responses((status = 200, description = "It stands, or would.", body = FloorSet), BodyProblems)
)]
pub(super) async fn put(
    State(api): State<Api>,
    call: Call,
    Query(DryRun { dry_run }): Query<DryRun>,
    key: Key,
    Json(floor): Json<SchemaFloor>,
) -> Result<Json<FloorSet>, Failure> {
    let request = v1::SetSchemaFloorRequest {
        request_id: key.request_id(),
        floor: Some(floor.into()),
        dry_run,
    };
    let done = api.set_schema_floor(call, request).await?;
    Ok(Json(FloorSet {
        event_id: some(done.event_id),
        revision: done.revision,
        changed: done.changed,
        request_id: some(done.request_id),
        refused: done.refused.into_iter().map(ServiceSeen::from).collect(),
    }))
}

/// One service at one schema version.
#[derive(Serialize, ToSchema)]
pub(super) struct ServiceSeen {
    /// Its name; empty for callers that named none.
    service: String,
    /// The schema version that it was built for; 0 where it did not say.
    schema_version: u32,
    /// How many questions and changes it has sent.
    calls: u64,
    /// How many of them were refused, or (opt-outs) taken all the same, with `SCHEMA_TOO_OLD`.
    below_floor: u64,
    /// When it was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<Time>,
    /// When it was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<Time>,
}

impl From<v1::ServiceSeen> for ServiceSeen {
    fn from(seen: v1::ServiceSeen) -> Self {
        Self {
            service: seen.service,
            schema_version: seen.schema_version,
            calls: seen.calls,
            below_floor: seen.below_floor,
            first_seen: seen.first_seen.map(Time),
            last_seen: seen.last_seen.map(Time),
        }
    }
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub(super) struct Services {
    /// By name and version. At most 4,096 are remembered; the one seen longest ago makes room.
    services: Vec<ServiceSeen>,
    /// The revision at which this holds.
    revision: u64,
}

/// Lists which services ask, with which schema version, how often, and when last. Reported by each node once a minute.
#[utoipa::path(
    get,
    path = "/admin/v1/services",
    tag = "registry",
    responses((status = 200, description = "Who asks.", body = Services), Problems)
)]
pub(super) async fn services(
    State(api): State<Api>,
    call: Call,
) -> Result<Json<Services>, Failure> {
    let found = api.list_services(call, v1::ListServicesRequest {}).await?;
    Ok(Json(Services {
        services: found.services.into_iter().map(ServiceSeen::from).collect(),
        revision: found.revision,
    }))
}
