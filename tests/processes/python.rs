//! Clients that are not ours, in Python: grpcio, whose messages are made from what server reflection says, and
//! schemathesis, which holds the REST routes against the document that describes them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use refrain::admission::{Permission, TokenHash};

use crate::skip::skip;
use crate::support::{Node, REFRAIN, eventually, expect, token_key};

/// A Python that can import something: the one named, the one that `.ci/run` made, or the system's.
pub fn python(imports: &str) -> Option<PathBuf> {
    let named = std::env::var_os("TEST_PYTHON").map(PathBuf::from);
    let target = PathBuf::from(REFRAIN)
        .ancestors()
        .nth(2)
        .map(|path| path.join("python/bin/python"));
    let candidates = [named, target, Some("python3".into()), Some("python".into())];
    let found = candidates.into_iter().flatten().find(|python| {
        let imports = Command::new(python)
            .args(["-c", imports])
            .stdin(Stdio::null())
            .output();
        imports.is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        skip(
            "python",
            "no Python with what tests/live and examples/python need is here; `python3 -m venv target/python && \
             target/python/bin/pip install -r tests/live/requirements.txt -r examples/python/requirements.txt && \
             target/python/bin/pip install --ignore-requires-python -r tests/live/requirements-tlog.txt` makes one",
        );
    }
    found
}

/// Runs a client to its end, which must be a good one.
fn run(client: &mut Command, node: &Node) {
    let output = client.stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success(),
        "{said}\nthe node's log:\n{}",
        node.log()
    );
    println!("{said}");
}

fn live(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/live")
        .join(name)
}

#[tokio::test]
async fn a_client_in_python_gets_all_its_answers() {
    let Some(python) = python("import grpc, grpc_reflection, google.protobuf") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_single(&folder).await;
    run(
        Command::new(python)
            .arg(live("grpcio_client.py"))
            .arg(&node.client),
        &node,
    );
}

/// Settings with principals who may do everything, two so that overrides can be made.
fn all_powerful(names: [&str; 2]) -> String {
    let permissions = Permission::ALL.map(|one| format!("\"{one}\"")).join(", ");
    names
        .map(|name| {
            let hash = TokenHash::of(name.as_bytes()).to_hex();
            format!(
                "[[principal]]\nname = \"{name}\"\ntoken_sha256 = \"{hash}\"\n\
                 [[principal.grant]]\npermissions = [{permissions}]\n"
            )
        })
        .concat()
}

#[tokio::test]
async fn the_routes_do_what_their_document_says() {
    let Some(python) = python("import schemathesis") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("refrain.toml");
    std::fs::write(&settings, all_powerful(["tester", "another"])).unwrap();
    let key = token_key(folder.path());
    let settings = settings.to_str().unwrap();
    let node = Node::start(&folder.path().join("node"), &key, &["--config", settings]).await;
    eventually("the node serves", || {
        let serves = node.run(&["health"]).status.success();
        async move { serves.then_some(()) }
    })
    .await;
    // A link of this node's, so that it comes further than to "unknown".
    let token = folder.path().join("token");
    std::fs::write(&token, "tester").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let wanted =
        "link --email ada@example.com --purpose marketing.email --output json --token-file";
    let mut wanted: Vec<&str> = wanted.split(' ').collect();
    wanted.push(token.to_str().unwrap());
    let made: serde_json::Value = serde_json::from_str(&expect(&node.run(&wanted), 0)).unwrap();
    let link = made["path"].as_str().unwrap().strip_prefix("/u/").unwrap();
    let plan = std::fs::read_to_string(live("schemathesis.toml")).unwrap();
    let parameters = format!("[parameters]\n\"path.link\" = \"{link}\"\n");
    assert!(plan.contains("[parameters]\n"));
    let with_link = folder.path().join("schemathesis.toml");
    std::fs::write(&with_link, plan.replace("[parameters]\n", &parameters)).unwrap();
    run(
        Command::new(python)
            .args(["-m", "schemathesis.cli", "--config-file"])
            .arg(&with_link)
            .args(["run", "--no-color"])
            .args(["--header", "Authorization: Bearer tester"])
            .arg(format!("http://{}/openapi.json", node.client))
            .current_dir(folder.path()),
        &node,
    );
}
