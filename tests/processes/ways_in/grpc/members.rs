//! Forming a cluster and changing its members, through nodes that do not lead.

use refrain::proto::v1::{
    InitRequest, RemoveRequest, StatusRequest, StatusResponse, TransferLeaderRequest,
    cluster_service_client::ClusterServiceClient,
};
use tonic::Code;

use super::Site;
use crate::support::eventually;
use crate::ways_in::trio::{ADA, Line, add};

async fn status(client: &ClusterServiceClient<Line>) -> StatusResponse {
    let told = client.clone().status(StatusRequest {}).await;
    told.unwrap().into_inner()
}

pub async fn come_and_go(site: &Site) {
    let near = ClusterServiceClient::new(site.trio.line(site.near, ADA));
    let far = ClusterServiceClient::new(site.trio.line(site.far, ADA));
    let again = near.clone().init(InitRequest {}).await;
    let refused = again.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    assert!(refused.message().contains("cluster"), "{refused:?}");

    let spare = site.trio.spare().await;
    let stages = add(&near, &spare).await;
    assert!(stages.len() > 1, "{stages:?}");
    let told = status(&far).await;
    let joined = told.members.iter().find(|it| it.node_id == spare.id);
    assert_eq!(joined.unwrap().role, "voter", "{told:?}");
    let remove = RemoveRequest {
        node_id: spare.id.clone(),
        force: false,
    };
    let removed = far.clone().remove(remove).await.unwrap().into_inner();
    assert_eq!(removed.node_id, spare.id);
    let told = status(&near).await;
    assert_eq!(told.members.len(), 3, "{told:?}");

    let own = site.trio.nodes[site.near].id.clone();
    let hand_over = TransferLeaderRequest {
        node_id: own.clone(),
    };
    let done = near.clone().transfer_leader(hand_over).await;
    assert_eq!(done.unwrap().into_inner().leader_id, own);
    eventually("the others see the new leader", || async {
        (status(&far).await.leader_id == own).then_some(())
    })
    .await;
}
