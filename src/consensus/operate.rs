//! What an operator does with the cluster itself: forming it, adding and removing nodes, handing the leadership over.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream::BoxStream};
use tokio::time::Instant;

use super::outcome::{AdminError, Unavailable, WriteError};
use super::report::AddProgress;
use super::{Consensus, adding, administer, reads};
use crate::domain::{Principal, Refusal};
use crate::proto::peer::{RemoveNode, administer_request::Act};

impl Consensus {
    /// Forms a cluster of this one node. Returns the cluster's id and the node's.
    ///
    /// # Errors
    /// [`Refusal::ClusterAlreadyInitialised`] where it belongs to one.
    pub async fn init(&self, deadline: Instant) -> Result<([u8; 16], u64), AdminError> {
        if self.core.peers.cluster_id().is_some() {
            return Err(WriteError::Refused(Refusal::ClusterAlreadyInitialised).into());
        }
        let unknown = |why| WriteError::Unknown { why };
        // The log before the identity: a crash in between leaves a log without a cluster, which only a node that was
        // forming one can have, and which the next start puts right.
        let own = BTreeMap::from([(self.node_id(), self.core.own.clone())]);
        let formed = self.core.raft.initialize(own).await;
        formed.map_err(|_| unknown(Unavailable::StorageFailed))?;
        let named = self.core.name_cluster();
        let cluster_id = named.map_err(|_| unknown(Unavailable::StorageFailed))?;
        self.read_when_created(deadline).await?;
        Ok((cluster_id, self.node_id()))
    }

    /// Waits until the cluster's first command is in.
    async fn read_when_created(&self, deadline: Instant) -> Result<(), WriteError> {
        let mut committed = self.committed();
        let created = committed.wait_for(|revision| *revision > 0);
        match tokio::time::timeout_at(deadline, created).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(WriteError::Unknown {
                why: Unavailable::Deadline,
            }),
        }
    }

    /// Adds the node at a peer address, and tells how far it is until it is a voter, or a learner that has caught up.
    /// What was done stays done when the stream is dropped: adding the node again goes on. Each step is recorded as what
    /// `principal` asked for.
    pub fn add(
        &self,
        address: String,
        learner: bool,
        principal: Principal,
    ) -> BoxStream<'static, Result<AddProgress, AdminError>> {
        adding::add(self.core.clone(), address, learner, principal).boxed()
    }

    /// Takes a node out of the cluster, and records that as what `principal` asked for.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn remove(
        &self,
        node_id: u64,
        force: bool,
        principal: &Principal,
        deadline: Instant,
    ) -> Result<(), AdminError> {
        // Without a majority no change of the membership comes to an end, forced or not: said before anything is asked.
        reads::catch_up(&self.core, deadline).await?;
        let act = Act::Remove(RemoveNode { node_id, force });
        administer::ask_leader(&self.core, act, principal, deadline)
            .await
            .map(drop)
    }

    /// Hands the leadership to `to`, or to the voter that is most caught up. Returns the new leader.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn transfer_leader(
        &self,
        to: Option<u64>,
        deadline: Instant,
    ) -> Result<u64, AdminError> {
        let act = Act::TransferLeader(to.unwrap_or(0));
        // Changes no member, so that nothing is recorded of it.
        administer::ask_leader(&self.core, act, &Principal::cluster(), deadline).await
    }
}
