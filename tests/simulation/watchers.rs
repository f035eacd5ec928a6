//! Watchers that follow the feed through broken streams, and the reading of a node's whole journal.

use std::time::Duration;

use rand::{Rng as _, rngs::StdRng};
use refrain::proto::v1::{
    WatchRequest, WatchResponse, watch_response::Item, watch_service_client::WatchServiceClient,
};
use tokio::time::{sleep, timeout};
use tonic::{Status, Streaming};
use tonic_types::StatusExt as _;

use crate::calls;
use crate::invariants::history::{Entry, Filter, Journal, Node, Revision, Seen};
use crate::record::{Phase, Shared};
use crate::world::channel;

/// A stream that is silent for so long is dead.
const SILENCE: Duration = Duration::from_secs(2);

async fn open(
    node: Node,
    from: Revision,
    filter: &Filter,
) -> Result<Streaming<WatchResponse>, Status> {
    let request = WatchRequest {
        from_revision: from,
        namespaces: filter.namespaces.clone(),
        purposes: filter.purposes.clone(),
        heartbeat_interval_ms: 200,
        ..WatchRequest::default()
    };
    let mut client = WatchServiceClient::new(channel(node));
    let stream = match timeout(SILENCE, client.watch(request)).await {
        Ok(opened) => opened?.into_inner(),
        Err(_) => return Err(Status::deadline_exceeded("no stream")),
    };
    Ok(stream)
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
        if let Ok(stream) = open(node, from, &filter).await {
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
    mut stream: Streaming<WatchResponse>,
    record: &Shared,
    random: &mut StdRng,
) {
    // Some watchers leave by themselves, and come back elsewhere.
    let mut left = random.random_range(20..400);
    while left > 0 {
        left -= 1;
        let item = next(&mut stream).await;
        let mut record = record.borrow_mut();
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
    let mut stream = open(node, 1, &Filter::default()).await?;
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        match next(&mut stream).await? {
            Some(Item::Event(event)) => {
                let entry = calls::entry(&event, &record.borrow().subjects);
                entries.push(entry);
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
