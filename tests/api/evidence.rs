//! Evidence is erased by who may, in the namespace where that is, and its events stand.

use refrain::{
    admission::Permission,
    proto::v1::{
        Decision, EraseEvidenceRequest, EraseEvidenceResponse, EventKind, Evidence,
        ListEventsRequest, SetOptInRequest,
    },
};
use tonic::{Code, Status};

use super::{
    principals::{by, grant, with_principals},
    support::{Node, assert_refused, email, request_id},
};

async fn opt_in(node: &Node, address: &str) {
    let request = SetOptInRequest {
        identifiers: vec![email(address)],
        purposes: vec!["sale".to_owned()],
        evidence: Some(Evidence {
            statement: "ticked the box".to_owned(),
            ..Evidence::default()
        }),
        ..SetOptInRequest::default()
    };
    node.preferences().set_opt_in(request).await.unwrap();
}

fn whose(address: &str) -> EraseEvidenceRequest {
    EraseEvidenceRequest {
        request_id: request_id(),
        identifiers: vec![email(address)],
        ..EraseEvidenceRequest::default()
    }
}

async fn erase(
    node: &Node,
    request: EraseEvidenceRequest,
) -> Result<EraseEvidenceResponse, Status> {
    let done = node.preferences().erase_evidence(request).await;
    done.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn it_is_erased_once_and_its_events_stand() {
    let node = Node::start().await;
    opt_in(&node, "ada@example.com").await;
    opt_in(&node, "ben@example.com").await;
    let request = whose("ada@example.com");
    let done = erase(&node, request.clone()).await.unwrap();
    assert_eq!((done.revision, done.erased, done.remaining), (4, 1, 0));
    assert_eq!(done.request_id, request.request_id);
    assert_eq!(erase(&node, request.clone()).await.unwrap(), done);
    let nothing = erase(&node, whose("ada@example.com")).await.unwrap();
    assert_eq!((nothing.event_id.as_str(), nothing.erased), ("", 0));

    let other = EraseEvidenceRequest {
        identifiers: vec![email("ben@example.com")],
        ..request
    };
    let reused = erase(&node, other).await;
    assert_refused(reused, Code::AlreadyExists, "REQUEST_ID_REUSED");
    let nobody = EraseEvidenceRequest::default();
    let nobody = erase(&node, nobody).await;
    assert_refused(nobody, Code::InvalidArgument, "IDENTIFIERS_REQUIRED");
    let nowhere = EraseEvidenceRequest {
        namespace: "nowhere".to_owned(),
        ..whose("ada@example.com")
    };
    let nowhere = erase(&node, nowhere).await;
    assert_refused(nowhere, Code::NotFound, "NAMESPACE_UNKNOWN");

    let answer = node.check("ada@example.com", "sale").await;
    assert_eq!(answer.decision(), Decision::Allow);
    let history = ListEventsRequest {
        identifiers: vec![email("ada@example.com")],
        ..ListEventsRequest::default()
    };
    let events = node.preferences().list_events(history).await.unwrap();
    let events = events.into_inner().events;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind(), EventKind::OptIn);
    assert_eq!(events[0].evidence_sha256.len(), 32);
}

#[tokio::test]
async fn only_who_may_erase_all_of_it_does() {
    let all = [Permission::OptIn, Permission::OptOut, Permission::Audit];
    let here = grant(&[Permission::Erase], Some(&["default"]), None);
    let elsewhere = grant(&[Permission::Erase], Some(&["other"]), None);
    // Evidence is of all that was opted in to at once.
    let a_purpose = grant(&[Permission::Erase], None, Some(&["sale"]));
    let node = with_principals([
        ("officer".to_owned(), vec![here]),
        ("elsewhere".to_owned(), vec![elsewhere]),
        ("narrow".to_owned(), vec![a_purpose]),
        ("mailer".to_owned(), vec![grant(&all, None, None)]),
    ])
    .await;
    let mut preferences = node.preferences();
    for name in ["elsewhere", "narrow", "mailer"] {
        let asked = by(name, whose("ada@example.com"));
        let refused = preferences.erase_evidence(asked).await;
        assert_refused(refused, Code::PermissionDenied, "PERMISSION_DENIED");
    }
    let asked = by("officer", whose("ada@example.com"));
    let done = preferences.erase_evidence(asked).await.unwrap();
    assert_eq!(done.into_inner().erased, 0);
}
