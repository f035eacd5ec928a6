//! Administrative acts that only the leader can carry out, asked for through any node.

use std::sync::Arc;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::Code;

use super::core::Core;
use super::members;
use super::outcome::{AdminError, Unavailable, WriteError};
use super::recorded::{self, Done};
use super::types::Peer;
use crate::domain::Principal;
use crate::limits::{ADD_STEP_TIMEOUT, MEMBERSHIP_TURN, RETRY_PAUSE};
use crate::proto::peer::{
    AdministerRequest, RemoveNode, administer_reply::Outcome, administer_request::Act,
};

/// Has the leader carry out `act`, as `principal` asks for it. Returns the node that it was done to.
///
/// # Errors
/// See [`AdminError`].
pub async fn ask_leader(
    core: &Arc<Core>,
    act: Act,
    principal: &Principal,
    deadline: Instant,
) -> Result<u64, AdminError> {
    loop {
        core.open()?;
        let answer = match core.leader() {
            None => Err(not_leader()),
            Some((leader, _)) if leader == core.node_id() => {
                let done = timeout_at(deadline, carry_out(core, act.clone(), principal)).await;
                done.unwrap_or_else(|_| Err(unknown(Unavailable::Deadline)))
            }
            Some((leader, peer)) => {
                let asked = forward(core, leader, &peer, act.clone(), principal);
                let done = timeout_at(deadline, asked).await;
                done.unwrap_or_else(|_| Err(unknown(Unavailable::Deadline)))
            }
        };
        if answer != Err(not_leader()) {
            return answer;
        }
        if timeout_at(deadline, sleep(RETRY_PAUSE)).await.is_err() {
            return Err(Unavailable::NoQuorum.into());
        }
    }
}

/// On the leader: carries out `act`, and records what it did with a member as what `principal` asked for.
///
/// # Errors
/// See [`AdminError`]; [`not_leader`] where this node does not lead.
pub async fn carry_out(
    core: &Arc<Core>,
    act: Act,
    principal: &Principal,
) -> Result<u64, AdminError> {
    if !core.leads() {
        return Err(not_leader());
    }
    if let Act::TransferLeader(_) = act {
        return Ok(act_on(core, act).await?.0);
    }
    // A task of its own: whoever asks and does not wait for the end is recorded as well.
    let (core, principal) = (core.clone(), principal.clone());
    let task = tokio::spawn(async move {
        let turn = timeout(MEMBERSHIP_TURN, core.membership.lock()).await;
        let _turn = turn.map_err(|_| AdminError::ChangeInProgress)?;
        let done = timeout(ADD_STEP_TIMEOUT, act_on(&core, act)).await;
        let (node_id, done) = done.unwrap_or_else(|_| Err(unknown(Unavailable::Deadline)))?;
        if let Some(done) = done {
            recorded::record(&core, &done, principal).await;
        }
        Ok(node_id)
    });
    // It ends early only with the node.
    task.await
        .unwrap_or_else(|_| Err(unknown(Unavailable::LeaderLost)))
}

/// Does it: to which node, and what with a member.
async fn act_on(core: &Core, act: Act) -> Result<(u64, Option<Done>), AdminError> {
    if !core.leads() {
        return Err(not_leader());
    }
    let done = match act {
        Act::AddLearner(address) => members::add_learner(core, &address).await,
        Act::Promote(id) => members::promote(core, id).await,
        Act::Remove(RemoveNode { node_id, force }) => members::remove(core, node_id, force).await,
        Act::TransferLeader(to) => {
            let leader = members::transfer(core, (to != 0).then_some(to)).await?;
            return Ok((leader, None));
        }
    }?;
    Ok((done.node_id(), Some(done)))
}

async fn forward(
    core: &Core,
    leader: u64,
    peer: &Peer,
    act: Act,
    principal: &Principal,
) -> Result<u64, AdminError> {
    let mut client = core
        .peers
        .client(&peer.peer_address)
        .map_err(|_| not_leader())?;
    let request = AdministerRequest {
        envelope: core.peers.envelope(leader),
        act: Some(act),
        principal: principal.to_string(),
    };
    match client.administer(request).await {
        Ok(reply) => from_wire(reply.into_inner().outcome),
        // The peer service's own refusal stands before the act.
        Err(status) if status.code() == Code::FailedPrecondition => {
            match Unavailable::from_reason(status.message()) {
                Some(why) => Err(why.into()),
                None => Err(not_leader()),
            }
        }
        Err(_) => Err(unknown(Unavailable::LeaderLost)),
    }
}

/// What a node answers that does not lead: ask the one that does.
pub fn not_leader() -> AdminError {
    Unavailable::LeaderLost.into()
}

fn unknown(why: Unavailable) -> AdminError {
    WriteError::Unknown { why }.into()
}

/// An answer, as it travels between nodes.
pub fn to_wire(answer: Result<u64, AdminError>) -> Outcome {
    match answer {
        Ok(node_id) => Outcome::NodeId(node_id),
        Err(AdminError::Write(WriteError::NotApplied { why })) => {
            Outcome::NotApplied(why.reason().to_owned())
        }
        Err(AdminError::Write(WriteError::Unknown { why })) => {
            Outcome::Unknown(why.reason().to_owned())
        }
        Err(refused) => match serde_json::to_vec(&refused) {
            Ok(bytes) => Outcome::Refused(bytes.into()),
            Err(_) => Outcome::Unknown(Unavailable::LeaderLost.reason().to_owned()),
        },
    }
}

fn from_wire(outcome: Option<Outcome>) -> Result<u64, AdminError> {
    let why = |reason: &str| Unavailable::from_reason(reason).unwrap_or(Unavailable::LeaderLost);
    match outcome {
        Some(Outcome::NodeId(node_id)) => Ok(node_id),
        Some(Outcome::NotApplied(reason)) => Err(why(&reason).into()),
        Some(Outcome::Unknown(reason)) => Err(unknown(why(&reason))),
        Some(Outcome::Refused(bytes)) => match serde_json::from_slice(&bytes) {
            Ok(refused) => Err(refused),
            Err(_) => Err(unknown(Unavailable::LeaderLost)),
        },
        None => Err(unknown(Unavailable::LeaderLost)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_survives_the_way_between_nodes() {
        let answers = [
            Ok(7),
            Err(not_leader()),
            Err(unknown(Unavailable::Deadline)),
            Err(AdminError::LastVoter),
            Err(AdminError::NodeUnknown {
                id: "0a".to_owned(),
            }),
            Err(AdminError::FeatureLevelTooLow {
                address: "x:1".to_owned(),
                known: 1,
                needed: 2,
            }),
        ];
        for answer in answers {
            assert_eq!(from_wire(Some(to_wire(answer.clone()))), answer);
        }
    }
}
