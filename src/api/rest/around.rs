//! What stands around a body: who calls, the path, the query and the headers; each read strictly.

use axum::{
    extract::{FromRequestParts, Path as AxumPath, RawPathParams},
    http::{HeaderMap, HeaderName, header, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use super::{
    super::{
        Api, Call,
        input::Input,
        status::{Failure, Transport},
    },
    body::without_content,
};
use crate::domain::Revision;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");

/// The first step of every route, as of every RPC.
impl FromRequestParts<Api> for Call {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        Ok(api.call(&parts.headers, &parts.extensions)?)
    }
}

/// The parameters of the path.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        let raw = RawPathParams::from_request_parts(parts, api)
            .await
            .map_err(|_| Transport::PathInvalid)?;
        // The router lets an empty one through; an empty namespace would come to mean `default`.
        if raw.iter().any(|(_, value)| value.is_empty()) {
            return Err(Transport::RouteUnknown.into());
        }
        let AxumPath(path) = AxumPath::from_request_parts(parts, api)
            .await
            .map_err(|_| Transport::PathInvalid)?;
        Ok(Self(path))
    }
}

/// The parameters of the query.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        let read = serde_html_form::from_str(query);
        Ok(Self(read.map_err(|error| Transport::QueryInvalid {
            why: without_content(&error.to_string()),
        })?))
    }
}

/// A tenant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct InNamespace {
    /// The tenant, controller or brand, such as `default`.
    #[param(min_length = 1, max_length = 64)]
    pub(super) namespace: String,
}

/// A subject of a tenant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfSubject {
    /// The tenant, controller or brand, such as `default`.
    #[param(min_length = 1, max_length = 64)]
    pub(super) namespace: String,
    /// What Refrain stores of an identifier, `<generation>:<32 hex digits>`, as `POST /v1/{namespace}/tokens` tells it. An
    /// identifier itself never stands in a URL.
    #[param(min_length = 34, max_length = 38)]
    pub(super) token: String,
}

/// Who asks about a person, and how.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asking {
    /// The type of the identifier behind the token, such as `email`; `token` unless it says otherwise.
    #[serde(default)]
    #[param(max_length = 32)]
    pub(super) r#type: Option<String>,
    /// The schema version of the purpose registry that the caller was built for; left out, it counts as 0.
    #[serde(default)]
    #[param(required = false)]
    pub(super) schema_version: u32,
    /// A revision that the answer must have reached.
    #[serde(default)]
    #[param(required = false)]
    pub(super) min_revision: u64,
    /// The service that asks.
    #[serde(default)]
    #[param(required = false, max_length = 128)]
    pub(super) service: String,
}

/// The name that the caller gives to a change.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct Key {
    /// A `UUIDv7` that names this request: sent again with the same one, it has one effect. Without it the server makes one,
    /// and a request that is sent again is another.
    #[param(rename = "Idempotency-Key", format = Uuid)]
    request_id: Option<String>,
}

impl Key {
    /// The id as the contract has it: empty where the caller gave none.
    pub(super) fn request_id(self) -> String {
        self.request_id.unwrap_or_default()
    }
}

impl FromRequestParts<Api> for Key {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Failure> {
        let Some(key) = once(&parts.headers, &IDEMPOTENCY_KEY)? else {
            return Ok(Self { request_id: None });
        };
        // A string of a structured field (RFC 9651) stands in quotes; many callers send it bare.
        let quoted = key.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        match quoted.unwrap_or(key) {
            "" => Err(Input::IdempotencyKeyInvalid.into()),
            key => Ok(Self {
                request_id: Some(key.to_owned()),
            }),
        }
    }
}

/// What must still hold for a change to be made.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct IfMatch {
    /// The subject's last revision in quotes, as `ETag` of its preferences tells it: the change is made only while it is
    /// still the last. `"0"` for a subject that has none.
    #[param(rename = "If-Match", value_type = Option<String>, pattern = r#"^"[0-9]{1,19}"$"#)]
    pub(super) last_revision: Option<Revision>,
}

impl FromRequestParts<Api> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Failure> {
        let Some(tag) = once(&parts.headers, &header::IF_MATCH)? else {
            return Ok(Self {
                last_revision: None,
            });
        };
        let revision = tag
            .strip_prefix('"')
            .and_then(|tag| number(tag.strip_suffix('"')?));
        match revision {
            None => Err(Input::IfMatchInvalid.into()),
            last_revision => Ok(Self { last_revision }),
        }
    }
}

/// Where an event source was when its connection broke.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct LastEventId {
    /// The `id` of the last event that arrived: goes on after it, whatever `from` says. Empty before any did.
    #[param(rename = "Last-Event-ID", value_type = Option<String>, pattern = "^[0-9]{0,19}$")]
    pub(super) revision: Option<Revision>,
}

impl FromRequestParts<Api> for LastEventId {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Failure> {
        let id = once(&parts.headers, &LAST_EVENT_ID)?.unwrap_or_default();
        let revision = number(id);
        match revision {
            None if !id.is_empty() => Err(Input::LastEventIdInvalid.into()),
            Some(Revision::MAX) => Err(Input::LastEventIdInvalid.into()),
            revision => Ok(Self { revision }),
        }
    }
}

/// The visitor's browser said `Sec-GPC: 1`.
pub(super) struct GpcSent;

impl FromRequestParts<Api> for GpcSent {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Failure> {
        match once(&parts.headers, &SEC_GPC)? {
            Some("1") => Ok(Self),
            _ => Err(Input::GpcRequired.into()),
        }
    }
}

/// A header that may stand once.
fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Transport> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match (value.to_str(), values.next()) {
        (Ok(value), None) => Ok(Some(value.trim())),
        _ => Err(Transport::HeaderInvalid {
            name: name.to_string(),
        }),
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
