//! Events in JSON, and a person's history.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{Api, Call, status::Failure},
    anomaly::{Anomaly, AnomalySettings},
    around::{OfSubject, Path, Query},
    body::Json,
    problem::Problems,
    subject::{by_token, some},
    time::Time,
    words::{self, Word},
};
use crate::proto::v1;

/// One accepted change: immutable, journaled for ever.
#[derive(Serialize, ToSchema)]
pub(super) struct Event {
    /// A `UUIDv7`.
    id: String,
    /// The event's place among all events: dense, 1-based, the same on every node.
    revision: u64,
    /// What was recorded.
    kind: words::EventKind,
    /// The namespace; left out for what concerns the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// The subject's tokens.
    tokens: Vec<EventToken>,
    /// The purposes opted out of or in to (of `preferences`: opted out of), changed, or covered.
    purposes: Vec<String>,
    /// Of `preferences`: the purposes opted in to.
    opted_in_purposes: Vec<String>,
    /// How the wish arrived.
    signal: words::Signal,
    /// Who called.
    principal: String,
    /// When the leader received the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<Time>,
    /// SHA-256 of the sealed evidence, in hexadecimal digits, where there is evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence_sha256: Option<String>,
    /// The change that was proposed, approved, withdrawn, revoked or has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    change_id: Option<String>,
    /// Who proposed what `principal` approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_by: Option<String>,
    /// Of an override that ended: the decisions that it made an ALLOW, by service.
    lifted: Vec<ServiceCount>,
    /// The service that sent the change, as it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// What is out of the ordinary.
    #[serde(skip_serializing_if = "Option::is_none")]
    anomaly: Option<Anomaly>,
    /// What counts as out of the ordinary from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    anomaly_settings: Option<AnomalySettings>,
    /// What was done with a member of the cluster; of `created`: which one it began with.
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<Membership>,
    /// Of a violation: what the service did.
    #[serde(skip_serializing_if = "Option::is_none")]
    violations: Option<Violated>,
    /// Whose evidence was erased, and of which events.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_evidence: Option<ErasedEvidence>,
}

/// Evidence that cannot be opened any more.
#[derive(Serialize, ToSchema)]
pub(super) struct ErasedEvidence {
    /// The person's tokens.
    tokens: Vec<EventToken>,
    /// The revisions of the events whose evidence it was, ascending.
    revisions: Vec<u64>,
}

/// What was done with a member of the cluster. Who asked for it is its event's `principal`: `cluster` where that is not known.
#[derive(Serialize, ToSchema)]
pub(super) struct Membership {
    /// The member's id: 16 hexadecimal digits.
    node_id: String,
    /// Where it listens for the other members, or did.
    peer_address: String,
    /// What was done.
    act: words::MembershipAct,
}

impl From<v1::Membership> for Membership {
    fn from(done: v1::Membership) -> Self {
        Self {
            node_id: done.node_id,
            peer_address: done.peer_address,
            act: Word::of(done.act),
        }
    }
}

/// Violations that are alike: of one service, purpose and kind.
#[derive(Serialize, ToSchema)]
pub(super) struct Violated {
    /// The service.
    service: String,
    /// How it processed against the rules.
    kind: words::ViolationKind,
    /// How many there were.
    count: u64,
    /// When the first was, by the service's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_at: Option<Time>,
    /// When the last was.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<Time>,
    /// Some of them.
    samples: Vec<Sample>,
}

/// One violation.
#[derive(Serialize, ToSchema)]
pub(super) struct Sample {
    /// The identifier's type.
    r#type: String,
    /// Whose data: the first token that was named.
    token: String,
    /// When it was processed, by the service's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    processed_at: Option<Time>,
    /// The opt-out that stood against it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    opt_out_event_id: Option<String>,
}

impl From<v1::Violations> for Violated {
    fn from(found: v1::Violations) -> Self {
        let sample = |one: v1::ViolationSample| Sample {
            r#type: one.r#type,
            token: one.token,
            processed_at: one.processed_at.map(Time),
            opt_out_event_id: some(one.opt_out_event_id),
        };
        Self {
            service: found.service,
            kind: Word::of(found.kind),
            count: found.count,
            first_at: found.first_at.map(Time),
            last_at: found.last_at.map(Time),
            samples: found.samples.into_iter().map(sample).collect(),
        }
    }
}

/// One token in an event, with the way back through its history.
#[derive(Serialize, ToSchema)]
pub(super) struct EventToken {
    /// The identifier's type.
    r#type: String,
    /// The token.
    token: String,
    /// The revision of this token's previous event, or 0 where this is its first.
    previous_revision: u64,
}

/// How often something happened to a service.
#[derive(Serialize, ToSchema)]
pub(super) struct ServiceCount {
    /// The service's name; empty for those that named none.
    service: String,
    /// How often.
    count: u64,
}

impl From<v1::ServiceCount> for ServiceCount {
    fn from(one: v1::ServiceCount) -> Self {
        Self {
            service: one.service,
            count: one.count,
        }
    }
}

impl Event {
    /// Its place among all events.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }
}

impl From<v1::Event> for Event {
    fn from(event: v1::Event) -> Self {
        let token = |one: v1::EventToken| EventToken {
            r#type: one.r#type,
            token: one.token,
            previous_revision: one.previous_revision,
        };
        Self {
            id: event.id,
            revision: event.revision,
            kind: Word::of(event.kind),
            namespace: some(event.namespace),
            tokens: event.tokens.into_iter().map(token).collect(),
            purposes: event.purposes,
            opted_in_purposes: event.opted_in_purposes,
            signal: Word::of(event.signal),
            principal: event.principal,
            received_at: event.received_at.map(Time),
            evidence_sha256: some(hex::encode(event.evidence_sha256)),
            change_id: some(event.change_id),
            proposed_by: some(event.proposed_by),
            lifted: event.lifted.into_iter().map(ServiceCount::from).collect(),
            service: some(event.service),
            anomaly: event.anomaly.map(Anomaly::from),
            anomaly_settings: event.anomaly_settings.map(AnomalySettings::from),
            membership: event.membership.map(Membership::from),
            violations: event.violations.map(Violated::from),
            erased_evidence: event.erased_evidence.map(|erased| ErasedEvidence {
                tokens: erased.tokens.into_iter().map(token).collect(),
                revisions: erased.revisions,
            }),
        }
    }
}

/// Which part of a history.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// The type of the identifier behind the token, such as `email`; `token` unless it says otherwise.
    #[serde(default)]
    #[param(max_length = 32)]
    r#type: Option<String>,
    /// At most so many events; 0 means 100.
    #[serde(default)]
    #[param(required = false, maximum = 1000)]
    page_size: u32,
    /// Only events older than this revision; 0 for the newest. Take it from `next_before_revision`.
    #[serde(default)]
    #[param(required = false)]
    before_revision: u64,
    /// A revision that the answer must have reached.
    #[serde(default)]
    #[param(required = false)]
    min_revision: u64,
    /// The schema version of the purpose registry that the caller was built for; left out, it counts as 0.
    #[serde(default)]
    #[param(required = false)]
    schema_version: u32,
    /// The service that asks.
    #[serde(default)]
    #[param(required = false, max_length = 128)]
    service: String,
}

/// A page of history.
#[derive(Serialize, ToSchema)]
pub(super) struct History {
    /// The events, newest first, each once.
    events: Vec<Event>,
    /// Where the next page begins; 0 when this was the last.
    next_before_revision: u64,
    /// The revision at which this was read.
    revision: u64,
}

/// How a person's preferences came about, the newest event first.
#[utoipa::path(
    get,
    path = "/v1/{namespace}/subjects/{token}/events",
    tag = "preferences",
    params(OfSubject, Paging),
    responses((status = 200, description = "A page of history.", body = History), Problems)
)]
pub(super) async fn events(
    State(api): State<Api>,
    call: Call,
    Path(OfSubject { namespace, token }): Path<OfSubject>,
    Query(paging): Query<Paging>,
) -> Result<Json<History>, Failure> {
    let request = v1::ListEventsRequest {
        namespace,
        identifiers: by_token(token, paging.r#type),
        page_size: paging.page_size,
        before_revision: paging.before_revision,
        min_revision: paging.min_revision,
        schema_version: paging.schema_version,
        service: paging.service,
    };
    let page = api.list_events(call, request).await?;
    Ok(Json(History {
        events: page.events.into_iter().map(Event::from).collect(),
        next_before_revision: page.next_before_revision,
        revision: page.revision,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt;

    #[test]
    fn a_receipt_tells_an_event_as_the_calls_do() {
        for event in receipt::tests::events() {
            let of_leaf = v1::Receipt {
                leaf: event.encode(),
                ..v1::Receipt::default()
            };
            let document = receipt::to_json(&of_leaf).expect("a receipt");
            let told = Event::from(receipt::contract::event(event));
            let told = serde_json::to_value(told).expect("JSON");
            assert_eq!(document["refrain:event"], told);
        }
    }

    #[test]
    fn the_events_have_each_detail() {
        let events = receipt::tests::events().into_iter();
        let mut told = serde_json::Map::new();
        for event in events.map(receipt::contract::event).map(Event::from) {
            if let serde_json::Value::Object(members) = serde_json::to_value(event).expect("JSON") {
                told.extend(members);
            }
        }
        for detail in [
            "service",
            "anomaly",
            "anomaly_settings",
            "membership",
            "violations",
            "erased_evidence",
        ] {
            assert!(told.contains_key(detail), "{detail}");
        }
    }
}
