//! What is done with the cluster itself, rather than with its state.

use futures::{Stream, stream::BoxStream};
use tokio::time::Instant;

use super::Authority;
use crate::{
    admission::{Admissible, Admitted, Permission},
    consensus::{AddProgress, AdminError, ClusterStatus},
};

/// Declares an administrative wish: all need the same permission.
macro_rules! administrative {
    ($($wish:ident),+) => {
        $(impl Admissible for $wish {
            fn permission(&self) -> Permission {
                Permission::Administer
            }
        })+
    };
}

administrative!(Init, Add, Remove, DescribeCluster, TransferLeader);

/// Create a cluster with this node as its one voter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Init;

/// Add a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    /// Where it listens for peers.
    pub peer_address: String,
    /// Whether it stays a learner.
    pub learner: bool,
}

/// Take a node out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remove {
    /// Its id, or a prefix that fits one alone.
    pub node: String,
    /// Even where the journal is at risk.
    pub force: bool,
}

/// What does each member say of itself?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescribeCluster;

/// Hand the leadership over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferLeader {
    /// To this voter, by its id or a prefix that fits one alone; empty for the most caught up.
    pub node: String,
}

impl Authority {
    /// Creates the cluster: its id, and this node's.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn init(
        &self,
        _admitted: Admitted<Init>,
        deadline: Instant,
    ) -> Result<([u8; 16], u64), AdminError> {
        self.consensus.init(deadline).await
    }

    /// Adds a node and tells how far it is. The stream's end is either [`AddStage::Done`](super::AddStage::Done) or an
    /// error; dropping it does not undo what was done.
    pub fn add(
        &self,
        admitted: Admitted<Add>,
    ) -> impl Stream<Item = Result<AddProgress, AdminError>> + Send + use<> {
        let (
            _,
            Add {
                peer_address,
                learner,
            },
        ) = admitted.into_parts();
        let progress: BoxStream<'static, _> = self.consensus.add(peer_address, learner);
        progress
    }

    /// Takes a node out, and returns its id.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn remove(
        &self,
        admitted: Admitted<Remove>,
        deadline: Instant,
    ) -> Result<u64, AdminError> {
        let (_, Remove { node, force }) = admitted.into_parts();
        let node = self.member(&node)?;
        self.consensus.remove(node, force, deadline).await?;
        Ok(node)
    }

    /// What each member says of itself, as far as it answers before the deadline.
    pub async fn describe(
        &self,
        _admitted: Admitted<DescribeCluster>,
        deadline: Instant,
    ) -> ClusterStatus {
        self.consensus.status(deadline).await
    }

    /// Hands the leadership over, and returns the new leader.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn transfer_leader(
        &self,
        admitted: Admitted<TransferLeader>,
        deadline: Instant,
    ) -> Result<u64, AdminError> {
        let (_, TransferLeader { node }) = admitted.into_parts();
        let to = if node.is_empty() {
            None
        } else {
            Some(self.member(&node)?)
        };
        self.consensus.transfer_leader(to, deadline).await
    }

    /// The one member whose id begins so.
    fn member(&self, prefix: &str) -> Result<u64, AdminError> {
        let wanted = prefix.trim().to_ascii_lowercase();
        let id = || prefix.chars().take(32).collect();
        let mut fitting =
            self.consensus.members().into_iter().filter(|member| {
                !wanted.is_empty() && format!("{member:016x}").starts_with(&wanted)
            });
        match (fitting.next(), fitting.next()) {
            (Some(member), None) => Ok(member),
            (Some(_), Some(_)) => Err(AdminError::NodeAmbiguous { id: id() }),
            (None, _) => Err(AdminError::NodeUnknown { id: id() }),
        }
    }
}
