//! Readiness and liveness: one source, told over gRPC health checks and over HTTP.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::{
    cluster::Cluster, decision::Decisions, preference::Preferences, registry::Registry,
    watch::Watches,
};
use crate::{
    authority::Health,
    proto::v1::{
        cluster_service_server::ClusterServiceServer,
        decision_service_server::DecisionServiceServer,
        preference_service_server::PreferenceServiceServer,
        registry_service_server::RegistryServiceServer, watch_service_server::WatchServiceServer,
    },
};

/// The name under which liveness is asked for: it says that the process runs, whatever the cluster does, so that no
/// orchestrator restarts a node for a lost quorum.
const LIVE: &str = "live";

/// What becomes unready with the node. The empty name stands for the node as a whole.
const READY: [&str; 5] = [
    "",
    DecisionServiceServer::<Decisions>::NAME,
    PreferenceServiceServer::<Preferences>::NAME,
    RegistryServiceServer::<Registry>::NAME,
    WatchServiceServer::<Watches>::NAME,
];

/// Served whatever the state of the cluster: it is what forms and mends it.
const ALWAYS: [&str; 2] = [LIVE, ClusterServiceServer::<Cluster>::NAME];

/// Whether the node serves: what consensus says, unless the node drains.
#[derive(Clone)]
pub(super) struct Readiness {
    pub(super) consensus: watch::Receiver<Health>,
    pub(super) drain: CancellationToken,
}

impl Readiness {
    fn now(&self) -> Health {
        if self.drain.is_cancelled() {
            let reason = "draining".to_owned();
            return Health {
                ready: false,
                reason,
            };
        }
        self.consensus.borrow().clone()
    }
}

/// Keeps the statuses of the gRPC health service up to date until the node's consensus ends.
pub(super) async fn report(mut readiness: Readiness, reporter: HealthReporter) {
    for name in ALWAYS {
        reporter
            .set_service_status(name, ServingStatus::Serving)
            .await;
    }
    let mut said = None;
    loop {
        readiness.consensus.mark_unchanged();
        let Health { ready, reason } = readiness.now();
        let status = if ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for name in READY {
            reporter.set_service_status(name, status).await;
        }
        if said.as_ref() != Some(&reason) {
            tracing::info!(ready, reason, "health");
            said = Some(reason);
        }
        let drained = readiness.drain.is_cancelled();
        tokio::select! {
            changed = readiness.consensus.changed() => if changed.is_err() {
                break;
            },
            () = readiness.drain.cancelled(), if !drained => {}
        }
    }
    for name in READY {
        reporter
            .set_service_status(name, ServingStatus::NotServing)
            .await;
    }
}

/// The same over HTTP, for probes that speak no gRPC.
pub(super) fn probes(readiness: Readiness) -> Router {
    Router::new()
        .route(
            "/livez",
            get(|| async { answer(StatusCode::OK, true, "ok") }),
        )
        .route("/readyz", get(readyz))
        .with_state(readiness)
}

async fn readyz(State(readiness): State<Readiness>) -> impl IntoResponse {
    let Health { ready, reason } = readiness.now();
    let code = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer(code, ready, &reason)
}

fn answer(code: StatusCode, ready: bool, reason: &str) -> impl IntoResponse + use<> {
    let body = serde_json::json!({ "ready": ready, "reason": reason }).to_string();
    (code, [(header::CONTENT_TYPE, "application/json")], body)
}
