//! Watchers that follow the feed through broken streams, and the reading of a node's whole journal.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use refrain::proto::v1::{
    WatchRequest, WatchResponse, watch_response::Item, watch_service_client::WatchServiceClient,
};
use tokio::time::{sleep, timeout};
use tonic::{Status, Streaming};
use tonic_types::StatusExt as _;

use crate::calls;
use crate::invariants::history::{Entry, Filter, Journal, Node, Revision, Seen};
use crate::record::{Phase, Shared};
use crate::support;

/// A stream that is silent for so long is dead.
const SILENCE: Duration = Duration::from_secs(3);

async fn open(
    node: Node,
    from: Revision,
    filter: &Filter,
    record: &Shared,
) -> Result<Streaming<WatchResponse>, Status> {
    let request = WatchRequest {
        from_revision: from,
        namespaces: filter.namespaces.clone(),
        purposes: filter.purposes.clone(),
        heartbeat_interval_ms: 200,
        ..WatchRequest::default()
    };
    let address = record.lock().addresses[node].clone();
    let channel = address.and_then(|address| support::channel(&address));
    let channel = channel.ok_or_else(|| Status::unavailable("the node is down"))?;
    let mut client = WatchServiceClient::new(channel);
    match timeout(SILENCE, client.watch(request)).await {
        Ok(opened) => Ok(opened?.into_inner()),
        Err(_) => Err(Status::deadline_exceeded("no stream")),
    }
}

/// The next item; none where the stream has ended in any way.
async fn next(stream: &mut Streaming<WatchResponse>) -> Result<Option<Item>, Status> {
    match timeout(SILENCE, stream.message()).await {
        Ok(message) => Ok(message?.and_then(|it| it.item)),
        Err(_) => Ok(None),
    }
}

fn earliest_left(status: &Status) -> Option<Revision> {
    let details = status.get_error_details();
    let earliest = details.error_info()?.metadata.get("earliest_revision")?;
    earliest.parse().ok()
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
async fn follow(
    watch: usize,
    from: &mut Revision,
    mut stream: Streaming<WatchResponse>,
    record: &Shared,
    most: usize,
) {
    for _ in 0..most {
        let item = next(&mut stream).await;
        let mut record = record.lock();
        match item {
            Ok(Some(Item::Event(event))) => {
                let entry = calls::entry(&event, &record.subjects);
                *from = entry.revision + 1;
                if record.past(entry.revision) {
                    return;
                }
                record.seen(watch, Seen::Event(entry));
            }
            Ok(Some(Item::Heartbeat(beat))) => {
                // A bookmark past what is judged says as much of what comes before.
                *from = (*from).max(beat.revision + 1);
                let past = record.past(beat.revision);
                let reached = if past { record.goal } else { beat.revision };
                record.seen(watch, Seen::Heartbeat(reached));
            }
            Ok(Some(Item::Standing(_) | Item::Synced(_)) | None) => return,
            Err(status) => {
                if let Some(earliest) = earliest_left(&status) {
                    *from = earliest;
                    record.seen(watch, Seen::EarliestLeft(earliest));
                }
                return;
            }
        }
        if record.phase >= Phase::Collecting && *from > record.goal {
            return;
        }
    }
}

/// Reads all of a node's journal up to a revision, by a watch from the beginning.
///
/// # Errors
/// Where the node does not give it.
pub async fn journal(node: Node, goal: Revision, record: &Shared) -> Result<Journal, Status> {
    let mut stream = open(node, 1, &Filter::default(), record).await?;
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        match next(&mut stream).await? {
            Some(Item::Event(event)) => {
                entries.push(calls::entry(&event, &record.lock().subjects));
            }
            Some(Item::Heartbeat(beat)) if beat.revision >= goal => break,
            Some(Item::Heartbeat(_)) => {}
            Some(Item::Standing(_) | Item::Synced(_)) | None => {
                return Err(Status::unavailable("the stream ended"));
            }
        }
    }
    // What came after the goal is not on every node yet.
    entries.retain(|entry| entry.revision <= goal);
    Ok(Journal { node, entries })
}
