//! The program as a principal: where it takes its token from, how it makes one, and how it ends without a good one.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Output};

use refrain::{admission::TokenHash, config::Config};
use tokio::process::Command;

use super::{principals::mailer_and_root, support::Node};

/// The program, untouched by the environment of the test.
fn program(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refrain"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REFRAIN_") {
            command.env_remove(name);
        }
    }
    command.args(arguments.split_whitespace());
    command
}

fn at(node: &Node, arguments: &str) -> Command {
    let mut command = program(arguments);
    command.env("REFRAIN_ENDPOINT", node.running.client_address.to_string());
    command
}

async fn run(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().await.expect("run");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("status"), text(stdout), text(stderr))
}

fn token_file(folder: &Path, text: &str, mode: u32) -> String {
    let path = folder.join(format!("token-{mode:o}"));
    fs::write(&path, text).expect("file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
    path.to_str().expect("path").to_owned()
}

const ASK: &str = "--namespace shop check --email ada@example.com --purpose";

#[tokio::test]
async fn a_token_comes_from_the_environment_or_a_file_and_its_lack_is_explained() {
    let node = mailer_and_root().await;
    let folder = tempfile::tempdir().expect("folder");
    let granted = format!("{ASK} marketing.email");

    let (status, _, said) = run(&mut at(&node, &granted)).await;
    assert_eq!(status, 77, "{said}");
    assert!(
        said.contains("so DENY") && said.contains("UNAUTHENTICATED"),
        "{said}"
    );
    assert!(
        said.contains("REFRAIN_TOKEN") && said.contains("--token-file"),
        "{said}"
    );

    let (status, _, said) = run(at(&node, &granted).env("REFRAIN_TOKEN", "mailer")).await;
    assert_eq!(status, 0, "{said}");
    let file = token_file(folder.path(), "mailer\n", 0o600);
    let with_file = format!("{granted} --token-file {file}");
    // The line weighs more than the environment.
    let (status, _, said) = run(at(&node, &with_file).env("REFRAIN_TOKEN", "nobody's")).await;
    assert_eq!(status, 0, "{said}");

    let (status, _, said) = run(at(&node, &granted).env("REFRAIN_TOKEN", "secretive")).await;
    assert_eq!(status, 77, "{said}");
    assert!(!said.contains("secretive"), "{said}");
    let denied = format!("--output json {ASK} sale");
    let (status, _, said) = run(at(&node, &denied).env("REFRAIN_TOKEN", "mailer")).await;
    assert_eq!(status, 77, "{said}");
    let error: serde_json::Value = serde_json::from_str(&said).expect("json");
    assert_eq!(error["error"]["reason"], "PERMISSION_DENIED");
    assert_eq!(error["decision"], "DENY");
    assert!(said.contains("[[principal.grant]]"), "{said}");
}

#[tokio::test]
async fn a_token_that_cannot_be_used_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("folder");
    let open = token_file(folder.path(), "secret", 0o644);
    let empty = token_file(folder.path(), " \n", 0o600);
    let garbled = token_file(folder.path(), "sec ret", 0o640);
    for (file, word) in [
        (open.as_str(), "chmod 600"),
        (&empty, "it is empty"),
        (&garbled, "visible ASCII"),
        ("/no/such/token", "cannot be read"),
    ] {
        let line = format!("{ASK} sale --endpoint 127.0.0.1:1 --token-file {file}");
        let (status, _, said) = run(&mut program(&line)).await;
        assert_eq!(status, 64, "{said}");
        assert!(said.contains(word), "{said}");
        assert!(
            !said.contains("secret") && !said.contains("sec ret"),
            "{said}"
        );
    }
    // The token itself is no flag: it would stand in the list of processes.
    let (status, _, _) = run(&mut program(&format!("{ASK} sale --token secret"))).await;
    assert_eq!(status, 64);
}

#[tokio::test]
async fn a_principal_is_made_and_its_lines_are_what_a_node_takes() {
    let (status, token, lines) = run(&mut program("principal new newsletter")).await;
    assert_eq!(status, 0, "{lines}");
    let token = token.trim_end();
    assert_eq!(token.len(), 43, "256 bits");
    assert!(!lines.contains(token), "the token stands in the lines");
    let hash = TokenHash::of(token.as_bytes()).to_hex();
    assert!(
        lines.contains(&format!("token_sha256 = \"{hash}\"")),
        "{lines}"
    );

    // Pasted as they are, they make a node that knows the principal.
    let begin = lines.find("[[principal]]").expect("lines");
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("refrain.toml");
    fs::write(&file, &lines[begin..]).expect("file");
    let args = refrain::config::ServeArgs {
        config: Some(file),
        ..Default::default()
    };
    let principals = Config::load(&args).expect("config").principals;
    let node = Node::start_with(|config| config.principals = principals).await;
    let mut ask = at(&node, "check --email ada@example.com --purpose analytics");
    let (status, _, said) = run(ask.env("REFRAIN_TOKEN", token)).await;
    assert_eq!(status, 0, "{said}");

    let (_, again, _) = run(&mut program("principal new newsletter")).await;
    assert_ne!(again.trim_end(), token);
    let (_, json, nothing) = run(&mut program("--output json principal new newsletter")).await;
    let made: serde_json::Value = serde_json::from_str(&json).expect("json");
    let token = made["token"].as_str().expect("token");
    let hash = TokenHash::of(token.as_bytes()).to_hex();
    assert_eq!(
        (made["token_sha256"].as_str(), nothing.as_str()),
        (Some(hash.as_str()), "")
    );

    for bad in ["local", "cluster", "\u{e4}", ""] {
        let mut command = program("principal new");
        let (status, token, said) = run(command.arg(bad)).await;
        assert_eq!((status, token.as_str()), (64, ""), "{said}");
    }
}
