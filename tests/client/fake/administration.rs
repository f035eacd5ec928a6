//! The registry and the cluster of a made-up node.

use refrain::proto::v1::{cluster_service_server::*, registry_service_server::*, *};
use tonic::{Code, Request, Response, Status};

use super::{
    refusal,
    services::{Api, Feed, Reply},
};

#[tonic::async_trait]
impl RegistryService for Api {
    async fn list_purposes(&self, _: Request<ListPurposesRequest>) -> Reply<ListPurposesResponse> {
        self.answer(|model| {
            Ok(ListPurposesResponse {
                purposes: model.purposes.values().cloned().collect(),
                schema_version: 1,
                revision: model.revision(),
                ..ListPurposesResponse::default()
            })
        })
        .await
    }

    async fn put_purpose(&self, request: Request<PutPurposeRequest>) -> Reply<PutPurposeResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            let purpose = asked.purpose.unwrap_or_default();
            model.purposes.insert(purpose.name.clone(), purpose.clone());
            Ok(PutPurposeResponse {
                event_id: "made-up".to_owned(),
                revision: model.revision(),
                changed: true,
                purpose: Some(purpose),
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn list_namespaces(
        &self,
        _: Request<ListNamespacesRequest>,
    ) -> Reply<ListNamespacesResponse> {
        self.answer(|model| {
            Ok(ListNamespacesResponse {
                namespaces: model.namespaces.clone(),
                revision: model.revision(),
                ..ListNamespacesResponse::default()
            })
        })
        .await
    }

    async fn add_namespace(
        &self,
        request: Request<AddNamespaceRequest>,
    ) -> Reply<AddNamespaceResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            let changed = !model.namespaces.contains(&asked.namespace);
            if changed {
                model.namespaces.push(asked.namespace);
            }
            Ok(AddNamespaceResponse {
                event_id: String::new(),
                revision: model.revision(),
                changed,
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn configure_namespace(
        &self,
        _: Request<ConfigureNamespaceRequest>,
    ) -> Reply<ConfigureNamespaceResponse> {
        Err(Status::unimplemented("made up"))
    }

    async fn set_schema_floor(
        &self,
        _: Request<SetSchemaFloorRequest>,
    ) -> Reply<SetSchemaFloorResponse> {
        Err(Status::unimplemented("made up"))
    }

    async fn list_services(&self, _: Request<ListServicesRequest>) -> Reply<ListServicesResponse> {
        Err(Status::unimplemented("made up"))
    }

    async fn propose_change(
        &self,
        _: Request<ProposeChangeRequest>,
    ) -> Reply<ProposeChangeResponse> {
        Err(Status::unimplemented("made up"))
    }

    async fn approve_change(
        &self,
        _: Request<ApproveChangeRequest>,
    ) -> Reply<ApproveChangeResponse> {
        Err(Status::unimplemented("made up"))
    }

    async fn withdraw_change(
        &self,
        _: Request<WithdrawChangeRequest>,
    ) -> Reply<WithdrawChangeResponse> {
        Err(Status::unimplemented("made up"))
    }

    async fn list_pending_changes(
        &self,
        _: Request<ListPendingChangesRequest>,
    ) -> Reply<ListPendingChangesResponse> {
        Err(Status::unimplemented("made up"))
    }
}

#[tonic::async_trait]
impl ClusterService for Api {
    type AddStream = Feed<AddProgress>;

    async fn init(&self, _: Request<InitRequest>) -> Reply<InitResponse> {
        self.answer(|model| {
            if std::mem::replace(&mut model.initialised, true) {
                let reason = "CLUSTER_ALREADY_INITIALISED";
                return Err(refusal(Code::FailedPrecondition, reason, "not_applied"));
            }
            model.members.push(member(1, "127.0.0.1:7401"));
            Ok(InitResponse {
                cluster_id: "c".repeat(32),
                node_id: model.members[0].node_id.clone(),
            })
        })
        .await
    }

    async fn add(&self, request: Request<AddRequest>) -> Reply<Self::AddStream> {
        let asked = request.into_inner();
        let news = self
            .answer(|model| {
                let known = |it: &Member| it.peer_address == asked.peer_address;
                if !model.members.iter().any(known) {
                    let number = model.members.len() as u64 + 1;
                    model.members.push(member(number, &asked.peer_address));
                }
                let node_id = model.members.last().unwrap().node_id.clone();
                let stages = ["invited", "catching_up", "promoting", "done"];
                Ok(stages.map(|stage| AddProgress {
                    node_id: node_id.clone(),
                    stage: stage.to_owned(),
                    lag: 0,
                    done: stage == "done",
                }))
            })
            .await?
            .into_inner();
        Ok(Response::new(Box::pin(futures::stream::iter(news.map(Ok)))))
    }

    async fn remove(&self, request: Request<RemoveRequest>) -> Reply<RemoveResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            model
                .members
                .retain(|it| !it.node_id.starts_with(&asked.node_id));
            Ok(RemoveResponse {
                node_id: asked.node_id,
            })
        })
        .await
    }

    async fn status(&self, _: Request<StatusRequest>) -> Reply<StatusResponse> {
        self.answer(|model| {
            Ok(StatusResponse {
                cluster_id: "c".repeat(32),
                answered_by: "0000000000000001".to_owned(),
                leader_id: "0000000000000001".to_owned(),
                term: 3,
                members: model.members.clone(),
                alarms: model.alarms.clone(),
                feature_level: 1,
            })
        })
        .await
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Reply<TransferLeaderResponse> {
        let asked = request.into_inner();
        self.answer(|_| {
            Ok(TransferLeaderResponse {
                leader_id: asked.node_id,
            })
        })
        .await
    }
}

fn member(number: u64, peer_address: &str) -> Member {
    Member {
        node_id: format!("{number:016x}"),
        role: "voter".to_owned(),
        peer_address: peer_address.to_owned(),
        client_address: format!("127.0.0.1:{}", 7400 + number * 10),
        reachable: true,
        health: Some(Health {
            ready: true,
            reason: "ok".to_owned(),
        }),
        revision: 12,
        applied_lag: 0,
        log_bytes: 4096,
        snapshot_bytes: 0,
        journal_events: 12,
        state_hash: "ab".repeat(32),
        hash_revision: 0,
        journal_root: "cd".repeat(32),
        version: "0.1.0".to_owned(),
        error: String::new(),
        disk_free_bytes: 1 << 40,
    }
}
