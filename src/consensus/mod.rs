//! A stand-in for the replicated log: one node in memory, behind the same doors.

mod outcome;
mod status;

use std::sync::{Arc, PoisonError, RwLock};

use futures::{StreamExt as _, stream, stream::BoxStream};
use tokio::{sync::watch, time::Instant};

use crate::{
    clock::{Clock, Entropy},
    domain::{
        Body, Create, EventId, KeyFingerprint, Outcome, Principal, Proposal, Refusal, Revision,
        State,
    },
    storage::journal::Journal,
};

pub use self::{
    outcome::{AdminError, Unavailable, WriteError},
    status::{AddProgress, AddStage, ClusterStatus, Health, Member, Report, Role},
};

/// What it takes to start.
pub struct Settings {
    /// Where the events go.
    pub journal: Arc<Journal>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The fingerprint of this node's token key.
    pub key_fingerprint: KeyFingerprint,
    /// Whether to wait for a cluster.
    pub join: bool,
    /// Where clients are told to find this node.
    pub client_address: String,
    /// Where peers are told to find this node.
    pub peer_address: String,
}

/// The node.
#[derive(Clone)]
pub struct Consensus(Arc<Inner>);

struct Inner {
    node_id: u64,
    settings: Settings,
    state: RwLock<State>,
    health: watch::Sender<Health>,
    committed: watch::Sender<Revision>,
    fatal: watch::Sender<Option<String>>,
}

fn health(ready: bool, reason: &str) -> Health {
    let reason = reason.to_owned();
    Health { ready, reason }
}

impl Consensus {
    /// Starts the node.
    pub fn start(settings: Settings) -> Self {
        let mut id = [0; 8];
        settings.entropy.fill(&mut id);
        let join = settings.join;
        let node = Self(Arc::new(Inner {
            node_id: u64::from_be_bytes(id).max(1),
            settings,
            state: RwLock::default(),
            health: watch::Sender::new(health(false, "waiting_for_cluster")),
            committed: watch::Sender::new(0),
            fatal: watch::Sender::new(None),
        }));
        if !join {
            // Nothing can be in the way of the first command.
            let _ = node.create();
        }
        node
    }

    fn create(&self) -> Result<[u8; 16], WriteError> {
        let mut cluster_id = [0; 16];
        self.0.settings.entropy.fill(&mut cluster_id);
        let principal = Principal::parse("local")?;
        let body = Body::Create(Create::new(cluster_id, self.0.settings.key_fingerprint));
        self.apply(Proposal { principal, body })?;
        self.0.health.send_replace(health(true, "ok"));
        Ok(cluster_id)
    }

    fn apply(&self, proposal: Proposal) -> Result<Outcome, Refusal> {
        let mut random = [0; 10];
        self.0.settings.entropy.fill(&mut random);
        let now = self.0.settings.clock.now();
        let command = proposal.into_command(now, EventId::new(now, random));
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        let applied = state.apply(&command);
        for (event, evidence) in &applied.events {
            let evidence = evidence.as_ref().map(|sealed| &*sealed.bytes);
            if let Err(error) = self.0.settings.journal.append(&event.encode(), evidence) {
                self.0.fatal.send_replace(Some(error.to_string()));
            }
        }
        self.0.committed.send_replace(state.revision());
        applied.reply
    }

    fn available(&self) -> Result<(), Unavailable> {
        if self.with_state(|state| state.cluster_id().is_none()) {
            return Err(Unavailable::WaitingForCluster);
        }
        if self.0.health.borrow().ready {
            Ok(())
        } else {
            Err(Unavailable::Draining)
        }
    }

    /// Makes a change.
    ///
    /// # Errors
    /// [`WriteError`].
    #[allow(clippy::unused_async)]
    pub async fn write(
        &self,
        proposal: Proposal,
        deadline: Instant,
    ) -> Result<Outcome, WriteError> {
        self.available()
            .map_err(|why| WriteError::NotApplied { why })?;
        if Instant::now() >= deadline {
            let why = Unavailable::Deadline;
            return Err(WriteError::NotApplied { why });
        }
        Ok(self.apply(proposal)?)
    }

    /// After it the state reflects everything acknowledged before.
    ///
    /// # Errors
    /// [`Unavailable`].
    #[allow(clippy::unused_async)]
    pub async fn read(&self, deadline: Instant) -> Result<(), Unavailable> {
        self.available()?;
        if Instant::now() >= deadline {
            return Err(Unavailable::Deadline);
        }
        Ok(())
    }

    /// Looks at the state.
    pub fn with_state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// This node's id.
    pub fn node_id(&self) -> u64 {
        self.0.node_id
    }

    /// The ids of all members.
    pub fn members(&self) -> Vec<u64> {
        vec![self.0.node_id]
    }

    /// Whether the node serves.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.0.health.subscribe()
    }

    /// The applied revision.
    pub fn committed(&self) -> watch::Receiver<Revision> {
        self.0.committed.subscribe()
    }

    /// The journal.
    pub fn journal(&self) -> Arc<Journal> {
        Arc::clone(&self.0.settings.journal)
    }

    /// Returns, with the reason, when the node must not go on.
    pub async fn failed(&self) -> String {
        let mut fatal = self.0.fatal.subscribe();
        match fatal.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "stopped".to_owned(),
        }
    }

    /// Creates the cluster.
    ///
    /// # Errors
    /// [`AdminError`].
    #[allow(clippy::unused_async)]
    pub async fn init(&self, _deadline: Instant) -> Result<([u8; 16], u64), AdminError> {
        if self.with_state(|state| state.cluster_id().is_some()) {
            return Err(WriteError::Refused(Refusal::ClusterAlreadyInitialised).into());
        }
        Ok((self.create()?, self.0.node_id))
    }

    /// Adds a node.
    pub fn add(
        &self,
        peer_address: String,
        _learner: bool,
    ) -> BoxStream<'static, Result<AddProgress, AdminError>> {
        let error = if peer_address.contains(':') {
            AdminError::Unreachable {
                address: peer_address,
                why: "nobody listens".to_owned(),
            }
        } else {
            AdminError::AddressInvalid {
                address: peer_address,
            }
        };
        stream::iter([Err(error)]).boxed()
    }

    /// Takes a node out.
    ///
    /// # Errors
    /// [`AdminError`].
    #[allow(clippy::unused_async)]
    pub async fn remove(
        &self,
        _node: u64,
        _force: bool,
        _deadline: Instant,
    ) -> Result<(), AdminError> {
        Err(AdminError::LastVoter)
    }

    /// Hands the leadership over.
    ///
    /// # Errors
    /// [`AdminError`].
    #[allow(clippy::unused_async)]
    pub async fn transfer_leader(
        &self,
        _to: Option<u64>,
        _deadline: Instant,
    ) -> Result<u64, AdminError> {
        self.available()?;
        Ok(self.0.node_id)
    }

    /// What the members say.
    #[allow(clippy::unused_async)]
    pub async fn status(&self, _deadline: Instant) -> ClusterStatus {
        let (cluster_id, revision, hash, feature_level) = self.with_state(|state| {
            (
                state.cluster_id(),
                state.revision(),
                state.hash(),
                state.feature_level(),
            )
        });
        let formed = cluster_id.is_some();
        ClusterStatus {
            cluster_id,
            answered_by: self.0.node_id,
            leader: formed.then_some(self.0.node_id),
            term: u64::from(formed),
            members: vec![Member {
                node_id: self.0.node_id,
                role: if formed { Role::Voter } else { Role::None },
                peer_address: self.0.settings.peer_address.clone(),
                client_address: self.0.settings.client_address.clone(),
                report: Ok(Report {
                    health: self.0.health.borrow().clone(),
                    revision,
                    applied_lag: 0,
                    log_bytes: 0,
                    snapshot_bytes: 0,
                    journal_events: self.0.settings.journal.size(),
                    state_hash: Some((revision, hash)),
                    journal_root: Some(self.0.settings.journal.root()),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    disk_free_bytes: 0,
                }),
            }],
            alarms: Vec::new(),
            feature_level,
        }
    }

    /// Stops the node.
    #[allow(clippy::unused_async)]
    pub async fn shutdown(&self) {
        self.0.health.send_replace(health(false, "draining"));
    }
}
