//! Changing who belongs to the cluster, and who leads it: done on the leader, asked for through any node.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::{ChangeMembers, async_runtime::WatchReceiver as _, errors::RaftError};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::Status;

use super::core::Core;
use super::types::{Peer, Types};
use super::unavailable::Unavailable;
use crate::domain::FEATURE_LEVEL;
use crate::limits::{ADMINISTER_TIMEOUT, DESCRIBE_TIMEOUT, RETRY_PAUSE};
use crate::proto::peer::{
    AdministerRefusal, AdministerRequest, DescribeReply, DescribeRequest, InviteRequest,
    RemoveNode, administer_reply, administer_request::Act,
};

/// Why an administrative call was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// Refused; nothing was done.
    #[error("{message}")]
    Refused {
        /// The stable reason, such as `JOURNAL_AT_RISK`.
        reason: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// Nothing was done, since the node cannot just now.
    #[error(transparent)]
    Unavailable(Unavailable),
    /// It may have been done.
    #[error("whether it was done is not known: {0}. `refrain cluster status` tells")]
    Unknown(String),
}

const NOT_LEADER: &str = "NOT_LEADER";
const UNKNOWN: &str = "OUTCOME_UNKNOWN";

fn refused(reason: &str, message: impl Into<String>) -> AdminError {
    AdminError::Refused { reason: reason.to_owned(), message: message.into() }
}

fn not_leader() -> AdminError {
    refused(NOT_LEADER, "this node does not lead")
}

impl From<Result<u64, AdminError>> for administer_reply::Outcome {
    fn from(answer: Result<u64, AdminError>) -> Self {
        let (reason, message) = match answer {
            Ok(node_id) => return Self::NodeId(node_id),
            Err(AdminError::Refused { reason, message }) => (reason, message),
            Err(AdminError::Unavailable(why)) => (why.reason().to_owned(), why.to_string()),
            Err(AdminError::Unknown(why)) => (UNKNOWN.to_owned(), why),
        };
        Self::Refusal(AdministerRefusal { reason, message })
    }
}

impl From<AdministerRefusal> for AdminError {
    fn from(AdministerRefusal { reason, message }: AdministerRefusal) -> Self {
        match Unavailable::from_reason(&reason) {
            Some(why) => Self::Unavailable(why),
            None if reason == UNKNOWN => Self::Unknown(message),
            None => Self::Refused { reason, message },
        }
    }
}

/// Has the leader carry out `act`, through whichever node this is. Returns the node that it was done to.
///
/// # Errors
/// See [`AdminError`].
pub async fn ask_leader(core: &Core, act: Act, deadline: Instant) -> Result<u64, AdminError> {
    loop {
        core.open().map_err(AdminError::Unavailable)?;
        let answer = match core.leader() {
            None => Err(not_leader()),
            Some((leader, _)) if leader == core.node_id() => administer(core, act.clone()).await,
            Some((leader, peer)) => forward(core, leader, &peer, act.clone()).await,
        };
        let retry = matches!(&answer, Err(AdminError::Refused { reason, .. }) if reason == NOT_LEADER);
        if !retry {
            return answer;
        }
        if timeout_at(deadline, sleep(RETRY_PAUSE)).await.is_err() {
            return Err(AdminError::Unavailable(Unavailable::NoQuorum));
        }
    }
}

async fn forward(core: &Core, leader: u64, peer: &Peer, act: Act) -> Result<u64, AdminError> {
    let mut client = core.peers.client(&peer.peer_address).map_err(|_| not_leader())?;
    let request = AdministerRequest { envelope: core.peers.envelope(leader), act: Some(act) };
    let reply = timeout(ADMINISTER_TIMEOUT, client.administer(request))
        .await
        .map_err(|_| AdminError::Unknown("the leader did not answer in time".to_owned()))?
        .map_err(|status| match status.code() {
            tonic::Code::FailedPrecondition => not_leader(),
            code => AdminError::Unknown(format!("the leader was lost: {code}")),
        })?;
    match reply.into_inner().outcome {
        Some(administer_reply::Outcome::NodeId(node_id)) => Ok(node_id),
        Some(administer_reply::Outcome::Refusal(refusal)) => Err(refusal.into()),
        None => Err(AdminError::Unknown("the leader's answer cannot be read".to_owned())),
    }
}

/// On the leader: carries out `act`.
///
/// # Errors
/// See [`AdminError`]; the reason `NOT_LEADER` where this node does not lead.
pub async fn administer(core: &Core, act: Act) -> Result<u64, AdminError> {
    if !core.leads() {
        return Err(not_leader());
    }
    match act {
        Act::AddLearner(address) => add_learner(core, &address).await,
        Act::Promote(id) => promote(core, id).await,
        Act::Remove(RemoveNode { node_id, force }) => remove(core, node_id, force).await,
        Act::TransferLeader(to) => transfer(core, to).await,
    }
}

async fn change(core: &Core, change: ChangeMembers<u64, Peer>) -> Result<(), AdminError> {
    match core.raft.change_membership(change, false).await {
        Ok(_) => Ok(()),
        Err(error) => Err(changed_badly(error)),
    }
}

fn changed_badly(
    error: RaftError<Types, openraft::errors::ClientWriteError<Types>>,
) -> AdminError {
    use openraft::errors::ClientWriteError as E;
    match error {
        RaftError::APIError(E::ForwardToLeader(_)) => not_leader(),
        RaftError::APIError(E::ChangeMembershipError(why)) => refused(
            "MEMBERSHIP_CHANGE_REFUSED",
            format!("{why}. Wait until the change that is under way is done, and try again"),
        ),
        RaftError::APIError(other) => AdminError::Unknown(other.to_string()),
        RaftError::Fatal(_) => AdminError::Unavailable(Unavailable::StorageFailed),
    }
}

/// Asks the node at a peer address what it is.
///
/// # Errors
/// When it does not answer in time.
pub async fn describe_at(core: &Core, address: &str) -> Result<DescribeReply, Status> {
    let mut client =
        core.peers.client(address).map_err(|e| Status::invalid_argument(e.to_string()))?;
    timeout(DESCRIBE_TIMEOUT, client.describe(DescribeRequest {}))
        .await
        .map_err(|_| Status::deadline_exceeded(format!("no answer within {DESCRIBE_TIMEOUT:?}")))?
        .map(tonic::Response::into_inner)
}

async fn add_learner(core: &Core, address: &str) -> Result<u64, AdminError> {
    let unreachable = |status: Status| {
        let why = format!(
            "no node answers at {address}: {}. Give the address of its peer listener, and see that it runs with join = true",
            status.message()
        );
        refused("PEER_UNREACHABLE", why)
    };
    let node = describe_at(core, address).await.map_err(unreachable)?;
    let Some(cluster) = core.peers.cluster_id() else {
        return Err(AdminError::Unavailable(Unavailable::WaitingForCluster));
    };
    if !node.cluster_id.is_empty() && node.cluster_id[..] != cluster[..] {
        let why = format!(
            "the node at {address} belongs to another cluster. Stop it, wipe its data folder, start it with join = true, and add it again"
        );
        return Err(refused("OTHER_CLUSTER", why));
    }
    for (id, peer, _) in core.members() {
        if id == node.node_id {
            return Ok(id);
        }
        if peer.peer_address == node.peer_address {
            let why = format!(
                "{address} is the address of the member {id:016x}, which is another node. If its data folder was wiped, run `refrain cluster remove {id:016x}` first"
            );
            return Err(refused("ADDRESS_TAKEN", why));
        }
    }
    let invitation = InviteRequest {
        cluster_id: cluster.to_vec().into(),
        key_fingerprint: core.key_fingerprint.0.to_vec().into(),
        feature_level: core.replica.with_state(|state| state.feature_level()),
    };
    let mut client =
        core.peers.client(address).map_err(|e| unreachable(Status::unavailable(e.to_string())))?;
    timeout(DESCRIBE_TIMEOUT, client.invite(invitation))
        .await
        .map_err(|_| unreachable(Status::deadline_exceeded("no answer")))?
        .map_err(|status| refused("INVITATION_REFUSED", status.message()))?;
    let peer = Peer { peer_address: node.peer_address, client_address: node.client_address };
    let learner = BTreeMap::from([(node.node_id, peer)]);
    match core.raft.change_membership(ChangeMembers::AddNodes(learner), true).await {
        Ok(_) => Ok(node.node_id),
        Err(error) => Err(changed_badly(error)),
    }
}

/// On a node that waits: joins the cluster that invites it.
///
/// # Errors
/// When it belongs to another cluster, or its token key or its version does not fit.
pub fn accept_invitation(core: &Core, invitation: &InviteRequest) -> Result<(), Status> {
    let refuse = |what: &str| Err(Status::failed_precondition(what));
    let Ok(cluster) = <[u8; 16]>::try_from(&invitation.cluster_id[..]) else {
        return Err(Status::invalid_argument("a cluster id has 16 bytes"));
    };
    match core.peers.cluster_id() {
        Some(own) if own == cluster => return Ok(()),
        Some(_) => {
            return refuse(
                "the invited node belongs to another cluster: wipe its data folder first",
            );
        }
        None => {}
    }
    if invitation.key_fingerprint[..] != core.key_fingerprint.0[..] {
        return refuse(
            "the invited node has another token key: give it the cluster's token_key_file",
        );
    }
    if invitation.feature_level > FEATURE_LEVEL {
        return refuse(
            "the invited node's version is too old for the cluster's feature level: update it",
        );
    }
    core.belong_to(cluster).map_err(|e| Status::internal(e.to_string()))
}

async fn promote(core: &Core, id: u64) -> Result<u64, AdminError> {
    let members = core.members();
    let Some((_, peer, votes)) = members.iter().find(|(member, ..)| *member == id) else {
        return Err(refused("NOT_A_MEMBER", format!("{id:016x} is no member of this cluster")));
    };
    if *votes {
        return Ok(id);
    }
    let node = describe_at(core, &peer.peer_address).await.map_err(|status| {
        refused("PEER_UNREACHABLE", format!("{id:016x} does not answer: {}", status.message()))
    })?;
    if node.revision < core.replica.with_state(|state| state.revision().saturating_sub(1_000))
        || node.journal_events < node.revision
    {
        let why = format!("{id:016x} has not caught up yet; it stays a learner. Try again later");
        return Err(refused("NOT_CAUGHT_UP", why));
    }
    change(core, ChangeMembers::AddVoterIds(BTreeSet::from([id]))).await?;
    Ok(id)
}

async fn remove(core: &Core, id: u64, force: bool) -> Result<u64, AdminError> {
    let members = core.members();
    let Some((.., votes)) = members.iter().find(|(member, ..)| *member == id) else {
        return Err(refused("NOT_A_MEMBER", format!("{id:016x} is no member of this cluster")));
    };
    if !votes {
        change(core, ChangeMembers::RemoveNodes(BTreeSet::from([id]))).await?;
        return Ok(id);
    }
    let stay: Vec<_> = members.iter().filter(|(member, _, votes)| *votes && *member != id).collect();
    if stay.is_empty() {
        let why = "the last voter cannot be removed: add another first, or stop the node";
        return Err(refused("LAST_VOTER", why));
    }
    if !force {
        let wanted = core.replica.with_state(|state| state.revision());
        let nodes = stay.iter().map(|(_, peer, _)| describe_at(core, &peer.peer_address));
        let nodes = futures::future::join_all(nodes).await;
        // What a member has applied and kept readable counts; one that does not answer counts for nothing.
        let complete = nodes
            .iter()
            .flatten()
            .filter(|node| node.journal_events >= node.revision && node.revision + 1_000 >= wanted)
            .count();
        if complete * 2 <= stay.len() {
            let why = format!(
                "only {complete} of the {} voters that stay are known to hold the whole journal. Bring the others up, or use --force if you accept that history may be lost",
                stay.len()
            );
            return Err(refused("JOURNAL_AT_RISK", why));
        }
    }
    if id == core.node_id() {
        // Whoever leads next carries the removal out: a leader that removes itself leaves a gap.
        transfer(core, 0).await?;
        return Err(not_leader());
    }
    change(core, ChangeMembers::RemoveVoters(BTreeSet::from([id]))).await?;
    Ok(id)
}

/// On the leader: hands the leadership to `to`, or to the most caught up voter if 0.
///
/// # Errors
/// See [`AdminError`].
pub async fn transfer(core: &Core, to: u64) -> Result<u64, AdminError> {
    let mut metrics = core.raft.metrics();
    let target = {
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let others: BTreeSet<u64> =
            membership.voter_ids().filter(|id| *id != core.node_id()).collect();
        if to == core.node_id() {
            return Ok(to);
        }
        if to != 0 {
            others.get(&to).copied().ok_or_else(|| {
                refused("NOT_A_VOTER", format!("{to:016x} is no voter of this cluster"))
            })?
        } else {
            let matched = |id: &u64| {
                let replication = metrics.replication.as_ref()?;
                replication.get(id).copied().flatten().map(|log_id| log_id.index)
            };
            others.into_iter().max_by_key(matched).ok_or_else(|| {
                refused("NO_OTHER_VOTER", "there is no other voter to hand the leadership to")
            })?
        }
    };
    core.raft
        .trigger()
        .transfer_leader(target)
        .await
        .map_err(|_| AdminError::Unavailable(Unavailable::StorageFailed))?;
    let patience = Duration::from_millis(core.timing.election_timeout_ms.1 * 3);
    let moved = timeout(patience, async {
        loop {
            let leader = metrics.borrow_watched().current_leader;
            if leader.is_some_and(|leader| leader != core.node_id()) {
                return leader;
            }
            if metrics.changed().await.is_err() {
                return None;
            }
        }
    })
    .await;
    match moved {
        Ok(Some(leader)) => Ok(leader),
        _ => Err(refused(
            "TRANSFER_FAILED",
            format!("{target:016x} did not take over; see that it runs and is caught up, and try again"),
        )),
    }
}
