//! The `OpenAPI` document, and a page that renders it with nothing from elsewhere.

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::header,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_swagger_ui::{Config, SwaggerFile};

use super::{
    super::status::{Failure, Transport},
    follow::Heartbeat,
    history::Event,
    problem::Problem,
};

/// Where the document is.
const DOCUMENT: &str = "/openapi.json";

/// The page runs what this node serves, and asks nobody else.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";

/// What the document says before it comes to the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Refrain",
        description = "A self-hosted opt-out authority: may I? Go on for the decision `allow` alone; every other answer, a \
            problem included, is a denial. The same calls are there over gRPC, with the same reasons. Identifiers of persons \
            stand in bodies, never in a URL."
    ),
    tags(
        (name = "decisions", description = "May I?"),
        (name = "preferences", description = "What a person wants."),
        (name = "changes", description = "What changes."),
        (name = "registry", description = "Purposes, namespaces and schema floors."),
        (name = "overrides", description = "Lifting opt-outs for a while, by two principals."),
        (name = "journal", description = "Proof: the journal's checkpoints and tiles, and receipts of its events."),
        (name = "links", description = "One-click unsubscribe, for whoever holds a link."),
        (name = "documents", description = "What is open to everybody."),
    ),
    paths(super::journal::tile),
    components(schemas(Event, Heartbeat, Problem)),
    security((), ("bearer" = [])),
    modifiers(&Bearer)
)]
pub(super) struct Document;

/// How a caller proves who it is, where principals are configured.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", scheme);
    }
}

/// The document and the page that shows it, both open to everybody.
pub(super) fn routes(document: &utoipa::openapi::OpenApi) -> serde_json::Result<Router> {
    let text = Bytes::from(serde_json::to_vec(document)?);
    let config = Arc::new(Config::from(DOCUMENT));
    let file = move |path: &str| shown(path, Arc::clone(&config));
    let index = file.clone();
    Ok(Router::new()
        .route(
            DOCUMENT,
            get(|| async move { ([(header::CONTENT_TYPE, "application/json")], text) }),
        )
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(|| async move { index("") }))
        .route(
            "/docs/{*file}",
            get(|Path(path): Path<String>| async move { file(&path) }),
        ))
}

/// A file of the page.
fn shown(path: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(path, config) {
        Ok(Some(SwaggerFile {
            bytes,
            content_type,
            ..
        })) => {
            let headers = [
                (header::CONTENT_TYPE, content_type),
                (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY.to_owned()),
            ];
            (headers, bytes.into_owned()).into_response()
        }
        Ok(None) => Failure::from(Transport::RouteUnknown).into_response(),
        Err(_) => Failure::Panicked.into_response(),
    }
}
