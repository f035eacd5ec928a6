//! The stage of a scenario: a cluster in a simulated network, a story that a client tells, and hands that do what only the world can.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use refrain::config::Config;
use refrain::proto::v1::{Decision, StatusRequest, cluster_service_client::ClusterServiceClient};
use tokio::time::sleep;
use tonic::Status;
use turmoil::Sim;

use crate::calls;
use crate::hosts::Host;
use crate::invariants::history::{Change, Outcome};
use crate::operator::until;
use crate::random::stream;
use crate::told::Told;
use crate::world::{channel, name, network, request_id};

/// How long a story waits for what has to happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

type Act = Box<dyn FnOnce(&mut Sim<'static>, &mut [Host])>;

/// What a story can have done to the world from within it.
#[derive(Clone, Default)]
pub struct Hands(Rc<RefCell<VecDeque<Act>>>);

impl Hands {
    /// Has the world do something, and waits until it is done.
    pub async fn world(&self, act: impl FnOnce(&mut Sim<'static>, &mut [Host]) + 'static) {
        self.0.borrow_mut().push_back(Box::new(act));
        while !self.0.borrow().is_empty() {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends a node without a word. It stays down.
    pub async fn crash(&self, node: usize) {
        self.world(move |sim, hosts| hosts[node].crash(sim, Duration::MAX, true))
            .await;
    }

    /// Starts a node that was ended.
    pub async fn restart(&self, node: usize) {
        self.world(move |sim, hosts| hosts[node].restart(sim)).await;
    }
}

/// Tells a story on a stage of so many hosts. Nodes die only where the story says so.
pub fn tell<F>(
    seed: u64,
    nodes: usize,
    compaction: Option<(u64, u64)>,
    story: impl FnOnce(Hands) -> F + 'static,
) -> Told
where
    F: Future<Output = ()> + 'static,
{
    tell_configured(seed, nodes, compaction, |_| {}, story)
}

/// As [`tell`], of nodes that are set otherwise.
pub fn tell_configured<F>(
    seed: u64,
    nodes: usize,
    compaction: Option<(u64, u64)>,
    configure: fn(&mut Config),
    story: impl FnOnce(Hands) -> F + 'static,
) -> Told
where
    F: Future<Output = ()> + 'static,
{
    let told = Told::listen();
    let mut sim = network(seed, Duration::from_secs(600));
    let hosts = (0..nodes).map(|node| Host::start(&mut sim, seed, node, compaction, configure));
    let mut hosts: Vec<Host> = hosts.collect();
    let hands = Hands::default();
    let acts = hands.clone();
    sim.client("story", async move {
        story(hands).await;
        Ok(())
    });
    while !sim.step().unwrap() {
        let now = sim.elapsed();
        for host in &mut hosts {
            if let Some(why) = host.died() {
                assert!(host.doomed, "node {} came to an end: {why}", host.node);
                host.crash(&mut sim, Duration::MAX, true);
            }
            if host.up {
                host.machine().disk.advance(now);
            }
        }
        let act = acts.0.borrow_mut().pop_front();
        if let Some(act) = act {
            act(&mut sim, &mut hosts);
        }
    }
    drop(sim);
    told
}

/// What a node decides about a subject.
pub async fn check(node: usize, subject: &str) -> Result<Decision, Status> {
    let deadline = Duration::from_secs(2);
    let subject = [subject.to_owned()];
    match calls::check(channel(node), deadline, &subject, "analytics").await? {
        Outcome::Decided { allow: true, .. } => Ok(Decision::Allow),
        _ => Ok(Decision::Deny),
    }
}

/// A request's id of its own for each use.
pub fn id(of: &str) -> String {
    let now = turmoil::sim_elapsed().unwrap_or_default();
    request_id(&mut stream(0, of), now)
}

/// Opts a subject out or in, through a node.
pub async fn set(node: usize, id: &str, change: Change, subject: &str) -> Result<Outcome, Status> {
    let purposes = ["analytics".to_owned()];
    let deadline = Duration::from_secs(2);
    calls::set(channel(node), deadline, id, change, subject, &purposes).await
}

/// Opts a subject out through a node, as often as it takes.
pub async fn opt_out(node: usize, subject: &str) {
    let id = id(&format!("{node} {subject}"));
    until("an opt-out is taken", PATIENCE, || async {
        set(node, &id, Change::OptOut, subject).await.ok()
    })
    .await;
}

/// Waits for what a node decides, once it decides anything.
pub async fn decides(node: usize, subject: &str) -> Decision {
    until("a node decides", PATIENCE, || async {
        check(node, subject).await.ok()
    })
    .await
}

/// Whom a node takes for the leader.
pub async fn leader(through: usize) -> usize {
    until("a leader is known", PATIENCE, || async {
        let mut cluster = ClusterServiceClient::new(channel(through));
        let status = cluster.status(StatusRequest {}).await.ok()?.into_inner();
        let leads = |it: &&refrain::proto::v1::Member| it.node_id == status.leader_id;
        let address = &status.members.iter().find(leads)?.peer_address;
        (0..16).find(|node| address.starts_with(&format!("{}:", name(*node))))
    })
    .await
}

/// The others of three nodes.
pub fn others(node: usize) -> [usize; 2] {
    [(node + 1) % 3, (node + 2) % 3]
}
