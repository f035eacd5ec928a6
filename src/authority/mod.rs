//! The two doors to the replicated state: write and read; what comes through has been admitted.

mod cluster;
mod query;

use tokio::{sync::watch, time::Instant};

use crate::{
    admission::Admitted,
    consensus::Consensus,
    domain::{Body, Outcome, Proposal, Refusal},
};

pub use self::{
    cluster::{Add, DescribeCluster, Init, Remove, TransferLeader},
    query::{
        Check, Checks, Decided, GetPreferences, Heads, ImportProgress, ListNamespaces,
        ListPurposes, Namespaces, Purposes, Query, StartWatch, Started, Subject,
    },
};
pub use crate::consensus::{
    AddProgress, AddStage, AdminError, ClusterStatus, Health, Member, Report, Role, Unavailable,
    WriteError,
};

/// Why a read has no answer. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The question cannot be answered.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The node cannot answer.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
}

/// The doors.
#[derive(Clone)]
pub struct Authority {
    consensus: Consensus,
}

impl Authority {
    /// Doors to this consensus.
    pub fn new(consensus: Consensus) -> Self {
        Self { consensus }
    }

    /// Makes a change. `Ok` means that it is on stable storage on a majority of the voters.
    ///
    /// # Errors
    /// [`WriteError`], which tells whether the change may have been made all the same.
    pub async fn write(
        &self,
        admitted: Admitted<Body>,
        deadline: Instant,
    ) -> Result<Outcome, WriteError> {
        if self
            .consensus
            .with_state(|state| admitted.gate(state))
            .is_err()
        {
            // This node may merely lag behind: only an up-to-date state may refuse.
            self.consensus
                .read(deadline)
                .await
                .map_err(|why| WriteError::NotApplied { why })?;
            self.consensus.with_state(|state| admitted.gate(state))?;
        }
        if Instant::now() >= deadline {
            let why = Unavailable::Deadline;
            return Err(WriteError::NotApplied { why });
        }
        let (principal, body) = admitted.into_parts();
        let proposal = Proposal { principal, body };
        proposal.validate()?;
        self.consensus.write(proposal, deadline).await
    }

    /// Answers a question from a state that reflects every change acknowledged before the call. All of one question is
    /// answered at one revision.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read<Q: Query>(
        &self,
        admitted: Admitted<Q>,
        deadline: Instant,
    ) -> Result<Q::Answer, ReadError> {
        let at = self.consensus.read(deadline).await?;
        // However the read went: who asked has given up, and no answer must come out of a call that is over.
        if Instant::now() >= deadline {
            return Err(Unavailable::Deadline.into());
        }
        let answer = self.consensus.with_state(|state| {
            admitted.gate(state)?;
            let (_, query) = admitted.into_parts();
            query.answer(state, at)
        })?;
        // A change that broke off half-way while this waited for it takes the answer back.
        self.consensus.believable()?;
        Ok(answer)
    }

    /// This node's id.
    pub fn node_id(&self) -> u64 {
        self.consensus.node_id()
    }

    /// Whether this node serves, and word of every change of that.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.consensus.health()
    }
}
