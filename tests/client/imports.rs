//! Imports: in steps, over lost answers, and again from where they were.

use refrain::{
    client::{ImportStep, TaggedRow, identifier},
    proto::v1::{ImportHeader, ImportRow},
};
use tonic::Code;

use super::fake::{Fake, Fault, refusal};

fn rows(count: u64) -> Vec<TaggedRow> {
    let row = |number: u64| {
        let purpose = if number % 700 == 3 {
            "unknown.thing"
        } else {
            "marketing.email"
        };
        TaggedRow {
            tag: number + 10,
            row: ImportRow {
                identifiers: vec![identifier::email(format!("p{number}@example.com"))],
                purposes: vec![purpose.to_owned()],
            },
        }
    };
    (0..count).map(row).collect()
}

#[tokio::test]
async fn rows_go_in_steps_and_each_refusal_is_named() {
    let node = Fake::start();
    let mut steps: Vec<ImportStep> = Vec::new();
    let done = node
        .client()
        .import(
            ImportHeader::default(),
            futures::stream::iter(rows(2_500)),
            |step| steps.push(step.clone()),
        )
        .await
        .unwrap();
    assert_eq!(
        (done.rows, done.changed, done.refused, done.skipped),
        (2_500, 2_496, 4, 0)
    );
    assert_eq!(done.next_row, 2_500);
    let sizes: Vec<u64> = steps.iter().map(|step| step.rows).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert_eq!(steps[2].last_tag, 2_509);
    let refused: Vec<(u64, u64)> = steps
        .iter()
        .flat_map(|it| &it.refused)
        .map(|it| (it.row, it.tag))
        .collect();
    assert_eq!(
        refused,
        [(3, 13), (703, 713), (1_403, 1_413), (2_103, 2_113)]
    );
}

#[tokio::test]
async fn a_step_whose_answer_was_lost_is_not_taken_twice() {
    let (one, two) = Fake::pair();
    one.fail([Fault::DoAndDie]);
    let client = Fake::client_of(&[&one, &two]).build().unwrap();
    let done = client
        .import(
            ImportHeader::default(),
            futures::stream::iter(rows(1_500)),
            |_| {},
        )
        .await
        .unwrap();
    assert_eq!((done.skipped, done.changed), (1_000, 499));
    assert_eq!(two.model().events.len(), 1_497);
}

#[tokio::test]
async fn an_import_goes_on_where_it_was() {
    let node = Fake::start();
    let client = node.client();
    let header = ImportHeader {
        import_id: client.new_request_id(),
        ..Default::default()
    };
    node.fail([
        Fault::None, // of GetImport
        Fault::None, // of the first step
        Fault::Refuse(refusal(Code::PermissionDenied, "MADE_UP", "not_applied")),
    ]);
    let mut durable = 0;
    let broken = client
        .import(header.clone(), futures::stream::iter(rows(1_500)), |step| {
            durable = step.next_row;
        })
        .await;
    assert_eq!(broken.unwrap_err().reason(), "MADE_UP");
    assert_eq!(durable, 1_000);
    let done = client
        .import(header, futures::stream::iter(rows(1_500)), |_| {})
        .await
        .unwrap();
    assert_eq!((done.rows, done.skipped, done.changed), (1_500, 1_000, 499));
    assert_eq!(node.model().events.len(), 1_497);
}

#[tokio::test]
async fn large_rows_make_smaller_steps() {
    let node = Fake::start();
    let big = |number: u64| TaggedRow {
        tag: number,
        row: ImportRow {
            identifiers: vec![identifier::value("account", "x".repeat(100_000))],
            purposes: vec!["marketing.email".to_owned()],
        },
    };
    let mut steps = 0;
    let rows: Vec<TaggedRow> = (0..25).map(big).collect();
    let done = node
        .client()
        .import(ImportHeader::default(), futures::stream::iter(rows), |_| {
            steps += 1;
        })
        .await
        .unwrap();
    assert_eq!((done.next_row, steps), (25, 3));
}
