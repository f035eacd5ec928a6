//! The stage of a scenario: a cluster in a simulated network, a story that a client tells, and hands that do what only the world can.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use refrain::config::Config;
use refrain::proto::v1::{
    Decision, Identifier, ImportHeader, ImportOptOutsRequest, ImportOptOutsResponse, ImportRow,
    ImportRows, Member, StatusRequest, StatusResponse,
    cluster_service_client::ClusterServiceClient, identifier::Form, import_opt_outs_request::Part,
    preference_service_client::PreferenceServiceClient,
};
use tokio::time::sleep;
use tonic::Status;
use turmoil::Sim;

use crate::calls;
use crate::hosts::Host;
use crate::invariants::history::{Change, Outcome, Revision};
use crate::operator::{leading, status, until};
use crate::random::stream;
use crate::told::Told;
use crate::world::{channel, name, network, request_id};

/// How long a story waits for what has to happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a node says that took a snapshot from another.
pub const INSTALLED: &str = "installed a snapshot";

type Act = Box<dyn FnOnce(&mut Sim<'static>, &mut [Host])>;

/// What a story can have done to the world from within it, and hear of it.
#[derive(Clone)]
pub struct Hands {
    acts: Rc<RefCell<VecDeque<Act>>>,
    heard: Rc<dyn Fn(&str) -> usize>,
}

impl Hands {
    /// Has the world do something, and waits until it is done.
    pub async fn world(&self, act: impl FnOnce(&mut Sim<'static>, &mut [Host]) + 'static) {
        self.acts.borrow_mut().push_back(Box::new(act));
        while !self.acts.borrow().is_empty() {
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

    /// The same, with each of its syncs taking so long from the first on.
    pub async fn restart_slow(&self, node: usize, takes: Duration) {
        self.world(move |sim, hosts| {
            hosts[node].restart(sim);
            hosts[node].machine().disk.slow((takes, takes));
        })
        .await;
    }

    /// From now on each of a node's syncs takes so long, until it is started again.
    pub async fn slow(&self, node: usize, takes: Duration) {
        self.world(move |_, hosts| hosts[node].machine().disk.slow((takes, takes)))
            .await;
    }

    /// How often the nodes have said this.
    pub fn heard(&self, message: &str) -> usize {
        (self.heard)(message)
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
    let hands = Hands {
        acts: Rc::default(),
        heard: Rc::new(told.counting()),
    };
    let acts = hands.acts.clone();
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
        let act = acts.borrow_mut().pop_front();
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
        leading(&status)
    })
    .await
}

/// What a node says of the cluster, without waiting for those that it cannot reach.
pub async fn look(node: usize) -> Option<StatusResponse> {
    let soon = Duration::from_millis(200);
    status(channel(node), soon).await.ok()
}

/// The term in which a node leads, if it takes itself for the leader.
pub async fn leads(node: usize) -> Option<u64> {
    let status = look(node).await?;
    (status.answered_by == status.leader_id).then_some(status.term)
}

/// Where a node's state stands.
pub async fn revision(node: usize) -> Revision {
    until("a node tells where it stands", PATIENCE, || async {
        let status = look(node).await?;
        let own = |member: &&Member| member.node_id == status.answered_by;
        Some(status.members.iter().find(own)?.revision)
    })
    .await
}

/// Waits until so many nodes are members that stand at one revision, and holds that they have the same state and journal there.
pub async fn agree(nodes: usize) {
    let members = until("the members stand at one revision", PATIENCE, || async {
        let status = status(channel(0), PATIENCE / 20).await.ok()?;
        let revision = status.members.first()?.revision;
        let there = |it: &Member| it.revision == revision && it.journal_events == revision;
        let all = status.members.len() == nodes && status.members.iter().all(there);
        all.then_some(status.members)
    })
    .await;
    let told = |member: &Member| {
        let hash = (member.hash_revision, member.state_hash.clone());
        (hash, member.journal_root.clone())
    };
    let first = told(&members[0]);
    for member in &members {
        assert_eq!(told(member), first, "{}", member.peer_address);
    }
}

/// Opts out the subjects of a list with these numbers, each by a token of its own, through a node.
pub async fn import(node: usize, id: &str, rows: Range<usize>) -> ImportOptOutsResponse {
    let header = Part::Header(ImportHeader {
        import_id: id.to_owned(),
        ..ImportHeader::default()
    });
    let row = |number: usize| ImportRow {
        identifiers: vec![Identifier {
            r#type: "email".to_owned(),
            form: Some(Form::Token(format!("1:{number:032x}"))),
        }],
        purposes: vec!["analytics".to_owned()],
    };
    let numbers: Vec<_> = rows.clone().collect();
    let parts = numbers.chunks(1_000).map(|chunk| {
        Part::Rows(ImportRows {
            first_row: (chunk[0] - rows.start) as u64,
            rows: chunk.iter().copied().map(row).collect(),
        })
    });
    let parts: Vec<_> = std::iter::once(header)
        .chain(parts)
        .map(|part| ImportOptOutsRequest { part: Some(part) })
        .collect();
    until("an import is taken", PATIENCE, || async {
        let mut client = PreferenceServiceClient::new(channel(node));
        let parts = tokio_stream::iter(parts.clone());
        Some(client.import_opt_outs(parts).await.ok()?.into_inner())
    })
    .await
}

/// From now on nothing gets from one of these nodes to the other.
pub fn cut(node: usize, others: impl IntoIterator<Item = usize>) {
    for other in others {
        turmoil::partition(name(node), name(other));
    }
}

/// Undoes [`cut`], and whatever else was between them.
pub fn join(node: usize, others: impl IntoIterator<Item = usize>) {
    for other in others {
        turmoil::repair(name(node), name(other));
    }
}

/// The others of three nodes.
pub fn others(node: usize) -> [usize; 2] {
    [(node + 1) % 3, (node + 2) % 3]
}
