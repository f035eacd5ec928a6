//! `check` and `batch-check`: may I?

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{
        Api, Call,
        status::{Failure, http_status},
    },
    around::{InNamespace, Path},
    body::Json,
    problem::BodyProblems,
    subject::{Identifier, identifiers, some},
    time::Time,
    words::{self, Word},
};
use crate::proto::v1::{self, batch_check_item};

/// One question.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// By what the person is known; no two alike. The least permissive answer over all of them wins.
    #[schema(min_items = 1, max_items = 16)]
    identifiers: Vec<Identifier>,
    /// What the data would be used for.
    #[schema(max_length = 128, example = "marketing.email")]
    purpose: String,
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
    /// Whether the answer should bring a stamp: the decision, signed, to travel inside a message.
    #[serde(default)]
    want_stamp: bool,
}

impl Question {
    fn into_proto(self, namespace: String) -> Result<v1::CheckRequest, Failure> {
        Ok(v1::CheckRequest {
            namespace,
            identifiers: identifiers(self.identifiers)?,
            purpose: self.purpose,
            schema_version: self.schema_version,
            min_revision: self.min_revision,
            service: self.service,
            want_stamp: self.want_stamp,
        })
    }
}

/// One answer. Go on for `allow` alone; everything else, an error included, is a denial.
#[derive(Serialize, ToSchema)]
pub(super) struct Answer {
    /// May the caller process?
    decision: words::Decision,
    /// Why.
    reason: words::Reason,
    /// The event that decided, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The revision at which the answer holds.
    revision: u64,
    /// Names this answer, so that it can be quoted and checked later.
    decision_id: String,
    /// The time at which it was decided; only the expiry of overrides looks at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluated_at: Option<Time>,
    /// The decision as a stamp, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    stamp: Option<String>,
    /// The override that made this an `allow`, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    override_id: Option<String>,
}

impl From<v1::CheckResponse> for Answer {
    fn from(answer: v1::CheckResponse) -> Self {
        Self {
            decision: Word::of(answer.decision),
            reason: Word::of(answer.reason),
            event_id: some(answer.event_id),
            revision: answer.revision,
            decision_id: answer.decision_id,
            evaluated_at: answer.evaluated_at.map(Time),
            stamp: some(answer.stamp),
            override_id: some(answer.override_id),
        }
    }
}

/// Decides one question. The answer reflects every change that was acknowledged before.
#[utoipa::path(
    post,
    path = "/v1/{namespace}/check",
    tag = "decisions",
    params(InNamespace),
    request_body = Question,
    responses((status = 200, description = "The decision.", body = Answer), BodyProblems)
)]
pub(super) async fn check(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    Json(question): Json<Question>,
) -> Result<Json<Answer>, Failure> {
    let answer = api.check(call, question.into_proto(namespace)?).await?;
    Ok(Json(answer.into()))
}

/// Many questions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    /// The questions.
    #[schema(min_items = 1, max_items = 1000)]
    items: Vec<Question>,
}

/// As many results as questions, in the same order.
#[derive(Serialize, ToSchema)]
pub(super) struct Results {
    /// The results.
    results: Vec<ItemResult>,
    /// The one revision at which all of them hold.
    revision: u64,
}

/// One answer of a batch, or why there is none. Deny where there is none.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ItemResult {
    /// The answer.
    Ok(Box<Answer>),
    /// Why there is none.
    Error(ItemProblem),
}

/// Why one question of many was not answered.
#[derive(Serialize, ToSchema)]
pub(super) struct ItemProblem {
    /// The HTTP status that the question alone would have got.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The stable reason.
    #[schema(example = "PURPOSE_UNKNOWN")]
    reason: String,
    /// What is wrong.
    detail: String,
}

impl From<v1::BatchCheckItem> for ItemResult {
    fn from(item: v1::BatchCheckItem) -> Self {
        match item.result {
            Some(batch_check_item::Result::Ok(answer)) => Self::Ok(Box::new(answer.into())),
            Some(batch_check_item::Result::Error(error)) => Self::Error(error.into()),
            None => Self::Error(v1::ItemError::from(Failure::Panicked).into()),
        }
    }
}

impl From<v1::ItemError> for ItemProblem {
    fn from(error: v1::ItemError) -> Self {
        Self {
            status: http_status(error.code.into(), &error.reason).as_u16(),
            reason: error.reason,
            detail: error.message,
        }
    }
}

/// Decides up to 1,000 questions at one revision. A question that cannot be answered has an error of its own; the others
/// are answered.
#[utoipa::path(
    post,
    path = "/v1/{namespace}/batch-check",
    tag = "decisions",
    params(InNamespace),
    request_body = Batch,
    responses((status = 200, description = "The decisions.", body = Results), BodyProblems)
)]
pub(super) async fn batch_check(
    State(api): State<Api>,
    call: Call,
    Path(InNamespace { namespace }): Path<InNamespace>,
    Json(Batch { items }): Json<Batch>,
) -> Result<Json<Results>, Failure> {
    let items = items
        .into_iter()
        .map(|item| item.into_proto(namespace.clone()))
        .collect::<Result<_, _>>()?;
    let answer = api
        .batch_check(call, v1::BatchCheckRequest { items })
        .await?;
    Ok(Json(Results {
        results: answer.results.into_iter().map(ItemResult::from).collect(),
        revision: answer.revision,
    }))
}
