//! The program's failures: exit statuses, what people are told to do, what programs read.

use tonic::Code;

use super::{
    fake::{Fake, Fault, refusal, refusal_with},
    program::{ADA, json, program, run, status, stderr, stdout},
};

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
fn a_question_without_an_answer_in_time_leaves_nothing_in_doubt() {
    let node = Fake::start();
    let told = [
        ("outcome", "not_applied"),
        ("what_to_do", "wait for a minute"),
    ];
    let late = || Fault::Refuse(refusal_with(Code::DeadlineExceeded, "DEADLINE", &told));
    for line in [
        format!("check {ADA}"),
        "preferences --email a@b.c".to_owned(),
        "watch".to_owned(),
    ] {
        node.fail((0..1_000).map(|_| late()));
        let output = run(&node, &format!("{line} --timeout 200ms"));
        assert_eq!(status(&output), 69, "{line}: {}", stderr(&output));
        assert!(
            !stderr(&output).contains("may or may not"),
            "{}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains("\n  wait for a minute"),
            "{}",
            stderr(&output)
        );
    }
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
    for (line, parts) in [
        ("opt-out --email ada@example.com", ["--purpose", "--all"]),
        (
            "opt-in --email ada@example.com --all",
            ["--evidence ", "--evidence-file"],
        ),
        ("--endpoint 127.0.0.1:99999 health", ["99999", "1 to 65535"]),
    ] {
        let text = stderr(&run(&node, line));
        assert!(
            parts.iter().all(|part| text.contains(part)),
            "{line}: {text}"
        );
    }
    let output = program(&node)
        .args(["--endpoint", "", "namespace", "list"])
        .env_remove("REFRAIN_ENDPOINT")
        .output()
        .unwrap();
    assert_eq!(status(&output), 64, "{}", stderr(&output));
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
