//! Bodies: JSON in, read strictly, and JSON out; what is wrong with one is told without its content.

use axum::{
    body::{self, Body},
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use http_body_util::LengthLimitError;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout_at;

use super::super::{
    Api,
    deadline::Deadline,
    status::{Failure, Transport},
};
use crate::limits;

/// A body in JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => {
                // What holds for a person now must not come out of a cache later.
                let headers = [
                    (header::CONTENT_TYPE, "application/json"),
                    (header::CACHE_CONTROL, "no-store"),
                ];
                (headers, text).into_response()
            }
            Err(_) => Failure::Panicked.into_response(),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Failure> {
        is_json(request.headers())?;
        let deadline = Deadline::of(request.headers(), api.parts().deadlines).step();
        let text = timeout_at(deadline, whole(request))
            .await
            .map_err(|_| Transport::MessageSlow)??;
        if text.is_empty() {
            return Err(Transport::MessageMissing.into());
        }
        let begin = text.iter().find(|byte| !byte.is_ascii_whitespace());
        if begin == Some(&b'[') {
            // serde takes a list for the fields in their order, and would not know those that are not there.
            let why = "a list stands where an object is expected".to_owned();
            return Err(Transport::MessageInvalid { why }.into());
        }
        let read = serde_json::from_slice(&text);
        Ok(Self(read.map_err(|error| Transport::MessageInvalid {
            why: told(&error),
        })?))
    }
}

/// Whether the body says that it is JSON, in the one encoding that JSON has, and uncompressed.
fn is_json(headers: &HeaderMap) -> Result<(), Transport> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Transport::EncodingUnknown);
    }
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str);
    let Some(Ok(kind)) = kind else {
        return Err(Transport::MediaTypeUnknown);
    };
    let mut parts = kind.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|parameter| {
        parameter.is_empty()
            || parameter.eq_ignore_ascii_case("charset=utf-8")
            || parameter.eq_ignore_ascii_case("charset=\"utf-8\"")
    });
    if json && utf8 {
        Ok(())
    } else {
        Err(Transport::MediaTypeUnknown)
    }
}

/// The whole body, where it is not too large.
async fn whole(request: Request<Body>) -> Result<bytes::Bytes, Transport> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits::MESSAGE_BYTES) {
        return Err(Transport::MessageTooLarge);
    }
    body::to_bytes(request.into_body(), limits::MESSAGE_BYTES)
        .await
        .map_err(|error| {
            let source = std::error::Error::source(&error);
            if source.is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) {
                Transport::MessageTooLarge
            } else {
                Transport::MessageInvalid {
                    why: "it broke off".to_owned(),
                }
            }
        })
}

/// What is wrong with a text, and where.
fn told(error: &serde_json::Error) -> String {
    let what = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = what.strip_suffix(&place).unwrap_or(&what);
    let what = match error.classify() {
        serde_json::error::Category::Data => without_content(what),
        // Said by the parser itself, in words of its own.
        serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof
        | serde_json::error::Category::Io => what.to_owned(),
    };
    format!("{what}{place}")
}

/// A complaint of serde's without what it quotes of the content, which may be an identifier: what was expected stands at
/// its end, in words of ours alone.
pub(super) fn without_content(complaint: &str) -> String {
    let known = ["missing field `", "duplicate field `"];
    if known.iter().any(|begin| complaint.starts_with(begin)) {
        return complaint.to_owned();
    }
    let what = if complaint.starts_with("unknown field `") {
        "a field is not known"
    } else {
        "a value cannot be taken"
    };
    // Where nothing was expected, what stands last is content.
    let nothing = complaint.ends_with("there are no fields");
    match complaint.rsplit_once("expected ") {
        Some((_, expected)) if !nothing => format!("{what}, expected {expected}"),
        _ => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        count: u32,
        name: String,
    }

    fn complaint(text: &str) -> String {
        told(&serde_json::from_str::<Sample>(text).expect_err(text))
    }

    #[test]
    fn complaints_say_what_and_where_and_quote_nothing() {
        for (text, said) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("{]", "key must be a string at line 1 column 2"),
            (
                r#"{"count":"ada"}"#,
                "a value cannot be taken, expected u32 at line 1 column 14",
            ),
            (
                r#"{"count":-1}"#,
                "a value cannot be taken, expected u32 at line 1 column 11",
            ),
            (
                r#"{"ada":1}"#,
                "a field is not known, expected `count` or `name` at line 1 column 6",
            ),
            (
                r#"{"name":"x"}"#,
                "missing field `count` at line 1 column 12",
            ),
            (
                r#"{"count":1,"count":1}"#,
                "duplicate field `count` at line 1 column 18",
            ),
            (
                r#"["ada"]"#,
                "a value cannot be taken, expected u32 at line 1 column 6",
            ),
            ("{} x", "missing field `count` at line 1 column 2"),
        ] {
            let told = complaint(text);
            assert!(told.starts_with(said), "{text}: {told}");
            assert!(!told.contains("ada"), "{told}");
        }
    }

    #[test]
    fn only_plain_json_is_json() {
        let judged = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            is_json(&headers)
        };
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert_eq!(judged(good), Ok(()), "{good}");
        }
        for bad in [
            "text/plain",
            "application/jsonp",
            "application/json; charset=latin1",
            "application/grpc",
            "",
        ] {
            assert_eq!(judged(bad), Err(Transport::MediaTypeUnknown), "{bad}");
        }
        assert_eq!(is_json(&HeaderMap::new()), Err(Transport::MediaTypeUnknown));
    }
}
