//! The gRPC services of a made-up node.

use std::{future::pending, net::TcpListener, pin::Pin, sync::Arc, time::Duration};

use futures::Stream;
use refrain::proto::v1::{
    cluster_service_server::ClusterServiceServer, decision_service_server::*,
    journal_service_server::JournalServiceServer, monitor_service_server::MonitorServiceServer,
    override_service_server::OverrideServiceServer, preference_service_server::*,
    registry_service_server::RegistryServiceServer, stamp_service_server::StampServiceServer,
    watch_service_server::WatchServiceServer, *,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, Streaming};

use super::{
    Fault, Node,
    model::{noon, principal},
    no_quorum, refusal,
};

pub type Feed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
pub type Reply<T> = Result<Response<T>, Status>;

/// The services, on one node.
pub struct Api(pub Arc<Node>);

pub async fn serve(listener: TcpListener, node: Arc<Node>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let (health, health_service) = tonic_health::server::health_reporter();
    let watched = Arc::clone(&node);
    tokio::spawn(async move {
        loop {
            let status = if watched.model.lock().unwrap().unready {
                tonic_health::ServingStatus::NotServing
            } else {
                tonic_health::ServingStatus::Serving
            };
            health.set_service_status("", status).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let api = || Api(Arc::clone(&node));
    let asked = Arc::clone(&node);
    let remember = move |request: Request<()>| {
        let authorization = principal(&request);
        asked
            .model
            .lock()
            .unwrap()
            .authorizations
            .push(authorization);
        Ok(request)
    };
    tonic::transport::Server::builder()
        .layer(tonic::service::InterceptorLayer::new(remember))
        .add_service(DecisionServiceServer::new(api()))
        .add_service(PreferenceServiceServer::new(api()))
        .add_service(WatchServiceServer::new(api()))
        .add_service(RegistryServiceServer::new(api()))
        .add_service(ClusterServiceServer::new(api()))
        .add_service(OverrideServiceServer::new(api()))
        .add_service(StampServiceServer::new(api()))
        .add_service(JournalServiceServer::new(api()))
        .add_service(MonitorServiceServer::new(api()))
        .add_service(health_service)
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await
        .unwrap();
}

impl Api {
    /// Does what was asked, unless a fault says otherwise.
    pub async fn answer<T>(
        &self,
        act: impl FnOnce(&mut super::Model) -> Result<T, Status>,
    ) -> Reply<T> {
        if self.0.is_cut_off() {
            return Err(no_quorum());
        }
        let fault = self.0.next_fault();
        match fault {
            Some(Fault::Refuse(status)) => return Err(status),
            Some(Fault::Hang) => pending().await,
            _ => {}
        }
        let answer = act(&mut self.0.model.lock().unwrap())?;
        match fault {
            Some(Fault::DoAndDie) => {
                self.0.die();
                pending().await
            }
            Some(Fault::DoAndSay(status)) => Err(status),
            _ => Ok(Response::new(answer)),
        }
    }
}

fn decide(model: &mut super::Model, asked: &CheckRequest) -> Result<CheckResponse, Status> {
    model.last_caller = (
        asked.namespace.clone(),
        asked.service.clone(),
        asked.schema_version,
    );
    let denied = model.denies(&asked.identifiers, &asked.purpose)?;
    let (decision, reason) = if denied {
        (Decision::Deny, Reason::OptedOut)
    } else {
        (Decision::Allow, Reason::DefaultAllow)
    };
    Ok(CheckResponse {
        decision: model.decision.unwrap_or(decision.into()),
        reason: reason.into(),
        event_id: String::new(),
        revision: model.revision(),
        decision_id: "made-up".to_owned(),
        evaluated_at: Some(noon()),
        ..CheckResponse::default()
    })
}

#[tonic::async_trait]
impl DecisionService for Api {
    type CheckStreamStream = Feed<CheckStreamResponse>;

    async fn check(&self, request: Request<CheckRequest>) -> Reply<CheckResponse> {
        let asked = request.into_inner();
        self.answer(|model| decide(model, &asked)).await
    }

    async fn batch_check(&self, request: Request<BatchCheckRequest>) -> Reply<BatchCheckResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            let results = asked.items.iter().map(|item| {
                let result = match decide(model, item) {
                    Ok(answer) => batch_check_item::Result::Ok(answer),
                    Err(status) => batch_check_item::Result::Error(ItemError {
                        code: status.code().into(),
                        reason: "PURPOSE_UNKNOWN".to_owned(),
                        message: status.message().to_owned(),
                    }),
                };
                BatchCheckItem {
                    result: Some(result),
                }
            });
            let mut results: Vec<_> = results.collect();
            if model.decision == Some(99) {
                results.pop();
            }
            Ok(BatchCheckResponse {
                results,
                revision: model.revision(),
            })
        })
        .await
    }

    async fn check_stream(
        &self,
        _: Request<Streaming<CheckStreamRequest>>,
    ) -> Reply<Self::CheckStreamStream> {
        Err(Status::unimplemented("made up"))
    }
}

#[tonic::async_trait]
impl PreferenceService for Api {
    async fn set_opt_out(&self, request: Request<SetOptOutRequest>) -> Reply<SetOptOutResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            model.last_caller = (asked.namespace, asked.service, asked.schema_version);
            let (event_id, revision, changed) =
                model.set(&asked.request_id, &asked.identifiers, &asked.purposes, true)?;
            Ok(SetOptOutResponse {
                event_id,
                revision,
                changed,
                received_at: Some(noon()),
                request_id: asked.request_id,
                ..Default::default()
            })
        })
        .await
    }

    async fn set_opt_in(&self, request: Request<SetOptInRequest>) -> Reply<SetOptInResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            if asked.evidence.is_none_or(|it| it.statement.is_empty()) {
                return Err(refusal(
                    Code::InvalidArgument,
                    "EVIDENCE_REQUIRED",
                    "not_applied",
                ));
            }
            let (event_id, revision, changed) = model.set(
                &asked.request_id,
                &asked.identifiers,
                &asked.purposes,
                false,
            )?;
            Ok(SetOptInResponse {
                event_id,
                revision,
                changed,
                received_at: Some(noon()),
                request_id: asked.request_id,
                ..Default::default()
            })
        })
        .await
    }

    async fn import_opt_outs(
        &self,
        request: Request<Streaming<ImportOptOutsRequest>>,
    ) -> Reply<ImportOptOutsResponse> {
        let mut parts = request.into_inner();
        let mut rows = Vec::new();
        let mut header = ImportHeader::default();
        while let Some(part) = parts.message().await? {
            match part.part {
                Some(import_opt_outs_request::Part::Header(it)) => header = it,
                Some(import_opt_outs_request::Part::Rows(it)) => rows.push(it),
                None => {}
            }
        }
        self.answer(|model| {
            let mut taken = ImportOptOutsResponse::default();
            for rows in &rows {
                assert!(rows.rows.len() <= 1_000);
                model.import(&header.import_id, rows.first_row, &rows.rows, &mut taken)?;
            }
            Ok(taken)
        })
        .await
    }

    async fn get_import(&self, request: Request<GetImportRequest>) -> Reply<GetImportResponse> {
        let id = request.into_inner().import_id;
        self.answer(|model| {
            let next_row = model.imports.get(&id).copied().unwrap_or_default();
            Ok(GetImportResponse { next_row })
        })
        .await
    }

    async fn get_preferences(
        &self,
        request: Request<GetPreferencesRequest>,
    ) -> Reply<GetPreferencesResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            let purpose = "marketing.email";
            let denied = model.denies(&asked.identifiers, purpose)?;
            let decision = if denied {
                Decision::Deny
            } else {
                Decision::Allow
            };
            let reason = if denied {
                Reason::OptedOut
            } else {
                Reason::DefaultAllow
            };
            Ok(GetPreferencesResponse {
                preferences: Vec::new(),
                decisions: vec![PurposeDecision {
                    purpose: purpose.to_owned(),
                    decision: decision.into(),
                    reason: reason.into(),
                    event_id: String::new(),
                }],
                revision: model.revision(),
                ..GetPreferencesResponse::default()
            })
        })
        .await
    }

    async fn set_preferences(
        &self,
        request: Request<SetPreferencesRequest>,
    ) -> Reply<SetPreferencesResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            model.last_caller = (asked.namespace, asked.service, asked.schema_version);
            let (event_id, revision, changed) =
                model.set(&asked.request_id, &asked.identifiers, &asked.opt_out, true)?;
            Ok(SetPreferencesResponse {
                event_id,
                revision,
                changed,
                received_at: Some(noon()),
                request_id: asked.request_id,
                ..Default::default()
            })
        })
        .await
    }

    async fn report_signal(
        &self,
        request: Request<ReportSignalRequest>,
    ) -> Reply<ReportSignalResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            model.last_caller = (asked.namespace, asked.service, asked.schema_version);
            let purposes = vec!["sale".to_owned()];
            let (event_id, revision, changed) =
                model.set(&asked.request_id, &asked.identifiers, &purposes, true)?;
            Ok(ReportSignalResponse {
                event_id,
                revision,
                changed,
                received_at: Some(noon()),
                request_id: asked.request_id,
                purposes,
            })
        })
        .await
    }

    async fn erase_evidence(
        &self,
        request: Request<EraseEvidenceRequest>,
    ) -> Reply<EraseEvidenceResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            let (event_id, revision, changed) =
                model.set(&asked.request_id, &asked.identifiers, &[], true)?;
            Ok(EraseEvidenceResponse {
                event_id,
                revision,
                erased: u64::from(changed),
                remaining: 0,
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn get_tokens(&self, request: Request<GetTokensRequest>) -> Reply<GetTokensResponse> {
        let asked = request.into_inner();
        self.answer(|_| {
            let tokens = asked.identifiers.into_iter().zip(1..);
            let tokens = tokens.map(|(who, number): (Identifier, u32)| Identifier {
                form: Some(identifier::Form::Token(format!("1:{number:032x}"))),
                ..who
            });
            Ok(GetTokensResponse {
                tokens: tokens.collect(),
            })
        })
        .await
    }

    async fn create_link(&self, request: Request<CreateLinkRequest>) -> Reply<CreateLinkResponse> {
        let asked = request.into_inner();
        self.answer(|_| {
            Ok(CreateLinkResponse {
                path: format!("/u/{}.{}", asked.namespace, asked.purposes.join(".")),
            })
        })
        .await
    }

    async fn list_events(&self, request: Request<ListEventsRequest>) -> Reply<ListEventsResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            model.last_caller = (asked.namespace, asked.service, asked.schema_version);
            let before = match asked.before_revision {
                0 => u64::MAX,
                before => before,
            };
            let size = asked.page_size.max(1) as usize;
            let older = model.events.iter().rev().filter(|it| it.revision < before);
            let events: Vec<Event> = older.take(size).cloned().collect();
            let last = events.last().map_or(0, |event| event.revision);
            Ok(ListEventsResponse {
                events,
                next_before_revision: if last > 1 { last } else { 0 },
                revision: model.revision(),
            })
        })
        .await
    }
}
