//! Everything openraft: one linearizable log, and a state machine on every node that follows it.
//!
//! [`Consensus`] is the door. A write goes through `writes` (proposed here, or forwarded to the leader), the log
//! (`log_store`) and `machine` into the `replica`; a read goes through `reads` (one quorum round for all who wait) and
//! then looks at the replica. `network` and `service` are the two ends of what nodes say to each other.

mod adding;
mod administer;
mod clocks;
mod core;
mod drift;
mod duties;
mod erasure;
mod found;
mod health;
mod journal_keys;
mod leadership;
mod log_store;
mod machine;
mod members;
mod neighbours;
mod network;
mod news;
mod operate;
mod outcome;
mod parts;
mod peers;
mod readings;
mod reads;
mod recorded;
mod replica;
mod report;
mod room;
mod runtime;
mod service;
mod settings;
mod snapshot;
mod stamp_keys;
mod status;
#[cfg(test)]
mod tests;
mod types;
mod usage;
mod writes;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::{Raft, async_runtime::WatchReceiver as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use crate::proto::peer::Setting;
pub use drift::{Drift, Told, drift};
pub use outcome::{AdminError, Unavailable, WriteError};
pub use parts::{Parts, StartError};
pub use readings::Readings;
pub use report::{AddProgress, AddStage, ClusterStatus, Health, Member, Report, Role};
pub use settings::Timing;
pub use stamp_keys::Signer;
pub use types::Peer;
pub use usage::Usage;

use self::core::Core;
use crate::domain::{Millis, Outcome, Proposal, Revision, Sealer, ServiceName, State, Violations};
use crate::limits::PEER_MESSAGE_BYTES;
use crate::proof::JournalSigner;
use crate::proto::peer::peer_server::PeerServer;
use crate::storage::{
    Refused,
    journal::{Journal, JournalEdge},
    secrets::{EVIDENCE, JOURNAL, STAMPS},
};

/// A node of the cluster.
#[derive(Clone)]
pub struct Consensus {
    core: Arc<Core>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Consensus {
    /// Starts a node from what lies on its disk. Returns before it has a leader: [`Self::health`] tells when it serves.
    ///
    /// # Errors
    /// When something on the disk is damaged.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let Parts {
            log,
            files,
            space,
            connector,
            clock,
            entropy,
            identity,
            own,
            key_fingerprint,
            sealing_key,
            timing,
            meters,
            settings,
        } = parts;
        let refuse = |place: &str| {
            let place = place.to_owned();
            move |error: std::io::Error| Refused::io(place, error)
        };
        let stamp_secrets = STAMPS.load_or_forget(&*files)?;
        let journal_secrets = JOURNAL.load_or_forget(&*files)?;
        // Without them, what they wrapped could never be opened again: their loss is refused.
        let evidence_secrets = EVIDENCE.load(&*files)?;
        let (snapshots, content) =
            snapshot::Snapshots::open(files.clone(), space.clone()).map_err(refuse("snapshots"))?;
        let snapshots = Arc::new(snapshots);
        let covered = content.as_ref().and_then(|it| it.meta.last_log_id);
        let purged = log.ends().purged.map(|(_, index)| index);
        snapshot::check_covers(purged, covered.map(|id| id.index))?;
        let (meta, edge, state) = match content {
            Some(content) => (content.meta, content.edge, content.state),
            None => (
                types::SnapshotMeta::default(),
                JournalEdge::default(),
                State::default(),
            ),
        };
        let ends = log.ends();
        let first_start = ends.last.is_none() && ends.purged.is_none() && covered.is_none();
        if evidence_secrets.is_empty() && !first_start {
            let what = "it is gone, and with it what opens the evidence that was sealed here";
            return Err(Refused::damaged(EVIDENCE.name, what).into());
        }
        let wrapping_keys = erasure::WrappingKeys::open(
            sealing_key,
            identity.node_id,
            evidence_secrets,
            &*files,
            &*entropy,
        )
        .map_err(refuse(EVIDENCE.name))?;
        let journal =
            Arc::new(Journal::open(files.clone(), &edge).map_err(|e| refuse("journal")(e.into()))?);
        let index = meta.last_log_id.map_or(0, |id| id.index);
        let replica = Arc::new(replica::Replica::new(state, journal, index));
        let machine = machine::Machine::new(replica.clone(), snapshots.clone(), meta);
        let peers = peers::Peers::new(connector, identity.node_id, identity.cluster_id);
        let network = network::Network {
            peers: peers.clone(),
        };
        let starting = Raft::new(
            identity.node_id,
            Arc::new(settings::settings(&timing)?),
            network,
            log_store::LogStore::new(log.clone()),
            machine,
        );
        let raft = runtime::drawing_from(entropy.clone(), starting)
            .await
            .map_err(|e| StartError::Raft(e.to_string()))?;
        let (reads, waiting) = reads::queue();
        let usage = Usage::new(&*entropy);
        let found = found::Found::new(&*entropy);
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
            clocks: clocks::Clocks::default(),
            entropy,
            identity: Mutex::new(identity),
            own,
            key_fingerprint,
            timing,
            meters,
            settings,
            neighbours: neighbours::Neighbours::default(),
            health: watch::Sender::new(Err(Unavailable::Starting).into()),
            usage,
            found,
            stamp_keys: stamp_keys::StampKeys::new(stamp_secrets),
            journal_keys: journal_keys::JournalKeys::new(journal_secrets),
            wrapping_keys,
            membership: tokio::sync::Mutex::default(),
        });
        if core.peers.cluster_id().is_none() && core.log.ends().last.is_some() {
            core.name_cluster()
                .map_err(|e| StartError::Raft(e.to_string()))?;
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(reads::serve(core.clone(), waiting));
        tasks.spawn(health::watch(core.clone()));
        tasks.spawn(duties::lead(core.clone()));
        tasks.spawn(leadership::watch(core.clone()));
        tasks.spawn(duties::compact(core.clone(), timing.snapshot_log_bytes));
        tasks.spawn(duties::backfill(core.clone()));
        let every = Duration::from_millis(timing.usage_report_ms);
        tasks.spawn(stamp_keys::tend_again_and_again(core.clone()));
        tasks.spawn(journal_keys::tend_again_and_again(core.clone()));
        tasks.spawn(erasure::tend_again_and_again(core.clone()));
        tasks.spawn(usage::report_again_and_again(core.clone(), every));
        tasks.spawn(found::commit_again_and_again(core.clone()));
        tasks.spawn(news::tell(core.clone()));
        Ok(Self {
            core,
            tasks: Arc::new(Mutex::new(tasks)),
        })
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
        proposal: Proposal,
        deadline: Instant,
    ) -> Result<Outcome, WriteError> {
        writes::write(&self.core, &proposal, deadline).await
    }

    /// Returns when this node's state reflects every change that was acknowledged before the call, with the time to judge
    /// by: the latest of the leader's clock, this node's, the members' median and what was judged by before.
    ///
    /// # Errors
    /// Why that was not so before the deadline.
    pub async fn read(&self, deadline: Instant) -> Result<Millis, Unavailable> {
        reads::catch_up(&self.core, deadline).await
    }

    /// Whether what the state says may be believed. To be asked after [`Self::with_state`] too: a change that broke off
    /// half-way may have let go of the state only then.
    ///
    /// # Errors
    /// Why not.
    pub fn believable(&self) -> Result<(), Unavailable> {
        self.core.believable()
    }

    /// Looks at the state as it is here. Linearizable only after [`Self::read`]. What `look` does must be short.
    pub fn with_state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.core.replica.with_state(look)
    }

    /// What this node signs stamps with. Where it has no key in use yet, one is made, and waited for a moment.
    pub async fn signer(&self, deadline: Instant) -> Option<Signer> {
        stamp_keys::signer_by(&self.core, deadline).await
    }

    /// What seals evidence on this node.
    pub fn sealer(&self) -> Option<Sealer> {
        self.core.wrapping_keys.sealer()
    }

    /// What this node signs the journal's checkpoints with. Where it has no key in use yet, one is made, and waited for a moment.
    pub async fn journal_signer(&self, deadline: Instant) -> Option<JournalSigner> {
        journal_keys::signer_by(&self.core, deadline).await
    }

    /// What this node counts for its next report.
    pub fn usage(&self) -> &Usage {
        &self.core.usage
    }

    /// Adds what was found among some reports of a service; it is committed when this returns.
    ///
    /// # Errors
    /// `OVERLOADED`, with nothing done; or `DEADLINE`: it may be committed later, and is unless the node ends before.
    pub async fn report_found(
        &self,
        service: &ServiceName,
        judged: u64,
        found: Vec<Violations>,
        deadline: Instant,
    ) -> Result<(), Unavailable> {
        let Some(committed) = self.core.found.add(service, judged, found)? else {
            return Ok(());
        };
        match tokio::time::timeout_at(deadline, committed).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Unavailable::Draining),
            Err(_) => Err(Unavailable::Deadline),
        }
    }

    /// Reports what was counted, before the node goes.
    pub async fn report_usage(&self) {
        usage::report(&self.core, false).await;
        found::commit(&self.core, true).await;
    }

    /// The journal of all events.
    pub fn journal(&self) -> Arc<Journal> {
        self.core.replica.journal().clone()
    }

    /// Whether the node serves, and news of it.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.core.health.subscribe()
    }

    /// The revision that this node has applied, and news of it.
    pub fn committed(&self) -> watch::Receiver<Revision> {
        self.core.replica.committed()
    }

    /// This node's clock, as far as it is near the members' median: to date ids that whoever leads has to take.
    pub fn time_for_ids(&self) -> Millis {
        self.core.clocks.near(self.core.clock.now())
    }

    /// Whether this node leads.
    pub fn leads(&self) -> bool {
        self.core.leads()
    }

    /// The ids of the members that this node knows.
    pub fn members(&self) -> Vec<u64> {
        self.core.members().into_iter().map(|(id, ..)| id).collect()
    }

    /// This node at this moment.
    pub fn readings(&self) -> Readings {
        readings::readings(&self.core)
    }

    /// The cluster, as this node can find out before the deadline.
    pub async fn status(&self, deadline: Instant) -> ClusterStatus {
        status::status(&self.core, deadline).await
    }

    /// Returns, with the reason, when the node must not go on.
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

    /// Stops.
    pub async fn shutdown(&self) {
        if let Err(error) = self.core.raft.shutdown().await {
            tracing::warn!(%error, "raft did not stop cleanly");
        }
        let mut tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        tasks.shutdown().await;
    }
}
