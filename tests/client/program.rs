//! The program's client commands, run as processes: exit statuses, what people read, what programs read.

use std::{
    io::Read as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tonic::Code;

use super::fake::{Fake, Fault, refusal};

/// The program, untouched by the environment of the test.
pub fn program(node: &Fake) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refrain"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REFRAIN_") {
            command.env_remove(name);
        }
    }
    command.env("REFRAIN_ENDPOINT", node.uri());
    command
}

pub fn run(node: &Fake, line: &str) -> Output {
    let mut command = program(node);
    command.args(line.split_whitespace());
    command.output().unwrap()
}

pub fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

const ADA: &str = "--email ada@example.com --purpose marketing.email";

#[test]
fn check_says_allow_or_deny_by_its_exit_status() {
    let node = Fake::start();
    let output = run(&node, &format!("check {ADA}"));
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("ALLOW  marketing.email: "), "{text}");
    for part in [
        "DEFAULT_ALLOW",
        "event",
        "revision",
        "node time",
        "decision   made-up",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains('\x1b') && !text.contains("ada@example.com"));

    let output = run(&node, &format!("opt-out {ADA}"));
    assert_eq!(status(&output), 0);
    assert!(stdout(&output).starts_with("opted out of marketing.email"));
    let output = run(&node, &format!("--output json check {ADA} --id account:1"));
    assert_eq!(status(&output), 3);
    let answer = json(&output.stdout);
    assert_eq!(
        (&answer["decision"], &answer["revision"]),
        (&"DENY".into(), &1.into())
    );
}

#[test]
fn opt_in_needs_evidence_from_the_line_or_a_file() {
    let node = Fake::start();
    assert_eq!(status(&run(&node, &format!("opt-in {ADA}"))), 64);
    run(&node, &format!("opt-out {ADA}"));
    let done = run(&node, &format!("opt-in {ADA} --evidence ticked"));
    assert_eq!(status(&done), 0, "{}", stderr(&done));
    assert_eq!(status(&run(&node, &format!("check {ADA}"))), 0);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evidence.txt");
    let opt_in = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        status(&run(
            &node,
            &format!("opt-in {ADA} --evidence-file {}", file.display()),
        ))
    };
    assert_eq!(opt_in(b"ticked the box\n"), 0);
    assert_eq!(opt_in(b"\xff"), 65);
    assert_eq!(opt_in(&[b'x'; 5_000]), 65);
    assert_eq!(
        status(&run(
            &node,
            &format!("opt-in {ADA} --evidence-file /nowhere/at/all")
        )),
        65
    );
}

#[test]
fn every_error_has_its_status_and_json_where_it_is_asked_for() {
    let node = Fake::start();
    let cases = [
        (
            Code::InvalidArgument,
            "IDENTIFIER_INVALID",
            "not_applied",
            65,
        ),
        (Code::NotFound, "NAMESPACE_UNKNOWN", "not_applied", 65),
        (
            Code::FailedPrecondition,
            "PURPOSE_ESSENTIAL",
            "not_applied",
            77,
        ),
        (
            Code::PermissionDenied,
            "PERMISSION_DENIED",
            "not_applied",
            77,
        ),
        (Code::AlreadyExists, "REQUEST_ID_REUSED", "not_applied", 77),
        (Code::Internal, "STORAGE_FAILED", "unknown", 1),
    ];
    for (code, reason, outcome, expected) in cases {
        node.fail([Fault::Refuse(refusal(code, reason, outcome))]);
        let output = run(&node, &format!("opt-out {ADA} --output json"));
        assert_eq!(status(&output), expected, "{code:?}");
        let error = &json(&output.stderr)["error"];
        assert_eq!(error["reason"], reason);
        assert_eq!(error["outcome"], outcome);
        assert_eq!(error["status"], expected);
    }
    // Temporary ones, for as long as the call lasts.
    node.fail(
        (0..1_000).map(|_| Fault::Refuse(refusal(Code::Unavailable, "NO_QUORUM", "not_applied"))),
    );
    assert_eq!(
        status(&run(&node, &format!("opt-out {ADA} --timeout 200ms"))),
        69
    );
    let denied = run(&node, &format!("check {ADA} --timeout 200ms --output json"));
    assert_eq!(status(&denied), 69);
    assert_eq!(json(&denied.stderr)["decision"], "DENY");
}

#[test]
fn an_unknown_outcome_says_how_to_go_on() {
    let node = Fake::start();
    let lost = || {
        Fault::DoAndSay(refusal(
            Code::DeadlineExceeded,
            "OUTCOME_UNKNOWN",
            "unknown",
        ))
    };
    node.fail((0..1_000).map(|_| lost()));
    let output = run(&node, &format!("opt-out {ADA} --timeout 200ms"));
    assert_eq!(status(&output), 75);
    let id = node.model().request_ids[0].clone();
    assert!(
        stderr(&output).contains(&format!("--request-id {id}")),
        "{}",
        stderr(&output)
    );
}

#[test]
fn without_a_server_it_says_where_it_looked_and_how_to_start_one() {
    let node = Fake::start();
    node.kill();
    let output = run(&node, &format!("check {ADA} --timeout 200ms"));
    assert_eq!(status(&output), 69);
    let text = stderr(&output);
    assert!(
        text.contains(&node.uri()) && text.contains("refrain serve"),
        "{text}"
    );
    assert!(text.contains("DENY"), "{text}");
    assert_eq!(status(&run(&node, "health --timeout 200ms")), 1);
    assert_eq!(status(&run(&node, "watch --timeout 200ms")), 69);
}

#[test]
fn bad_arguments_end_with_64_and_help_with_0() {
    let node = Fake::start();
    for line in [
        "",
        "nonsense",
        "check --purpose marketing.email",
        "check --email ada@example.com",
        "check --purpose sale --id nocolon",
        "check --purpose sale --sha256 email:12",
        "opt-out --email ada@example.com",
        "watch --from x",
        "watch --from 3 --snapshot",
        "--timeout 3h namespace list",
        "--endpoint https://127.0.0.1:1 namespace list",
        "cluster add",
        "schema floor",
        "schema floor x",
        "schema floor 1 --dry-run --propose",
        "changes approve",
        "override approve",
        "override propose --purpose sale --service mailer --reason x",
        "override propose --purpose sale --service mailer --reason x --for 1h --until 2030-01-31T12:00:00Z",
        "override propose --purpose sale --service mailer --reason x --for 2y",
        "override propose --purpose sale --service mailer --reason x --for 1h --id a:1 --id a:2",
        "override propose --purpose sale --reason x --for 1h",
        "namespace configure acme",
    ] {
        let output = run(&node, line);
        assert_eq!(status(&output), 64, "`{line}`: {}", stderr(&output));
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
    let output = run(&node, "check --output json");
    assert_eq!(json(&output.stderr)["error"]["status"], 64);
    for line in [
        "--help",
        "check --help",
        "import --help",
        "cluster --help",
        "override propose --help",
        "schema floor --help",
        "--version",
    ] {
        assert_eq!(status(&run(&node, line)), 0, "{line}");
    }
    assert!(stdout(&run(&node, "--help")).contains("Exit status:"));
    assert!(stdout(&run(&node, "import --help")).contains(".refrain-import"));
    assert_eq!(node.calls(), 0);
}

#[test]
fn a_reader_that_leaves_breaks_nothing() {
    let node = Fake::start();
    run(&node, &format!("opt-out {ADA}"));
    // Heartbeats, so that it goes on writing.
    let mut watching = program(&node)
        .args(["watch", "--from", "1", "--heartbeats", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 100];
    watching
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut some)
        .unwrap();
    let output = watching.wait_with_output().unwrap();
    assert_eq!((status(&output), stderr(&output)), (0, String::new()));
}

#[test]
fn history_preferences_and_registry_are_shown() {
    let node = Fake::start();
    for number in 0..3 {
        run(
            &node,
            &format!("opt-out --email p{number}@example.com --purpose marketing.email"),
        );
    }
    let all = run(&node, "history --email p@example.com");
    assert_eq!(stdout(&all).lines().count(), 4, "{}", stdout(&all));
    let two = json(
        &run(
            &node,
            "history --email p@example.com --limit 2 --output json",
        )
        .stdout,
    );
    assert_eq!(two["events"][0]["revision"], 3);
    assert_eq!(two["next_before_revision"], 2);

    let text = stdout(&run(&node, "preferences --email p1@example.com"));
    assert!(
        text.contains("DENY") && text.contains("opted out"),
        "{text}"
    );
    assert_eq!(
        status(&run(&node, "purpose put marketing.push --default-deny")),
        0
    );
    let text = stdout(&run(&node, "purpose list"));
    assert!(text.contains("marketing.push  denied"), "{text}");
    assert_eq!(status(&run(&node, "namespace add acme")), 0);
    assert!(stdout(&run(&node, "namespace list")).contains("acme"));
}

#[test]
fn watch_ends_after_its_limit_and_writes_a_line_for_each() {
    let node = Fake::start();
    for number in 0..3 {
        run(
            &node,
            &format!("opt-out --email p{number}@example.com --purpose marketing.email"),
        );
    }
    let output = run(&node, "watch --from 1 --limit 3 --output json");
    assert_eq!(status(&output), 0);
    let revisions: Vec<Value> = stdout(&output)
        .lines()
        .map(|line| json(line.as_bytes())["event"]["revision"].clone())
        .collect();
    assert_eq!(revisions, [1, 2, 3]);
    let text = stdout(&run(&node, "watch --from 2 --limit 1"));
    assert!(
        text.contains("OPT_OUT") && text.contains("marketing.email"),
        "{text}"
    );
}

#[test]
fn a_cluster_is_formed_shown_and_shouts() {
    let node = Fake::start();
    let output = run(&node, "cluster init --with 127.0.0.1:7411 127.0.0.1:7421");
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 3);
    assert_eq!(status(&run(&node, "cluster init")), 77);
    let again = run(
        &node,
        "cluster init --if-needed --with 127.0.0.1:7411,127.0.0.1:7421",
    );
    assert_eq!(status(&again), 0, "{}", stderr(&again));
    assert_eq!(node.model().members.len(), 3);

    let output = run(&node, "cluster status");
    assert_eq!(status(&output), 0);
    let text = stdout(&output);
    for part in [
        "term 3",
        "leader",
        "voter",
        "4.00 KiB",
        "127.0.0.1:7421",
        "abababababab @0",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    {
        let mut model = node.model();
        model
            .alarms
            .push("state hashes differ at revision 12".to_owned());
        model.members[2].reachable = false;
        model.members[2].error = "connection refused".to_owned();
    }
    let output = run(&node, "cluster status");
    assert_eq!(status(&output), 2);
    assert!(stdout(&output).starts_with("ALARM  state hashes differ"));
    assert!(stdout(&output).contains("unreachable: connection refused"));
    let output = run(&node, "cluster status --output json");
    assert_eq!(status(&output), 2);
    assert_eq!(json(&output.stdout)["members"][2]["reachable"], false);

    assert_eq!(
        status(&run(&node, "cluster transfer-leader 0000000000000002")),
        0
    );
    assert_eq!(
        status(&run(&node, "cluster remove 0000000000000003 --force")),
        0
    );
    assert_eq!(node.model().members.len(), 2);
}

#[test]
fn health_follows_the_node() {
    let node = Fake::start();
    assert_eq!(status(&run(&node, "health")), 0);
    assert_eq!(status(&run(&node, "health --service nobody")), 1);
    node.model().unready = true;
    std::thread::sleep(std::time::Duration::from_millis(200));
    let output = run(&node, "health");
    assert_eq!(
        (status(&output), stdout(&output).as_str()),
        (1, "not serving\n")
    );
}
