//! What happens when somebody follows a link: a GET shows a page, a POST opts out.

use std::convert::Infallible;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::Markup;
use multer::Multipart;
use tokio::time::timeout_at;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Link, page};
use crate::{
    admission::{Caller, admit},
    api::{
        Api,
        deadline::Deadline,
        input::Input,
        rest::PageProblems,
        status::{Failure, Transport},
    },
    authority::{Offer, Offered, Unavailable},
    domain::{Body as Wish, PurposeName, Refusal, ServiceName, SetPreference, Signal},
    limits,
};

/// `/u/{link}`.
pub(in crate::api) fn routes() -> OpenApiRouter<Api> {
    let (schemas, paths, visit) = routes!(show, obey);
    OpenApiRouter::new().routes((schemas, paths, visit.fallback(other_method)))
}

/// A link.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes what is read as a path")]
struct Signed {
    /// The signed text, as `POST /v1/{namespace}/links` made it.
    #[param(min_length = 1, max_length = 896)]
    link: String,
}

/// What RFC 8058 has a mail program send.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what is read as a form")]
struct OneClick {
    /// `One-Click`.
    #[schema(rename = "List-Unsubscribe", pattern = "^One-Click$")]
    list_unsubscribe: String,
}

type Given = Result<Path<String>, PathRejection>;

/// Shows what a link for one-click unsubscribe is for. Changes nothing: whatever scans mail opens links. Open to whoever
/// holds the link.
#[utoipa::path(
    get,
    path = "/u/{link}",
    tag = "links",
    security(()),
    params(Signed),
    responses(
        (status = 200, description = "A page that asks whether it is meant.", body = String, content_type = "text/html"),
        PageProblems,
    )
)]
async fn show(State(api): State<Api>, given: Given, headers: HeaderMap) -> Response {
    let deadline = Deadline::of(&headers, api.parts().deadlines);
    let shown = async {
        let link = api.followed(given)?;
        let offered = api.offered(&link, &deadline).await?;
        Ok(page(StatusCode::OK, page::confirm(&offered.purposes)))
    };
    answered(&headers, shown.await)
}

/// Opts out of what the link is for (RFC 8058), as often as it is asked to. Open to whoever holds the link.
#[utoipa::path(
    post,
    path = "/u/{link}",
    tag = "links",
    security(()),
    params(Signed),
    request_body(content(
        (OneClick = "application/x-www-form-urlencoded"),
        (OneClick = "multipart/form-data"),
    )),
    responses(
        (
            status = 200,
            description = "It is done: said by a page to whoever accepts `text/html`, by nothing more to others.",
            content((String = "text/html"), (String = "text/plain")),
        ),
        PageProblems,
    )
)]
async fn obey(State(api): State<Api>, given: Given, headers: HeaderMap, body: Body) -> Response {
    let deadline = Deadline::of(&headers, api.parts().deadlines);
    let obeyed = async {
        let link = api.followed(given)?;
        let body = timeout_at(deadline.step(), to_bytes(body, limits::LINK_BODY_BYTES)).await;
        let body = body.map_err(|_| Unavailable::Deadline)?;
        let body = body.map_err(|_| Transport::MessageTooLarge)?;
        if !means_it(&headers, body).await {
            return Err(Input::LinkBodyInvalid.into());
        }
        let offered = api.offered(&link, &deadline).await?;
        api.opt_out_by(link, &offered, &deadline).await?;
        Ok(if wants_page(&headers) {
            page(StatusCode::OK, page::done(&offered.purposes))
        } else {
            String::new().into_response()
        })
    };
    answered(&headers, obeyed.await)
}

impl Api {
    fn followed(&self, given: Given) -> Result<Link, Failure> {
        let text = given.map_or_else(|_| String::new(), |Path(text)| text);
        let link = self.parts().link_key.read(&text);
        Ok(link.ok_or(Input::LinkUnknown)?)
    }

    /// What the link can still opt out of: a purpose may have become essential since it was made.
    async fn offered(&self, link: &Link, deadline: &Deadline) -> Result<Offered, Failure> {
        let offer = Offer {
            namespace: link.namespace.clone(),
            purposes: link.purposes.clone(),
        };
        let admitted = admit(&Caller::link()?, offer)?;
        let offered = self.authority().read(admitted, deadline.step()).await?;
        match (offered.purposes.first(), offered.essential.first()) {
            (None, Some(essential)) => {
                let purpose = essential.to_string();
                Err(Refusal::PurposeEssential { purpose }.into())
            }
            _ => Ok(offered),
        }
    }

    async fn opt_out_by(
        &self,
        link: Link,
        offered: &Offered,
        deadline: &Deadline,
    ) -> Result<(), Failure> {
        let name = |(name, _): &(PurposeName, String)| name.clone();
        let set = SetPreference {
            request_id: self.fresh_request_id(),
            namespace: link.namespace,
            tokens: link.tokens,
            opt_out: offered.purposes.iter().map(name).collect(),
            opt_in: Vec::new(),
            signal: Signal::ListUnsubscribe,
            // A mail that was sent long ago has no schema of its own: the person means what is meant today.
            schema_version: offered.schema_version,
            min_revision: 0,
            if_last_revision: None,
            evidence: None,
            service: ServiceName::none(),
        };
        let admitted = admit(&Caller::link()?, Wish::SetPreference(set))?;
        self.authority().write(admitted, deadline.step()).await?;
        Ok(())
    }
}

/// Whether a body holds the one field that RFC 8058 demands, in one of its two forms.
async fn means_it(headers: &HeaderMap, body: Bytes) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let Some(kind) = kind.and_then(|kind| kind.to_str().ok()) else {
        return false;
    };
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return form_urlencoded::parse(&body)
            .any(|(name, value)| name == page::FIELD && value == page::VALUE);
    }
    let Ok(boundary) = multer::parse_boundary(kind) else {
        return false;
    };
    let body = futures::stream::iter([Ok::<_, Infallible>(body)]);
    let mut parts = Multipart::new(body, boundary);
    while let Ok(Some(field)) = parts.next_field().await {
        let named = field.name() == Some(page::FIELD);
        let Ok(value) = field.text().await else {
            return false;
        };
        if named && value == page::VALUE {
            return true;
        }
    }
    false
}

/// Whether it is a person with a browser, rather than a mail program, who wants the answer.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter();
    accepts
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| {
            accept
                .split(',')
                .filter_map(|kind| kind.split(';').next())
                .any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
        })
}

fn page(code: StatusCode, page: Markup) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, page::POLICY.as_str()),
    ];
    (code, headers, page.into_string()).into_response()
}

async fn other_method(headers: HeaderMap) -> Response {
    let mut answer = answered(&headers, Err(Transport::MethodUnknown.into()));
    *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    let allowed = HeaderValue::from_static("GET, HEAD, POST");
    answer.headers_mut().insert(header::ALLOW, allowed);
    answer
}

/// The answer, or what is said in its place, with the headers that all of them carry.
fn answered(headers: &HeaderMap, answer: Result<Response, Failure>) -> Response {
    let mut answer = answer.unwrap_or_else(|failure| {
        let wanted = failed_page(&failure);
        let answer = failure.into_response();
        if wants_page(headers) {
            page(answer.status(), wanted)
        } else {
            answer
        }
    });
    // In place of those that it has: a failure says for itself that it is not to be kept.
    for (name, value) in page::HEADERS {
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn failed_page(failure: &Failure) -> Markup {
    match failure {
        Failure::Input(Input::LinkUnknown)
        | Failure::Refused(Refusal::NamespaceUnknown { .. } | Refusal::PurposeUnknown { .. }) => {
            page::unknown()
        }
        Failure::Refused(Refusal::PurposeEssential { .. }) => page::essential(),
        Failure::Input(_) | Failure::Transport(_) => page::refused(),
        _ => page::later(),
    }
}
