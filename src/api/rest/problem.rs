//! Failures as problem details (RFC 9457), made from the same table as gRPC's statuses, and how they are documented.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    IntoResponses, PartialSchema as _, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder},
};

use super::super::{
    status::{Explained, Failure},
    traced::FailedFor,
};

/// The media type of problem details.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// How long a caller should leave a node alone that has no time for it.
const RETRY_AFTER_SECONDS: &str = "1";

/// Why a request was not answered. Whoever asked whether they may: no.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// `urn:refrain:` and the reason.
    #[schema(format = "uri", example = "urn:refrain:PURPOSE_UNKNOWN")]
    r#type: String,
    /// The reason, for people.
    #[schema(example = "Purpose unknown")]
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong. Holds no identifier.
    detail: String,
    /// The stable reason, the same as in gRPC's `google.rpc.ErrorInfo`.
    #[schema(pattern = "^[A-Z_]+$", example = "PURPOSE_UNKNOWN")]
    reason: &'static str,
    /// `not_applied`: nothing was done, and nothing will be. `unknown`: it may have been done; send it again with the same
    /// `Idempotency-Key`.
    #[schema(pattern = "^(not_applied|unknown)$")]
    outcome: &'static str,
    /// What to do.
    what_to_do: &'static str,
    /// What else programs should know, by stable names, such as `earliest_revision` or `schema_version_needed`.
    #[serde(flatten)]
    #[schema(additional_properties = true)]
    details: BTreeMap<&'static str, String>,
}

impl Problem {
    /// What is told of a failure.
    pub(super) fn of(failure: &Failure) -> Self {
        let Explained {
            status,
            reason,
            outcome,
            what_to_do,
            details,
        } = failure.explained();
        Self {
            r#type: format!("urn:refrain:{reason}"),
            title: title(reason),
            status: status.as_u16(),
            detail: failure.to_string(),
            reason,
            outcome,
            what_to_do,
            details: details.into_iter().collect(),
        }
    }
}

/// `PURPOSE_UNKNOWN` as `Purpose unknown`.
fn title(reason: &str) -> String {
    let (first, rest) = reason.split_at(1);
    format!("{first}{}", rest.to_lowercase().replace('_', " "))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Problem::of(&self);
        let status = StatusCode::from_u16(problem.status).unwrap_or_default();
        // Nothing but strings and a number: it can be written.
        let text = serde_json::to_vec(&problem).unwrap_or_default();
        let headers = [
            (header::CONTENT_TYPE, PROBLEM_JSON),
            (header::CACHE_CONTROL, "no-store"),
        ];
        let mut response = (status, headers, text).into_response();
        response.extensions_mut().insert(FailedFor(problem.reason));
        let further = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some((header::RETRY_AFTER, RETRY_AFTER_SECONDS))
            }
            _ => None,
        };
        response
            .headers_mut()
            .extend(further.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }
}

/// The problems of a route that takes no body.
pub(super) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        documented(&[
            (400, "The request is malformed: correct it."),
            (401, "It cannot be told who calls."),
            (403, "The caller lacks a permission."),
            (
                404,
                "It names what is not there, such as an unknown purpose.",
            ),
            (409, "What stands in the cluster forbids it."),
            (410, "The revision is no longer kept here."),
            (429, "The node has too much to do: retry after a pause."),
            (500, "A fault of the program: report it."),
            (
                503,
                "The node cannot answer now: retry here or at another node.",
            ),
            (
                504,
                "It took too long: retry with the same `Idempotency-Key`.",
            ),
        ])
    }
}

/// The problems of a route that takes a body.
pub(super) struct BodyProblems;

impl IntoResponses for BodyProblems {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut all = Problems::responses();
        all.extend(documented(&[
            (408, "The body did not arrive in time. Nothing was done."),
            (413, "The body is too large."),
            (415, "The body is not `application/json`, or is compressed."),
        ]));
        all
    }
}

/// The problems of a route that people meet in a browser: whoever accepts `text/html` gets a page in their place.
pub(in crate::api) struct PageProblems;

impl IntoResponses for PageProblems {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut all = Problems::responses();
        all.extend(documented(&[(413, "The body is too large.")]));
        for response in all.values_mut() {
            if let RefOr::T(response) = response {
                let page = ContentBuilder::new().schema(Some(String::schema()));
                response
                    .content
                    .insert("text/html".to_owned(), page.build().into());
            }
        }
        all
    }
}

fn documented(statuses: &[(u16, &str)]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let one = |(status, description): &(u16, &str)| {
        let schema = Ref::from_schema_name("Problem");
        let response = ResponseBuilder::new()
            .description(*description)
            .content(
                PROBLEM_JSON,
                ContentBuilder::new().schema(Some(schema)).build(),
            )
            .build();
        (status.to_string(), response.into())
    };
    statuses.iter().map(one).collect()
}
