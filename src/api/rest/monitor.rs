//! What services processed: reports, violations, scores.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{Api, Call, status::Failure},
    around::{InNamespace, Path, Query},
    body::Json,
    decision::ItemProblem,
    history::Event,
    problem::{BodyProblems, Problems},
    subject::{Identifier, identifiers, some},
    time::Time,
    words::{self, Word},
};
use crate::proto::v1;

/// A batch of reports of one service.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reports {
    /// What the service calls itself, as in its checks.
    #[schema(min_length = 1, max_length = 128, pattern = "^[a-zA-Z0-9._-]*$")]
    service: String,
    /// The schema version that it was built for; left out, it counts as 0.
    #[serde(default)]
    schema_version: u32,
    /// What it processed.
    #[schema(min_items = 1, max_items = 1000)]
    reports: Vec<Processing>,
}

/// One thing that was processed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Processing {
    /// Whose data; no two alike. Those that were named in the check, where there was one.
    #[schema(min_items = 1, max_items = 16)]
    identifiers: Vec<Identifier>,
    /// What for.
    #[schema(max_length = 128, example = "marketing.email")]
    purpose: String,
    /// When, by the service's clock; at most a minute ahead of the node's.
    processed_at: Time,
    /// The `decision_id` of the answer that it was processed under.
    #[serde(default)]
    decision_id: String,
    /// The stamp that it was processed under.
    #[serde(default)]
    stamp: String,
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
pub(super) struct JudgedReports {
    /// How many reports were judged: all but those that were refused.
    judged: u32,
    /// The reports that were violations. They are committed as events.
    violations: Vec<FoundViolation>,
    /// The reports that could not be judged. Nothing of them is counted.
    refused: Vec<RefusedReport>,
}

/// A report that was a violation.
#[derive(Serialize, ToSchema)]
pub(super) struct FoundViolation {
    /// Its place in the batch, from 0.
    index: u32,
    /// How it was against the rules.
    kind: words::ViolationKind,
    /// The opt-out that stood against it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    opt_out_event_id: Option<String>,
}

/// A report that could not be judged.
#[derive(Serialize, ToSchema)]
pub(super) struct RefusedReport {
    /// Its place in the batch, from 0.
    index: u32,
    /// Why.
    error: ItemProblem,
}

/// Reports what a service processed, up to 1,000 at a time, to be judged by what stood then. What was right is counted; what was not
/// becomes an event with the service's name.
#[utoipa::path(
    post,
    path = "/v1/{namespace}/processing",
    tag = "monitoring",
    params(InNamespace),
    request_body = Reports,
    responses((status = 200, description = "What was found.", body = JudgedReports), BodyProblems)
)]
pub(super) async fn report(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    Json(batch): Json<Reports>,
) -> Result<Json<JudgedReports>, Failure> {
    let report = |one: Processing| {
        Ok(v1::Processing {
            identifiers: identifiers(one.identifiers)?,
            purpose: one.purpose,
            processed_at: Some(one.processed_at.0),
            decision_id: one.decision_id,
            stamp: one.stamp,
        })
    };
    let reports = batch.reports.into_iter().map(report);
    let request = v1::ReportProcessingRequest {
        namespace,
        service: batch.service,
        schema_version: batch.schema_version,
        reports: reports.collect::<Result<_, Failure>>()?,
    };
    let found = api.report_processing(call, request).await?;
    let violations = found.violations.into_iter().map(|one| FoundViolation {
        index: one.index,
        kind: Word::of(one.kind),
        opt_out_event_id: some(one.opt_out_event_id),
    });
    let refused = found.refused.into_iter().map(|one| RefusedReport {
        index: one.index,
        error: one.error.unwrap_or_default().into(),
    });
    Ok(Json(JudgedReports {
        judged: found.judged,
        violations: violations.collect(),
        refused: refused.collect(),
    }))
}

/// Which violations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The namespace; left out for all.
    #[serde(default)]
    #[param(required = false, max_length = 64)]
    namespace: String,
    /// Of this service alone.
    #[serde(default)]
    #[param(required = false, max_length = 128)]
    service: String,
    /// Received from then on.
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

/// A page of violations.
#[derive(Serialize, ToSchema)]
pub(super) struct Violations {
    /// Their events, newest first.
    events: Vec<Event>,
    /// Where the next page begins; 0 when this was the last.
    next_before_revision: u64,
}

/// Lists the violations of services, newest first: the newest 10,000 events; older ones are in the journal.
#[utoipa::path(
    get,
    path = "/admin/v1/violations",
    tag = "monitoring",
    params(Wanted),
    responses((status = 200, description = "A page of violations.", body = Violations), Problems)
)]
pub(super) async fn violations(
    State(api): State<Api>,
    call: Call,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Violations>, Failure> {
    let request = v1::ListViolationsRequest {
        namespace: wanted.namespace,
        service: wanted.service,
        since: wanted.since.map(|since| since.0),
        limit: wanted.limit,
        before_revision: wanted.before_revision,
    };
    let page = api.list_violations(call, request).await?;
    Ok(Json(Violations {
        events: page.events.into_iter().map(Event::from).collect(),
        next_before_revision: page.next_before_revision,
    }))
}

/// Whose scores, over how long.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    /// Of this service alone.
    #[serde(default)]
    #[param(required = false, max_length = 128)]
    service: String,
    /// Over so many hours up to now; 0 means 24.
    #[serde(default)]
    #[param(required = false, maximum = 168)]
    hours: u32,
}

/// Scores.
#[derive(Serialize, ToSchema)]
pub(super) struct Scores {
    /// By service.
    scores: Vec<Score>,
}

/// A service's score: 100 x (1 - W / N), where N is the number of its reports and W the sum of the weights of its violations.
#[derive(Serialize, ToSchema)]
pub(super) struct Score {
    /// The service; empty for those that are counted under no name.
    service: String,
    /// 0 to 100; left out where nothing was reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    score: Option<f64>,
    /// The score of the span of the same length before; left out where nothing was reported then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    score_before: Option<f64>,
    /// Reports that were judged.
    judged: u64,
    /// Violations by kind; kinds without any are left out.
    violations: Vec<ViolationCount>,
}

/// How often a kind of violation happened.
#[derive(Serialize, ToSchema)]
pub(super) struct ViolationCount {
    /// The kind.
    kind: words::ViolationKind,
    /// How often.
    count: u64,
}

/// Tells what services' reports came to.
#[utoipa::path(
    get,
    path = "/admin/v1/scores",
    tag = "monitoring",
    params(Span),
    responses((status = 200, description = "The scores.", body = Scores), Problems)
)]
pub(super) async fn scores(
    State(api): State<Api>,
    call: Call,
    Query(Span { service, hours }): Query<Span>,
) -> Result<Json<Scores>, Failure> {
    let found = api
        .get_scores(call, v1::GetScoresRequest { service, hours })
        .await?;
    let score = |one: v1::ServiceScore| Score {
        service: one.service,
        score: one.score,
        score_before: one.score_before,
        judged: one.judged,
        violations: one
            .violations
            .into_iter()
            .map(|count| ViolationCount {
                kind: Word::of(count.kind),
                count: count.count,
            })
            .collect(),
    };
    Ok(Json(Scores {
        scores: found.scores.into_iter().map(score).collect(),
    }))
}
