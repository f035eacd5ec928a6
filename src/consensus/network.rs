//! How openraft reaches the other members: its messages over the peer service.

use std::{fmt::Display, future::Future, time::Duration};

use futures::stream;
use openraft::{
    OptionalSend,
    errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::{RPCOption, RaftNetworkFactory, RaftNetworkV2},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
        TransferLeaderResponse, VoteRequest, VoteResponse,
    },
    type_config::alias::SnapshotOf,
};
use serde::{Serialize, de::DeserializeOwned};
use tonic::{Code, Request, Status};

use super::peers::Peers;
use super::snapshot::{SnapshotData, Snapshots};
use super::types::{Peer, Types, Vote};
use crate::limits::{APPEND_TIMEOUT, PEER_MESSAGE_BYTES, SNAPSHOT_SEND_TIMEOUT};
use crate::proto::peer::{RaftKind, RaftMessage, SnapshotChunk, SnapshotHeader};

/// Makes the clients that openraft talks through.
pub struct Network {
    /// The connections.
    pub peers: Peers,
}

/// Talks to one member.
pub struct Link {
    peers: Peers,
    target: u64,
    address: String,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: u64, node: &Peer) -> Link {
        Link {
            peers: self.peers.clone(),
            target,
            address: node.peer_address.clone(),
        }
    }
}

fn unreachable(why: impl Display) -> RPCError<Types> {
    RPCError::Unreachable(Unreachable::from_string(why.to_string()))
}

fn network(why: impl Display) -> RPCError<Types> {
    RPCError::Network(NetworkError::from_string(why.to_string()))
}

/// A member that cannot be reached is left alone for a while; one that answered badly is asked again.
fn failed(status: &Status) -> RPCError<Types> {
    match status.code() {
        Code::Unavailable | Code::FailedPrecondition => unreachable(status),
        _ => network(status),
    }
}

impl Link {
    async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        kind: RaftKind,
        request: &Q,
        within: Duration,
    ) -> Result<A, RPCError<Types>> {
        let payload = postcard::to_stdvec(request).map_err(network)?;
        if payload.len() > PEER_MESSAGE_BYTES {
            return Err(RPCError::Network(NetworkError::from_string(
                "message too large",
            )));
        }
        let Some(envelope) = self.peers.envelope(self.target) else {
            return Err(unreachable("this node belongs to no cluster yet"));
        };
        let message = RaftMessage {
            envelope: Some(envelope),
            kind: kind.into(),
            payload: payload.into(),
        };
        let mut client = self.peers.client(&self.address).map_err(unreachable)?;
        let call = client.raft(Request::new(message));
        let reply = match tokio::time::timeout(within, call).await {
            Err(_) => return Err(network(format_args!("no answer within {within:?}"))),
            Ok(Err(status)) => return Err(failed(&status)),
            Ok(Ok(reply)) => reply.into_inner(),
        };
        postcard::from_bytes(&reply.payload).map_err(network)
    }
}

impl RaftNetworkV2<Types> for Link {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        // openraft gives every append the time between two heartbeats, which is right for a heartbeat alone.
        let within = if rpc.entries.is_empty() {
            option.hard_ttl()
        } else {
            option.hard_ttl().max(APPEND_TIMEOUT)
        };
        self.call(RaftKind::Append, &rpc, within).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.call(RaftKind::Vote, &rpc, option.hard_ttl()).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.call(RaftKind::PreVote, &rpc, option.hard_ttl()).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<Types, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let failed = |why: String| StreamingError::Network(NetworkError::from_string(why));
        let meta =
            postcard::to_stdvec(&(vote, &snapshot.meta)).map_err(|e| failed(e.to_string()))?;
        let mut pieces =
            Snapshots::pieces(&snapshot.snapshot).map_err(|e| failed(e.to_string()))?;
        let header = SnapshotChunk {
            header: Some(SnapshotHeader {
                envelope: self.peers.envelope(self.target),
                meta: meta.into(),
                length: pieces.length(),
            }),
            ..SnapshotChunk::default()
        };
        // A piece that cannot be read ends the stream early: the receiver misses the end and refuses the whole.
        let pieces = std::iter::from_fn(move || match pieces.next_piece() {
            Ok(data) => data.map(|data| SnapshotChunk {
                header: None,
                crc32c: crc32c::crc32c(&data),
                data,
            }),
            Err(error) => {
                tracing::error!(%error, "the snapshot that is being sent cannot be read");
                None
            }
        });
        let chunks = stream::iter(std::iter::once(header).chain(pieces));
        let mut client = self
            .peers
            .client(&self.address)
            .map_err(|e| failed(e.to_string()))?;
        let send = tokio::time::timeout(SNAPSHOT_SEND_TIMEOUT, client.install_snapshot(chunks));
        let reply = tokio::select! {
            closed = cancel => return Err(StreamingError::Closed(closed)),
            reply = send => match reply {
                Err(_) => return Err(failed("the snapshot took too long".to_owned())),
                Ok(Err(status)) => return Err(super::network::failed(&status).into()),
                Ok(Ok(reply)) => reply.into_inner(),
            },
        };
        postcard::from_bytes(&reply.payload).map_err(|e| failed(e.to_string()))
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        self.call(RaftKind::TransferLeader, &req, option.hard_ttl())
            .await
    }
}
