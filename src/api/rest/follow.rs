//! The feed as server-sent events: a page, or a service without gRPC, follows what changes.

use std::convert::Infallible;

use axum::{
    extract::State,
    response::sse::{self, Sse},
};
use futures::{Stream, StreamExt as _, future, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{Api, Call, status::Failure},
    around::{InNamespace, LastEventId, Path, Query},
    history::Event,
    problem::{Problem, Problems},
    time::Time,
};
use crate::proto::v1::{self, watch_response::Item};

/// What to follow.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Following {
    /// The first revision wanted, so the last one seen plus one; 1 for all that ever was; 0 for only what is new from now.
    #[serde(default)]
    #[param(required = false)]
    from: u64,
    /// Only events that touch this purpose, what lies under it or above it. May stand several times.
    #[serde(default)]
    #[param(required = false, max_items = 64)]
    purpose: Vec<String>,
    /// Only what concerns this token. May stand several times. What concerns no subject, such as a new purpose, passes too.
    #[serde(default)]
    #[param(required = false, max_items = 64)]
    token: Vec<String>,
    /// Milliseconds between heartbeats while nothing else is sent; 0 means 5,000.
    #[serde(default)]
    #[param(required = false, maximum = 60_000)]
    heartbeat_ms: u32,
    /// The schema version of the purpose registry that the caller was built for; left out, it counts as 0.
    #[serde(default)]
    #[param(required = false)]
    schema_version: u32,
    /// The service that asks.
    #[serde(default)]
    #[param(required = false, max_length = 128)]
    service: String,
}

/// The follower has seen all that passes its filters up to this revision.
#[derive(Serialize, ToSchema)]
pub(super) struct Heartbeat {
    /// The revision.
    revision: u64,
    /// The node's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<Time>,
}

/// One event of the stream.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what `sse::Event` writes")]
struct Sent {
    /// `change`, `heartbeat` or `problem`.
    #[schema(pattern = "^(change|heartbeat|problem)$")]
    event: String,
    /// The revision; a `problem` has none.
    #[schema(pattern = "^[0-9]+$")]
    id: Option<String>,
    /// JSON: an `Event`, a `Heartbeat` or a `Problem`.
    data: String,
}

/// Follows the events of a namespace, with what concerns the whole cluster, as server-sent events: `change` with an event,
/// `heartbeat` with the revision up to which there is nothing else, `problem` where the feed ends. The `id` of each is its
/// revision, so that an event source goes on where it was by itself.
#[utoipa::path(
    get,
    path = "/v1/{namespace}/changes",
    tag = "changes",
    params(InNamespace, Following, LastEventId),
    responses(
        (status = 200, description = "The events.", body = Sent, content_type = "text/event-stream"),
        Problems,
    )
)]
pub(super) async fn changes(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    Query(following): Query<Following>,
    last: LastEventId,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    let request = v1::WatchRequest {
        from_revision: last.revision.map_or(following.from, |seen| seen + 1),
        snapshot: false,
        namespaces: vec![namespace],
        purposes: following.purpose,
        tokens: following.token,
        heartbeat_interval_ms: following.heartbeat_ms,
        schema_version: following.schema_version,
        service: following.service,
    };
    let (from, items) = api.watch(call, request).await?;
    // At once, so that who is cut off before anything happened goes on from here all the same.
    let begin = Heartbeat {
        revision: from - 1,
        sent_at: None,
    };
    let events = stream::once(future::ready(begin.shown()));
    Ok(Sse::new(events.chain(items.map(shown)).map(Ok)))
}

impl Heartbeat {
    fn shown(&self) -> sse::Event {
        of("heartbeat", self).id(self.revision.to_string())
    }
}

fn shown(item: Result<v1::WatchResponse, Failure>) -> sse::Event {
    match item.map(|answer| answer.item) {
        Ok(Some(Item::Event(event))) => {
            let event = Event::from(event);
            of("change", &event).id(event.revision().to_string())
        }
        Ok(Some(Item::Heartbeat(v1::Heartbeat { revision, sent_at }))) => {
            let sent_at = sent_at.map(Time);
            Heartbeat { revision, sent_at }.shown()
        }
        // Not asked for: they come with snapshots alone.
        Ok(Some(Item::Standing(_) | Item::Synced(_)) | None) => sse::Event::default().comment(""),
        Err(failure) => of("problem", &Problem::of(&failure)),
    }
}

/// An event of the stream. JSON has no line breaks but those that it escapes.
fn of(kind: &str, data: &impl Serialize) -> sse::Event {
    let data = serde_json::to_string(data).unwrap_or_default();
    sse::Event::default().event(kind).data(data)
}
