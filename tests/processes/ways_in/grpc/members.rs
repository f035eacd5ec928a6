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
    // A node tells of the members as it knows them, which may be a moment late.
    eventually("the other node sees it as a voter", || async {
        let told = status(&far).await.members;
        let mut joined = told.into_iter().filter(|it| it.node_id == spare.id);
        (joined.next()?.role == "voter").then_some(())
    })
    .await;
    let remove = RemoveRequest {
        node_id: spare.id.clone(),
        force: false,
    };
    let removed = far.clone().remove(remove).await.unwrap().into_inner();
    assert_eq!(removed.node_id, spare.id);
    eventually("the other node sees it gone", || async {
        let told = status(&near).await.members;
        let gone = told.iter().all(|it| it.node_id != spare.id);
        (gone && told.len() == 3).then_some(())
    })
    .await;

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
