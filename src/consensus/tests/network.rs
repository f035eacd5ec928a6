//! What travels between nodes arrives as it was sent, and what is not meant for a node is refused.

use openraft::network::{RPCOption, RaftNetworkFactory as _, RaftNetworkV2 as _};
use openraft::raft::{TransferLeaderRequest, VoteRequest};
use std::time::Duration;

use super::cluster::{Node, cluster};
use crate::consensus::network::Network;
use crate::consensus::peers::Peers;
use crate::consensus::types::{Peer, Vote};
use crate::net::Connector;
use crate::proto::peer::{Envelope, ReadIndexRequest};

async fn link(
    node: &Node,
    to: u64,
) -> <Network as openraft::network::RaftNetworkFactory<super::super::types::Types>>::Network {
    let peers = Peers::new(Connector::tcp(), 99, node.consensus.cluster_id());
    let mut network = Network { peers };
    let target = Peer {
        peer_address: node.peer.clone(),
        client_address: String::new(),
    };
    network.new_client(to, &target).await
}

fn option() -> RPCOption {
    RPCOption::new(Duration::from_secs(5))
}

/// An unimplemented pre-vote counts as granted: it must arrive, and be refused while a leader serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pre_vote_arrives_and_is_refused_while_a_leader_serves() {
    let nodes = cluster(3).await;
    let (leader, _) = nodes[0].consensus.leader().unwrap();
    let follower = nodes
        .iter()
        .find(|node| node.consensus.node_id() != leader)
        .unwrap();
    let mut link = link(follower, follower.consensus.node_id()).await;
    let request = VoteRequest::new(Vote::new(1_000, 99), None);
    let answer = link.pre_vote(request, option()).await.unwrap();
    assert!(!answer.vote_granted, "{answer:?}");
}

/// An unimplemented transfer is answered as unreachable: it must arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_of_the_leadership_arrives() {
    let nodes = cluster(1).await;
    let mut link = link(&nodes[0], nodes[0].consensus.node_id()).await;
    let request = TransferLeaderRequest::new(Vote::new(0, 99), 98, None);
    link.transfer_leader(request, option())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_for_another_node_or_of_another_cluster_is_refused() {
    let nodes = cluster(1).await;
    let mut wrong_node = link(&nodes[0], 12_345).await;
    let request = VoteRequest::new(Vote::new(1, 99), None);
    let refused = wrong_node
        .vote(request.clone(), option())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("taken over"), "{refused}");

    let peers = Peers::new(Connector::tcp(), 99, Some([1; 16]));
    let mut client = peers.client(&nodes[0].peer).unwrap();
    let envelope = Some(Envelope {
        cluster_id: vec![1; 16].into(),
        to: nodes[0].consensus.node_id(),
        from: 99,
    });
    let refused = client
        .read_index(ReadIndexRequest { envelope })
        .await
        .unwrap_err();
    assert!(refused.message().contains("another cluster"), "{refused}");

    let envelope = Some(Envelope {
        cluster_id: nodes[0].consensus.cluster_id().unwrap().to_vec().into(),
        to: nodes[0].consensus.node_id(),
        from: 99,
    });
    let refused = client
        .read_index(ReadIndexRequest { envelope })
        .await
        .unwrap_err();
    assert_eq!(
        refused.message(),
        "REMOVED",
        "who is no member gets no read index"
    );
}
