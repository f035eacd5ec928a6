//! `ImportOptOuts` and `GetImport`.

use std::time::Instant;

use refrain::{
    domain::value_sha256,
    proto::v1::{
        Decision, GetImportRequest, Identifier, ImportHeader, ImportOptOutsRequest,
        ImportOptOutsResponse, ImportRow, ImportRows, identifier::Form,
        import_opt_outs_request::Part,
    },
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::support::{Node, assert_refused, email, request_id};

fn header(import_id: &str) -> ImportOptOutsRequest {
    part(Part::Header(ImportHeader {
        import_id: import_id.to_owned(),
        ..ImportHeader::default()
    }))
}

fn part(part: Part) -> ImportOptOutsRequest {
    ImportOptOutsRequest { part: Some(part) }
}

fn rows(first_row: u64, rows: Vec<ImportRow>) -> ImportOptOutsRequest {
    part(Part::Rows(ImportRows { first_row, rows }))
}

fn row(address: &str, purpose: &str) -> ImportRow {
    ImportRow {
        identifiers: vec![email(address)],
        purposes: vec![purpose.to_owned()],
    }
}

fn numbered(numbers: std::ops::Range<u64>) -> Vec<ImportRow> {
    numbers
        .map(|n| row(&format!("{n}@example.com"), "marketing"))
        .collect()
}

async fn import(
    node: &Node,
    messages: Vec<ImportOptOutsRequest>,
) -> Result<ImportOptOutsResponse, Status> {
    let answer = node
        .preferences()
        .import_opt_outs(tokio_stream::iter(messages))
        .await?;
    Ok(answer.into_inner())
}

async fn next_row(node: &Node, import_id: &str) -> u64 {
    let request = GetImportRequest {
        import_id: import_id.to_owned(),
        ..GetImportRequest::default()
    };
    let answer = node.preferences().get_import(request).await;
    answer.expect("get import").into_inner().next_row
}

#[tokio::test]
async fn bad_rows_are_reported_and_the_rest_goes_on() {
    let node = Node::start().await;
    let id = request_id();
    let mixed = vec![
        row("0@example.com", "sale"),
        row("not an address", "sale"),
        row("2@example.com", "nothing"),
        ImportRow::default(),
        row("4@example.com", "service.legal"),
        row("0@example.com", "sale"),
        row("6@example.com", "sale"),
    ];
    let report = import(&node, vec![header(&id), rows(0, mixed)])
        .await
        .expect("import");
    assert_eq!(
        (
            report.rows,
            report.changed,
            report.unchanged,
            report.skipped
        ),
        (7, 2, 1, 0)
    );
    assert_eq!(
        (report.refused, report.next_row, report.revision),
        (4, 7, 3)
    );
    let refused: Vec<(u64, &str)> = report
        .refusals
        .iter()
        .map(|it| (it.row, it.reason.as_str()))
        .collect();
    assert_eq!(
        refused,
        [
            (1, "IDENTIFIER_INVALID"),
            (2, "PURPOSE_UNKNOWN"),
            (3, "IDENTIFIERS_REQUIRED"),
            (4, "PURPOSE_ESSENTIAL")
        ]
    );
    assert!(
        report
            .refusals
            .iter()
            .all(|it| !it.message.contains("address\""))
    );
    for (address, decision) in [
        ("0", Decision::Deny),
        ("2", Decision::Allow),
        ("6", Decision::Deny),
    ] {
        let answer = node.check(&format!("{address}@example.com"), "sale").await;
        assert_eq!(answer.decision(), decision);
    }
    assert_eq!(next_row(&node, &id).await, 7);
}

#[tokio::test]
async fn an_import_goes_on_where_it_was() {
    let node = Node::start().await;
    let id = request_id();
    assert_eq!(next_row(&node, &id).await, 0);
    let first = import(&node, vec![header(&id), rows(0, numbered(0..600))])
        .await
        .expect("first");
    assert_eq!((first.changed, first.next_row), (600, 600));
    assert_eq!(next_row(&node, &id).await, 600);

    let messages = vec![
        header(&id),
        rows(500, numbered(500..900)),
        rows(900, numbered(900..1_000)),
    ];
    let second = import(&node, messages).await.expect("second");
    assert_eq!(
        (second.rows, second.changed, second.skipped),
        (500, 400, 100)
    );
    assert_eq!((second.next_row, second.revision), (1_000, 1_001));
}

#[tokio::test]
async fn bad_rows_are_told_again_when_their_chunk_comes_again() {
    let node = Node::start().await;
    let id = request_id();
    let bad = || vec![row("", "sale"), row("1@example.com", "sale")];
    let first = import(&node, vec![header(&id), rows(0, bad())])
        .await
        .expect("first");
    assert_eq!((first.refused, first.changed), (1, 1));
    let again = import(&node, vec![header(&id), rows(0, bad())])
        .await
        .expect("again");
    assert_eq!((again.refused, again.changed, again.skipped), (1, 0, 1));
}

#[tokio::test]
async fn an_import_without_rows_tells_how_far_it_is() {
    let node = Node::start().await;
    let id = request_id();
    let empty = || async { import(&node, vec![header(&id)]).await.expect("empty") };
    assert_eq!((empty().await.rows, empty().await.next_row), (0, 0));
    import(&node, vec![header(&id), rows(0, numbered(0..3))])
        .await
        .expect("rows");
    assert_eq!((empty().await.rows, empty().await.next_row), (0, 3));
}

#[tokio::test]
async fn bad_streams_get_a_reason() {
    let node = Node::start().await;
    let id = request_id();
    let one = || numbered(0..1);
    let invalid = Code::InvalidArgument;
    for (messages, code, reason) in [
        (vec![], invalid, "IMPORT_HEADER_REQUIRED"),
        (vec![rows(0, one())], invalid, "IMPORT_HEADER_REQUIRED"),
        (
            vec![ImportOptOutsRequest { part: None }],
            invalid,
            "IMPORT_PART_REQUIRED",
        ),
        (
            vec![header(&id), header(&id)],
            invalid,
            "IMPORT_HEADER_REPEATED",
        ),
        (
            vec![header(""), rows(0, one())],
            invalid,
            "REQUEST_ID_INVALID",
        ),
        (
            vec![header(&id), rows(0, vec![])],
            invalid,
            "IMPORT_ROWS_REQUIRED",
        ),
        (
            vec![header(&id), rows(0, numbered(0..1_001))],
            invalid,
            "IMPORT_CHUNK_TOO_LARGE",
        ),
        (vec![header(&id), rows(5, one())], invalid, "IMPORT_GAP"),
        (
            vec![header(&id), rows(u64::MAX, one())],
            invalid,
            "IMPORT_CHUNK_TOO_LARGE",
        ),
    ] {
        let shown = format!("{messages:?}");
        let status = import(&node, messages).await.expect_err(&shown);
        super::support::assert_status(&status, code, reason);
    }
    let unknown = part(Part::Header(ImportHeader {
        import_id: id.clone(),
        namespace: "x".to_owned(),
        ..ImportHeader::default()
    }));
    let answer = import(&node, vec![unknown, rows(0, one())]).await;
    assert_refused(answer, Code::NotFound, "NAMESPACE_UNKNOWN");
    let newer = part(Part::Header(ImportHeader {
        import_id: id,
        schema_version: 99,
        ..ImportHeader::default()
    }));
    let answer = import(&node, vec![newer, rows(0, one())]).await;
    assert_refused(answer, Code::FailedPrecondition, "SCHEMA_UNKNOWN");
}

#[tokio::test]
async fn a_failure_after_rows_were_taken_does_not_promise_that_nothing_was_done() {
    let node = Node::start().await;
    let id = request_id();
    let messages = vec![
        header(&id),
        rows(0, numbered(0..10)),
        rows(20, numbered(20..21)),
    ];
    let status = import(&node, messages).await.expect_err("a gap");
    let info = status.get_details_error_info().expect("info");
    assert_eq!(info.reason, "IMPORT_GAP");
    assert_eq!(
        info.metadata.get("outcome").map(String::as_str),
        Some("unknown")
    );
    assert_eq!(next_row(&node, &id).await, 10);
}

#[tokio::test]
async fn a_hundred_thousand_hashed_rows_take_far_less_than_a_minute() {
    let node = Node::start().await;
    let id = request_id();
    let hashed = |n: u64| ImportRow {
        identifiers: vec![Identifier {
            r#type: "email".to_owned(),
            form: Some(Form::Sha256(
                value_sha256(&format!("{n}@example.com")).to_vec(),
            )),
        }],
        purposes: vec!["marketing.email".to_owned()],
    };
    let mut messages = vec![header(&id)];
    messages.extend((0..200).map(|chunk| {
        let first = chunk * 500;
        rows(first, (first..first + 500).map(hashed).collect())
    }));
    let begun = Instant::now();
    let report = import(&node, messages).await.expect("import");
    assert_eq!(
        (report.rows, report.changed, report.next_row),
        (100_000, 100_000, 100_000)
    );
    let took = begun.elapsed();
    assert!(took.as_secs() < 60, "{took:?}");
    assert_eq!(
        node.check("99999@example.com", "marketing.email")
            .await
            .decision(),
        Decision::Deny
    );
}
