//! The examples against a real node: each shows what it says it shows.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::python::python;
use crate::support::{Cluster, Node, PATIENCE, REFRAIN};
use crate::ways_in::trio::STEADY;

/// A built example.
fn example(name: &str) -> PathBuf {
    // `cargo test` has built it; where only these tests were asked for, nobody has.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "build",
            "--offline",
            "--locked",
            "--quiet",
            "--example",
            name,
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let folder = Path::new(REFRAIN).parent().unwrap();
    folder.join("examples").join(name)
}

#[track_caller]
fn said(output: &Output, node: &Node) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = node.log();
    assert!(
        output.status.success(),
        "{text}{errors}\nthe node's log:\n{log}"
    );
    text
}

/// Ada's event is dropped and Grace's is used, in each of the three ways.
#[track_caller]
fn obeys(text: &str) {
    for way in ["by stamp: ", "by check: ", "by header:"] {
        let of = |name: &str| {
            let begins = format!("{way} {name}");
            let line = text.lines().find(|line| line.starts_with(&begins));
            let line = line.unwrap_or_else(|| panic!("{begins} is missing in {text}"));
            line[begins.len()..].trim().to_owned()
        };
        assert!(of("ada").starts_with("dropped: "), "{text}");
        assert_eq!(of("grace"), "used", "{text}");
    }
}

#[tokio::test]
async fn a_message_queue_drops_the_events_of_who_opted_out() {
    // Through a node that does not lead, so that what its consumer follows was decided elsewhere.
    let queue = example("queue");
    let cluster = Cluster::start(3, &STEADY).await;
    let node = &cluster.nodes[(cluster.leader().await + 1) % 3];
    let output = Command::new(queue)
        .arg(format!("http://{}", node.client))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    obeys(&said(&output, node));
}

#[tokio::test]
async fn in_python_too() {
    let Some(python) = python("import grpc, grpc_tools, jwt, cryptography") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_single(&folder).await;
    let run = |name: &str| {
        let output = Command::new(&python)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .args([name, &node.client])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        said(&output, &node)
    };
    obeys(&run("message_queue.py"));
    obeys_a_watch_that_lives(&python);
    let text = run("check.py");
    assert!(text.contains("denied, after the opt-out"), "{text}");
}

/// A watch that says nothing, or that falls behind, is given up for another.
fn obeys_a_watch_that_lives(python: &Path) {
    let output = Command::new(python)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg("stamps_recover.py")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
}

/// A guarded service, killed when dropped.
struct Service {
    child: Child,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    fn start(program: &mut Command) -> Self {
        let mut child = program
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap();
        Self {
            child,
            address: address.to_owned(),
        }
    }

    /// The status of a page, and all that was answered.
    fn get(&self, page: &str, header: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request =
            format!("GET {page} HTTP/1.1\r\nHost: here\r\n{header}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }
}

#[tokio::test]
async fn a_guarded_service_serves_by_a_fresh_allow_alone() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_single(&folder).await;
    let service = Service::start(
        Command::new(example("guarded_axum"))
            .args([&format!("http://{}", node.client), "127.0.0.1:0"]),
    );
    serves_by_a_fresh_allow_alone(&service, node);
}

#[tokio::test]
async fn a_guarded_service_in_python_too() {
    let Some(python) = python("import grpc, grpc_tools") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_single(&folder).await;
    let service = Service::start(
        Command::new(python)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .args(["guarded_service.py", &node.client, "127.0.0.1:0"]),
    );
    serves_by_a_fresh_allow_alone(&service, node);
}

fn serves_by_a_fresh_allow_alone(service: &Service, mut node: Node) {
    let account = "x-account: 4711\r\n";
    let (status, answer) = service.get("/recommendations", account);
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("as of revision"), "{answer}");
    assert_eq!(service.get("/recommendations", "").0, 403);

    let opted_out = node.run(&[
        "opt-out",
        "--id",
        "account:4711",
        "--purpose",
        "personalization",
    ]);
    assert!(opted_out.status.success());
    assert_eq!(service.get("/recommendations", account).0, 403);

    node.kill();
    let other = "x-account: 4712\r\n";
    assert_eq!(service.get("/recommendations", other).0, 503);
    assert_eq!(service.get("/", "").0, 200);
}
