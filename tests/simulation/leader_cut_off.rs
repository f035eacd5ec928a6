//! A leader that is cut off from the others never allows what was opted out of behind its back.

use std::time::Duration;

use refrain::proto::v1::{
    CheckRequest, Decision, SetOptOutRequest, decision_service_client::DecisionServiceClient,
    preference_service_client::PreferenceServiceClient,
};
use tonic::Status;

use crate::cluster::{NODES, email, form, leader, simulation, until};
use crate::world::{Platter, channel, node};

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

async fn story() {
    form("").await;
    for name in NODES {
        until("a node serves", || async { check(name, 0).await.ok() }).await;
    }
    opt_out(NODES[1], 1).await.unwrap();
    for name in NODES {
        assert_eq!(check(name, 1).await.unwrap(), Decision::Deny);
        assert_eq!(check(name, 2).await.unwrap(), Decision::Allow);
    }

    let old = leader(NODES[0], "").await;
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
        leader(NODES[old], "").await,
        old,
        "the old leader stood by its lost term"
    );
}

#[test]
fn nobody_allows_after_an_acknowledged_opt_out() {
    let mut simulation = simulation(Duration::from_secs(300));
    for name in NODES {
        let platter = Platter::default();
        simulation.host(name, move || {
            let platter = platter.clone();
            async move { node(name, platter, |_| {}).await }
        });
    }
    simulation.client("client", async {
        story().await;
        Ok(())
    });
    simulation.run().unwrap();
}
