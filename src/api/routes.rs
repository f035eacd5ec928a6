//! Puts the edge together: services, health, reflection and probes on one port, behind one shield.

use std::{io, sync::Arc};

use axum::{
    body::Body,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Status, service::Routes, transport::Server};
use tonic_health::{
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};

use super::{
    Api, Parts,
    audit::Audits,
    cluster::Cluster,
    decision::Decisions,
    gate::GateLayer,
    health::{self, Readiness, Reporting},
    journal::Journals,
    monitor::Monitor,
    overrides::Overrides,
    preference::Preferences,
    registry::Registry,
    rest,
    shield::{ShieldLayer, speaks_grpc},
    stamp::Stamps,
    status::{Failure, Transport},
    traced::TracedLayer,
    watch::Watches,
};
use crate::{
    limits,
    net::Listener,
    proto::v1::{
        self, audit_service_server::AuditServiceServer,
        cluster_service_server::ClusterServiceServer,
        decision_service_server::DecisionServiceServer,
        journal_service_server::JournalServiceServer, monitor_service_server::MonitorServiceServer,
        override_service_server::OverrideServiceServer,
        preference_service_server::PreferenceServiceServer,
        registry_service_server::RegistryServiceServer, stamp_service_server::StampServiceServer,
        watch_service_server::WatchServiceServer,
    },
};

/// The edge describes itself wrongly: a fault of the build.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// Its gRPC services.
    #[error("the descriptors of the gRPC services do not parse: {0}")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// Its REST routes.
    #[error("the description of the REST routes cannot be written: {0}")]
    Document(#[from] serde_json::Error),
}

/// Everything that clients can reach.
pub struct Edge {
    routes: Routes,
    gate: GateLayer,
    shield: ShieldLayer,
    health: Reporting,
}

impl Edge {
    /// Puts the services together, with `max_calls` worked on at a time, and with server reflection where it is wanted.
    ///
    /// # Errors
    /// Where the descriptors of the services do not parse, or those of the routes cannot be written: faults of the build.
    pub fn new(parts: Parts, max_calls: usize, reflection: bool) -> Result<Self, EdgeError> {
        let readiness = Readiness {
            consensus: parts.authority.health(),
            drain: parts.drain.clone(),
        };
        let reporter = HealthReporter::new();
        let gate = GateLayer::new(
            Arc::clone(&parts.principals),
            parts.insecure,
            parts.meters.clone(),
        );
        let shield = ShieldLayer::new(max_calls, parts.deadlines, parts.meters.clone());
        let api = Api::new(parts);
        let mut routes = Routes::builder();
        routes
            .add_service(
                DecisionServiceServer::new(Decisions(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(
                PreferenceServiceServer::new(Preferences(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(
                WatchServiceServer::new(Watches(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(
                RegistryServiceServer::new(Registry(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(
                OverrideServiceServer::new(Overrides(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(
                StampServiceServer::new(Stamps(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(
                JournalServiceServer::new(Journals(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(
                MonitorServiceServer::new(Monitor(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(
                AuditServiceServer::new(Audits(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(
                ClusterServiceServer::new(Cluster(api.clone()))
                    .max_decoding_message_size(limits::MESSAGE_BYTES),
            )
            .add_service(HealthServer::new(HealthService::from_health_reporter(
                reporter.clone(),
            )));
        if reflection {
            routes
                .add_service(descriptors().build_v1()?)
                .add_service(descriptors().build_v1alpha()?);
        }
        let served = routes
            .routes()
            .into_axum_router()
            .merge(health::probes(readiness.clone()))
            .merge(rest::routes(api)?)
            .fallback(unknown);
        Ok(Self {
            routes: Routes::from(served),
            gate,
            shield,
            health: Reporting {
                readiness,
                reporter,
            },
        })
    }

    /// What stands behind the connections, for the fuzz targets: a call goes in, its answer comes out.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn service(
        self,
    ) -> tower::util::BoxCloneSyncService<
        axum::http::Request<Body>,
        Response,
        std::convert::Infallible,
    > {
        use tower::{Layer as _, ServiceExt as _};
        let service = self
            .gate
            .layer(self.shield.layer(self.routes))
            .map_request(|call: axum::http::Request<Body>| call.map(tonic::body::Body::new))
            .map_response(|answer: axum::http::Response<_>| answer.map(Body::new));
        tower::util::BoxCloneSyncService::new(service)
    }

    /// Serves until `stop` resolves and all that was in flight is answered.
    ///
    /// # Errors
    /// Whatever the transport says.
    pub async fn serve(
        self,
        listener: Listener,
        stop: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error> {
        let Self {
            routes,
            gate,
            shield,
            mut health,
        } = self;
        // Before the first call can ask.
        health.tell().await;
        let stopping = CancellationToken::new();
        let told = stopping.clone();
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
        let incoming = listener.incoming().then(move |accepted| {
            let places = Arc::clone(&places);
            async move {
                let place = places.acquire_owned().await.map_err(io::Error::other)?;
                Ok::<_, io::Error>(accepted?.holding(place))
            }
        });
        let serve = Server::builder()
            .accept_http1(true)
            .http2_keepalive_interval(Some(limits::KEEP_ALIVE))
            .http2_keepalive_timeout(Some(limits::KEEP_ALIVE))
            .http2_max_header_list_size(limits::HEADER_BYTES)
            .max_concurrent_streams(limits::CALLS_PER_CONNECTION)
            .layer(TracedLayer)
            .layer(gate)
            .layer(shield)
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, async move {
                stop.await;
                stopping.cancel();
            });
        let (served, ()) = tokio::join!(serve, health.keep_telling(told));
        served
    }
}

fn descriptors() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(v1::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// What nobody serves, in the words of who asks.
async fn unknown(headers: HeaderMap) -> Response {
    if speaks_grpc(&headers) {
        Status::from(Failure::from(Transport::MethodUnknown)).into_http::<Body>()
    } else {
        Failure::from(Transport::RouteUnknown).into_response()
    }
}
