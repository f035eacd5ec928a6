//! How fast, and how much memory: run with
//! `cargo test --release --lib domain::state::tests::speed -- --ignored --nocapture --test-threads 1`.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::Instant;

use crate::domain::fixtures::*;
use crate::domain::*;

const SUBJECTS: u64 = 1_000_000;

fn commands(count: u64) -> Vec<Command> {
    let mut driven = Driven::new();
    let set = driven.preference(Change::OptOut, &[0], &["marketing.email"]);
    (0..count)
        .map(|n| {
            driven.now += n % 2;
            let mut set = set.clone();
            set.request_id = driven.next_request_id();
            set.tokens[0] = spread(n);
            driven.command(Body::SetPreference(set))
        })
        .collect()
}

fn spread(n: u64) -> SubjectToken {
    let mut subject = subject(0);
    let high = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    subject.token.bytes[..8].copy_from_slice(&high.to_be_bytes());
    subject.token.bytes[8..].copy_from_slice(&n.to_be_bytes());
    subject
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1))
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0)
}

fn rate(what: &str, count: u64, since: Instant) {
    let seconds = since.elapsed().as_secs_f64();
    println!(
        "{what}: {:.0} k/s ({seconds:.2} s)",
        count as f64 / seconds / 1e3
    );
}

#[test]
#[ignore = "measures"]
fn speed_and_memory() {
    let commands = commands(SUBJECTS);
    let mut state = Driven::new().state;
    let before = resident_kib();
    let started = Instant::now();
    for command in &commands {
        state.apply(command).reply.unwrap();
    }
    rate("apply, new subjects", SUBJECTS, started);
    let mut bare = state.clone();
    bare.requests = super::super::requests::Requests::default();
    let grown = resident_kib() - before;
    println!("memory: {} MiB with the requests remembered", grown / 1_024);
    let bytes = state.shards.bytes() as f64;
    println!("tables: {:.0} bytes a subject", bytes / SUBJECTS as f64);
    drop(state);

    let started = Instant::now();
    let namespace = Namespace::default_namespace();
    let purpose = name("marketing.email");
    let service = ServiceName::none();
    let mut denied = 0;
    let subjects: Vec<_> = (0..SUBJECTS)
        .map(|n| [spread(n * 7 % (2 * SUBJECTS))])
        .collect();
    rate("(making tokens)", SUBJECTS, started);
    let started = Instant::now();
    for subject in &subjects {
        let question = Question {
            namespace: &namespace,
            tokens: subject,
            purpose: &purpose,
            service: &service,
            schema_version: 1,
            min_revision: 1,
            at: Millis(0),
        };
        let verdict = bare.decide(&question).unwrap();
        denied += u64::from(verdict.decision == Decision::Deny);
    }
    rate("decide", SUBJECTS, started);
    println!("denied: {denied}");

    let started = Instant::now();
    let clone = bare.clone();
    println!("clone: {:?}", started.elapsed());
    let started = Instant::now();
    let chunks: Vec<_> = clone.chunks().collect();
    let bytes: usize = chunks.iter().map(Vec::len).sum();
    rate("snapshot", SUBJECTS, started);
    println!("snapshot: {} MiB", bytes >> 20);
    let started = Instant::now();
    let restored = State::from_chunks(chunks.into_iter().map(Ok::<_, ()>)).unwrap();
    rate("restore", SUBJECTS, started);
    assert_eq!(restored.hash(), clone.hash());

    let started = Instant::now();
    for command in &commands {
        let bytes = command.encode();
        assert_eq!(Command::decode(&bytes).unwrap().event_id, command.event_id);
    }
    rate("encode and decode of commands", SUBJECTS, started);
    drop(restored);
}
