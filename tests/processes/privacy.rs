//! No raw identifier and no evidence reaches the disk or the log, whatever is asked and however much is logged.

use std::path::{Path, PathBuf};

use crate::support::{Node, eventually, expect, token_key};

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

#[tokio::test]
async fn nothing_raw_is_stored_or_logged() {
    let folder = tempfile::tempdir().unwrap();
    let key = token_key(folder.path());
    let data = folder.path().join("node");
    // A snapshot at the least size, so that one is written too.
    let extra = ["--log", "trace", "--snapshot-log-bytes", "1048576"];
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

    assert!(node.terminate().await.success());
    let log = node.log();
    assert!(
        log.contains("TRACE"),
        "the log holds all that there is to log"
    );
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
    use std::{
        io::{Read as _, Write as _},
        os::unix::fs::PermissionsExt as _,
    };
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
    let settings = written(
        "refrain.toml",
        &format!(
            "log = \"trace\"\n[[principal]]\nname = \"mailer\"\ntoken_sha256 = \"{hash}\"\n\
             [[principal.grant]]\npermissions = [\"check\", \"opt_out\"]\n"
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
        let mut stream = std::net::TcpStream::connect(&node.client).unwrap();
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
