//! What is done with members is told: as events, by the name of who asked, and not where it was refused.

use refrain::{
    admission::{Entry, Permission, TokenHash},
    config::Config,
    domain::Principal,
    proto::v1::{
        AddRequest, Event, EventKind, ExportRequest, MembershipAct, RemoveRequest, WatchRequest,
        audit_service_client::AuditServiceClient, watch_response::Item,
    },
};
use tonic::Code;

use super::{
    principals::{by, grant},
    support::{Node, assert_refused},
};

/// Those who may act on members, each by its name for a token.
fn operators(config: &mut Config) {
    for name in ["olga", "eve"] {
        let may = [Permission::Cluster, Permission::Audit, Permission::Watch];
        let entry = Entry {
            name: Principal::parse(name).expect("name"),
            tokens: vec![TokenHash::of(name.as_bytes())],
            grants: vec![grant(&may, None, None)],
        };
        config.principals.add(entry).expect("principal");
    }
}

fn id(node: &Node) -> String {
    format!("{:016x}", node.running.node_id)
}

/// Adds a node as a learner.
async fn add(to: &Node, node: &Node, who: &str) {
    let request = AddRequest {
        peer_address: node.running.peer_address.to_string(),
        learner: true,
    };
    let progress = to.cluster().add(by(who, request)).await;
    let mut progress = progress.expect("stream").into_inner();
    let mut done = false;
    while let Some(step) = progress.message().await.expect("step") {
        done = step.done;
    }
    assert!(done);
}

async fn exported(node: &Node) -> Vec<Event> {
    let mut client = AuditServiceClient::new(node.channel.clone());
    let asked = client.export(by("eve", ExportRequest::default())).await;
    let mut stream = asked.expect("stream").into_inner();
    let mut events = Vec::new();
    while let Some(piece) = stream.message().await.expect("piece") {
        events.extend(piece.events);
    }
    events
}

/// Who did what with which member, as an event tells it.
fn told(event: &Event) -> Option<(&str, MembershipAct, String, String)> {
    let done = event.membership.clone()?;
    Some((
        &event.principal,
        done.act(),
        done.node_id,
        done.peer_address,
    ))
}

#[tokio::test]
async fn what_is_done_with_members_is_told_of_who_asked_and_once() {
    let first = Node::start_with(operators).await;
    let second = Node::start_with(|config| {
        operators(config);
        config.join = true;
    })
    .await;
    let at = |node: &Node| (id(node), node.running.peer_address.to_string());
    // The one that the cluster began with is told by the first event, and by no other.
    let created = exported(&first).await;
    let (own, address) = at(&first);
    let founded = ("cluster", MembershipAct::Founded, own, address);
    let [created] = &created[..] else {
        panic!("{created:?}");
    };
    assert_eq!(created.kind(), EventKind::Created);
    assert_eq!(told(created), Some(founded));

    add(&first, &second, "olga").await;
    // To add it again changes nothing.
    add(&first, &second, "eve").await;
    let remove = |node_id: String, force| {
        let request = RemoveRequest { node_id, force };
        async { first.cluster().remove(by("eve", request)).await }
    };
    for force in [false, true] {
        let refused = remove(id(&first), force).await;
        assert_refused(refused, Code::FailedPrecondition, "LAST_VOTER");
    }
    remove(id(&second), true).await.expect("removed");
    assert_refused(
        remove(id(&second), true).await,
        Code::NotFound,
        "NODE_UNKNOWN",
    );

    let events = exported(&first).await;
    let (other, address) = at(&second);
    let acts = events[1..].iter().map(|event| {
        assert_eq!(event.kind(), EventKind::Membership);
        assert!(event.tokens.is_empty() && event.namespace.is_empty());
        told(event).expect("what was done")
    });
    let expected = [
        ("olga", MembershipAct::Learner),
        ("eve", MembershipAct::RemovedByForce),
    ];
    let expected = expected.map(|(who, act)| (who, act, other.clone(), address.clone()));
    assert_eq!(acts.collect::<Vec<_>>(), expected);

    // Whoever follows a person's changes is told too, since it is about nobody else.
    let follow = WatchRequest {
        from_revision: 2,
        tokens: vec![format!("1:{:032x}", 7)],
        ..WatchRequest::default()
    };
    let feed = first.watches().watch(by("olga", follow)).await;
    let mut feed = feed.expect("feed").into_inner();
    for event in &events[1..] {
        let next = feed.message().await.expect("feed").expect("item").item;
        assert_eq!(next, Some(Item::Event(event.clone())));
    }
}
