//! Three nodes as one cluster, in simulated time.

use std::time::Duration;

use refrain::proto::v1::{
    AddRequest, Identifier, InitRequest, StatusRequest,
    cluster_service_client::ClusterServiceClient, identifier::Form,
};
use tokio::time::{Instant, sleep};
use tonic::Request;

use crate::world::{PEERS, channel};

/// Their names.
pub const NODES: [&str; 3] = ["node-0", "node-1", "node-2"];

/// A simulation that may take so long, by its own clock.
pub fn simulation(lasting: Duration) -> turmoil::Sim<'static> {
    turmoil::Builder::new()
        .simulation_duration(lasting)
        .tick_duration(Duration::from_millis(2))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(8))
        .tcp_capacity(4_096)
        .rng_seed(4_711)
        .build()
}

/// A subject, as one identifier.
pub fn email(subject: usize) -> Vec<Identifier> {
    let form = Some(Form::Value(format!("s{subject}@example.com")));
    vec![Identifier {
        r#type: "email".to_owned(),
        form,
    }]
}

/// A message from somebody; from nobody in particular where the token is empty.
pub fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

/// Tries until it succeeds, in simulated time.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(done) = attempt().await {
            return done;
        }
        assert!(Instant::now() < give_up, "never: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Makes the nodes one cluster, as somebody.
pub async fn form(token: &str) {
    let mut cluster = ClusterServiceClient::new(channel(NODES[0]));
    until("a cluster is formed", || {
        let mut cluster = cluster.clone();
        async move { cluster.init(by(token, InitRequest {})).await.ok() }
    })
    .await;
    for name in &NODES[1..] {
        let request = AddRequest {
            peer_address: format!("{name}:{PEERS}"),
            learner: false,
        };
        let mut progress = cluster.add(by(token, request)).await.unwrap().into_inner();
        while progress.message().await.unwrap().is_some() {}
    }
}

/// Whom a node takes for the leader.
pub async fn leader(through: &str, token: &str) -> usize {
    let status = until("a leader is known", || async {
        let mut cluster = ClusterServiceClient::new(channel(through));
        let status = cluster.status(by(token, StatusRequest {})).await.ok()?;
        let status = status.into_inner();
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
