//! The cluster that a made-up node is of.

use refrain::proto::v1::{cluster_service_server::*, *};
use tonic::{Code, Request, Response};

use super::{
    refusal,
    services::{Api, Feed, Reply},
};

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
        ..Member::default()
    }
}
