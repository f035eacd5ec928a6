//! REST, the second codec: JSON in, the same calls as gRPC's, JSON out; each route with its description.

#![allow(
    clippy::struct_field_names,
    reason = "the fields have the contract's names, and the schemas theirs"
)]

mod anomaly;
mod around;
mod body;
mod change;
mod decision;
mod documents;
mod evidence;
mod floor;
mod follow;
mod history;
mod journal;
mod judged;
mod metrics;
mod monitor;
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

use axum::{Router, response::IntoResponse as _, routing::get};
use tower::util::MapRequestLayer;
use utoipa::OpenApi as _;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt as _},
    routes,
};

pub(super) use problem::PageProblems;

use super::{
    Api,
    gate::Row,
    link,
    status::{Failure, Transport},
    traced::name_route,
};

/// A route: the call of the contract that it stands for, and so whom it lets in; and its handler.
macro_rules! row {
    ($call:literal, $($handler:tt)+) => {{
        const ROW: Row = Row::of($call);
        (ROW, routes!($($handler)+))
    }};
}

/// Every route, and the document that describes them.
///
/// # Errors
/// Where the document cannot be written: a fault of the build.
pub(super) fn routes(api: Api) -> serde_json::Result<Router> {
    let rows: [(_, UtoipaMethodRouter<Api>); _] = [
        row!("DecisionService/Check", decision::check),
        row!("DecisionService/BatchCheck", decision::batch_check),
        row!("StampService/Verify", stamp::verify),
        row!("PreferenceService/SetPreferences", change::change),
        row!("PreferenceService/SetOptOut", change::revoke),
        row!("PreferenceService/GetPreferences", preference::query),
        row!("PreferenceService/GetPreferences", preference::show),
        row!("PreferenceService/ListEvents", history::events),
        row!("PreferenceService/ReportSignal", signal::report),
        row!("PreferenceService/EraseEvidence", evidence::erase),
        row!("PreferenceService/GetTokens", token::tokens),
        row!("PreferenceService/CreateLink", token::link),
        row!("WatchService/Watch", follow::changes),
        row!("RegistryService/ListPurposes", purpose::list),
        row!("RegistryService/PutPurpose", purpose::put),
        row!("RegistryService/ListNamespaces", namespace::list),
        row!("RegistryService/AddNamespace", namespace::put),
        row!("RegistryService/ListPurposes", floor::list),
        row!("RegistryService/SetSchemaFloor", floor::put),
        row!("RegistryService/ListServices", floor::services),
        row!("OverrideService/ListOverrides", overrides::list),
        row!("OverrideService/ProposeOverride", overrides::propose),
        row!("OverrideService/ApproveOverride", overrides::approve),
        row!("OverrideService/RevokeOverride", overrides::revoke),
        row!("JournalService/GetReceipt", journal::receipt),
        row!("JournalService/GetReceipt", journal::cluster_receipt),
        row!("MonitorService/ReportProcessing", monitor::report),
        row!("MonitorService/ListViolations", monitor::violations),
        row!("MonitorService/GetScores", monitor::scores),
        row!("MonitorService/ListAnomalies", anomaly::list),
        row!("MonitorService/GetAnomalySettings", anomaly::settings),
        row!("MonitorService/ConfigureAnomalies", anomaly::configure),
        row!("RegistryService/ListPendingChanges", pending::list),
        row!("RegistryService/ProposeChange", pending::propose),
        row!("RegistryService/ApproveChange", pending::approve),
        row!("RegistryService/WithdrawChange", pending::withdraw),
    ];
    // What is open to everybody has no row.
    let open = OpenApiRouter::with_openapi(documents::Document::openapi())
        .routes(routes!(signal::gpc_support))
        .routes(routes!(stamp::jwks))
        .routes(routes!(journal::checkpoint))
        .routes(routes!(journal::keys))
        .merge(link::routes());
    let all = rows.into_iter().fold(open, |all, (row, route)| {
        all.routes(route.map(|handlers| row.before(handlers)))
    });
    let (routes, document) = all.split_for_parts();
    let documents = documents::routes(&document)?;
    // Its path has slashes in it, which the document has no way to say: there it stands by hand.
    let tiles = Row::of("JournalService/GetReceipt").before(get(journal::tile));
    let metrics = metrics::ROW.before(get(metrics::page));
    Ok(routes
        .route("/tile/{*path}", tiles)
        .route("/metrics", metrics)
        .with_state(api)
        .merge(documents)
        .route_layer(MapRequestLayer::new(name_route))
        .method_not_allowed_fallback(|| async {
            Failure::from(Transport::MethodNotAllowed).into_response()
        }))
}
