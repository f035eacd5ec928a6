//! `/metrics`, what a scraper of Prometheus reads: a format of its own, which stands in no document and for no call.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};

use super::super::{Api, Call, gate::Row, status::Failure};
use crate::{admission::Permission, metrics::Page};

/// Who may read it.
pub(super) const ROW: Row = Row {
    call: "metrics",
    permissions: &[Permission::Metrics],
};

/// The page. It is read off this node alone, and waits for nobody.
pub(super) async fn page(State(api): State<Api>, call: Call) -> Result<Response, Failure> {
    let text = api.metrics(&call)?;
    let headers = [
        (header::CONTENT_TYPE, Page::MEDIA_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}
