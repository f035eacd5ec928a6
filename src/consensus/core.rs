//! What the rooms of consensus share: the Raft node, the replica, the ways to the others, and what the node knows of itself.

use std::sync::{Arc, Mutex, PoisonError};

use openraft::{Raft, async_runtime::WatchReceiver as _};
use tokio::sync::watch;

use super::Timing;
use super::clocks::Clocks;
use super::erasure::WrappingKeys;
use super::found::Found;
use super::journal_keys::JournalKeys;
use super::machine::Machine;
use super::neighbours::Neighbours;
use super::outcome::Unavailable;
use super::peers::Peers;
use super::reads::ReadQueue;
use super::replica::Replica;
use super::report::Health;
use super::snapshot::Snapshots;
use super::stamp_keys::StampKeys;
use super::types::{Peer, Types};
use super::usage::Usage;
use crate::clock::{Clock, Entropy};
use crate::domain::{Body, EventId, KeyFingerprint, Millis, State};
use crate::metrics::Meters;
use crate::proto::peer::Setting;
use crate::storage::{files::Files, identity::Identity, log::Log, space::Space};

/// The shared part of a node.
pub struct Core {
    /// openraft.
    pub raft: Raft<Types, Machine>,
    /// State and journal.
    pub replica: Arc<Replica>,
    /// Connections to the others.
    pub peers: Peers,
    /// Reads that wait for a round.
    pub reads: ReadQueue,
    /// The log, for its size.
    pub log: Arc<dyn Log>,
    /// The disk, for the space that is left and for the identity file.
    pub files: Arc<dyn Files>,
    /// Whether there is room for writes.
    pub space: Arc<Space>,
    /// The snapshots.
    pub snapshots: Arc<Snapshots>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// What is known of the members' clocks.
    pub clocks: Clocks,
    /// The random source.
    pub entropy: Arc<dyn Entropy>,
    /// Who this node is.
    pub identity: Mutex<Identity>,
    /// Where this node tells others to find it.
    pub own: Peer,
    /// The fingerprint of this node's token key.
    pub key_fingerprint: KeyFingerprint,
    /// How long elections and heartbeats take.
    pub timing: Timing,
    /// Times what it does.
    pub meters: Meters,
    /// Its settings in force.
    pub settings: Vec<Setting>,
    /// What the other members last said.
    pub neighbours: Neighbours,
    /// Whether the node serves.
    pub health: watch::Sender<Health>,
    /// What it counts.
    pub usage: Usage,
    /// What it has found in services' reports.
    pub found: Found,
    /// What it signs stamps with.
    pub stamp_keys: StampKeys,
    /// What it signs the journal's checkpoints with.
    pub journal_keys: JournalKeys,
    /// What it wraps keys of evidence with.
    pub wrapping_keys: WrappingKeys,
    /// Held while a member is acted upon and until that is recorded.
    pub membership: tokio::sync::Mutex<()>,
}

impl Core {
    /// This node's id.
    pub fn node_id(&self) -> u64 {
        self.peers.node_id()
    }

    /// The leader as this node knows it. A leader that is not among the members it knows counts as none.
    pub fn leader(&self) -> Option<(u64, Peer)> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let leader = metrics.current_leader?;
        let peer = metrics.membership_config.membership().get_node(&leader)?;
        Some((leader, peer.clone()))
    }

    /// Whether this node leads.
    pub fn leads(&self) -> bool {
        self.leader()
            .is_some_and(|(leader, _)| leader == self.node_id())
    }

    /// The members that this node knows, voters and learners, with whether they vote.
    pub fn members(&self) -> Vec<(u64, Peer, bool)> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let voters: Vec<u64> = membership.voter_ids().collect();
        let mut members: Vec<_> = membership
            .nodes()
            .map(|(id, peer)| (*id, peer.clone(), voters.contains(id)))
            .collect();
        members.sort_by_key(|(id, ..)| *id);
        members
    }

    /// Whether the node takes calls at all.
    ///
    /// # Errors
    /// Why not.
    pub fn open(&self) -> Result<(), Unavailable> {
        if self.peers.cluster_id().is_none() {
            return Err(Unavailable::WaitingForCluster);
        }
        Ok(())
    }

    /// Whether an answer from the state in memory may be believed.
    ///
    /// # Errors
    /// Why not.
    pub fn believable(&self) -> Result<(), Unavailable> {
        if self.replica.poisoned() {
            return Err(Unavailable::StorageFailed);
        }
        match self.replica.with_state(State::key_fingerprint) {
            None => Err(Unavailable::Starting),
            Some(fingerprint) if fingerprint == self.key_fingerprint => Ok(()),
            Some(_) => Err(Unavailable::TokenKeyMismatch),
        }
    }

    /// Whether this node, as the leader, may put something into the log.
    ///
    /// # Errors
    /// Why not.
    pub fn may_propose(&self, body: &Body) -> Result<(), Unavailable> {
        self.open()?;
        match (self.believable(), body) {
            // Nothing has been written yet, and this is the command that begins.
            (Ok(()), _) | (Err(Unavailable::Starting), Body::Create(_)) => {}
            (Err(why), _) => return Err(why),
        }
        self.able()
    }

    /// Whether this node, if it leads, can put anything into the log. One that cannot hands over, see `leadership`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn able(&self) -> Result<(), Unavailable> {
        if self.believable() == Err(Unavailable::TokenKeyMismatch) {
            return Err(Unavailable::TokenKeyMismatch);
        }
        if !self.space.enough_space() {
            return Err(Unavailable::DiskNearlyFull);
        }
        if self.clocks.ahead(self.clock.now()) {
            return Err(Unavailable::ClockAhead);
        }
        Ok(())
    }

    /// A fresh id for an event that the leader received at `now`.
    pub fn new_event_id(&self, now: Millis) -> EventId {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        EventId::new(now, random)
    }

    /// Gives a cluster that this node has formed its id.
    ///
    /// # Errors
    /// When the identity cannot be saved.
    pub fn name_cluster(&self) -> std::io::Result<[u8; 16]> {
        let mut cluster_id = [0; 16];
        self.entropy.fill(&mut cluster_id);
        self.belong_to(cluster_id)?;
        Ok(cluster_id)
    }

    /// Makes the node belong to a cluster, on disk first.
    ///
    /// # Errors
    /// When the identity cannot be saved.
    pub fn belong_to(&self, cluster_id: [u8; 16]) -> std::io::Result<()> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        let joined = Identity {
            cluster_id: Some(cluster_id),
            ..*identity
        };
        joined.save(self.files.as_ref())?;
        *identity = joined;
        self.peers.belong_to(cluster_id);
        Ok(())
    }
}
