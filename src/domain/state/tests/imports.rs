//! Imports: dense row numbers, rows that are refused, going on after a break.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

fn row(n: u8, purpose: &str) -> ImportRow {
    ImportRow::OptOut {
        tokens: subjects(&[n]),
        purposes: names(&[purpose]),
    }
}

fn chunk(first_row: u64, rows: Vec<ImportRow>) -> ImportChunk {
    ImportChunk {
        import_id: request_id(START, 900),
        namespace: Namespace::default_namespace(),
        schema_version: 0,
        first_row,
        rows,
    }
}

/// Changed, unchanged, skipped, refused rows, the next row.
fn counts(reply: &Reply) -> (u64, u64, u64, Vec<(u64, &'static str)>, u64) {
    let Ok(Outcome::Import {
        changed,
        unchanged,
        skipped,
        refusals,
        next_row,
        ..
    }) = reply
    else {
        panic!("{reply:?}");
    };
    let refusals = refusals
        .iter()
        .map(|(row, refusal)| (*row, refusal.reason()));
    (
        *changed,
        *unchanged,
        *skipped,
        refusals.collect(),
        *next_row,
    )
}

#[test]
fn a_bad_row_does_not_stop_the_others() {
    let mut driven = Driven::new();
    let rows = vec![
        row(1, "sale"),
        row(2, "nothing"),
        ImportRow::Refused,
        row(3, "service"),
        ImportRow::OptOut {
            tokens: vec![],
            purposes: names(&["sale"]),
        },
        ImportRow::OptOut {
            tokens: subjects(&[4, 4]),
            purposes: names(&["sale"]),
        },
        row(1, "sale"),
        row(5, "*"),
    ];
    let reply = driven.send(Body::ImportChunk(chunk(0, rows)));
    let refusals = vec![
        (1, "PURPOSE_UNKNOWN"),
        (3, "PURPOSE_ESSENTIAL"),
        (4, "IDENTIFIERS_REQUIRED"),
        (5, "DUPLICATE_IDENTIFIER"),
    ];
    assert_eq!(counts(&reply), (2, 1, 0, refusals, 8));
    assert_eq!(driven.reason(&[1], "sale"), Reason::OptedOut);
    assert_eq!(driven.reason(&[5], "sharing"), Reason::OptedOut);
    let events: Vec<_> = driven.events[1..].iter().collect();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.signal == Signal::Import));
    assert_ne!(events[0].id, events[1].id);
    assert_eq!(events[0].id.timestamp(), Millis(START));
}

#[test]
fn rows_are_taken_once() {
    let mut driven = Driven::new();
    let namespace = Namespace::default_namespace();
    let import_id = request_id(START, 900);
    assert_eq!(driven.state.import_next_row(&namespace, &import_id), 0);
    let first = chunk(0, vec![row(1, "sale"), row(2, "sale")]);
    driven.send(Body::ImportChunk(first.clone())).unwrap();
    assert_eq!(driven.state.import_next_row(&namespace, &import_id), 2);
    driven.now += 2 * DAY;
    driven.opt_in(&[1], &["sale"]).unwrap();
    let again = driven.send(Body::ImportChunk(first));
    assert_eq!(counts(&again), (0, 0, 2, vec![], 2));
    assert_eq!(driven.reason(&[1], "sale"), Reason::OptedIn);
    let overlap = chunk(1, vec![row(2, "sale"), row(3, "sale")]);
    assert_eq!(
        counts(&driven.send(Body::ImportChunk(overlap))),
        (1, 0, 1, vec![], 3)
    );
    let within = chunk(0, vec![row(9, "sale")]);
    assert_eq!(
        counts(&driven.send(Body::ImportChunk(within))),
        (0, 0, 1, vec![], 3)
    );
    let other = Namespace::parse("other").unwrap();
    assert_eq!(driven.state.import_next_row(&other, &import_id), 0);
}

#[test]
fn chunks_that_are_refused_whole() {
    let mut driven = Driven::new();
    let mut send = |chunk| refused(&driven.send(Body::ImportChunk(chunk)));
    assert_eq!(send(chunk(1, vec![row(1, "sale")])), "IMPORT_GAP");
    assert_eq!(send(chunk(0, vec![])), "IMPORT_ROWS_REQUIRED");
    let many = vec![ImportRow::Refused; limits::IMPORT_CHUNK_ROWS + 1];
    assert_eq!(send(chunk(0, many)), "IMPORT_CHUNK_TOO_LARGE");
    assert_eq!(
        send(chunk(u64::MAX, vec![ImportRow::Refused])),
        "IMPORT_CHUNK_TOO_LARGE"
    );
    let mut other = chunk(0, vec![row(1, "sale")]);
    other.schema_version = 9;
    assert_eq!(send(other.clone()), "SCHEMA_UNKNOWN");
    other.namespace = Namespace::parse("other").unwrap();
    assert_eq!(send(other), "NAMESPACE_UNKNOWN");
    let mut far = chunk(0, vec![row(1, "sale")]);
    far.import_id = request_id(START + limits::REQUEST_ID_AHEAD_MS + 1, 0);
    assert_eq!(send(far), "REQUEST_ID_INVALID");
    assert_eq!(driven.state.revision(), 1);
}

#[test]
fn an_import_belongs_to_one_caller_and_namespace() {
    let mut driven = Driven::new();
    driven.add_namespace("other").unwrap();
    driven
        .send(Body::ImportChunk(chunk(0, vec![row(1, "sale")])))
        .unwrap();
    let mut other = chunk(1, vec![row(2, "sale")]);
    let mut command = driven.command(Body::ImportChunk(other.clone()));
    command.principal = Principal::parse("somebody-else").unwrap();
    assert_eq!(refused(&driven.apply(&command)), "REQUEST_ID_REUSED");
    other.namespace = Namespace::parse("other").unwrap();
    assert_eq!(
        refused(&driven.send(Body::ImportChunk(other))),
        "REQUEST_ID_REUSED"
    );
}

#[test]
fn imports_are_forgotten_by_age() {
    let mut driven = Driven::new();
    driven.state.imports.set_capacity(2);
    let send_by = |driven: &mut Driven, n| {
        let mut chunk = chunk(0, vec![row(1, "sale")]);
        chunk.import_id = request_id(START, n);
        driven.send(Body::ImportChunk(chunk))
    };
    for n in [10, 20] {
        send_by(&mut driven, n).unwrap();
    }
    // One that began a moment ago is not given up for another: that one waits.
    for n in [5, 30] {
        assert_eq!(refused(&send_by(&mut driven, n)), "TOO_MANY_REQUESTS");
    }
    driven.now += limits::IMPORT_WINDOW_MS;
    let mut send = |n| send_by(&mut driven, n);
    send(30).unwrap();
    assert_eq!(refused(&send(10)), "REQUEST_ID_EXPIRED");
    assert_eq!(refused(&send(15)), "REQUEST_ID_EXPIRED");
    assert_eq!(counts(&send(20)), (0, 0, 1, vec![], 1));
}

#[test]
fn a_long_chunk_is_split_to_fit_the_log() {
    let long = |n: u16| {
        let tokens = (0..16).map(|at| {
            let [a, b] = n.to_be_bytes();
            let mut subject = subject(at);
            subject.token.bytes[..2].copy_from_slice(&[a, b]);
            subject
        });
        let purposes = (0..64).map(|at| name(&format!("{}{at:02}", "p".repeat(126))));
        ImportRow::OptOut {
            tokens: tokens.collect(),
            purposes: purposes.collect(),
        }
    };
    let whole = chunk(5, (0..1_000).map(long).collect());
    let parts = whole.clone().split();
    let mut next = 5;
    for part in &parts {
        assert_eq!(part.first_row, next);
        next += part.rows.len() as u64;
        let proposal = Proposal {
            principal: Principal::parse(&"x".repeat(limits::PRINCIPAL_BYTES)).unwrap(),
            body: Body::ImportChunk(part.clone()),
        };
        assert_eq!(proposal.validate(), Ok(()));
    }
    let rows: Vec<_> = parts.into_iter().flat_map(|part| part.rows).collect();
    assert_eq!(rows, whole.rows);
    let short = chunk(0, (0..1_000).map(|_| row(1, "marketing.email")).collect());
    assert_eq!(short.clone().split(), [short]);
    let too_large = Proposal {
        principal: principal(),
        body: Body::ImportChunk(whole),
    };
    assert_eq!(
        too_large.validate().unwrap_err().reason(),
        "COMMAND_TOO_LARGE"
    );
}
