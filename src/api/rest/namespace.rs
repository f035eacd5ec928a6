//! Namespaces and what their signals mean.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{Api, Call, status::Failure},
    around::{InNamespace, Key, Path},
    body::Json,
    problem::{BodyProblems, Problems},
    subject::some,
};
use crate::proto::v1;

/// A namespace with its settings.
#[derive(Serialize, ToSchema)]
pub(super) struct Namespace {
    /// Its name.
    name: String,
    /// The purposes that Global Privacy Control opts out of.
    gpc_purposes: Vec<String>,
}

/// All namespaces.
#[derive(Serialize, ToSchema)]
pub(super) struct Namespaces {
    /// By name.
    namespaces: Vec<Namespace>,
    /// The revision at which this holds.
    revision: u64,
}

/// Lists the namespaces.
#[utoipa::path(
    get,
    path = "/admin/v1/namespaces",
    tag = "registry",
    responses((status = 200, description = "All namespaces.", body = Namespaces), Problems)
)]
pub(super) async fn list(State(api): State<Api>, call: Call) -> Result<Json<Namespaces>, Failure> {
    let found = api
        .list_namespaces(call, v1::ListNamespacesRequest {})
        .await?;
    // As many settings as namespaces, in the same order.
    let namespaces = found.namespaces.into_iter().zip(found.settings);
    Ok(Json(Namespaces {
        namespaces: namespaces
            .map(|(name, settings)| Namespace {
                name,
                gpc_purposes: settings.gpc_purposes,
            })
            .collect(),
        revision: found.revision,
    }))
}

/// What a namespace's signals mean.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// The purposes that Global Privacy Control opts out of. Left out, they stay; a new namespace has those of `sale`,
    /// `sharing` and `advertising.targeted` that are registered.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 16)]
    gpc_purposes: Option<Vec<String>>,
}

/// What a namespace's signals are to mean.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedSettings {
    /// Its name.
    #[schema(min_length = 1, max_length = 64)]
    namespace: String,
    /// The purposes that Global Privacy Control opts out of.
    #[schema(min_items = 1, max_items = 16)]
    gpc_purposes: Vec<String>,
}

impl From<NamedSettings> for v1::NamespaceChange {
    fn from(named: NamedSettings) -> Self {
        let gpc_purposes = named.gpc_purposes;
        Self {
            namespace: named.namespace,
            settings: Some(v1::NamespaceSettings { gpc_purposes }),
        }
    }
}

impl From<v1::NamespaceChange> for NamedSettings {
    fn from(change: v1::NamespaceChange) -> Self {
        Self {
            namespace: change.namespace,
            gpc_purposes: change.settings.unwrap_or_default().gpc_purposes,
        }
    }
}

/// What became of a namespace.
#[derive(Serialize, ToSchema)]
pub(super) struct NamespaceChanged {
    /// The last event, where anything changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The revision after the change.
    revision: u64,
    /// Whether anything changed.
    changed: bool,
    /// The request's id: the caller's `Idempotency-Key`, or the one that the server made.
    request_id: String,
}

/// Adds a namespace where it is not there, and then sets what its signals mean where that is given. These are two changes:
/// where the second is refused, the first may have been made, and `outcome` says `unknown`. That Global Privacy Control opts out of
/// less than it does, in a new namespace too, is refused: propose it.
#[utoipa::path(
    put,
    path = "/admin/v1/namespaces/{namespace}",
    tag = "registry",
    params(InNamespace, Key),
    request_body = Settings,
    responses((status = 200, description = "It stands.", body = NamespaceChanged), BodyProblems)
)]
pub(super) async fn put(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    key: Key,
    Json(settings): Json<Settings>,
) -> Result<Json<NamespaceChanged>, Failure> {
    let settings = settings
        .gpc_purposes
        .map(|gpc_purposes| v1::NamespaceSettings { gpc_purposes });
    let done = api
        .put_namespace(call, key.request_id(), namespace, settings)
        .await?;
    Ok(Json(NamespaceChanged {
        event_id: some(done.event_id),
        revision: done.revision,
        changed: done.changed,
        request_id: done.request_id,
    }))
}
