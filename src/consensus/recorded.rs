//! What was done with the members becomes events: by whoever asked for it, right after it was done; what was missed, by the cluster.

use std::collections::BTreeMap;

use openraft::async_runtime::WatchReceiver as _;
use tokio::time::{Instant, timeout};

use super::core::Core;
use super::outcome::WriteError;
use super::types::Peer;
use super::{reads, writes};
use crate::domain::{
    Became, Body, Member, NodeId, PeerAddress, Principal, Proposal, RecordMembership,
};
use crate::limits::{DUTY_INTERVAL, MEMBERSHIP_RECORD_TIMEOUT, UNRECORDED_FOR};

/// An act on a member that was done.
pub struct Done {
    node_id: u64,
    peer: Peer,
    /// What it was before, where it was a member.
    was: Option<Became>,
    became: Became,
}

impl Done {
    /// A node is a member now: a voter, or none.
    pub fn joined(node_id: u64, peer: Peer, voter: bool) -> Self {
        Self {
            node_id,
            peer,
            was: None,
            became: standing(voter),
        }
    }

    /// A member, which was a voter or was none, was taken out.
    pub fn removed(node_id: u64, peer: Peer, voter: bool, forced: bool) -> Self {
        Self {
            node_id,
            peer,
            was: Some(standing(voter)),
            became: Became::Removed { forced },
        }
    }

    /// To which node.
    pub fn node_id(&self) -> u64 {
        self.node_id
    }

    fn record(&self, became: Became) -> RecordMembership {
        RecordMembership {
            node_id: self.node_id,
            peer_address: PeerAddress::of(&self.peer.peer_address),
            became,
        }
    }
}

fn standing(voter: bool) -> Became {
    if voter {
        Became::Voter
    } else {
        Became::Learner
    }
}

/// Records an act that was done. It stays done where this fails: the leader records it later, and nobody is known to have asked.
pub async fn record(core: &Core, done: &Done, principal: Principal) {
    let deadline = Instant::now() + MEMBERSHIP_RECORD_TIMEOUT;
    // Only who is known to have come can be seen to go.
    let known = core
        .replica
        .with_state(|state| state.member(done.node_id).is_some());
    let missed = done.was.filter(|_| !known);
    let missed = missed.map(|was| (done.record(was), Principal::cluster()));
    let records = missed
        .into_iter()
        .chain([(done.record(done.became), principal)]);
    for (record, principal) in records {
        let proposal = Proposal {
            principal,
            body: Body::RecordMembership(record),
        };
        if let Err(error) = writes::write(core, &proposal, deadline).await {
            tracing::warn!(%error, node = %NodeId(done.node_id), "what was done with a member is not recorded yet: the leader will do it");
            return;
        }
    }
}

/// What the leader finds unrecorded, and since when.
#[derive(Default)]
pub struct Unrecorded {
    looked: Option<Instant>,
    missing: Option<(Vec<RecordMembership>, Instant)>,
}

impl Unrecorded {
    /// As the leader: records what was missed, once it has been missed for so long that nobody can be about to record it.
    ///
    /// # Errors
    /// When a record is not taken.
    pub async fn see_to(&mut self, core: &Core) -> Result<(), WriteError> {
        if self.looked.is_some_and(|at| at.elapsed() < DUTY_INTERVAL) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        // Whoever acts on a member at this moment records it.
        let turn = core.membership.try_lock();
        let found = match &turn {
            Ok(_) if core.leads() => missing(core),
            Ok(_) | Err(_) => Vec::new(),
        };
        if !self.stays(found) {
            return Ok(());
        }
        self.missing = None;
        // What was recorded may not have been applied here yet.
        if reads::catch_up(core, Instant::now() + DUTY_INTERVAL)
            .await
            .is_err()
        {
            return Ok(());
        }
        for record in missing(core) {
            let node = NodeId(record.node_id);
            let proposal = Proposal::by_cluster(Body::RecordMembership(record));
            match timeout(MEMBERSHIP_RECORD_TIMEOUT, writes::propose(core, &proposal)).await {
                Ok(Ok(_)) => {
                    tracing::info!(%node, "recorded what was done with a member; who asked for it is not known");
                }
                Ok(Err(error)) => return Err(error),
                // It may still come about; if not, the next try is due in as long.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether the same has been missing for long enough.
    fn stays(&mut self, found: Vec<RecordMembership>) -> bool {
        let since = match &self.missing {
            Some((before, since)) if *before == found => *since,
            _ => Instant::now(),
        };
        let some = !found.is_empty();
        self.missing = some.then_some((found, since));
        some && since.elapsed() >= UNRECORDED_FOR
    }
}

/// What Raft's members differ in from those that are recorded. Nothing while a change of them is under way.
fn missing(core: &Core) -> Vec<RecordMembership> {
    let members: BTreeMap<u64, Member> = {
        let metrics = core.raft.metrics();
        let metrics = metrics.borrow_watched();
        let stored = &metrics.membership_config;
        let membership = stored.membership();
        let settled = metrics.committed_membership_config.log_id() == stored.log_id()
            && membership.get_joint_config().len() == 1;
        if !settled {
            return Vec::new();
        }
        let voters: Vec<u64> = membership.voter_ids().collect();
        let member = |(id, peer): (&u64, &Peer)| {
            let member = Member {
                node_id: *id,
                peer_address: PeerAddress::of(&peer.peer_address),
                voter: voters.contains(id),
            };
            (*id, member)
        };
        membership.nodes().map(member).collect()
    };
    core.replica.with_state(|state| {
        // Before it was created there is nothing to record in.
        if state.revision() == 0 {
            return Vec::new();
        }
        let gone = state
            .members()
            .filter(|it| !members.contains_key(&it.node_id));
        let gone = gone.map(|it| (it, Became::Removed { forced: false }));
        let differs = |it: &&Member| state.member(it.node_id) != Some(*it);
        let here = members.values().filter(differs);
        let here = here.map(|it| (it, standing(it.voter)));
        let record = |(it, became): (&Member, Became)| RecordMembership {
            node_id: it.node_id,
            peer_address: it.peer_address.clone(),
            became,
        };
        gone.chain(here).map(record).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_recorded_once_it_has_been_missing_for_a_while() {
        let one = |node_id| {
            let done = Done::joined(node_id, Peer::default(), true);
            vec![done.record(done.became)]
        };
        let mut unrecorded = Unrecorded::default();
        let almost = UNRECORDED_FOR.checked_sub(DUTY_INTERVAL).unwrap();
        assert!(!unrecorded.stays(one(1)));
        tokio::time::advance(almost).await;
        assert!(!unrecorded.stays(one(1)));
        // Something else, or nothing for a moment: it begins anew.
        assert!(!unrecorded.stays(one(2)));
        tokio::time::advance(almost).await;
        assert!(!unrecorded.stays(one(2)));
        assert!(!unrecorded.stays(Vec::new()));
        tokio::time::advance(UNRECORDED_FOR).await;
        assert!(!unrecorded.stays(one(2)));
        tokio::time::advance(UNRECORDED_FOR).await;
        assert!(unrecorded.stays(one(2)));
    }
}
