//! `ClusterService`: forming a cluster and looking at it.

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use tonic::{Request, Response, Status};

use super::{Api, Call, convert::answers, status::Failure};
use crate::{
    admission::admit,
    authority::{self, AddStage, ClusterStatus, DescribeCluster, Init, Member, Role},
    domain::NodeId,
    proto::v1::{
        self, AddProgress, AddRequest, Health, InitRequest, InitResponse, RemoveRequest,
        RemoveResponse, StatusRequest, StatusResponse, TransferLeaderRequest,
        TransferLeaderResponse, cluster_service_server::ClusterService,
    },
};

/// The service.
pub(super) struct Cluster(pub(super) Api);

#[tonic::async_trait]
impl ClusterService for Cluster {
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<InitResponse>, Status> {
        self.0.unary(request, Api::init).await
    }

    type AddStream = BoxStream<'static, Result<AddProgress, Status>>;

    async fn add(&self, request: Request<AddRequest>) -> Result<Response<Self::AddStream>, Status> {
        let Self(api) = self;
        let (call, request) = api.open(request)?;
        let progress = api.add(&call, request)?;
        Ok(Response::new(progress.err_into().boxed()))
    }

    async fn remove(
        &self,
        request: Request<RemoveRequest>,
    ) -> Result<Response<RemoveResponse>, Status> {
        self.0.unary(request, Api::remove).await
    }

    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        self.0.unary(request, Api::status).await
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderResponse>, Status> {
        self.0.unary(request, Api::transfer_leader).await
    }
}

impl Api {
    async fn init(&self, call: Call, _: InitRequest) -> Result<InitResponse, Failure> {
        let admitted = admit(&call.caller, Init)?;
        let (cluster_id, node_id) = self
            .authority()
            .init(admitted, call.deadline.step())
            .await?;
        Ok(InitResponse {
            cluster_id: hex::encode(cluster_id),
            node_id: node(node_id),
        })
    }

    fn add(
        &self,
        call: &Call,
        request: AddRequest,
    ) -> Result<impl Stream<Item = Result<AddProgress, Failure>> + Send + use<>, Failure> {
        let add = authority::Add {
            peer_address: request.peer_address,
            learner: request.learner,
        };
        let admitted = admit(&call.caller, add)?;
        Ok(self.authority().add(admitted).map(|progress| {
            let progress = progress?;
            Ok(AddProgress {
                node_id: node(progress.node_id),
                stage: stage(progress.stage).to_owned(),
                lag: progress.lag,
                done: progress.stage == AddStage::Done,
            })
        }))
    }

    async fn remove(&self, call: Call, request: RemoveRequest) -> Result<RemoveResponse, Failure> {
        let remove = authority::Remove {
            node: request.node_id,
            force: request.force,
        };
        let admitted = admit(&call.caller, remove)?;
        let removed = self
            .authority()
            .remove(admitted, call.deadline.step())
            .await?;
        Ok(RemoveResponse {
            node_id: node(removed),
        })
    }

    async fn status(&self, call: Call, _: StatusRequest) -> Result<StatusResponse, Failure> {
        let admitted = admit(&call.caller, DescribeCluster)?;
        let found = self
            .authority()
            .describe(admitted, call.deadline.step())
            .await;
        Ok(described(found))
    }

    async fn transfer_leader(
        &self,
        call: Call,
        request: TransferLeaderRequest,
    ) -> Result<TransferLeaderResponse, Failure> {
        let wish = authority::TransferLeader {
            node: request.node_id,
        };
        let admitted = admit(&call.caller, wish)?;
        let leader = self
            .authority()
            .transfer_leader(admitted, call.deadline.step())
            .await?;
        Ok(TransferLeaderResponse {
            leader_id: node(leader),
        })
    }
}

fn node(id: u64) -> String {
    NodeId(id).to_string()
}

fn stage(stage: AddStage) -> &'static str {
    match stage {
        AddStage::Invited => "invited",
        AddStage::CatchingUp => "catching_up",
        AddStage::Promoting => "promoting",
        AddStage::Done => "done",
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Voter => "voter",
        Role::Learner => "learner",
        Role::None => "none",
    }
}

fn described(found: ClusterStatus) -> StatusResponse {
    StatusResponse {
        cluster_id: found.cluster_id.map(hex::encode).unwrap_or_default(),
        answered_by: node(found.answered_by),
        leader_id: found.leader.map(node).unwrap_or_default(),
        term: found.term,
        members: found.members.into_iter().map(member).collect(),
        alarms: found.alarms,
        feature_level: found.feature_level,
    }
}

fn member(found: Member) -> v1::Member {
    let known = v1::Member {
        node_id: node(found.node_id),
        role: role(found.role).to_owned(),
        peer_address: found.peer_address,
        client_address: found.client_address,
        ..v1::Member::default()
    };
    let report = match found.report {
        Ok(report) => report,
        Err(error) => return v1::Member { error, ..known },
    };
    let (hash_revision, state_hash) = report.state_hash.unzip();
    v1::Member {
        reachable: true,
        health: Some(Health {
            ready: report.health.ready,
            reason: report.health.reason,
        }),
        revision: report.revision,
        applied_lag: report.applied_lag,
        log_bytes: report.log_bytes,
        snapshot_bytes: report.snapshot_bytes,
        journal_events: report.journal_events,
        state_hash: state_hash.map(hex::encode).unwrap_or_default(),
        hash_revision: hash_revision.unwrap_or_default(),
        journal_root: report.journal_root.map(hex::encode).unwrap_or_default(),
        version: report.version,
        disk_free_bytes: report.disk_free_bytes,
        settings: report.settings.into_iter().map(setting).collect(),
        key_fingerprint: hex::encode(report.key_fingerprint),
        clock: Some(report.clock)
            .filter(|clock| clock.0 > 0)
            .map(answers::timestamp),
        pending_erasure: report.pending_erasure.map(|it| v1::PendingErasure {
            snapshot: it.snapshot,
            purge: it.purge,
            rotation: it.rotation,
        }),
        ..known
    }
}

fn setting(told: authority::Setting) -> v1::Setting {
    v1::Setting {
        name: told.name,
        value: told.value,
        own: told.own,
    }
}
