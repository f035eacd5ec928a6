//! `ClusterService` on a cluster of one, and a node that waits for one.

use refrain::proto::v1::{
    AddRequest, InitRequest, RemoveRequest, StatusRequest, TransferLeaderRequest,
};
use tonic::Code;

use super::support::{Node, assert_refused, assert_status, opt_out, question};

#[tokio::test]
async fn a_cluster_of_one_describes_itself() {
    let node = Node::start().await;
    node.opt_out("ada@example.com", "sale").await;
    let status = node
        .cluster()
        .status(StatusRequest {})
        .await
        .expect("status")
        .into_inner();
    let id = format!("{:016x}", node.running.node_id);
    assert_eq!((&status.answered_by, &status.leader_id), (&id, &id));
    assert_eq!(status.cluster_id.len(), 32);
    assert!(status.alarms.is_empty() && status.term > 0 && status.feature_level > 0);
    let [member] = &status.members[..] else {
        panic!("{status:?}");
    };
    assert_eq!(
        (&member.node_id, member.role.as_str(), member.reachable),
        (&id, "voter", true)
    );
    assert_eq!(
        member.client_address,
        node.running.client_address.to_string()
    );
    assert_eq!(member.peer_address, node.running.peer_address.to_string());
    assert_eq!((member.revision, member.journal_events), (2, 2));
    assert_eq!(
        (member.state_hash.len(), member.journal_root.len()),
        (64, 64)
    );
    assert!(
        member
            .health
            .as_ref()
            .is_some_and(|health| health.ready && health.reason == "ok")
    );
    assert_eq!(member.version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_node_that_waits_serves_nothing_until_its_cluster_is_formed() {
    let node = Node::start_with(|config| config.join = true).await;
    let check = node
        .decisions()
        .check(question("ada@example.com", "sale"))
        .await;
    assert_refused(check, Code::Unavailable, "WAITING_FOR_CLUSTER");
    let write = node
        .preferences()
        .set_opt_out(opt_out("ada@example.com", "sale"))
        .await;
    assert_refused(write, Code::Unavailable, "WAITING_FOR_CLUSTER");
    let status = node
        .cluster()
        .status(StatusRequest {})
        .await
        .expect("status")
        .into_inner();
    assert_eq!(
        (status.cluster_id.as_str(), status.leader_id.as_str()),
        ("", "")
    );
    assert!(status.members.iter().all(|member| member.role == "none"));

    let formed = node
        .cluster()
        .init(InitRequest {})
        .await
        .expect("init")
        .into_inner();
    assert_eq!(formed.cluster_id.len(), 32);
    assert_eq!(formed.node_id, format!("{:016x}", node.running.node_id));
    node.until_ready().await;
    node.opt_out("ada@example.com", "sale").await;
    let again = node.cluster().init(InitRequest {}).await;
    assert_refused(
        again,
        Code::FailedPrecondition,
        "CLUSTER_ALREADY_INITIALISED",
    );
}

#[tokio::test]
async fn bad_administration_gets_a_reason() {
    let node = Node::start().await;
    let own = format!("{:016x}", node.running.node_id);
    let remove = |node_id: &str| {
        let request = RemoveRequest {
            node_id: node_id.to_owned(),
            force: false,
        };
        async { node.cluster().remove(request).await }
    };
    assert_refused(remove("").await, Code::NotFound, "NODE_UNKNOWN");
    assert_refused(remove("xyz").await, Code::NotFound, "NODE_UNKNOWN");
    assert_refused(remove(&own).await, Code::FailedPrecondition, "LAST_VOTER");
    assert_refused(
        remove(&own[..8]).await,
        Code::FailedPrecondition,
        "LAST_VOTER",
    );

    let transfer = |node_id: &str| {
        let node_id = node_id.to_owned();
        async {
            node.cluster()
                .transfer_leader(TransferLeaderRequest { node_id })
                .await
        }
    };
    assert_refused(transfer("xyz").await, Code::NotFound, "NODE_UNKNOWN");

    for (address, code, reason) in [
        ("nowhere", Code::InvalidArgument, "ADDRESS_INVALID"),
        ("127.0.0.1:1", Code::Unavailable, "NODE_UNREACHABLE"),
    ] {
        let request = AddRequest {
            peer_address: address.to_owned(),
            learner: false,
        };
        let mut progress = node
            .cluster()
            .add(request)
            .await
            .expect("stream")
            .into_inner();
        let status = progress.message().await.expect_err("refused");
        assert_status(&status, code, reason);
    }
}
