//! What must not start does not, and says why.

use std::process::{Command, Stdio};

use crate::support::{Node, REFRAIN, expect, serve_args, token_key, write_key};

fn serve(args: &[String]) -> std::process::Output {
    Command::new(REFRAIN)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[tokio::test]
async fn a_second_process_on_a_data_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start_single(&folder).await;
    let mut args = serve_args(&node.data, &token_key(folder.path()));
    args.extend(["--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"].map(str::to_owned));
    let output = serve(&args);
    let said = expect(&output, 1);
    assert!(
        said.contains(&node.data.display().to_string()) && said.contains("in use"),
        "{said}"
    );
    assert!(node.runs());
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_single(&folder).await;
    let other = folder.path().join("other");
    let mut args = serve_args(&other, &token_key(folder.path()));
    args.extend(["--listen", &node.client, "--peer-listen", "127.0.0.1:0"].map(str::to_owned));
    let output = serve(&args);
    let said = expect(&output, 1);
    assert!(
        said.contains(&node.client) && said.contains("in use"),
        "{said}"
    );
}

#[tokio::test]
async fn a_damaged_log_is_refused_with_the_way_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start_single(&folder).await;
    for n in 0..20 {
        let id = format!("account:{n}");
        expect(
            &node.run(&["opt-out", "--id", &id, "--purpose", "analytics"]),
            0,
        );
    }
    node.kill();
    let db = node.data.join("log").join("db");
    // As a lost tail would look: the log ends before what was acknowledged.
    let length = std::fs::metadata(&db).unwrap().len();
    let file = std::fs::File::options().write(true).open(&db).unwrap();
    file.set_len(length.min(4096)).unwrap();
    drop(file);
    let mut args = serve_args(&node.data, &token_key(folder.path()));
    args.extend(["--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"].map(str::to_owned));
    let said = expect(&serve(&args), 1);
    assert!(
        said.contains("cluster remove") && said.contains("cluster add"),
        "{said}"
    );
}

#[tokio::test]
async fn bad_settings_end_with_64_and_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("node.toml");
    std::fs::write(&config, "lissten = \"127.0.0.1:1\"\n").unwrap();
    let output = serve(&[
        "serve".to_owned(),
        "--config".to_owned(),
        config.display().to_string(),
    ]);
    let said = expect(&output, 64);
    assert!(
        said.contains("lissten") && said.contains("node.toml") && said.contains("listen"),
        "{said}"
    );

    let output = serve(&["serve", "--listen", "0.0.0.0:7400"].map(str::to_owned));
    let said = expect(&output, 64);
    assert!(said.contains("--insecure"), "{said}");
}

#[tokio::test]
async fn another_token_key_on_the_same_data_does_not_serve() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start_single(&folder).await;
    expect(
        &node.run(&[
            "opt-out",
            "--email",
            "ada@example.com",
            "--purpose",
            "analytics",
        ]),
        0,
    );
    write_key(&folder.path().join("token.key"), "77");
    node.restart().await;
    crate::support::eventually("the node says why it does not serve", || async {
        let status = node.status().await?;
        let health = status.members.first()?.health.clone()?;
        (!health.ready && health.reason == "token_key_mismatch").then_some(())
    })
    .await;
    assert!(
        crate::support::check(&node.client, "ada@example.com")
            .await
            .is_err()
    );
}
