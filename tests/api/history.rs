//! `ListEvents`.

use refrain::proto::v1::{
    Event, EventKind, Evidence, ListEventsRequest, ListEventsResponse, SetOptInRequest,
    SetOptOutRequest, Signal,
};
use tonic::{Code, Status};

use super::support::{Node, assert_refused, email};

async fn list(
    node: &Node,
    addresses: &[&str],
    page_size: u32,
    before: u64,
) -> Result<ListEventsResponse, Status> {
    let request = ListEventsRequest {
        identifiers: addresses.iter().map(|address| email(address)).collect(),
        page_size,
        before_revision: before,
        ..ListEventsRequest::default()
    };
    Ok(node.preferences().list_events(request).await?.into_inner())
}

fn revisions(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.revision).collect()
}

#[tokio::test]
async fn a_history_is_walked_backwards_page_by_page() {
    let node = Node::start().await;
    let purposes = ["sale", "sharing", "analytics", "profiling", "marketing"];
    for purpose in purposes {
        node.opt_out("ada@example.com", purpose).await;
        node.opt_out("bob@example.com", purpose).await;
    }
    let all = list(&node, &["ada@example.com"], 0, 0).await.expect("all");
    assert_eq!(revisions(&all.events), [10, 8, 6, 4, 2]);
    assert_eq!((all.next_before_revision, all.revision), (0, 11));

    let mut paged = Vec::new();
    let mut before = 0;
    loop {
        let page = list(&node, &["ada@example.com"], 2, before)
            .await
            .expect("page");
        assert!(page.events.len() <= 2);
        paged.extend(page.events);
        before = page.next_before_revision;
        if before == 0 {
            break;
        }
    }
    assert_eq!(paged, all.events);
}

#[tokio::test]
async fn several_identifiers_share_their_events() {
    let node = Node::start().await;
    let both = SetOptOutRequest {
        identifiers: vec![email("ada@example.com"), email("ada@work.example")],
        purposes: vec!["sale".to_owned()],
        signal: Signal::Operator.into(),
        ..SetOptOutRequest::default()
    };
    node.opt_out("ada@example.com", "sharing").await;
    node.preferences().set_opt_out(both).await.expect("both");
    node.opt_out("ada@work.example", "sharing").await;
    let found = list(&node, &["ada@work.example", "ada@example.com"], 10, 0)
        .await
        .expect("list");
    assert_eq!(revisions(&found.events), [4, 3, 2], "each once");
    let shared = &found.events[1];
    assert_eq!(
        (shared.kind(), shared.signal()),
        (EventKind::OptOut, Signal::Operator)
    );
    assert_eq!(shared.principal, "local");
    let previous: Vec<u64> = shared
        .tokens
        .iter()
        .map(|token| token.previous_revision)
        .collect();
    assert_eq!(previous, [2, 0]);
    let nobody = list(&node, &["nobody@example.com"], 10, 0)
        .await
        .expect("list");
    assert!(nobody.events.is_empty() && nobody.revision == 4);
}

#[tokio::test]
async fn an_opt_in_shows_the_hash_of_its_evidence_and_nothing_else_of_it() {
    let node = Node::start().await;
    let request = SetOptInRequest {
        identifiers: vec![email("ada@example.com")],
        purposes: vec!["ai_training".to_owned()],
        evidence: Some(Evidence {
            statement: "said yes aloud".to_owned(),
            ..Evidence::default()
        }),
        ..SetOptInRequest::default()
    };
    node.preferences()
        .set_opt_in(request)
        .await
        .expect("opt in");
    let found = list(&node, &["ada@example.com"], 1, 0).await.expect("list");
    let event = &found.events[0];
    assert_eq!(
        (event.kind(), event.evidence_sha256.len()),
        (EventKind::OptIn, 32)
    );
    assert!(!format!("{event:?}").contains("aloud"));
}

#[tokio::test]
async fn bad_pages_get_a_reason() {
    let node = Node::start().await;
    assert_refused(
        list(&node, &["ada@example.com"], 1_001, 0).await,
        Code::InvalidArgument,
        "PAGE_SIZE_INVALID",
    );
    assert_refused(
        list(&node, &[], 0, 0).await,
        Code::InvalidArgument,
        "IDENTIFIERS_REQUIRED",
    );
    let ahead = ListEventsRequest {
        identifiers: vec![email("ada@example.com")],
        min_revision: 9,
        ..ListEventsRequest::default()
    };
    let answer = node.preferences().list_events(ahead).await;
    assert_refused(answer, Code::FailedPrecondition, "REVISION_AHEAD");
}
