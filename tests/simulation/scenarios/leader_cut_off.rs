//! A leader that is cut off from the others never allows what was opted out of behind its back.

use std::time::Duration;

use refrain::proto::v1::{
    AddRequest, CheckRequest, Decision, Identifier, InitRequest, SetOptOutRequest, StatusRequest,
    cluster_service_client::ClusterServiceClient, decision_service_client::DecisionServiceClient,
    identifier::Form, preference_service_client::PreferenceServiceClient,
};
use tokio::time::{Instant, sleep};
use tonic::Status;

use crate::world::{PEERS, Platter, channel, node};

const NODES: [&str; 3] = ["node-0", "node-1", "node-2"];

fn email(subject: usize) -> Vec<Identifier> {
    let form = Some(Form::Value(format!("s{subject}@example.com")));
    vec![Identifier {
        r#type: "email".to_owned(),
        form,
    }]
}

async fn check(name: &str, subject: usize) -> Result<Decision, Status> {
    let request = CheckRequest {
        identifiers: email(subject),
        purpose: "analytics".to_owned(),
        ..CheckRequest::default()
    };
    let answer = DecisionServiceClient::new(channel(name))
        .check(request)
        .await?;
    Ok(answer.into_inner().decision())
}

async fn opt_out(name: &str, subject: usize) -> Result<(), Status> {
    let request = SetOptOutRequest {
        identifiers: email(subject),
        purposes: vec!["analytics".to_owned()],
        ..SetOptOutRequest::default()
    };
    PreferenceServiceClient::new(channel(name))
        .set_opt_out(request)
        .await
        .map(drop)
}

/// Tries until it succeeds, in simulated time.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(done) = attempt().await {
            return done;
        }
        assert!(Instant::now() < give_up, "never: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn form() {
    let mut cluster = ClusterServiceClient::new(channel(NODES[0]));
    until("a cluster is formed", || {
        let mut cluster = cluster.clone();
        async move { cluster.init(InitRequest {}).await.ok() }
    })
    .await;
    for name in &NODES[1..] {
        let request = AddRequest {
            peer_address: format!("{name}:{PEERS}"),
            learner: false,
        };
        let mut progress = cluster.add(request).await.unwrap().into_inner();
        while progress.message().await.unwrap().is_some() {}
    }
    for name in NODES {
        until("a node serves", || async { check(name, 0).await.ok() }).await;
    }
}

/// Whom a node takes for the leader.
async fn leader(through: &str) -> usize {
    let status = until("a leader is known", || async {
        let mut cluster = ClusterServiceClient::new(channel(through));
        let status = cluster.status(StatusRequest {}).await.ok()?.into_inner();
        (!status.leader_id.is_empty()).then_some(status)
    })
    .await;
    let leads = |member: &&refrain::proto::v1::Member| member.node_id == status.leader_id;
    let address = &status.members.iter().find(leads).unwrap().peer_address;
    NODES
        .iter()
        .position(|name| address.starts_with(name))
        .unwrap()
}

async fn story() {
    form().await;
    opt_out(NODES[1], 1).await.unwrap();
    for name in NODES {
        assert_eq!(check(name, 1).await.unwrap(), Decision::Deny);
        assert_eq!(check(name, 2).await.unwrap(), Decision::Allow);
    }

    let old = leader(NODES[0]).await;
    let others: Vec<usize> = (0..3).filter(|place| *place != old).collect();
    for other in &others {
        turmoil::partition(NODES[old], NODES[*other]);
    }
    until("the others take opt-outs", || async {
        opt_out(NODES[others[0]], 2).await.ok()
    })
    .await;
    // From here on nobody may allow. The old leader cannot know, and must not answer.
    let mut refused = 0;
    for _ in 0..20 {
        match check(NODES[old], 2).await {
            Ok(decision) => assert_eq!(decision, Decision::Deny, "the old leader allows"),
            Err(_) => refused += 1,
        }
        for other in &others {
            if let Ok(decision) = check(NODES[*other], 2).await {
                assert_eq!(decision, Decision::Deny, "{} allows", NODES[*other]);
            }
        }
    }
    assert!(
        refused > 0,
        "the cut-off leader answered all the time: was it cut off?"
    );
    assert!(
        opt_out(NODES[old], 3).await.is_err(),
        "a leader without a quorum acknowledged"
    );

    for other in &others {
        turmoil::repair(NODES[old], NODES[*other]);
    }
    for name in NODES {
        let decision = until("the healed cluster answers", || async {
            check(name, 2).await.ok()
        });
        assert_eq!(decision.await, Decision::Deny, "{name} after the healing");
    }
    assert_ne!(
        leader(NODES[old]).await,
        old,
        "the old leader stood by its lost term"
    );
}

#[test]
fn nobody_allows_after_an_acknowledged_opt_out() {
    let mut simulation = turmoil::Builder::new()
        .simulation_duration(Duration::from_secs(300))
        .tick_duration(Duration::from_millis(2))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(8))
        .tcp_capacity(4_096)
        .rng_seed(4_711)
        .build();
    for name in NODES {
        let platter = Platter::default();
        simulation.host(name, move || {
            let platter = platter.clone();
            async move { node(name, platter).await }
        });
    }
    simulation.client("client", async {
        story().await;
        Ok(())
    });
    simulation.run().unwrap();
}
