//! `refrain stamp verify`, run as a process.

use std::{
    io::Write as _,
    process::{Output, Stdio},
};

use refrain::stamp::{Claims, SigningKey, Stamped};
use tonic::Code;

use super::{
    fake::{CLUSTER, Fake, Fault, key, noon, refusal},
    program::{ADA, json, program, run, status, stderr, stdout},
};

fn stamp_by(key: &SigningKey) -> String {
    let token = format!("1:{}", "0f".repeat(16));
    let issued_at = u64::try_from(noon().seconds).unwrap();
    let claims = Claims {
        cluster_id: hex::encode(CLUSTER),
        subject: token.clone(),
        tokens: vec![token],
        namespace: "default".to_owned(),
        purposes: vec!["marketing.email".to_owned()],
        decision: Stamped::Allow,
        revision: 0,
        service: "mailer".to_owned(),
        issued_at,
        expires_at: issued_at + 900,
        decision_id: "made-up".to_owned(),
    };
    key.sign(&claims).unwrap()
}

fn verify(node: &Fake, stamp: &str, more: &str) -> Output {
    run(
        node,
        &format!("stamp verify {stamp} --purpose marketing.email {more}"),
    )
}

fn piped(node: &Fake, input: &[u8]) -> Output {
    let mut command = program(node);
    command.args(["stamp", "verify", "-", "--purpose", "marketing.email"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // Where the program has read enough, what is left goes nowhere.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn a_stamp_from_the_line_or_from_standard_input_says_what_holds_now() {
    let node = Fake::start();
    node.model().stamp_keys.push(key().public());
    let stamp = stamp_by(&key());
    for output in [
        verify(&node, &stamp, ""),
        piped(&node, format!(" {stamp}\n").as_bytes()),
    ] {
        assert_eq!(status(&output), 0, "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.starts_with("ALLOW  marketing.email: "), "{text}");
        for part in ["ALLOW as of revision 0", "2026-", "mailer"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
    let output = verify(&node, &stamp, "--service reader --output json");
    let told = json(&output.stdout);
    assert_eq!(told["decision"], "ALLOW");
    assert_eq!(told["stamp"]["decision"], "ALLOW");
    assert_eq!(told["stamp"]["purposes"][0], "marketing.email");
    assert_eq!(node.model().last_caller.1, "reader");

    node.model().decision = Some(1);
    let output = verify(&node, &stamp, "");
    assert_eq!(status(&output), 3, "{}", stderr(&output));
    assert!(stdout(&output).starts_with("DENY  marketing.email: "));
    assert!(stdout(&output).contains("ALLOW as of revision 0"));
}

#[test]
fn a_stamp_that_does_not_count_is_a_denial() {
    let node = Fake::start();
    node.model().stamp_keys.push(key().public());
    let forged = stamp_by(&SigningKey::new(&[5; 32]));
    for output in [verify(&node, &forged, ""), piped(&node, forged.as_bytes())] {
        assert_eq!(status(&output), 3, "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.starts_with("DENY  marketing.email: "), "{text}");
        assert!(
            text.contains("STAMP_INVALID") && !text.contains("mailer"),
            "{text}"
        );
    }
    let reasons = [
        (Code::FailedPrecondition, "STAMP_EXPIRED"),
        (Code::InvalidArgument, "STAMP_NAMESPACE_DIFFERS"),
        (Code::InvalidArgument, "STAMP_PURPOSE_DIFFERS"),
    ];
    for (code, reason) in reasons {
        node.fail([Fault::Refuse(refusal(code, reason, "not_applied"))]);
        let output = verify(&node, &stamp_by(&key()), "--output json");
        assert_eq!(status(&output), 3, "{}", stderr(&output));
        let told = json(&output.stdout);
        assert_eq!(
            (&told["decision"], &told["reason"]),
            (&"DENY".into(), &reason.into())
        );
    }
}

#[test]
fn no_answer_is_told_apart_and_denies_too() {
    let node = Fake::start();
    let stamp = stamp_by(&key());
    let reasons = [
        (Code::NotFound, "PURPOSE_UNKNOWN", 65),
        (Code::FailedPrecondition, "REVISION_AHEAD", 77),
        (Code::PermissionDenied, "PERMISSION_DENIED", 77),
        (Code::Internal, "STORAGE_FAILED", 1),
    ];
    for (code, reason, expected) in reasons {
        node.fail([Fault::Refuse(refusal(code, reason, "not_applied"))]);
        let output = verify(&node, &stamp, "");
        assert_eq!(status(&output), expected, "{reason}");
        assert!(
            stderr(&output).contains("no answer, so DENY"),
            "{}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "");
    }
    for input in [&b""[..], b" \n", b"\xff", &vec![b'x'; 20_000]] {
        let output = piped(&node, input);
        assert_eq!(status(&output), 65, "{}", stderr(&output));
        assert!(
            stderr(&output).contains("no answer, so DENY"),
            "{}",
            stderr(&output)
        );
    }
    assert_eq!(status(&run(&node, "stamp verify x")), 64);
    assert_eq!(status(&run(&node, &format!("stamp verify {ADA}"))), 64);
    node.kill();
    let output = verify(&node, &stamp, "--timeout 200ms --output json");
    assert_eq!(status(&output), 69, "{}", stderr(&output));
    assert_eq!(json(&output.stderr)["decision"], "DENY");
}

#[test]
fn its_help_says_how_it_ends() {
    let node = Fake::start();
    let text = stdout(&run(&node, "stamp verify --help"));
    for part in [
        "Exit status 0: ALLOW, now",
        "3: DENY, or the stamp is forged",
        "`-` reads it",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}
