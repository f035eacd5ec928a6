//! Everything openraft: one linearizable log, and a state machine on every node that follows it.
//!
//! [`Consensus`] is the door. A write goes through `writes` (proposed here, or forwarded to the leader), the log
//! (`log_store`) and `machine` into the `replica`; a read goes through `reads` (one quorum round for all who wait) and
//! then looks at the replica. `network` and `service` are the two ends of what nodes say to each other.

mod core;
mod duties;
mod health;
mod log_store;
mod machine;
mod members;
mod network;
mod peers;
mod reads;
mod replica;
mod service;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod types;
mod unavailable;
mod writes;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use openraft::{Raft, async_runtime::WatchReceiver as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

pub use health::Health;
pub use members::AdminError;
pub use replica::Progress;
pub use status::{ClusterStatus, MemberReport, MemberStatus};
pub use types::Peer;
pub use unavailable::Unavailable;
pub use writes::WriteError;

use self::core::Core;
use crate::clock::{Clock, Entropy};
use crate::domain::{KeyFingerprint, Outcome, Proposal, State};
use crate::limits::{
    ADMINISTER_TIMEOUT, APPEND_ENTRIES, LOG_ENTRIES_KEPT, PEER_MESSAGE_BYTES, RETRY_PAUSE,
};
use crate::net::Connector;
use crate::proto::peer::{RemoveNode, administer_request::Act, peer_server::PeerServer};
use crate::storage::{
    Refused, files::Files, identity::Identity, journal::Journal, log::Log, space::Space,
};

/// How long Raft waits, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between two heartbeats of a leader.
    pub heartbeat_ms: u64,
    /// The shortest and the longest time without a leader before a node stands for election; each is drawn between them.
    pub election_timeout_ms: (u64, u64),
    /// Bytes of commands after which a snapshot is made.
    pub snapshot_log_bytes: u64,
}

/// What a node is made of, injected.
pub struct Parts {
    /// The replicated log.
    pub log: Arc<dyn Log>,
    /// The disk for whole files.
    pub files: Arc<dyn Files>,
    /// Whether there is room on it.
    pub space: Arc<Space>,
    /// Opens connections to the others.
    pub connector: Connector,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The random source.
    pub entropy: Arc<dyn Entropy>,
    /// Who the node is.
    pub identity: Identity,
    /// Where it can be reached.
    pub own: Peer,
    /// The fingerprint of its token key.
    pub key_fingerprint: KeyFingerprint,
    /// How long Raft waits.
    pub timing: Timing,
}

/// How far adding a node has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adding {
    /// The new node.
    pub node_id: u64,
    /// `invited`, `catching_up`, `promoting` or `done`.
    pub stage: &'static str,
    /// Log entries that it is behind.
    pub lag: u64,
}

/// A node of the cluster.
#[derive(Clone)]
pub struct Consensus {
    core: Arc<Core>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What lies on the disk is damaged.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A setting does not fit.
    #[error("raft settings: {0}")]
    Settings(String),
    /// openraft could not start.
    #[error("raft: {0}")]
    Raft(String),
}

impl Consensus {
    /// Starts a node from what lies on its disk. Returns before it has a leader: [`Self::health`] tells when it serves.
    ///
    /// # Errors
    /// When something on the disk is damaged.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let Parts { log, files, space, connector, clock, entropy, identity, own, key_fingerprint, timing } =
            parts;
        let refuse = |place: &str| {
            let place = place.to_owned();
            move |error: std::io::Error| Refused::io(place, error)
        };
        let (snapshots, content) =
            snapshot::Snapshots::open(files.clone()).map_err(refuse("snapshots"))?;
        let snapshots = Arc::new(snapshots);
        let (meta, edge, state) = match content {
            Some(content) => (content.meta, content.edge, content.state),
            None => (types::SnapshotMeta::default(), Default::default(), State::default()),
        };
        let journal = Arc::new(Journal::open(files.clone(), &edge).map_err(|e| refuse("journal")(e.into()))?);
        let index = meta.last_log_id.map_or(0, |id| id.index);
        let replica = Arc::new(replica::Replica::new(state, journal, index));
        let machine = machine::Machine::new(replica.clone(), snapshots.clone(), meta);
        let peers = peers::Peers::new(connector, identity.node_id, identity.cluster_id);
        let network = network::Network { peers: peers.clone() };
        let raft = Raft::new(
            identity.node_id,
            Arc::new(settings(&timing)?),
            network,
            log_store::LogStore::new(log.clone()),
            machine,
        )
        .await
        .map_err(|e| StartError::Raft(e.to_string()))?;
        let (reads, waiting) = reads::queue();
        let core = Arc::new(Core {
            raft,
            replica,
            peers,
            reads,
            log,
            files,
            space,
            snapshots,
            clock,
            entropy,
            identity: Mutex::new(identity),
            own,
            key_fingerprint,
            timing,
            health: watch::Sender::new(Health(Err(Unavailable::Starting))),
            draining: AtomicBool::new(false),
        });
        if core.peers.cluster_id().is_none() && core.log.ends().last.is_some() {
            core.name_cluster().map_err(|e| StartError::Raft(e.to_string()))?;
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(reads::serve(core.clone(), waiting));
        tasks.spawn(health::watch(core.clone()));
        tasks.spawn(duties::lead(core.clone()));
        tasks.spawn(duties::compact(core.clone(), timing.snapshot_log_bytes));
        tasks.spawn(duties::backfill(core.clone()));
        Ok(Self { core, tasks: Arc::new(Mutex::new(tasks)) })
    }

    /// The peer service, for the peer listener.
    pub fn peer_service(&self) -> PeerServer<service::Service> {
        PeerServer::new(service::Service(self.core.clone()))
            .max_decoding_message_size(PEER_MESSAGE_BYTES)
            .max_encoding_message_size(PEER_MESSAGE_BYTES)
    }

    /// This node's id.
    pub fn node_id(&self) -> u64 {
        self.core.node_id()
    }

    /// Where this node tells others to find it.
    pub fn own(&self) -> &Peer {
        &self.core.own
    }

    /// The cluster that this node belongs to.
    pub fn cluster_id(&self) -> Option<[u8; 16]> {
        self.core.peers.cluster_id()
    }

    /// The leader and its addresses, where one is known.
    pub fn leader(&self) -> Option<(u64, Peer)> {
        self.core.leader()
    }

    /// Has a proposal committed and applied, and returns its outcome. A lost try is made again, under the same request id,
    /// while the deadline allows.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn write(
        &self,
        proposal: &Proposal,
        deadline: Instant,
    ) -> Result<Outcome, WriteError> {
        writes::write(&self.core, proposal, deadline).await
    }

    /// Returns when this node's state reflects every change that was acknowledged before the call.
    ///
    /// # Errors
    /// Why that was not so before the deadline.
    pub async fn catch_up(&self, deadline: Instant) -> Result<(), Unavailable> {
        reads::catch_up(&self.core, deadline).await
    }

    /// Looks at the state as it is here. Linearizable only after [`Self::catch_up`]. What `look` does must be short.
    pub fn with_state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.core.replica.with_state(look)
    }

    /// The journal of all events.
    pub fn journal(&self) -> Arc<Journal> {
        self.core.replica.journal().clone()
    }

    /// Whether the node serves, and news of it.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.core.health.subscribe()
    }

    /// How far the node has applied the log, and news of it.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.core.replica.progress()
    }

    /// Forms a cluster of this one node.
    ///
    /// # Errors
    /// `CLUSTER_ALREADY_INITIALISED` where it belongs to one.
    pub async fn init(&self) -> Result<[u8; 16], AdminError> {
        if self.core.peers.cluster_id().is_some() {
            return Err(AdminError::Refused {
                reason: "CLUSTER_ALREADY_INITIALISED".to_owned(),
                message: "this node belongs to a cluster already; `refrain cluster status` shows it"
                    .to_owned(),
            });
        }
        // The log before the identity: a crash in between leaves a log without a cluster, which only a node that was
        // forming one can have, and which the next start puts right.
        let own = BTreeMap::from([(self.node_id(), self.core.own.clone())]);
        self.core.raft.initialize(own).await.map_err(|e| AdminError::Unknown(e.to_string()))?;
        self.core.name_cluster().map_err(|e| AdminError::Unknown(e.to_string()))
    }

    /// Adds the node at a peer address, and reports how far it is until it is a voter, or a learner that has caught up.
    ///
    /// # Errors
    /// See [`AdminError`]. What was done stays done: the call can be made again.
    pub async fn add(
        &self,
        address: String,
        learner: bool,
        report: mpsc::Sender<Adding>,
    ) -> Result<u64, AdminError> {
        let invited =
            members::ask_leader(&self.core, Act::AddLearner(address.clone()), admin_deadline());
        let node_id = invited.await?;
        let tell = |stage, lag| {
            let report = report.clone();
            async move { report.send(Adding { node_id, stage, lag }).await.is_ok() }
        };
        tell("invited", 0).await;
        loop {
            let all = status::status(&self.core).await;
            let behind = all
                .members
                .iter()
                .find(|member| member.node_id == node_id)
                .and_then(|member| member.answer.as_ref().ok())
                .map(|node| (node.applied_lag, node.journal_events >= node.revision && node.revision > 0));
            match behind {
                Some((0..=100, true)) => break,
                Some((lag, _)) => {
                    if !tell("catching_up", lag).await {
                        return Err(AdminError::Unknown("the caller has gone".to_owned()));
                    }
                }
                None => {
                    if !tell("catching_up", u64::MAX).await {
                        return Err(AdminError::Unknown("the caller has gone".to_owned()));
                    }
                }
            }
            sleep(RETRY_PAUSE * 4).await;
        }
        if !learner {
            tell("promoting", 0).await;
            members::ask_leader(&self.core, Act::Promote(node_id), admin_deadline()).await?;
        }
        tell("done", 0).await;
        Ok(node_id)
    }

    /// Takes a node out of the cluster.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn remove(&self, node_id: u64, force: bool) -> Result<u64, AdminError> {
        let act = Act::Remove(RemoveNode { node_id, force });
        members::ask_leader(&self.core, act, admin_deadline()).await
    }

    /// Hands the leadership to `to`, or to the most caught up voter if 0.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn transfer_leader(&self, to: u64) -> Result<u64, AdminError> {
        members::ask_leader(&self.core, Act::TransferLeader(to), admin_deadline()).await
    }

    /// The cluster as this node can find out.
    pub async fn status(&self) -> ClusterStatus {
        status::status(&self.core).await
    }

    /// Begins to stop: not ready, takes nothing new, and hands the leadership over if it has it.
    pub async fn drain(&self) {
        self.core.draining.store(true, Ordering::Release);
        self.core.health.send_replace(Health(Err(Unavailable::Draining)));
        if self.core.leads() && self.core.members().iter().filter(|(.., votes)| *votes).count() > 1 {
            match members::transfer(&self.core, 0).await {
                Ok(leader) => tracing::info!(leader = format!("{leader:016x}"), "handed the leadership over"),
                Err(error) => tracing::warn!(%error, "could not hand the leadership over"),
            }
        }
    }

    /// Stops.
    pub async fn stop(&self) {
        if let Err(error) = self.core.raft.shutdown().await {
            tracing::warn!(%error, "raft did not stop cleanly");
        }
        let mut tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        tasks.shutdown().await;
    }

    /// Returns, with the reason, when openraft has stopped because of a fault.
    pub async fn failed(&self) -> String {
        let mut metrics = self.core.raft.metrics();
        loop {
            if let Err(fatal) = &metrics.borrow_watched().running_state {
                return fatal.to_string();
            }
            if metrics.changed().await.is_err() {
                return "raft has stopped".to_owned();
            }
        }
    }
}

fn admin_deadline() -> Instant {
    Instant::now() + ADMINISTER_TIMEOUT
}

fn settings(timing: &Timing) -> Result<openraft::Config, StartError> {
    let (election_timeout_min, election_timeout_max) = timing.election_timeout_ms;
    openraft::Config {
        cluster_name: "refrain".to_owned(),
        heartbeat_interval: timing.heartbeat_ms,
        election_timeout_min,
        election_timeout_max,
        // Without it a node that was cut off comes back with a higher term and deposes a leader that serves.
        enable_pre_vote: Some(true),
        // Snapshots are made by bytes, see `duties`.
        snapshot_policy: openraft::SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: LOG_ENTRIES_KEPT,
        purge_batch_size: LOG_ENTRIES_KEPT,
        max_payload_entries: APPEND_ENTRIES,
        backoff: "100ms".to_owned(),
        ..openraft::Config::default()
    }
    .validate()
    .map_err(|e| StartError::Settings(e.to_string()))
}
