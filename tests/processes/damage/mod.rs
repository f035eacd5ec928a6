//! Damage to any file of a data folder is repaired, or refused with a message that names it; none passes in silence.
//!
//! Every kind of file that a node leaves has a row here, and a kind without one fails the test. The parts of a file are
//! damaged more thoroughly where the code for them is: `src/storage/log/tests/damage.rs`, `src/storage/journal/tests/damage.rs`
//! (which has the tiles of upper levels, too, for which a node needs 65,536 events), `src/storage/snapshot/tests.rs`. The
//! token key lies outside the folder here: `refusals.rs`. `DAMAGE=all cargo test --test processes damage` tries every way.

mod ways;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use refrain::proto::v1::{CheckRequest, decision_service_client::DecisionServiceClient};
use tempfile::TempDir;
use ways::{ALL, Damage, THREE};

use crate::power_cuts::traffic::{Acknowledged, Traffic, all_is_there};
use crate::support::{Node, channel, email, eventually, token_key};

/// A snapshot soon, and an election at once.
const ARGS: [&str; 8] = [
    "--snapshot-log-bytes",
    "65536",
    "--heartbeat-ms",
    "20",
    "--election-timeout-min-ms",
    "60",
    "--election-timeout-max-ms",
    "120",
];
/// So many changes at least: several bundles, and a snapshot.
const CHANGES: usize = 1_600;
/// So many damaged folders are opened at once.
const AT_ONCE: usize = 4;

/// What must come of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    /// The node does not start, and the message has these words.
    Refuse(&'static str),
    /// It starts and has everything.
    Repair,
    /// One or the other, by the place: the message has these words.
    Either(&'static str),
}

/// Every kind of file: a pattern with at most one `*`, what must come of its damage, and why.
const KINDS: [(&str, Must, &str); 18] = [
    (
        "identity",
        Must::Refuse("identity is damaged"),
        "who the node is",
    ),
    (
        "vote",
        Must::Refuse("vote is damaged"),
        "a forgotten vote is given twice",
    ),
    (
        "log.mark",
        Must::Either("log.mark is damaged"),
        "one of its slots is enough",
    ),
    (
        "log/db",
        Must::Either("log is damaged"),
        "not every byte holds something",
    ),
    (
        "log/conf",
        Must::Either("log is damaged"),
        "sled makes one that is missing",
    ),
    (
        "log/snap.*",
        Must::Either("log is damaged"),
        "sled reads all of the log without it",
    ),
    (
        "snapshots/*",
        Must::Refuse(".snapshot is damaged"),
        "the log before it is gone",
    ),
    (
        "journal/complete",
        Must::Refuse("journal/complete is damaged"),
        "what was once here",
    ),
    (
        "journal/tile/entries/*",
        Must::Either("journal/tile/entries/"),
        "replay mends what is after the snapshot",
    ),
    (
        "journal/tile/0/*",
        Must::Either("journal/tile/0/"),
        "the same",
    ),
    (
        "journal/evidence/*",
        Must::Either("journal/evidence/"),
        "the same",
    ),
    ("stamp_secrets", Must::Repair, "another key takes its place"),
    ("journal_secrets", Must::Repair, "the same"),
    (
        "evidence_secrets",
        Must::Refuse("evidence_secrets is damaged"),
        "nothing else opens what they wrapped",
    ),
    (
        "sealing.key",
        Must::Either("sealing.key"),
        "its checksum and white space hold no key",
    ),
    ("ballast", Must::Repair, "only its room counts"),
    ("lock", Must::Repair, "only that it is locked counts"),
    ("aside/*", Must::Repair, "what is half written is swept"),
];

/// The row of a file.
fn kind(path: &str) -> Option<usize> {
    KINDS
        .iter()
        .position(|(pattern, ..)| match pattern.split_once('*') {
            None => *pattern == path,
            Some((before, after)) => path.strip_prefix(before).is_some_and(|rest| {
                rest.strip_suffix(after)
                    .is_some_and(|name| !name.contains('/'))
            }),
        })
}

/// What came of it.
#[derive(Debug)]
enum Outcome {
    Refused(String),
    /// It has everything; what it said.
    Whole(String),
    Wrong(String),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_to_any_file_is_repaired_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = token_key(folder.path());
    let data = folder.path().join("node");
    let known = live(&data, &key).await;
    let files = files(&data);
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for file in files {
        let Some(row) = kind(&file) else {
            panic!("{file}: a kind of file without a row: say what must come of its damage");
        };
        found.entry(row).or_default().push(file);
    }
    for (row, (pattern, ..)) in KINDS.iter().enumerate() {
        // Nothing is half written while the node rests.
        let seen = found.contains_key(&row) || *pattern == "aside/*";
        assert!(
            seen,
            "no file is a {pattern} any more: its row is out of date"
        );
    }
    let all = std::env::var("DAMAGE").is_ok_and(|what| what == "all");
    let ways = if all { &ALL[..] } else { &THREE };
    let mut trials = Vec::new();
    for (row, files) in &found {
        let (first, last) = (files.first().unwrap(), files.last().unwrap());
        let some = [first, last].into_iter().take(files.len().min(2));
        for file in some {
            trials.extend(ways.iter().map(|damage| (*row, file.clone(), *damage)));
        }
    }
    let (data, key, known) = (&data, &key, &known);
    let outcomes = futures::stream::iter(trials).map(|(row, file, damage)| async move {
        let copy = copy(data);
        let damaged = copy.path().join("node");
        if !damage.strike(&damaged.join(&file)) {
            return None;
        }
        let outcome = open(&damaged, key, known).await;
        let fault = judge(row, &file, damage, &outcome, data, &damaged);
        Some((row, outcome, fault))
    });
    let outcomes: Vec<_> = outcomes.buffer_unordered(AT_ONCE).collect().await;
    let mut table: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    let mut faults = Vec::new();
    for (row, outcome, fault) in outcomes.into_iter().flatten() {
        let counts = table.entry(row).or_default();
        match outcome {
            Outcome::Refused(_) => counts.0 += 1,
            Outcome::Whole(_) | Outcome::Wrong(_) => counts.1 += 1,
        }
        faults.extend(fault);
    }
    let mut err = std::io::stderr();
    for (row, (refused, whole)) in table {
        let (pattern, _, why) = KINDS[row];
        let _ = writeln!(
            err,
            "damage: {pattern}: {refused} refused, {whole} whole ({why})"
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// A life that leaves every kind of file; and what was acknowledged in it.
async fn live(data: &Path, key: &Path) -> Acknowledged {
    let mut node = Node::start(data, key, &ARGS).await;
    node.until_ready().await;
    eventually("a stamp is made", || async {
        let mut client = DecisionServiceClient::new(channel(&node.client)?);
        let request = CheckRequest {
            want_stamp: true,
            service: "mailer".to_owned(),
            ..question()
        };
        let answer = client.check(request).await.ok()?.into_inner();
        (!answer.stamp.is_empty()).then_some(())
    })
    .await;
    eventually("a checkpoint is signed", || async {
        let signed = node.run(&["journal", "checkpoint"]).status.success();
        signed.then_some(())
    })
    .await;
    let traffic = Traffic::start(&node, 0);
    eventually("enough is acknowledged", || {
        let snapshot = data.join("snapshots").exists();
        let enough = snapshot && traffic.acknowledged() >= CHANGES;
        async move { enough.then_some(()) }
    })
    .await;
    node.kill();
    let mut known = Acknowledged::default();
    known.take(traffic.end().await);
    // What was in doubt is settled by a look at the undamaged folder; the node then rests.
    node.restart().await;
    node.until_ready().await;
    all_is_there(&node, &mut known).await.unwrap();
    node.kill();
    known
}

/// The files below the folder.
fn files(data: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(data.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                files.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

fn copy(data: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(data) {
        let to = copy.path().join("node").join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(data.join(&file), to).unwrap();
    }
    // sled counts on this one.
    fs::create_dir_all(copy.path().join("node/log/blobs")).unwrap();
    copy
}

/// Starts a node on a folder, and holds it against what is known.
async fn open(data: &Path, key: &Path, known: &Acknowledged) -> Outcome {
    let mut node = match Node::try_start(data, key, &ARGS).await {
        Ok(node) => node,
        Err((status, said)) => return ended(status.code(), said),
    };
    let connection = channel(&node.client).unwrap();
    let ended_at = eventually("the node serves or ends", || {
        let ended = node.ended();
        let mut client = DecisionServiceClient::new(connection.clone());
        async move {
            match ended {
                Some(status) => Some(Some(status)),
                None => client.check(question()).await.is_ok().then_some(None),
            }
        }
    })
    .await;
    if let Some(status) = ended_at {
        return ended(status.code(), node.log());
    }
    match all_is_there(&node, &mut known.clone()).await {
        Ok(_) => Outcome::Whole(node.log()),
        Err(lost) => Outcome::Wrong(lost),
    }
}

fn ended(code: Option<i32>, said: String) -> Outcome {
    match code {
        // An error of the disk, and a setting that is none.
        Some(1 | 64) => Outcome::Refused(said),
        _ => Outcome::Wrong(format!("it ended with {code:?}:\n{said}")),
    }
}

fn question() -> CheckRequest {
    CheckRequest {
        identifiers: vec![email("nobody@example.com")],
        purpose: "analytics".to_owned(),
        ..CheckRequest::default()
    }
}

/// What is wrong with an outcome.
fn judge(
    row: usize,
    file: &str,
    damage: Damage,
    outcome: &Outcome,
    data: &Path,
    damaged: &Path,
) -> Option<String> {
    let (pattern, must, _) = KINDS[row];
    let wrong = |what: &str| Some(format!("{file}, {damage:?}: {what}"));
    match (outcome, must) {
        (Outcome::Wrong(what), _) => wrong(what),
        (Outcome::Refused(said), Must::Repair) => wrong(&format!("not repaired:\n{said}")),
        (Outcome::Refused(said), Must::Refuse(words) | Must::Either(words)) => {
            // A file that is missing is told by its folder where the names in it are not known.
            let place = pattern.split(['/', '*']).next().unwrap();
            let named = said.contains(words)
                || (damage == Damage::Removed && said.contains(&format!("{place} is damaged")));
            let way_back = said.contains("cluster remove") || pattern == "sealing.key";
            if named && way_back {
                return None;
            }
            wrong(&format!(
                "the message does not name it, or no way back:\n{said}"
            ))
        }
        (Outcome::Whole(_), Must::Refuse(_)) => wrong("it passed in silence"),
        (Outcome::Whole(said), Must::Repair | Must::Either(_)) => {
            let now = fs::read(damaged.join(file)).ok();
            let whole = fs::read(data.join(file)).ok();
            if pattern.starts_with("journal/") && now != whole {
                return wrong("it was not written again");
            }
            let key = |bytes: &[u8]| bytes.get(..64).map(<[u8]>::to_vec);
            if pattern == "sealing.key"
                && now.as_deref().and_then(key) != whole.as_deref().and_then(key)
            {
                return wrong("another key passes for this one in silence");
            }
            let told = said.contains("makes a new key in place of the damaged one");
            if pattern.ends_with("_secrets") && damage != Damage::Removed && !told {
                return wrong(&format!("the node does not say so:\n{said}"));
            }
            None
        }
    }
}
