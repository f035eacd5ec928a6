//! Nodes in one process, on loopback, over disks in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::Instant;
use tonic::transport::Server;

use crate::clock::SystemEntropy;
use futures::StreamExt as _;

use super::clocks::SetClock;
use super::proposals::{opt_out, token};
use crate::consensus::{AdminError, Consensus, Parts, Peer, Timing, Unavailable, WriteError};
use crate::domain::{
    Decision, KeyFingerprint, Millis, Namespace, Outcome, Principal, PurposeName, Question,
    Refusal, SealingKey, ServiceName,
};
use crate::metrics::Meters;
use crate::net::{Connector, Listener};
use crate::storage::identity::Identity;
use crate::storage::log::MemoryLog;
use crate::storage::memory::MemoryFiles;
use crate::storage::space::Space;

/// A bound on a hang.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A node that can be stopped and started again on what its disk holds.
pub struct Node {
    pub consensus: Consensus,
    pub peer: String,
    pub clock: SetClock,
    pub log: MemoryLog,
    pub files: MemoryFiles,
    /// A runtime of its own: when it is dropped, the node's connections break as those of a dead process do.
    runtime: Option<Runtime>,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Who acts on the members here.
pub fn operator() -> Principal {
    Principal::parse("olga").unwrap()
}

pub fn soon() -> Instant {
    Instant::now() + PATIENCE
}

impl Node {
    pub async fn start(key: u8) -> Self {
        Self::start_on(
            "127.0.0.1:0",
            MemoryLog::new(),
            MemoryFiles::new(),
            key,
            64 << 20,
        )
        .await
    }

    pub async fn start_on(
        address: &str,
        log: MemoryLog,
        files: MemoryFiles,
        key: u8,
        snapshot_log_bytes: u64,
    ) -> Self {
        let connector = Connector::tcp();
        Self::start_by(address, log, files, key, snapshot_log_bytes, connector).await
    }

    /// As [`Self::start_on`], reaching the others through `connector`.
    pub async fn start_by(
        address: &str,
        log: MemoryLog,
        files: MemoryFiles,
        key: u8,
        snapshot_log_bytes: u64,
        connector: Connector,
    ) -> Self {
        let keys = (key, key);
        Self::start_with(address, log, files, keys, snapshot_log_bytes, connector).await
    }

    /// The same, with a token key and a sealing key.
    async fn start_with(
        address: &str,
        log: MemoryLog,
        files: MemoryFiles,
        (token_key, sealing_key): (u8, u8),
        snapshot_log_bytes: u64,
        connector: Connector,
    ) -> Self {
        let (listener, clock) = (address.parse().unwrap(), SetClock::default());
        let identity = Identity::load(&files).unwrap().unwrap_or_else(|| {
            let identity = Identity::random(&SystemEntropy);
            identity.save(&files).unwrap();
            identity
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let parts = Parts {
            log: Arc::new(log.clone()),
            files: Arc::new(files.clone()),
            space: Arc::new(Space::new(Arc::new(files.clone()), None)),
            connector,
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SystemEntropy),
            identity,
            own: Peer::default(),
            key_fingerprint: KeyFingerprint([token_key; 16]),
            sealing_key: SealingKey::new(&[sealing_key; 32]),
            timing: timing(snapshot_log_bytes),
            meters: Meters::default(),
            settings: Vec::new(),
        };
        let start = async move {
            let listener = Listener::tcp(listener).await.unwrap();
            let address = listener.address.to_string();
            let own = Peer {
                peer_address: address,
                client_address: String::new(),
            };
            let consensus = Consensus::start(Parts { own, ..parts }).await.unwrap();
            let server = Server::builder().add_service(consensus.peer_service());
            tokio::spawn(server.serve_with_incoming(listener.incoming()));
            consensus
        };
        let consensus = runtime.spawn(start).await.unwrap();
        let peer = consensus.own().peer_address.clone();
        Self {
            consensus,
            peer,
            clock,
            log,
            files,
            runtime: Some(runtime),
        }
    }

    /// Stops the node, loses what its disk had not synced, and starts it again at the same address.
    pub async fn crash_and_restart(self, snapshot_log_bytes: u64) -> Self {
        self.restart((7, 7), snapshot_log_bytes).await
    }

    /// The same, with another sealing key.
    pub async fn restart_with_sealing_key(self, key: u8) -> Self {
        self.restart((7, key), 64 << 20).await
    }

    async fn restart(mut self, keys: (u8, u8), snapshot_log_bytes: u64) -> Self {
        let (log, files, peer) = (self.log.clone(), self.files.clone(), self.peer.clone());
        // A dead process writes nothing more: what still runs in threads of its own ends before the next life begins.
        let runtime = self.runtime.take().unwrap();
        drop(self);
        let stop = move || runtime.shutdown_timeout(PATIENCE);
        tokio::task::spawn_blocking(stop).await.unwrap();
        log.crash();
        files.crash();
        let connector = Connector::tcp();
        Self::start_with(&peer, log, files, keys, snapshot_log_bytes, connector).await
    }

    pub async fn ready(&self) {
        let mut health = self.consensus.health();
        let ready = tokio::time::timeout(PATIENCE, health.wait_for(|health| health.ready));
        ready.await.expect("never ready").unwrap();
    }

    pub async fn write(&self, subject: u8) -> Result<Outcome, WriteError> {
        self.consensus.write(opt_out(subject), soon()).await
    }

    /// A linearizable decision about a subject.
    pub async fn decide(&self, subject: u8) -> Result<Decision, Unavailable> {
        self.consensus
            .read(Instant::now() + Duration::from_secs(5))
            .await?;
        let verdict = self.consensus.with_state(|state| {
            state.decide(&Question {
                namespace: &Namespace::default_namespace(),
                tokens: &[token(subject)],
                purpose: &PurposeName::parse("analytics").unwrap(),
                service: &ServiceName::none(),
                schema_version: 0,
                min_revision: 0,
                at: Millis(0),
            })
        });
        Ok(verdict.unwrap().decision)
    }
}

fn timing(snapshot_log_bytes: u64) -> Timing {
    Timing {
        heartbeat_ms: 50,
        election_timeout_ms: (200, 400),
        snapshot_log_bytes,
        log_entries_kept: crate::limits::LOG_ENTRIES_KEPT,
        usage_report_ms: 60_000,
        stamp_key_ms: 60_000,
    }
}

pub async fn cluster(size: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    for _ in 0..size {
        nodes.push(Node::start(7).await);
    }
    nodes[0].consensus.init(soon()).await.unwrap();
    nodes[0].ready().await;
    for node in &nodes[1..] {
        add(&nodes[0], node).await.unwrap();
        node.ready().await;
    }
    nodes
}

pub async fn add(through: &Node, node: &Node) -> Result<(), AdminError> {
    let mut progress = through.consensus.add(node.peer.clone(), false, operator());
    while let Some(step) = progress.next().await {
        step?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_through_every_node_at_once() {
    let nodes = cluster(3).await;
    for subject in 0..30 {
        let through = &nodes[usize::from(subject) % 3];
        assert!(matches!(
            through.write(subject).await,
            Ok(Outcome::Preference { changed: true, .. })
        ));
        for node in &nodes {
            assert_eq!(node.decide(subject).await, Ok(Decision::Deny));
        }
    }
    assert_eq!(nodes[0].decide(200).await, Ok(Decision::Allow));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_before_its_cluster_answers_nothing() {
    let node = Node::start(7).await;
    let deadline = Instant::now() + Duration::from_millis(200);
    assert_eq!(
        node.consensus.read(deadline).await,
        Err(Unavailable::WaitingForCluster)
    );
    let refused = node.consensus.write(opt_out(1), deadline).await;
    assert_eq!(
        refused,
        Err(WriteError::NotApplied {
            why: Unavailable::WaitingForCluster
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_nothing_is_answered_and_the_node_is_not_ready() {
    let mut nodes = cluster(3).await;
    nodes[0].write(1).await.unwrap();
    let last = nodes.pop().unwrap();
    drop(nodes);
    let deadline = Instant::now() + Duration::from_millis(1_500);
    assert_eq!(
        last.consensus.read(deadline).await,
        Err(Unavailable::NoQuorum)
    );
    let outcome = last
        .consensus
        .write(opt_out(2), Instant::now() + Duration::from_secs(2))
        .await;
    assert!(
        matches!(
            outcome,
            Err(WriteError::NotApplied { .. } | WriteError::Unknown { .. })
        ),
        "{outcome:?}"
    );
    let mut health = last.consensus.health();
    let unready = tokio::time::timeout(PATIENCE, health.wait_for(|health| !health.ready));
    unready.await.expect("stays ready").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_token_key_is_not_taken_in() {
    let first = Node::start(7).await;
    first.consensus.init(soon()).await.unwrap();
    first.ready().await;
    let other = Node::start(8).await;
    let refused = add(&first, &other).await.unwrap_err().to_string();
    assert!(refused.contains("token key"), "{refused}");
    assert_eq!(other.consensus.cluster_id(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_cluster_is_not_taken_in() {
    let first = Node::start(7).await;
    first.consensus.init(soon()).await.unwrap();
    first.ready().await;
    let other = Node::start(7).await;
    other.consensus.init(soon()).await.unwrap();
    other.ready().await;
    let refused = add(&first, &other).await.unwrap_err().to_string();
    assert!(refused.contains("another cluster"), "{refused}");
    let again = first.consensus.init(soon()).await.unwrap_err();
    assert_eq!(
        again,
        WriteError::Refused(Refusal::ClusterAlreadyInitialised).into()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_every_node_lost_power() {
    let mut nodes = cluster(3).await;
    for subject in 0..20 {
        nodes[0].write(subject).await.unwrap();
    }
    let mut back = Vec::new();
    while let Some(node) = nodes.pop() {
        back.push(node.crash_and_restart(64 << 20).await);
    }
    for node in &back {
        node.ready().await;
        for subject in 0..20 {
            assert_eq!(node.decide(subject).await, Ok(Decision::Deny));
        }
    }
    let status = back[0].consensus.status(soon()).await;
    assert!(status.alarms.is_empty(), "{:?}", status.alarms);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leadership_moves_when_it_is_asked_to() {
    let nodes = cluster(3).await;
    let (old, _) = nodes[0].consensus.leader().unwrap();
    // Through a follower, to whoever is most caught up.
    let follower = nodes
        .iter()
        .find(|node| node.consensus.node_id() != old)
        .unwrap();
    let new = follower
        .consensus
        .transfer_leader(None, soon())
        .await
        .unwrap();
    assert_ne!(new, old);
    nodes[0].write(1).await.unwrap();
    assert_eq!(nodes[2].decide(1).await, Ok(Decision::Deny));
}
