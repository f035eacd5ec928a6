//! A client that is not ours: Python's grpcio, whose messages are made from what server reflection says.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::skip::skip;
use crate::support::{Node, REFRAIN};

/// What the client imports.
const IMPORTS: &str = "import grpc, grpc_reflection, google.protobuf";

/// A Python that has what the client imports: the one named, the one that `.ci/run` made, or the system's.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("TEST_PYTHON").map(PathBuf::from);
    let target = PathBuf::from(REFRAIN)
        .ancestors()
        .nth(2)
        .map(|path| path.join("python/bin/python"));
    let candidates = [named, target, Some("python3".into()), Some("python".into())];
    candidates.into_iter().flatten().find(|python| {
        let imports = Command::new(python)
            .args(["-c", IMPORTS])
            .stdin(Stdio::null())
            .output();
        imports.is_ok_and(|output| output.status.success())
    })
}

#[tokio::test]
async fn a_client_in_python_gets_all_its_answers() {
    let Some(python) = python() else {
        skip(
            "python",
            "no Python with grpcio is here; `python3 -m venv target/python && target/python/bin/pip install -r \
             tests/live/requirements.txt` makes one",
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_single(&folder).await;
    let output = Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/live/grpcio_client.py"
        ))
        .arg(&node.client)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success(),
        "{said}\nthe node's log:\n{}",
        node.log()
    );
    println!("{said}");
}
