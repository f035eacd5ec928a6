//! The feed as watchers read it: what they ask for, what they hear, and a node's whole journal; for every binary that makes runs.

use std::collections::BTreeMap;
use std::time::Duration;

use refrain::proto::v1::{
    WatchRequest, WatchResponse, watch_response::Item, watch_service_client::WatchServiceClient,
};
use tokio::time::timeout;
use tonic::{Status, Streaming, transport::Channel};
use tonic_types::StatusExt as _;

use crate::calls;
use crate::invariants::history::{Entry, Filter, Journal, Node, Revision, Seen};

/// What the watchers want: everything, and a part.
pub fn filters() -> [Filter; 2] {
    let marketing = Filter {
        purposes: vec!["marketing".to_owned()],
        ..Filter::default()
    };
    [Filter::default(), marketing]
}

/// A stream of the feed.
pub struct Feed {
    stream: Streaming<WatchResponse>,
    silence: Duration,
}

impl Feed {
    /// Asks for the feed from a revision on. A stream that is silent for so long is dead.
    ///
    /// # Errors
    /// Where the node does not give it.
    pub async fn open(
        channel: Channel,
        from: Revision,
        filter: &Filter,
        silence: Duration,
    ) -> Result<Self, Status> {
        let request = WatchRequest {
            from_revision: from,
            namespaces: filter.namespaces.clone(),
            purposes: filter.purposes.clone(),
            heartbeat_interval_ms: 200,
            ..WatchRequest::default()
        };
        let mut client = WatchServiceClient::new(channel);
        match timeout(silence, client.watch(request)).await {
            Ok(opened) => Ok(Self {
                stream: opened?.into_inner(),
                silence,
            }),
            Err(_) => Err(Status::deadline_exceeded("no stream")),
        }
    }

    /// The next item; none where the stream has ended in any way.
    pub async fn next(&mut self) -> Result<Option<Item>, Status> {
        match timeout(self.silence, self.stream.message()).await {
            Ok(message) => Ok(message?.and_then(|it| it.item)),
            Err(_) => Ok(None),
        }
    }

    /// Reads all of a node's journal up to a revision; the stream must be one of everything, from the beginning.
    ///
    /// # Errors
    /// Where the node does not give it.
    pub async fn journal(
        mut self,
        node: Node,
        goal: Revision,
        subjects: &BTreeMap<String, String>,
    ) -> Result<Journal, Status> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            match self.next().await? {
                Some(Item::Event(event)) => entries.push(calls::entry(&event, subjects)),
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
}

/// What a watcher makes of an item.
pub struct Heard {
    /// What counts, if anything does.
    pub seen: Option<Seen>,
    /// Whether there is more to hear on this stream.
    pub goes_on: bool,
}

/// Hears an item of the feed, and moves the revision from which the watcher goes on. `judged_to` is the last revision that
/// is judged, once it is known.
pub fn hear(
    item: Result<Option<Item>, Status>,
    from: &mut Revision,
    subjects: &BTreeMap<String, String>,
    judged_to: Option<Revision>,
) -> Heard {
    let past = |revision: Revision| judged_to.is_some_and(|last| revision > last);
    let (seen, open) = match item {
        Ok(Some(Item::Event(event))) => {
            let entry = calls::entry(&event, subjects);
            *from = entry.revision + 1;
            let counts = !past(entry.revision);
            (counts.then_some(Seen::Event(entry)), true)
        }
        Ok(Some(Item::Heartbeat(beat))) => {
            // A bookmark past what is judged says as much of what comes before.
            *from = (*from).max(beat.revision + 1);
            let reached = judged_to.map_or(beat.revision, |last| last.min(beat.revision));
            (Some(Seen::Heartbeat(reached)), true)
        }
        Ok(Some(Item::Standing(_) | Item::Synced(_)) | None) => (None, false),
        Err(status) => {
            let earliest = earliest_left(&status);
            *from = earliest.unwrap_or(*from);
            (earliest.map(Seen::EarliestLeft), false)
        }
    };
    let goes_on = open && !past(*from);
    Heard { seen, goes_on }
}

fn earliest_left(status: &Status) -> Option<Revision> {
    let details = status.get_error_details();
    let earliest = details.error_info()?.metadata.get("earliest_revision")?;
    earliest.parse().ok()
}
