//! Watchers that follow the feed through broken streams, and the reading of a node's whole journal.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{Rng as _, rngs::StdRng};
use refrain::proto::v1::{MembershipAct, watch_response::Item};
use tokio::time::sleep;
use tonic::Status;

use crate::feed::{Feed, hear};
use crate::invariants::history::{Filter, Journal, Node, Revision, Seen};
use crate::record::{Phase, Shared};
use crate::world::channel;

/// A stream that is silent for so long is dead.
const SILENCE: Duration = Duration::from_secs(2);

/// Follows the feed from the beginning, from node to node, until it has all that the run has to show.
pub async fn watch(nodes: usize, filter: Filter, record: Shared, mut random: StdRng) {
    while record.borrow().phase == Phase::Forming {
        sleep(Duration::from_millis(50)).await;
    }
    let watch = record.borrow_mut().watch(filter.clone());
    let mut from = 1;
    loop {
        let node = {
            let record = record.borrow();
            if record.phase >= Phase::Collecting && from > record.goal {
                break;
            }
            if record.phase == Phase::Done {
                return;
            }
            // In the end those that are members have to tell everything.
            match record.phase {
                Phase::Collecting => record.members[random.random_range(0..record.members.len())],
                _ => random.random_range(0..nodes),
            }
        };
        if let Ok(stream) = Feed::open(channel(node), from, &filter, SILENCE).await {
            let asked = Seen::Asked { node, from };
            record.borrow_mut().seen(watch, asked);
            follow(watch, &mut from, stream, &record, &mut random).await;
        }
        sleep(Duration::from_millis(random.random_range(10..200))).await;
    }
    let mut record = record.borrow_mut();
    record.history.watches[watch].reaches = record.goal;
}

async fn follow(
    watch: usize,
    from: &mut Revision,
    mut stream: Feed,
    record: &Shared,
    random: &mut StdRng,
) {
    // Some watchers leave by themselves, and come back elsewhere.
    let mut left = random.random_range(20..400);
    while left > 0 {
        left -= 1;
        let item = stream.next().await;
        let mut record = record.borrow_mut();
        let heard = hear(item, from, &record.subjects, record.judged_to());
        if let Some(seen) = heard.seen {
            record.seen(watch, seen);
        }
        if !heard.goes_on {
            return;
        }
    }
}

/// Reads all of a node's journal up to a revision, by a watch from the beginning.
///
/// # Errors
/// Where the node does not give it.
pub async fn journal(node: Node, goal: Revision, record: &Shared) -> Result<Journal, Status> {
    let stream = Feed::open(channel(node), 1, &Filter::default(), SILENCE).await?;
    let subjects = record.borrow().subjects.clone();
    stream.journal(node, goal, &subjects).await
}

/// The members that a node's journal tells of up to a revision, by id: whether each votes.
///
/// # Errors
/// Where the node does not give it.
pub async fn told_members(node: Node, goal: Revision) -> Result<BTreeMap<String, bool>, Status> {
    let mut stream = Feed::open(channel(node), 1, &Filter::default(), SILENCE).await?;
    let mut members = BTreeMap::new();
    loop {
        let event = match stream.next().await? {
            Some(Item::Event(event)) => event,
            Some(Item::Heartbeat(beat)) if beat.revision >= goal => return Ok(members),
            Some(Item::Heartbeat(_)) => continue,
            Some(Item::Standing(_) | Item::Synced(_)) | None => {
                return Err(Status::unavailable("the stream ended"));
            }
        };
        let Some(done) = event.membership else {
            continue;
        };
        match done.act() {
            MembershipAct::Learner => members.insert(done.node_id, false),
            MembershipAct::Voter | MembershipAct::Founded => members.insert(done.node_id, true),
            MembershipAct::Removed | MembershipAct::RemovedByForce | MembershipAct::Unspecified => {
                members.remove(&done.node_id)
            }
        };
    }
}
