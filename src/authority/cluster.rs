//! What is done with the cluster itself, rather than with its state.

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::time::Instant;

use super::Authority;
use crate::{
    admission::{Admissible, Admitted, Need, Needs, Permission},
    consensus::{AddProgress, AdminError, ClusterStatus, Readings},
    domain::NodeId,
};

/// Declares an administrative wish: all need the same permission.
macro_rules! administrative {
    ($($wish:ident),+) => {
        $(impl Admissible for $wish {
            fn needs(&self) -> Needs<'_> {
                Needs::one(Need::everywhere(Permission::Cluster))
            }
        })+
    };
}

/// What can be read off this node?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadNode;

impl Admissible for ReadNode {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::everywhere(Permission::Metrics))
    }
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
    /// error; dropping it does not undo what was done. What was done is an event by whoever asked.
    pub fn add(
        &self,
        admitted: Admitted<Add>,
    ) -> BoxStream<'static, Result<AddProgress, AdminError>> {
        let (principal, wish) = admitted.into_parts();
        if is_address(&wish.peer_address) {
            return self
                .consensus
                .add(wish.peer_address, wish.learner, principal);
        }
        let address = wish.peer_address.chars().take(256).collect();
        stream::iter([Err(AdminError::AddressInvalid { address })]).boxed()
    }

    /// Takes a node out, and returns its id. That is an event by whoever asked.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn remove(
        &self,
        admitted: Admitted<Remove>,
        deadline: Instant,
    ) -> Result<u64, AdminError> {
        let (principal, Remove { node, force }) = admitted.into_parts();
        let node = self.member(&node)?;
        self.consensus
            .remove(node, force, &principal, deadline)
            .await?;
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

    /// This node at this moment.
    pub fn readings(&self, _admitted: Admitted<ReadNode>) -> Readings {
        self.consensus.readings()
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
        let mut fitting = self.consensus.members().into_iter().filter(|member| {
            !wanted.is_empty() && NodeId(*member).to_string().starts_with(&wanted)
        });
        match (fitting.next(), fitting.next()) {
            (Some(member), None) => Ok(member),
            (Some(_), Some(_)) => Err(AdminError::NodeAmbiguous { id: id() }),
            (None, _) => Err(AdminError::NodeUnknown { id: id() }),
        }
    }
}

/// Whether a text has the form `host:port`; an address of IPv6 stands in brackets.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let port_fits = port.parse::<u16>().is_ok_and(|port| port != 0);
    let host_fits = (1..=253).contains(&host.len())
        && host.chars().all(|c| c.is_ascii_graphic())
        && (bracketed || !host.contains(':'));
    port_fits && host_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in [
            "127.0.0.1:7401",
            "[::1]:7401",
            "node-1.example.org:1",
            "localhost:65535",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "nowhere",
            ":1",
            "node:",
            "node:0",
            "node:65536",
            "::1:7401",
            "a b:1",
            "a:b",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
