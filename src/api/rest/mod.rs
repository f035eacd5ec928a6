//! REST, the second codec: JSON in, the same calls as gRPC's, JSON out; each route with its description.

#![allow(
    clippy::struct_field_names,
    reason = "the fields have the contract's names, and the schemas theirs"
)]

mod around;
mod body;
mod change;
mod decision;
mod documents;
mod floor;
mod follow;
mod history;
mod namespace;
mod overrides;
mod pending;
mod preference;
mod problem;
mod purpose;
mod signal;
mod stamp;
mod subject;
mod time;
mod token;
mod wishes;
mod words;

use axum::{Router, response::IntoResponse as _};
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use problem::PageProblems;

use super::{
    Api, link,
    status::{Failure, Transport},
};

/// Every route, and the document that describes them.
///
/// # Errors
/// Where the document cannot be written: a fault of the build.
pub(super) fn routes(api: Api) -> serde_json::Result<Router> {
    let (routes, document) = OpenApiRouter::with_openapi(documents::Document::openapi())
        .routes(routes!(decision::check))
        .routes(routes!(decision::batch_check))
        .routes(routes!(stamp::verify))
        .routes(routes!(change::change))
        .routes(routes!(change::revoke))
        .routes(routes!(preference::query))
        .routes(routes!(preference::show))
        .routes(routes!(history::events))
        .routes(routes!(signal::report))
        .routes(routes!(token::tokens))
        .routes(routes!(token::link))
        .routes(routes!(follow::changes))
        .routes(routes!(purpose::list))
        .routes(routes!(purpose::put))
        .routes(routes!(namespace::list))
        .routes(routes!(namespace::put))
        .routes(routes!(floor::list, floor::put))
        .routes(routes!(floor::services))
        .routes(routes!(overrides::list, overrides::propose))
        .routes(routes!(overrides::approve))
        .routes(routes!(overrides::revoke))
        .routes(routes!(pending::list, pending::propose))
        .routes(routes!(pending::approve))
        .routes(routes!(pending::withdraw))
        .routes(routes!(signal::gpc_support))
        .routes(routes!(stamp::jwks))
        .merge(link::routes())
        .split_for_parts();
    let documents = documents::routes(&document)?;
    Ok(routes
        .with_state(api)
        .merge(documents)
        .method_not_allowed_fallback(|| async {
            Failure::from(Transport::MethodNotAllowed).into_response()
        }))
}
