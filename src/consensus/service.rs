//! The peer service: what the other nodes of the cluster, and nobody else, may ask of this one.

use std::sync::Arc;

use futures::StreamExt as _;
use openraft::{raft::TransferLeaderResponse, storage::Snapshot};
use serde::{Serialize, de::DeserializeOwned};
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument as _;

use super::administer;
use super::core::Core;
use super::members;
use super::outcome::{Unavailable, WriteError};
use super::reads;
use super::room::{Use, out_of_room};
use super::snapshot::SnapshotData;
use super::status;
use super::types::{SnapshotMeta, Vote};
use super::writes;
use crate::domain::{NodeId, Principal, Proposal, encode_reply};
use crate::proto::peer::{
    AdministerReply, AdministerRequest, DescribeReply, DescribeRequest, Envelope,
    FetchJournalReply, FetchJournalRequest, InviteRequest, ProposeReply, ProposeRequest, RaftKind,
    RaftMessage, RaftReply, ReadIndexReply, ReadIndexRequest, SnapshotChunk, peer_server::Peer,
    propose_reply,
};
use crate::storage::off_thread;
use crate::traces;

/// Answers the other nodes.
pub struct Service(pub Arc<Core>);

impl Service {
    /// Whether a call is meant for this node, by a node of the same cluster.
    fn check(&self, envelope: Option<&Envelope>) -> Result<u64, Status> {
        let refuse = |what: String| Err(Status::failed_precondition(what));
        let Some(envelope) = envelope else {
            return refuse("no envelope".to_owned());
        };
        let Some(cluster) = self.0.peers.cluster_id() else {
            return refuse(Unavailable::WaitingForCluster.reason().to_owned());
        };
        if envelope.cluster_id[..] != cluster[..] {
            return refuse("this node belongs to another cluster".to_owned());
        }
        if envelope.to != self.0.node_id() {
            return refuse(format!(
                "this node is {}, not {}: its address was taken over",
                NodeId(self.0.node_id()),
                NodeId(envelope.to)
            ));
        }
        Ok(envelope.from)
    }

    /// As `check`, and the caller must still be a member.
    fn check_member(&self, envelope: Option<&Envelope>) -> Result<(), Status> {
        let from = self.check(envelope)?;
        if self.0.members().iter().any(|(id, ..)| *id == from) {
            return Ok(());
        }
        Err(Status::failed_precondition(Unavailable::Removed.reason()))
    }
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Status> {
    postcard::from_bytes(payload)
        .map_err(|e| Status::invalid_argument(format!("not a message of this version: {e}")))
}

fn reply<T: Serialize>(value: &T) -> Result<Response<RaftReply>, Status> {
    let payload = postcard::to_stdvec(value).map_err(|e| Status::internal(e.to_string()))?;
    Ok(Response::new(RaftReply {
        payload: payload.into(),
    }))
}

/// The sender leaves this node alone for a while, and tries again.
fn no_room() -> Status {
    Status::failed_precondition(Unavailable::DiskNearlyFull.reason())
}

fn fatal(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}

#[tonic::async_trait]
impl Peer for Service {
    async fn raft(&self, request: Request<RaftMessage>) -> Result<Response<RaftReply>, Status> {
        let message = request.into_inner();
        self.check(message.envelope.as_ref())?;
        let raft = &self.0.raft;
        match message.kind() {
            RaftKind::Append => reply(
                &raft
                    .append_entries(read(&message.payload)?)
                    .await
                    .map_err(fatal)?,
            ),
            RaftKind::Vote => reply(&raft.vote(read(&message.payload)?).await.map_err(fatal)?),
            RaftKind::PreVote => reply(
                &raft
                    .pre_vote(read(&message.payload)?)
                    .await
                    .map_err(fatal)?,
            ),
            RaftKind::TransferLeader => {
                let answer: TransferLeaderResponse<_> = raft
                    .handle_transfer_leader(read(&message.payload)?)
                    .await
                    .map_err(fatal)?;
                reply(&answer)
            }
            RaftKind::Unspecified => Err(Status::invalid_argument("no kind of Raft message")),
        }
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<SnapshotChunk>>,
    ) -> Result<Response<RaftReply>, Status> {
        let mut chunks = request.into_inner();
        let Some(Ok(SnapshotChunk {
            header: Some(header),
            ..
        })) = chunks.next().await
        else {
            return Err(Status::invalid_argument(
                "a snapshot begins with its header",
            ));
        };
        self.check(header.envelope.as_ref())?;
        let (vote, meta): (Vote, SnapshotMeta) = read(&header.meta)?;
        let room = self.0.snapshots.room();
        if !room.take(Use::Receive, header.length) {
            return Err(no_room());
        }
        let failed = |error: std::io::Error| {
            if out_of_room(&error) {
                room.ran_out(Use::Receive, header.length);
                return no_room();
            }
            Status::data_loss(error.to_string())
        };
        let mut receiver = self.0.snapshots.receive(&meta).map_err(failed)?;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if crc32c::crc32c(&chunk.data) != chunk.crc32c {
                return Err(Status::data_loss(
                    "a piece of the snapshot was damaged on the way",
                ));
            }
            room.check_growth().map_err(failed)?;
            receiver.push(&chunk.data).map_err(|e| failed(e.into()))?;
        }
        let whole = receiver.finish().map_err(|e| failed(e.into()))?;
        let snapshot = SnapshotData::Received(whole);
        // openraft panics on a snapshot that no honest leader can send; ours came from a member of the cluster.
        let answer = self
            .0
            .raft
            .install_full_snapshot(vote, Snapshot { meta, snapshot })
            .await;
        reply(&answer.map_err(fatal)?)
    }

    async fn propose(
        &self,
        request: Request<ProposeRequest>,
    ) -> Result<Response<ProposeReply>, Status> {
        let span = traces::of_peer(request.metadata().as_ref(), "Propose");
        let request = request.into_inner();
        self.check_member(request.envelope.as_ref())?;
        let proposal = Proposal::decode(&request.proposal)
            .map_err(|e| Status::failed_precondition(e.to_string()))?;
        let outcome = match writes::propose(&self.0, &proposal).instrument(span).await {
            Ok(outcome) => propose_reply::Outcome::Reply(encode_reply(&Ok(outcome))),
            Err(WriteError::Refused(refusal)) => {
                propose_reply::Outcome::Reply(encode_reply(&Err(refusal)))
            }
            Err(WriteError::NotApplied { why }) => {
                propose_reply::Outcome::NotApplied(why.reason().to_owned())
            }
            Err(WriteError::Unknown { why }) => {
                propose_reply::Outcome::Unknown(why.reason().to_owned())
            }
        };
        Ok(Response::new(ProposeReply {
            outcome: Some(outcome),
        }))
    }

    async fn read_index(
        &self,
        request: Request<ReadIndexRequest>,
    ) -> Result<Response<ReadIndexReply>, Status> {
        let span = traces::of_peer(request.metadata().as_ref(), "ReadIndex");
        self.check_member(request.into_inner().envelope.as_ref())?;
        match reads::confirm(&self.0).instrument(span).await {
            Ok(point) => Ok(Response::new(ReadIndexReply {
                index: point.index,
                leader_clock_ms: point.leader_clock.0,
            })),
            Err(why) => Err(Status::failed_precondition(why.reason())),
        }
    }

    async fn describe(
        &self,
        _request: Request<DescribeRequest>,
    ) -> Result<Response<DescribeReply>, Status> {
        Ok(Response::new(status::describe(&self.0)))
    }

    async fn invite(
        &self,
        request: Request<InviteRequest>,
    ) -> Result<Response<DescribeReply>, Status> {
        members::accept_invitation(&self.0, &request.into_inner())?;
        Ok(Response::new(status::describe(&self.0)))
    }

    async fn fetch_journal(
        &self,
        request: Request<FetchJournalRequest>,
    ) -> Result<Response<FetchJournalReply>, Status> {
        let request = request.into_inner();
        self.check_member(request.envelope.as_ref())?;
        let journal = self.0.replica.journal().clone();
        let bundle = off_thread(move || journal.bundle(request.bundle))
            .await
            .map_err(|e| Status::internal(e.to_string()))?;
        match bundle {
            Ok((entries, evidence)) => Ok(Response::new(FetchJournalReply { entries, evidence })),
            Err(error) => Err(Status::not_found(error.to_string())),
        }
    }

    async fn administer(
        &self,
        request: Request<AdministerRequest>,
    ) -> Result<Response<AdministerReply>, Status> {
        let request = request.into_inner();
        self.check_member(request.envelope.as_ref())?;
        let Some(act) = request.act else {
            return Err(Status::invalid_argument("no act"));
        };
        // Whom a node does not name is not known.
        let principal =
            Principal::parse(&request.principal).unwrap_or_else(|_| Principal::cluster());
        let answered = administer::carry_out(&self.0, act, &principal).await;
        Ok(Response::new(AdministerReply {
            outcome: Some(administer::to_wire(answered)),
        }))
    }
}
