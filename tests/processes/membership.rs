//! Members come and go, and nothing is lost.

use refrain::proto::v1::preference_service_client::PreferenceServiceClient;
use serde_json::Value;

use crate::support::{Cluster, channel, eventually, expect, not_denied, opt_out_through};

async fn write_some(cluster: &Cluster, node: usize, subjects: &mut Vec<String>, count: usize) {
    let address = &cluster.nodes[node].client;
    let mut client = PreferenceServiceClient::new(channel(address).unwrap());
    for _ in 0..count {
        let subject = format!("m{}@example.com", subjects.len());
        opt_out_through(&mut client, &subject).await;
        subjects.push(subject);
    }
}

/// Holds that the export tells of every member that came and went, each step once and by whoever asked for it.
fn told(cluster: &Cluster, through: usize, left: &[usize]) {
    let exported = cluster.nodes[through].run(&["audit", "export"]);
    expect(&exported, 0);
    let exported = String::from_utf8(exported.stdout).unwrap();
    let mut told: Vec<(String, String)> = Vec::new();
    let mut founders = 0;
    for line in exported.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let done = &event["membership"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        match text(&event["kind"]).as_str() {
            "CREATED" => {
                assert_eq!(done["act"], "FOUNDED", "{line}");
                assert_eq!(done["node_id"], cluster.nodes[0].id.as_str(), "{line}");
                founders += 1;
            }
            "MEMBERSHIP" => {
                assert_ne!(event["principal"], "cluster", "{line}");
                told.push((text(&done["node_id"]), text(&done["act"])));
            }
            _ => assert!(done.is_null(), "{line}"),
        }
    }
    let came = (1..5).flat_map(|place| [(place, "LEARNER"), (place, "VOTER")]);
    let went = left.iter().map(|place| (*place, "REMOVED"));
    let expected = came.chain(went);
    let expected = expected.map(|(place, act)| (cluster.nodes[place].id.clone(), act.to_owned()));
    assert_eq!(told, expected.collect::<Vec<_>>());
    assert_eq!(founders, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_become_five_become_three() {
    let mut cluster = Cluster::start(3, &[]).await;
    let mut subjects = Vec::new();
    write_some(&cluster, 0, &mut subjects, 50).await;
    for _ in 0..2 {
        let place = cluster.spawn().await;
        // Through a follower as well as through the leader.
        expect(
            &cluster.nodes[1].run(&["cluster", "add", &cluster.nodes[place].peer]),
            0,
        );
        cluster.nodes[place].until_ready().await;
        write_some(&cluster, place, &mut subjects, 50).await;
    }
    let status = cluster.nodes[4].status().await.unwrap();
    assert_eq!(
        status
            .members
            .iter()
            .filter(|member| member.role == "voter")
            .count(),
        5
    );

    // The leader is among those that leave.
    let leader = cluster.leader().await;
    let leave: Vec<usize> = [leader, (leader + 1) % 5].to_vec();
    let stay: Vec<usize> = (0..5).filter(|place| !leave.contains(place)).collect();
    for place in &leave {
        let id = cluster.nodes[*place].id.clone();
        expect(&cluster.nodes[stay[0]].run(&["cluster", "remove", &id]), 0);
        write_some(&cluster, stay[1], &mut subjects, 20).await;
    }
    for place in stay.clone() {
        let wrong = not_denied(&cluster.nodes[place], &subjects).await;
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    told(&cluster, stay[0], &leave);
    // A removed node answers nothing.
    eventually("the removed node stops serving", || async {
        crate::support::check(&cluster.nodes[leave[0]].client, &subjects[0])
            .await
            .err()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_node_rejoins_under_a_new_id() {
    let mut cluster = Cluster::start(3, &[]).await;
    let mut subjects = Vec::new();
    write_some(&cluster, 0, &mut subjects, 30).await;
    let old = cluster.nodes[2].id.clone();
    cluster.nodes[2].kill();
    std::fs::remove_dir_all(&cluster.nodes[2].data).unwrap();
    cluster.nodes[2].restart().await;
    assert_ne!(cluster.nodes[2].id, old, "a wiped node has a new id");
    let peer = cluster.nodes[2].peer.clone();
    let refused = expect(&cluster.nodes[0].run(&["cluster", "add", &peer]), 77);
    assert!(
        refused.contains(&format!("refrain cluster remove {old}")),
        "{refused}"
    );
    expect(&cluster.nodes[0].run(&["cluster", "remove", &old]), 0);
    expect(&cluster.nodes[0].run(&["cluster", "add", &peer]), 0);
    cluster.nodes[2].until_ready().await;
    let wrong = not_denied(&cluster.nodes[2], &subjects).await;
    assert!(wrong.is_empty(), "{wrong:?}");
}
