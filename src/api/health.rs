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
    audit::Audits, cluster::Cluster, decision::Decisions, journal::Journals, monitor::Monitor,
    overrides::Overrides, preference::Preferences, registry::Registry, stamp::Stamps,
    watch::Watches,
};
use crate::{
    authority::{Health, Unavailable},
    proto::v1::{
        audit_service_server::AuditServiceServer, cluster_service_server::ClusterServiceServer,
        decision_service_server::DecisionServiceServer,
        journal_service_server::JournalServiceServer, monitor_service_server::MonitorServiceServer,
        override_service_server::OverrideServiceServer,
        preference_service_server::PreferenceServiceServer,
        registry_service_server::RegistryServiceServer, stamp_service_server::StampServiceServer,
        watch_service_server::WatchServiceServer,
    },
};

/// The name under which liveness is asked for: it says that the process runs, whatever the cluster does, so that no
/// orchestrator restarts a node for a lost quorum.
const LIVE: &str = "live";

/// What becomes unready with the node. The empty name stands for the node as a whole.
const READY: [&str; 10] = [
    "",
    DecisionServiceServer::<Decisions>::NAME,
    OverrideServiceServer::<Overrides>::NAME,
    PreferenceServiceServer::<Preferences>::NAME,
    RegistryServiceServer::<Registry>::NAME,
    WatchServiceServer::<Watches>::NAME,
    StampServiceServer::<Stamps>::NAME,
    JournalServiceServer::<Journals>::NAME,
    MonitorServiceServer::<Monitor>::NAME,
    AuditServiceServer::<Audits>::NAME,
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

/// Tells the gRPC health service how the node is.
pub(super) struct Reporting {
    pub(super) readiness: Readiness,
    pub(super) reporter: HealthReporter,
}

impl Reporting {
    /// Tells how it is now, and returns that.
    pub(super) async fn tell(&mut self) -> Health {
        self.readiness.consensus.mark_unchanged();
        let health = self.readiness.now();
        let status = if health.ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for name in READY {
            self.reporter.set_service_status(name, status).await;
        }
        for name in ALWAYS {
            let status = ServingStatus::Serving;
            self.reporter.set_service_status(name, status).await;
        }
        health
    }

    /// Goes on telling until the node stops serving. Then those who watch its health are told to go: their calls would
    /// hold up the stop.
    pub(super) async fn keep_telling(mut self, stopping: CancellationToken) {
        let mut said = String::new();
        loop {
            let Health { ready, reason } = self.tell().await;
            if said != reason {
                tracing::info!(ready, reason, "health");
                if reason == Unavailable::TokenKeyMismatch.reason().to_ascii_lowercase() {
                    tracing::error!(
                        "this node's token key is not the cluster's, so that it serves nothing: stop it, give it the \
                         cluster's token key (token_key_file or REFRAIN_TOKEN_KEY), and start it again"
                    );
                }
                said = reason;
            }
            let drain = self.readiness.drain.clone();
            let drains = drain.is_cancelled();
            tokio::select! {
                changed = self.readiness.consensus.changed() => if changed.is_err() {
                    break;
                },
                () = drain.cancelled(), if !drains => {}
                () = stopping.cancelled() => break,
            }
        }
        // The stop may come with the drain: whoever watches hears that the node does not serve, before its call ends.
        self.tell().await;
        stopping.cancelled().await;
        for name in READY.into_iter().chain(ALWAYS) {
            self.reporter.clear_service_status(name).await;
        }
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
