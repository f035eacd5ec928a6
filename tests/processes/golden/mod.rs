//! Data folders as released versions wrote them: today's program starts on a copy of each, and every answer is what it was.
//!
//! `tests/golden/data` has a folder for each version: `node/`, the data folder, each file of it compressed by itself;
//! `token.key` and `refrain.toml`, without which it is not readable; and `expected.json`, what was true of it. What is kept is
//! never written again; that of a new version comes from one command:
//!
//! ```sh
//! cargo test --test processes -- --ignored --exact golden::keep_a_data_folder_of_this_version
//! ```

mod expected;
mod kept;
mod story;

use std::path::Path;

use expected::Expected;

use crate::support::{Node, eventually};
use story::ADA;

/// Arguments of a node that changes nothing on its own while it is asked.
const IDLE: [&str; 4] = ["--usage-report-ms", "60000", "--stamp-key-days", "365"];

/// Starts today's program on a copy of what was kept in `kept`, and holds that it answers as it did.
async fn holds(kept: &Path) {
    let copy = tempfile::tempdir().unwrap();
    kept::unpack(kept, copy.path());
    let settings = copy.path().join("refrain.toml").display().to_string();
    let args = [&["--config", &settings], &IDLE[..]].concat();
    let key = copy.path().join("token.key");
    let mut node = Node::start(&copy.path().join("node"), &key, &args).await;
    until_ready(&node).await;
    let text = std::fs::read_to_string(kept.join("expected.json")).unwrap();
    let expected: Expected = serde_json::from_str(&text).unwrap();
    let differs = expected.against(&node).await;
    assert!(
        differs.is_empty(),
        "{}, read by today's program:\n{}\nthe node said:\n{}",
        kept.display(),
        differs.join("\n"),
        node.log()
    );
    assert!(node.terminate().await.success());
    // The end of the journal was made once more, of the log.
    let rewritten = kept::rewritten(kept, copy.path());
    assert!(rewritten.is_empty(), "written otherwise: {rewritten:?}");
}

/// Waits until a node serves.
async fn until_ready(node: &Node) {
    eventually("the node is ready", || async {
        let route = ("GET", "/admin/v1/purposes");
        let asked = expected::call(node, ADA, route, &[], "").await;
        (asked.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_data_folder_that_was_kept_is_read() {
    let mut versions = 0;
    for kept in std::fs::read_dir(kept::root()).unwrap() {
        holds(&kept.unwrap().path()).await;
        versions += 1;
    }
    assert!(versions > 0, "none was kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes tests/golden/data for a new version"]
async fn keep_a_data_folder_of_this_version() {
    let kept = kept::root().join(env!("CARGO_PKG_VERSION"));
    assert!(
        !kept.exists(),
        "{} is there already: what a released version wrote stays as it is; one that was never released may be removed first",
        kept.display()
    );
    let folder = tempfile::tempdir().unwrap();
    let expected = story::happens(folder.path()).await;
    kept::pack(folder.path(), &kept);
    let text = serde_json::to_string_pretty(&expected).unwrap();
    std::fs::write(kept.join("expected.json"), text + "\n").unwrap();
    // What the node said before it stopped is what a copy says.
    holds(&kept).await;
}
