//! What the operator does where callers have to be known: forming a cluster and looking for its leader, as somebody.

use refrain::proto::v1::{
    AddRequest, InitRequest, StatusRequest, cluster_service_client::ClusterServiceClient,
};
use tonic::Request;

use super::stage::PATIENCE;
use crate::operator::{leading, until};
use crate::world::{PEERS, channel, name};

/// A message from somebody.
pub fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

/// Makes three nodes one cluster.
pub async fn form(token: &str) {
    let mut cluster = ClusterServiceClient::new(channel(0));
    until("a cluster is formed", PATIENCE, || {
        let mut cluster = cluster.clone();
        async move { cluster.init(by(token, InitRequest {})).await.ok() }
    })
    .await;
    for node in 1..3 {
        let request = AddRequest {
            peer_address: format!("{}:{PEERS}", name(node)),
            learner: false,
        };
        let mut progress = cluster.add(by(token, request)).await.unwrap().into_inner();
        while progress.message().await.unwrap().is_some() {}
    }
}

/// Whom a node takes for the leader.
pub async fn leader(through: usize, token: &str) -> usize {
    until("a leader is known", PATIENCE, || async {
        let mut cluster = ClusterServiceClient::new(channel(through));
        let status = cluster.status(by(token, StatusRequest {})).await.ok()?;
        leading(&status.into_inner())
    })
    .await
}
