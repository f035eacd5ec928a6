//! The program's client commands, run as processes: exit statuses, what people read, what programs read.

use std::{
    io::Read as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use super::fake::Fake;

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

pub const ADA: &str = "--email ada@example.com --purpose marketing.email";

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
    let put = |flags: &str| {
        let line = format!("purpose put marketing.push --output json {flags}");
        let purpose = json(&run(&node, &line).stdout)["purpose"].clone();
        let of = |key: &str| purpose[key].to_string();
        [of("description"), of("default_deny"), of("essential")]
    };
    // Of a new one the node is not told what nobody said, and refuses it.
    run(&node, "purpose put marketing.fax");
    assert_eq!(node.model().purposes["marketing.fax"].default_deny, None);
    // What no flag names stays.
    assert_eq!(put("--description pings"), [r#""pings""#, "true", "false"]);
    assert_eq!(
        put("--default-deny=false --essential"),
        [r#""pings""#, "false", "true"]
    );
    assert_eq!(put("--default-deny"), [r#""pings""#, "true", "true"]);
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
