//! What is out of the ordinary: listed, and what counts as that.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{Api, Call, status::Failure},
    around::Query,
    body::Json,
    history::Event,
    problem::{BodyProblems, Problems},
    subject::some,
    time::Time,
    words::{self, Word},
};
use crate::proto::v1;

/// Which anomalies.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedAnomalies {
    /// The namespace; left out for all, those of the whole cluster among them.
    #[serde(default)]
    #[param(required = false, max_length = 64)]
    namespace: String,
    /// Of this kind alone.
    #[serde(default)]
    #[param(required = false)]
    kind: Option<words::AnomalyKind>,
    /// Found from then on.
    #[serde(default)]
    #[param(required = false)]
    since: Option<Time>,
    /// At most so many events; 0 means 100.
    #[serde(default)]
    #[param(required = false, maximum = 1000)]
    limit: u32,
    /// Only events older than this revision; 0 for the newest. Take it from `next_before_revision`.
    #[serde(default)]
    #[param(required = false)]
    before_revision: u64,
}

/// A page of anomalies.
#[derive(Serialize, ToSchema)]
pub(super) struct Anomalies {
    /// Their events, newest first.
    events: Vec<Event>,
    /// Where the next page begins; 0 when this was the last.
    next_before_revision: u64,
}

/// Something out of the ordinary. Who it is about is its event's `principal`.
#[derive(Serialize, ToSchema)]
pub(super) struct Anomaly {
    /// How.
    kind: words::AnomalyKind,
    /// The type of the subject's identifier; left out where it is about no subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    /// The subject, by one of its tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// How many there were: changes, turns, repeats; of an import, rows.
    count: u64,
    /// From how many on it is out of the ordinary; of an import: the rows of the one before.
    expected: u64,
    /// Within how many seconds; 0 for an import.
    window_s: u32,
}

impl From<v1::Anomaly> for Anomaly {
    fn from(found: v1::Anomaly) -> Self {
        Self {
            kind: Word::of(found.kind),
            r#type: some(found.r#type),
            token: some(found.token),
            count: found.count,
            expected: found.expected,
            window_s: found.window_s,
        }
    }
}

/// What counts as out of the ordinary. A number or a factor of 0 switches its kind off.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AnomalySettings {
    /// How long changes of one subject are counted, in seconds.
    #[schema(minimum = 1, maximum = 3600)]
    subject_window_s: u32,
    /// Changes of one subject; not 1.
    #[schema(maximum = 1_000_000)]
    subject_changes: u32,
    /// Turns of one subject, from out to in or back; not 1.
    #[schema(maximum = 1_000_000)]
    subject_turns: u32,
    /// How long changes by one caller are counted, in seconds.
    #[schema(minimum = 1, maximum = 3600)]
    caller_window_s: u32,
    /// Changes by one caller; not 1.
    #[schema(maximum = 1_000_000)]
    caller_changes: u32,
    /// How long repeats of the same request are counted, in seconds.
    #[schema(minimum = 1, maximum = 3600)]
    repeat_window_s: u32,
    /// Repeats of the same request; not 1.
    #[schema(maximum = 1_000_000)]
    repeats: u32,
    /// How many times as long, or as short, an import is as the one before; not 1.
    #[schema(maximum = 1_000_000)]
    import_factor: u32,
    /// Rows that the longer of the two has at least.
    #[schema(minimum = 1, maximum = 1_000_000)]
    import_rows: u32,
}

impl From<v1::AnomalySettings> for AnomalySettings {
    fn from(settings: v1::AnomalySettings) -> Self {
        Self {
            subject_window_s: settings.subject_window_s,
            subject_changes: settings.subject_changes,
            subject_turns: settings.subject_turns,
            caller_window_s: settings.caller_window_s,
            caller_changes: settings.caller_changes,
            repeat_window_s: settings.repeat_window_s,
            repeats: settings.repeats,
            import_factor: settings.import_factor,
            import_rows: settings.import_rows,
        }
    }
}

/// What counts as out of the ordinary, and since when it is known.
#[derive(Serialize, ToSchema)]
pub(super) struct StandingAnomalySettings {
    /// As they stand.
    settings: AnomalySettings,
    /// The revision at which this holds.
    revision: u64,
}

/// Sets what counts as out of the ordinary.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAnomalySettings {
    /// Names the request: a UUID of version 7. Left out, the server makes one.
    #[serde(default)]
    request_id: String,
    /// All of it, as it is to stand.
    settings: AnomalySettings,
}

/// What was set.
#[derive(Serialize, ToSchema)]
pub(super) struct AnomalySettingsSet {
    /// The event; left out where nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The revision after it.
    revision: u64,
    /// Whether anything changed.
    changed: bool,
    /// The request's id.
    request_id: String,
}

/// Lists what was found out of the ordinary, newest first: the newest 10,000 events; older ones are in the journal.
#[utoipa::path(
    get,
    path = "/admin/v1/anomalies",
    tag = "monitoring",
    params(WantedAnomalies),
    responses((status = 200, description = "A page of anomalies.", body = Anomalies), Problems)
)]
pub(super) async fn list(
    State(api): State<Api>,
    call: Call,
    Query(wanted): Query<WantedAnomalies>,
) -> Result<Json<Anomalies>, Failure> {
    let request = v1::ListAnomaliesRequest {
        namespace: wanted.namespace,
        kind: wanted.kind.map(Word::number).unwrap_or_default(),
        since: wanted.since.map(|since| since.0),
        limit: wanted.limit,
        before_revision: wanted.before_revision,
    };
    let page = api.list_anomalies(call, request).await?;
    Ok(Json(Anomalies {
        events: page.events.into_iter().map(Event::from).collect(),
        next_before_revision: page.next_before_revision,
    }))
}

/// Tells what counts as out of the ordinary.
#[utoipa::path(
    get,
    path = "/admin/v1/anomaly-settings",
    tag = "monitoring",
    responses((status = 200, description = "The settings.", body = StandingAnomalySettings), Problems)
)]
pub(super) async fn settings(
    State(api): State<Api>,
    call: Call,
) -> Result<Json<StandingAnomalySettings>, Failure> {
    let found = api
        .get_anomaly_settings(call, v1::GetAnomalySettingsRequest {})
        .await?;
    Ok(Json(StandingAnomalySettings {
        settings: found.settings.unwrap_or_default().into(),
        revision: found.revision,
    }))
}

/// Sets what counts as out of the ordinary, on all nodes. It drops and delays nothing, however it is set.
#[utoipa::path(
    put,
    path = "/admin/v1/anomaly-settings",
    tag = "monitoring",
    request_body = NewAnomalySettings,
    responses((status = 200, description = "What was set.", body = AnomalySettingsSet), BodyProblems)
)]
pub(super) async fn configure(
    State(api): State<Api>,
    call: Call,
    Json(asked): Json<NewAnomalySettings>,
) -> Result<Json<AnomalySettingsSet>, Failure> {
    let settings = asked.settings;
    let request = v1::ConfigureAnomaliesRequest {
        request_id: asked.request_id,
        settings: Some(v1::AnomalySettings {
            subject_window_s: settings.subject_window_s,
            subject_changes: settings.subject_changes,
            subject_turns: settings.subject_turns,
            caller_window_s: settings.caller_window_s,
            caller_changes: settings.caller_changes,
            repeat_window_s: settings.repeat_window_s,
            repeats: settings.repeats,
            import_factor: settings.import_factor,
            import_rows: settings.import_rows,
        }),
    };
    let done = api.configure_anomalies(call, request).await?;
    Ok(Json(AnomalySettingsSet {
        event_id: some(done.event_id),
        revision: done.revision,
        changed: done.changed,
        request_id: done.request_id,
    }))
}
