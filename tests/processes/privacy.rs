//! No raw identifier and no evidence reaches the disk or the log, whatever is asked and however much is logged.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use refrain::proto::v1::{
    CheckRequest, VerifyStampRequest, decision_service_client::DecisionServiceClient,
    stamp_service_client::StampServiceClient,
};
use serde_json::{Value, json};

use crate::collector::Collector;
use crate::support::{Node, PATIENCE, channel, email, eventually, expect, token_key};

/// Who is spoken of. Each can be searched for: it stands nowhere else.
const ADDRESS: &str = "Grace.Hopper.4711@Example.com";
const NUMBER: &str = "+49 30 901820-4711";
const STATEMENT: &str = "pressed the green button on page 4711";

/// What must not be found: as given, as normalised, and the bare hashes of the latter.
fn traces() -> Vec<Vec<u8>> {
    use sha2::{Digest as _, Sha256};
    let (email, phone) = ("grace.hopper.4711@example.com", "+49309018204711");
    let mut traces: Vec<Vec<u8>> = [ADDRESS, NUMBER, STATEMENT, email, phone, "203.0.113.47"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec();
    for raw in [ADDRESS, NUMBER, email, phone] {
        traces.push(hex::encode(raw).into_bytes());
        traces.push(BASE64_STANDARD_NO_PAD.encode(raw).into_bytes());
    }
    for normalised in [email, phone] {
        let hash = Sha256::digest(normalised);
        traces.push(hash.to_vec());
        traces.push(hex::encode(hash).into_bytes());
    }
    traces
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The answer to a request over REST, which must not repeat whom it was about.
fn rest(node: &Node, method: &str, route: &str, header: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let length = body.len();
    let ask = format!(
        "{method} /v1/default/{route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(&node.client).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    for trace in traces() {
        let trace = String::from_utf8_lossy(&trace).into_owned();
        assert!(
            !answer.contains(&trace),
            "{route} repeats {trace}: {answer}"
        );
    }
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// What a path gives, head and body.
fn page(node: &Node, path: &str) -> String {
    let mut stream = TcpStream::connect(&node.client).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Every route that takes an identifier, heeded and refused.
fn rest_says_nothing_raw(node: &Node) {
    let who = json!([
        { "type": "email", "value": ADDRESS },
        { "type": "phone", "value": NUMBER },
    ]);
    let said = |route: &str, method: &str, header: &str, mut body: Value, status| {
        body["identifiers"] = who.clone();
        let (told, answer) = rest(node, method, route, header, &body);
        assert_eq!(told, status, "{method} {route}: {answer}");
    };
    let evidence = json!({ "statement": STATEMENT, "ip_address": "203.0.113.47" });
    let wishes =
        json!({ "preferences": { "sale": "out", "analytics": "in" }, "evidence": evidence });
    said("preferences", "PATCH", "", wishes, 200);
    let without = json!({ "preferences": { "sale": "out", "analytics": "in" } });
    said("preferences", "PATCH", "", without, 422);
    said("check", "POST", "", json!({ "purpose": "sale" }), 200);
    said("check", "POST", "", json!({ "purpose": "no.such" }), 404);
    said("preferences:query", "POST", "", json!({}), 200);
    said("signals", "POST", "Sec-GPC: 1\r\n", json!({}), 200);
    said("signals", "POST", "", json!({}), 400);
    said("tokens", "POST", "", json!({}), 200);
    let purposes = json!({ "purposes": ["marketing.email"] });
    said("links", "POST", "", purposes, 200);
    let essential = json!({ "purposes": ["service.security"] });
    said("links", "POST", "", essential, 409);
    let batch = json!({ "items": [{ "identifiers": who, "purpose": "sale" }] });
    let (told, answer) = rest(node, "POST", "batch-check", "", &batch);
    assert_eq!(told, 200, "{answer}");
    let report = |purpose: &str| {
        let one = json!({ "identifiers": who, "purpose": purpose, "processed_at": "2026-01-31T12:00:00Z" });
        json!({ "service": "mailer", "reports": [one] })
    };
    for purpose in ["sale", ADDRESS] {
        let (told, answer) = rest(node, "POST", "processing", "", &report(purpose));
        assert_eq!(told, 200, "{answer}");
    }
    // In a place where none belongs.
    said("check", "POST", "", json!({ "purpose": ADDRESS }), 400);
    said(
        "check",
        "POST",
        "",
        json!({ ADDRESS: NUMBER, "purpose": "sale" }),
        400,
    );
}

/// A stamp goes to the node and comes back judged.
async fn verify_says_nothing_raw(node: &Node) {
    let mut decisions = DecisionServiceClient::new(channel(&node.client).unwrap());
    let question = CheckRequest {
        identifiers: vec![email(ADDRESS)],
        purpose: "marketing.email".to_owned(),
        want_stamp: true,
        ..CheckRequest::default()
    };
    // A node that was just started has no key yet.
    let stamp = loop {
        let answer = decisions.check(question.clone()).await.unwrap();
        let stamp = answer.into_inner().stamp;
        if !stamp.is_empty() {
            break stamp;
        }
    };
    let mut stamps = StampServiceClient::new(channel(&node.client).unwrap());
    let mut forged = stamp.clone();
    forged.pop();
    for (stamp, genuine) in [(stamp, true), (forged, false), (ADDRESS.to_owned(), false)] {
        let request = VerifyStampRequest {
            stamp,
            purpose: "marketing.email".to_owned(),
            ..VerifyStampRequest::default()
        };
        let judged = stamps.verify(request).await;
        assert_eq!(judged.is_ok(), genuine, "{judged:?}");
        let said = format!("{judged:?}");
        for trace in traces() {
            let trace = String::from_utf8_lossy(&trace).into_owned();
            assert!(!said.contains(&trace), "it repeats {trace}: {said}");
        }
    }
}

#[tokio::test]
async fn nothing_raw_is_stored_or_logged() {
    let folder = tempfile::tempdir().unwrap();
    let key = token_key(folder.path());
    let data = folder.path().join("node");
    // A snapshot at the least size, so that one is written too.
    let extra = ["--log", "trace", "--snapshot-log-bytes", "1048576"];
    let collector = Collector::start().await;
    let extra = [&extra[..], &["--traces", &collector.url]].concat();
    let mut node = Node::start(&data, &key, &extra).await;
    node.until_ready().await;

    let subject = ["--email", ADDRESS, "--phone", NUMBER];
    let ask = |words: &[&str], code| {
        let said = expect(&node.run(&[words, &subject].concat()), code);
        for trace in traces() {
            let trace = String::from_utf8_lossy(&trace).into_owned();
            assert!(!said.contains(&trace), "{words:?} repeats {trace}: {said}");
        }
    };
    ask(&["opt-out", "--all"], 0);
    ask(&["check", "--purpose", "marketing.email"], 3);
    let evidence = ["--evidence", STATEMENT, "--ip-address", "203.0.113.47"];
    ask(
        &[&["opt-in", "--purpose", "marketing.email"], &evidence[..]].concat(),
        0,
    );
    ask(&["history"], 0);
    ask(&["preferences"], 0);
    // Refusals have the request in hand too.
    ask(&["check", "--purpose", "no.such_purpose"], 65);
    ask(&["opt-out", "--purpose", "service.security"], 77);
    let list = folder.path().join("list.csv");
    std::fs::write(
        &list,
        format!("email,phone\n{ADDRESS},{NUMBER}\n{ADDRESS},no number\n"),
    )
    .unwrap();
    let list = list.to_str().unwrap();
    expect(&node.run(&["import", list, "--purpose", "sale"]), 65);

    rest_says_nothing_raw(&node);
    verify_says_nothing_raw(&node).await;
    let metrics = page(&node, "/metrics");
    assert!(metrics.contains("refrain_violations"), "{metrics}");
    for trace in traces() {
        let trace = String::from_utf8_lossy(&trace).into_owned();
        assert!(!metrics.contains(&trace), "the metrics hold {trace}");
    }

    assert!(node.terminate().await.success());
    let log = node.log();
    assert!(
        log.contains("TRACE"),
        "the log holds all that there is to log"
    );
    collector.holds_nothing_of(&traces());
    let mut kept = Vec::new();
    files(&data, &mut kept);
    kept.push(data.with_extension("log"));
    // What is stored can be found at all: purposes lie there as they are.
    let holds = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    let log_folder = data.join("log");
    let found = |path: &PathBuf| holds(&std::fs::read(path).unwrap(), b"marketing.email");
    assert!(
        kept.iter()
            .any(|path| path.starts_with(&log_folder) && found(path))
    );
    for path in kept {
        let bytes = std::fs::read(&path).unwrap();
        for trace in traces() {
            assert!(
                !holds(&bytes, &trace),
                "{}: holds {}",
                path.display(),
                String::from_utf8_lossy(&trace)
            );
        }
    }
}

#[tokio::test]
async fn no_token_is_stored_or_logged() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let key = token_key(folder.path());
    let data = folder.path().join("node");
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (known, unknown) = ("token-that-is-known-4711", "token-of-nobody-4711");
    let hash = refrain::admission::TokenHash::of(known.as_bytes()).to_hex();
    let collector = Collector::start().await;
    let settings = written(
        "refrain.toml",
        &format!(
            "log = \"trace\"\ntraces = \"{}\"\n[[principal]]\nname = \"mailer\"\ntoken_sha256 = \"{hash}\"\n\
             [[principal.grant]]\npermissions = [\"check\", \"opt_out\"]\n",
            collector.url
        ),
    );
    let (good, bad) = (written("good", known), written("bad", unknown));
    let mut node = Node::start(&data, &key, &["--config", &settings]).await;
    eventually("the node serves", || {
        let serves = node.run(&["health"]).status.success();
        async move { serves.then_some(()) }
    })
    .await;

    let opt_out = ["opt-out", "--email", ADDRESS, "--purpose", "sale"];
    for (file, code) in [(&good, 0), (&bad, 77)] {
        expect(
            &node.run(&[&opt_out[..], &["--token-file", file]].concat()),
            code,
        );
    }
    for token in [known, unknown] {
        let mut stream = TcpStream::connect(&node.client).unwrap();
        let ask = format!(
            "GET /v1/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(ask.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(!answer.contains(token), "{answer}");
    }
    assert!(node.terminate().await.success());
    assert!(node.log().contains("TRACE"));
    // Whoever was turned away left a span too.
    let turned_away = collector.spans();
    let mut turned_away = turned_away.iter();
    assert!(turned_away.any(|it| it.word("refrain.reason") == "UNAUTHENTICATED"));
    collector.holds_nothing_of(&[known, unknown, &hash].map(|it| it.as_bytes().to_vec()));
    let mut kept = Vec::new();
    files(&data, &mut kept);
    kept.push(data.with_extension("log"));
    for path in kept {
        let bytes = std::fs::read(&path).unwrap();
        for trace in [known, unknown, &hash] {
            let trace = trace.as_bytes();
            let holds = bytes.windows(trace.len()).any(|window| window == trace);
            assert!(!holds, "{}: holds a token", path.display());
        }
    }
}

/// Says to a child of this test that it is the one to panic.
const CHILD: &str = "REFRAIN_TEST_PANICS";

#[test]
fn a_panic_tells_its_place_and_not_what_was_in_hand() {
    use refrain::config::{LogFormat, LogSettings};

    if let Some(traced) = std::env::var_os(CHILD) {
        let settings = LogSettings {
            filter: "trace".to_owned(),
            format: LogFormat::Json,
        };
        let log = refrain::server::install_logging(&settings, traced == "traced").unwrap();
        let panics = std::thread::spawn(|| panic!("cannot reach {ADDRESS} or {NUMBER}"));
        assert!(panics.join().is_err());
        drop(log);
        return;
    }
    let this = "privacy::a_panic_tells_its_place_and_not_what_was_in_hand";
    for how in ["logged", "traced"] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this, "--nocapture"])
            .env(CHILD, how)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "{said}");
        assert!(
            said.contains("a fault of the program") && said.contains("privacy.rs"),
            "{said}"
        );
        for trace in traces() {
            let trace = String::from_utf8_lossy(&trace).into_owned();
            assert!(!said.contains(&trace), "it repeats {trace}: {said}");
        }
    }
}

#[tokio::test]
async fn lines_for_programs_have_the_ids_of_events_and_decisions() {
    let folder = tempfile::tempdir().unwrap();
    let key = token_key(folder.path());
    let extra = ["--log", "info,refrain=debug", "--log-format", "json"];
    let mut node = Node::start(&folder.path().join("node"), &key, &extra).await;
    node.until_ready().await;
    let run = |words: &str, code| {
        let words: Vec<&str> = words.split(' ').chain(["--output", "json"]).collect();
        let said = node.run(&words);
        expect(&said, code);
        serde_json::from_slice::<Value>(&said.stdout).unwrap()
    };
    let out = run("opt-out --email ada@example.com --purpose sale", 0);
    let check = run("check --email ada@example.com --purpose sale", 3);
    assert!(node.terminate().await.success());
    let log = node.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let field = |name: &str, value: &Value| {
        let found = lines.iter().any(|line| line["fields"][name] == *value);
        assert!(found, "no line with {name} {value} in\n{log}");
    };
    field("event_id", &out["event_id"]);
    field("decision_id", &check["decision_id"]);
}
