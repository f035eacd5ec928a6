//! The export: chosen events in order, whole, and taken up again where it broke off.

use std::time::{Duration, SystemTime};

use refrain::{
    admission::Permission,
    proto::v1::{
        AddNamespaceRequest, Event, EventKind, ExportRequest, ExportResponse,
        audit_service_client::AuditServiceClient,
    },
};
use tonic::{Code, Status};

use super::{
    principals::{by, grant, with_principals},
    support::{Node, assert_refused, email, opt_out},
};

async fn pieces(node: &Node, request: ExportRequest) -> Result<Vec<ExportResponse>, Status> {
    let mut client = AuditServiceClient::new(node.channel.clone());
    let mut stream = client.export(request).await?.into_inner();
    let mut pieces = Vec::new();
    while let Some(piece) = stream.message().await? {
        pieces.push(piece);
    }
    Ok(pieces)
}

/// The events of an export, which has to be complete.
async fn exported(node: &Node, request: ExportRequest) -> Vec<Event> {
    let pieces = pieces(node, request).await.unwrap();
    let complete: Vec<bool> = pieces.iter().map(|it| it.complete).collect();
    let (last, others) = complete.split_last().unwrap();
    assert!(*last && !others.contains(&true), "{complete:?}");
    pieces.into_iter().flat_map(|it| it.events).collect()
}

fn revisions(events: &[Event]) -> Vec<u64> {
    events.iter().map(|it| it.revision).collect()
}

#[tokio::test]
async fn every_event_comes_once_and_what_was_chosen_alone() {
    let node = Node::start().await;
    let other = AddNamespaceRequest {
        namespace: "other".to_owned(),
        ..AddNamespaceRequest::default()
    };
    node.registry().add_namespace(other).await.unwrap();
    let mut ours = opt_out("chosen@example.com", "sale");
    ours.service = "shop".to_owned();
    let ours = node.preferences().set_opt_out(ours).await.unwrap();
    let ours = ours.into_inner();
    let mut theirs = opt_out("chosen@example.com", "sale");
    theirs.namespace = "other".to_owned();
    let theirs = node.preferences().set_opt_out(theirs).await.unwrap();
    let theirs = theirs.into_inner().revision;
    node.opt_out_many(600).await;

    let all = exported(&node, ExportRequest::default()).await;
    let newest = all.last().unwrap().revision;
    assert_eq!(revisions(&all), (1..=newest).collect::<Vec<_>>());
    let kinds: Vec<EventKind> = all.iter().map(Event::kind).collect();
    assert_eq!(kinds[0], EventKind::Created);
    assert!(kinds.contains(&EventKind::Namespace));

    let of_shop = ExportRequest {
        service: "shop".to_owned(),
        ..ExportRequest::default()
    };
    let of_shop = exported(&node, of_shop).await;
    assert_eq!(revisions(&of_shop), [ours.revision]);
    assert_eq!(of_shop[0].service, "shop");
    let of_other = ExportRequest {
        namespace: "other".to_owned(),
        ..ExportRequest::default()
    };
    let of_other = revisions(&exported(&node, of_other).await);
    assert!(of_other.contains(&theirs) && !of_other.contains(&ours.revision));
    let of_person = ExportRequest {
        identifiers: vec![email("CHOSEN@example.com")],
        ..ExportRequest::default()
    };
    let of_person = revisions(&exported(&node, of_person).await);
    assert_eq!(of_person, [ours.revision], "in `default` alone");

    // By time: from the moment of one event to that of the import, which has one for all its rows.
    let (first, last) = (&all[2], &all[all.len() - 1]);
    let span = ExportRequest {
        since: first.received_at,
        until: last.received_at,
        ..ExportRequest::default()
    };
    let within = all.iter().filter(|it| {
        let at = |it: &Event| it.received_at.map(|at| (at.seconds, at.nanos));
        at(it) >= at(first) && at(it) < at(last)
    });
    let expected: Vec<u64> = within.map(|it| it.revision).collect();
    assert_eq!(revisions(&exported(&node, span).await), expected);
    let later = ExportRequest {
        since: Some((SystemTime::now() + Duration::from_secs(60)).into()),
        ..ExportRequest::default()
    };
    assert_eq!(exported(&node, later).await, []);
}

#[tokio::test]
async fn what_broke_off_goes_on_where_it_was() {
    let node = Node::start().await;
    // More than one piece holds.
    node.opt_out_many(6_000).await;
    let whole = pieces(&node, ExportRequest::default()).await.unwrap();
    assert!(whole.len() > 1, "one piece holds it all");
    let from = whole[0].next_revision;
    let rest = ExportRequest {
        from_revision: from,
        ..ExportRequest::default()
    };
    let rest = exported(&node, rest).await;
    assert_eq!(rest.first().map(|it| it.revision), Some(from));
    let newest = rest.last().unwrap().revision;
    let whole: Vec<Event> = whole.into_iter().flat_map(|it| it.events).collect();
    assert_eq!(revisions(&whole), (1..=newest).collect::<Vec<_>>());

    let next = |from_revision| ExportRequest {
        from_revision,
        ..ExportRequest::default()
    };
    assert_eq!(exported(&node, next(newest + 1)).await, []);
    let ahead = pieces(&node, next(newest + 2)).await;
    assert_refused(ahead, Code::FailedPrecondition, "REVISION_AHEAD");
}

#[tokio::test]
async fn bad_requests_and_strangers_are_turned_away() {
    let node = Node::start().await;
    let now = SystemTime::now();
    let empty = ExportRequest {
        since: Some(now.into()),
        until: Some(now.into()),
        ..ExportRequest::default()
    };
    let empty = pieces(&node, empty).await;
    assert_refused(empty, Code::InvalidArgument, "SPAN_EMPTY");
    let unknown = ExportRequest {
        namespace: "nowhere".to_owned(),
        ..ExportRequest::default()
    };
    let unknown = pieces(&node, unknown).await;
    assert_refused(unknown, Code::NotFound, "NAMESPACE_UNKNOWN");

    // Who may audit one namespace gets nothing of the others, nor of the cluster.
    let here = grant(&[Permission::Audit], Some(&["default"]), None);
    let node = with_principals([("auditor".to_owned(), vec![here])]).await;
    let mut client = AuditServiceClient::new(node.channel.clone());
    let all = client.export(by("auditor", ExportRequest::default())).await;
    assert_refused(all, Code::PermissionDenied, "PERMISSION_DENIED");
    let ours = ExportRequest {
        namespace: "default".to_owned(),
        ..ExportRequest::default()
    };
    let mut ours = client
        .export(by("auditor", ours))
        .await
        .unwrap()
        .into_inner();
    let first = ours.message().await.unwrap().unwrap();
    assert!(first.complete && first.events.is_empty(), "{first:?}");
}
