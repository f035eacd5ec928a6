//! Watchers that follow the feed through broken streams, and the reading of a node's whole journal.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use tokio::time::sleep;
use tonic::Status;

use crate::feed::{Feed, hear};
use crate::invariants::history::{Filter, Journal, Node, Revision, Seen};
use crate::record::{Phase, Shared};
use crate::support;

/// A stream that is silent for so long is dead.
const SILENCE: Duration = Duration::from_secs(3);

async fn open(
    node: Node,
    from: Revision,
    filter: &Filter,
    record: &Shared,
) -> Result<Feed, Status> {
    let address = record.lock().addresses[node].clone();
    let channel = address.and_then(|address| support::channel(&address));
    let channel = channel.ok_or_else(|| Status::unavailable("the node is down"))?;
    Feed::open(channel, from, filter, SILENCE).await
}

/// Follows the feed from the beginning, from node to node, until it has all that the run has to show.
pub async fn watch(filter: Filter, record: Shared, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let nodes = record.lock().addresses.len();
    let watch = record.lock().watch(filter.clone());
    let mut from = 1;
    loop {
        let node = {
            let record = record.lock();
            if record.phase >= Phase::Collecting && from > record.goal {
                break;
            }
            // In the end those that are members have to tell everything.
            match record.phase {
                Phase::Collecting => *record.members.choose(&mut random).unwrap(),
                Phase::Faults | Phase::Healing => random.random_range(0..nodes),
            }
        };
        if let Ok(stream) = open(node, from, &filter, &record).await {
            record.lock().seen(watch, Seen::Asked { node, from });
            let most = random.random_range(20..400);
            follow(watch, &mut from, stream, &record, most).await;
        }
        sleep(Duration::from_millis(random.random_range(10..200))).await;
    }
    let mut record = record.lock();
    record.history.watches[watch].reaches = record.goal;
}

/// Follows one stream to its end; some watchers leave by themselves before, and come back elsewhere.
async fn follow(watch: usize, from: &mut Revision, mut stream: Feed, record: &Shared, most: usize) {
    for _ in 0..most {
        let item = stream.next().await;
        let mut record = record.lock();
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
    let stream = open(node, 1, &Filter::default(), record).await?;
    let subjects = record.lock().subjects.clone();
    stream.journal(node, goal, &subjects).await
}
