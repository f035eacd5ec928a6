//! On the leader: who belongs to the cluster, and who leads it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::WatchReceiver as _;
use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::timeout;
use tonic::Status;

use super::administer::not_leader;
use super::core::Core;
use super::outcome::{AdminError, Unavailable, WriteError};
use super::recorded::Done;
use super::types::Peer;
use crate::domain::{FEATURE_LEVEL, NodeId, Revision, State};
use crate::limits::{CAUGHT_UP_REVISIONS, DESCRIBE_TIMEOUT, MEMBERS};
use crate::proto::peer::{DescribeReply, DescribeRequest, InviteRequest};

async fn change(
    core: &Core,
    change: ChangeMembers<u64, Peer>,
    retain: bool,
) -> Result<(), AdminError> {
    match core.raft.change_membership(change, retain).await {
        Ok(_) => Ok(()),
        Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => Err(not_leader()),
        Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(why))) => {
            tracing::info!(%why, "a change of the membership was refused");
            Err(AdminError::ChangeInProgress)
        }
        Err(RaftError::APIError(_)) => Err(WriteError::Unknown {
            why: Unavailable::LeaderLost,
        }
        .into()),
        Err(RaftError::Fatal(_)) => Err(WriteError::Unknown {
            why: Unavailable::StorageFailed,
        }
        .into()),
    }
}

/// The log index of the membership, where a change of it has been committed up to the first of its two steps (Raft paper, section 6).
pub fn joint(core: &Core) -> Option<u64> {
    let metrics = core.raft.metrics();
    let metrics = metrics.borrow_watched();
    let membership = &metrics.membership_config;
    let committed = metrics.committed_membership_config.log_id() == membership.log_id();
    let halves = membership.membership().get_joint_config().len();
    let at = membership.log_id().as_ref().map(|at| at.index);
    at.filter(|_| committed && halves > 1)
}

/// Takes the second step of a change that stands between the two.
///
/// # Errors
/// See [`AdminError`].
pub async fn take_second_step(core: &Core) -> Result<(), AdminError> {
    // Nobody stays as a learner: voters go only where they are removed.
    let nobody = ChangeMembers::AddVoterIds(BTreeSet::new());
    change(core, nobody, false).await
}

/// Asks the node at a peer address what it is.
///
/// # Errors
/// When it does not answer in time.
pub async fn describe_at(core: &Core, address: &str) -> Result<DescribeReply, Status> {
    let client = core.peers.client(address);
    let mut client = client.map_err(|e| Status::invalid_argument(e.to_string()))?;
    timeout(DESCRIBE_TIMEOUT, client.describe(DescribeRequest {}))
        .await
        .map_err(|_| Status::deadline_exceeded(format!("no answer within {DESCRIBE_TIMEOUT:?}")))?
        .map(tonic::Response::into_inner)
}

/// Invites the node at a peer address, and adds it as a learner.
///
/// # Errors
/// See [`AdminError`].
pub async fn add_learner(core: &Core, address: &str) -> Result<Done, AdminError> {
    let at = || address.to_owned();
    if core.peers.client(address).is_err() {
        return Err(AdminError::AddressInvalid { address: at() });
    }
    let unreachable = |status: Status| AdminError::Unreachable {
        address: at(),
        why: status.message().to_owned(),
    };
    let node = describe_at(core, address).await.map_err(unreachable)?;
    let Some(cluster) = core.peers.cluster_id() else {
        return Err(Unavailable::WaitingForCluster.into());
    };
    if !node.cluster_id.is_empty() && node.cluster_id[..] != cluster[..] {
        return Err(AdminError::OtherCluster { address: at() });
    }
    if node.key_fingerprint[..] != core.key_fingerprint.0[..] {
        return Err(AdminError::TokenKeyDiffers { address: at() });
    }
    let needed = core.replica.with_state(State::feature_level);
    if node.feature_level < needed {
        let known = node.feature_level;
        return Err(AdminError::FeatureLevelTooLow {
            address: at(),
            known,
            needed,
        });
    }
    let members = core.members();
    let count = members.len();
    for (id, peer, votes) in members {
        if id == node.node_id {
            return Ok(Done::joined(id, peer, votes));
        }
        if peer.peer_address == node.peer_address {
            return Err(AdminError::AddressTaken {
                address: at(),
                id: NodeId(id).to_string(),
            });
        }
    }
    if count >= MEMBERS {
        return Err(AdminError::TooManyMembers);
    }
    let invitation = InviteRequest {
        cluster_id: cluster.to_vec().into(),
        key_fingerprint: core.key_fingerprint.0.to_vec().into(),
        feature_level: needed,
    };
    let client = core.peers.client(address);
    let mut client = client.map_err(|_| AdminError::AddressInvalid { address: at() })?;
    timeout(DESCRIBE_TIMEOUT, client.invite(invitation))
        .await
        .map_err(|_| unreachable(Status::deadline_exceeded("no answer")))?
        .map_err(unreachable)?;
    let peer = Peer {
        peer_address: node.peer_address,
        client_address: node.client_address,
    };
    let learner = BTreeMap::from([(node.node_id, peer.clone())]);
    change(core, ChangeMembers::AddNodes(learner), true).await?;
    Ok(Done::joined(node.node_id, peer, false))
}

/// On a node that waits: joins the cluster that invites it.
///
/// # Errors
/// When it belongs to another cluster, or its token key or its version does not fit.
pub fn accept_invitation(core: &Core, invitation: &InviteRequest) -> Result<(), Status> {
    let Ok(cluster) = <[u8; 16]>::try_from(&invitation.cluster_id[..]) else {
        return Err(Status::invalid_argument("a cluster id has 16 bytes"));
    };
    let what = match core.peers.cluster_id() {
        Some(own) if own == cluster => return Ok(()),
        Some(_) => "it belongs to another cluster",
        None if invitation.key_fingerprint[..] != core.key_fingerprint.0[..] => {
            "its token key is not the cluster's"
        }
        None if invitation.feature_level > FEATURE_LEVEL => "its version is too old",
        None => {
            return core
                .belong_to(cluster)
                .map_err(|e| Status::internal(e.to_string()));
        }
    };
    Err(Status::failed_precondition(what))
}

fn find(core: &Core, id: u64) -> Result<(Peer, bool), AdminError> {
    let mut members = core.members().into_iter();
    let found = members.find(|(member, ..)| *member == id);
    let (_, peer, votes) = found.ok_or_else(|| AdminError::NodeUnknown {
        id: NodeId(id).to_string(),
    })?;
    Ok((peer, votes))
}

/// Whether the node that answered is the member `id` of this cluster, has all that there was up to about now, and can
/// show it. Whoever else answers at a member's address has nothing.
fn has_everything(core: &Core, id: u64, node: &DescribeReply) -> bool {
    let revision = core.replica.with_state(State::revision);
    let ours = core
        .peers
        .cluster_id()
        .is_some_and(|own| node.cluster_id[..] == own[..]);
    node.node_id == id && ours && caught_up(node.revision, node.journal_events, revision)
}

/// Whether a node at `revision` has all that there was up to about `newest`, and so many events of it in its journal.
pub fn caught_up(revision: Revision, journal_events: u64, newest: Revision) -> bool {
    let whole = revision > 0 && journal_events >= revision;
    whole && revision.saturating_add(CAUGHT_UP_REVISIONS) >= newest
}

/// Makes a learner a voter.
///
/// # Errors
/// See [`AdminError`]; [`AdminError::NotCaughtUp`] where its vote could stop the cluster.
pub async fn promote(core: &Core, id: u64) -> Result<Done, AdminError> {
    let (peer, votes) = find(core, id)?;
    if votes {
        return Ok(Done::joined(id, peer, true));
    }
    let node = describe_at(core, &peer.peer_address)
        .await
        .map_err(|status| AdminError::Unreachable {
            address: peer.peer_address.clone(),
            why: status.message().to_owned(),
        })?;
    if !has_everything(core, id, &node) {
        return Err(AdminError::NotCaughtUp {
            id: NodeId(id).to_string(),
        });
    }
    change(core, ChangeMembers::AddVoterIds(BTreeSet::from([id])), true).await?;
    Ok(Done::joined(id, peer, true))
}

/// Takes a node out. The leader hands the leadership over first when it is to go itself.
///
/// # Errors
/// See [`AdminError`].
pub async fn remove(core: &Core, id: u64, force: bool) -> Result<Done, AdminError> {
    let (peer, votes) = find(core, id)?;
    let done = Done::removed(id, peer, votes, force);
    if !votes {
        change(
            core,
            ChangeMembers::RemoveNodes(BTreeSet::from([id])),
            false,
        )
        .await?;
        return Ok(done);
    }
    let mut stay = core.members();
    stay.retain(|(member, _, votes)| *votes && *member != id);
    if stay.is_empty() {
        return Err(AdminError::LastVoter);
    }
    if !force {
        let nodes = stay
            .iter()
            .map(|(_, peer, _)| describe_at(core, &peer.peer_address));
        let nodes = futures::future::join_all(nodes).await;
        // One that does not answer counts for nothing.
        let holds = |((id, ..), node): &(&(u64, Peer, bool), &Result<DescribeReply, Status>)| {
            node.as_ref()
                .is_ok_and(|node| has_everything(core, *id, node))
        };
        let complete = stay.iter().zip(&nodes).filter(holds).count();
        if complete * 2 <= stay.len() {
            return Err(AdminError::JournalAtRisk);
        }
    }
    if id == core.node_id() {
        // Whoever leads next carries the removal out.
        transfer(core, None).await?;
        return Err(not_leader());
    }
    change(
        core,
        ChangeMembers::RemoveVoters(BTreeSet::from([id])),
        false,
    )
    .await?;
    Ok(done)
}

/// Hands the leadership to `to`, or to the voter that is most caught up. Returns the new leader.
///
/// # Errors
/// See [`AdminError`].
pub async fn transfer(core: &Core, to: Option<u64>) -> Result<u64, AdminError> {
    if to == Some(core.node_id()) {
        return Ok(core.node_id());
    }
    let target = match to {
        Some(id) => match find(core, id)? {
            (_, true) => id,
            (_, false) => {
                return Err(AdminError::NotAVoter {
                    id: NodeId(id).to_string(),
                });
            }
        },
        None => most_caught_up(core, |_| true).ok_or(AdminError::NoOtherVoter)?,
    };
    let mut metrics = core.raft.metrics();
    let asked = core.raft.trigger().transfer_leader(target).await;
    asked.map_err(|_| Unavailable::StorageFailed)?;
    let patience = Duration::from_millis(core.timing.election_timeout_ms.1 * 3);
    let moved = timeout(patience, async {
        loop {
            let leader = metrics.borrow_watched().current_leader;
            if let Some(leader) = leader
                && leader != core.node_id()
            {
                return Some(leader);
            }
            metrics.changed().await.ok()?;
        }
    });
    match moved.await {
        Ok(Some(leader)) => Ok(leader),
        Ok(None) | Err(_) => Err(AdminError::TransferFailed {
            id: NodeId(target).to_string(),
        }),
    }
}

/// The other voter that has most of the log, of those that `may` lead.
pub fn most_caught_up(core: &Core, may: impl Fn(u64) -> bool) -> Option<u64> {
    let metrics = core.raft.metrics();
    let metrics = metrics.borrow_watched();
    let matched = |id: &u64| {
        let replication = metrics.replication.as_ref()?;
        replication
            .get(id)
            .copied()
            .flatten()
            .map(|log_id| log_id.index)
    };
    let voters = metrics.membership_config.membership().voter_ids();
    voters
        .filter(|id| *id != core.node_id() && may(*id))
        .max_by_key(matched)
}
