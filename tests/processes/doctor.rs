//! The doctor, on three nodes: quiet while they are alike, and naming the one that is not.

use crate::support::{Cluster, eventually, expect};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_other_settings_is_named_and_so_is_one_that_is_down() {
    let mut cluster = Cluster::start(3, &[]).await;
    let said = expect(&cluster.nodes[0].run(&["doctor"]), 0);
    assert!(said.contains("3 nodes are alike and well"), "{said}");

    let template = cluster.folder.path().join("template.toml");
    std::fs::write(&template, "max_calls = 4096\nlisten = \"127.0.0.9:7400\"\n").unwrap();
    let template = template.to_str().unwrap();
    expect(
        &cluster.nodes[0].run(&["doctor", "--template", template]),
        0,
    );
    std::fs::write(template, "max_calls = 4096\nstamp_minutes = 5\n").unwrap();
    let said = expect(
        &cluster.nodes[0].run(&["doctor", "--template", template]),
        2,
    );
    assert_eq!(
        said.matches("stamp_minutes is `15`, and `5` in the template")
            .count(),
        3,
        "{said}"
    );
    std::fs::write(template, "max_cals = 4096\n").unwrap();
    let said = expect(
        &cluster.nodes[0].run(&["doctor", "--template", template]),
        64,
    );
    assert!(said.contains("max_calls"), "{said}");

    let other = ("REFRAIN_MAX_CALLS".to_owned(), "64".to_owned());
    cluster.nodes[2].env.push(other);
    cluster.nodes[2].restart().await;
    cluster.nodes[2].until_ready().await;
    let id = cluster.nodes[2].id.clone();
    let drifts = format!("max_calls is `64` on {id} and `4096` on most members");
    eventually("the drift is seen", || async {
        let output = cluster.nodes[0].run(&["doctor"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code() == Some(2) && said.contains(&drifts)).then_some(())
    })
    .await;
    cluster.nodes[2].kill();
    let said = expect(&cluster.nodes[0].run(&["doctor"]), 2);
    assert!(
        said.contains(&id) && said.contains("2 of 3 nodes were compared"),
        "{said}"
    );
}
