//! Following: every event once and in order, at the follower's own pace.

use std::{sync::Arc, time::Duration};

use futures::Stream;
use tokio::time::Instant;

use super::{Feed, FeedEnd, Filter, Item, off_thread, read};
use crate::domain::{Revision, State};

/// What a follower that waits wakes up for.
enum Woken {
    News,
    Beat,
    Stop,
}

impl Feed {
    /// The events from `from` on that pass the filter, for ever; a heartbeat wherever nothing else came for so long.
    /// Nothing is buffered beyond one read: who is slow is served from the journal when it is ready for more.
    pub fn follow(
        &self,
        from: Revision,
        filter: Filter,
        heartbeat: Duration,
    ) -> impl Stream<Item = Result<Item, FeedEnd>> + Send + use<> {
        let feed = self.clone();
        async_stream::try_stream! {
            let mut committed = feed.committed.clone();
            let mut next = from.max(1);
            let mut beat = Instant::now() + heartbeat;
            loop {
                if feed.stop.is_cancelled() {
                    Err(FeedEnd::Stopping)?;
                }
                let last = *committed.borrow_and_update();
                if next > last {
                    match wait(&feed, &mut committed, beat).await {
                        Woken::News => {}
                        Woken::Stop => Err(FeedEnd::Stopping)?,
                        Woken::Beat => {
                            yield Item::Heartbeat(next - 1);
                            beat = Instant::now() + heartbeat;
                        }
                    }
                    continue;
                }
                let journal = Arc::clone(&feed.journal);
                let events = off_thread(move || read(&journal, next, last)).await?;
                for event in events {
                    next = event.revision + 1;
                    if filter.passes(&event) {
                        yield Item::Event(Box::new(event));
                        beat = Instant::now() + heartbeat;
                    } else if Instant::now() >= beat {
                        yield Item::Heartbeat(next - 1);
                        beat = Instant::now() + heartbeat;
                    }
                }
            }
        }
    }
}

async fn wait(
    feed: &Feed,
    committed: &mut tokio::sync::watch::Receiver<Revision>,
    beat: Instant,
) -> Woken {
    tokio::select! {
        changed = committed.changed() => if changed.is_ok() { Woken::News } else { Woken::Stop },
        () = tokio::time::sleep_until(beat) => Woken::Beat,
        () = feed.stop.cancelled() => Woken::Stop,
    }
}

/// The preferences that stand in a state and pass the filter, and then that they are complete.
pub fn standing(state: State, filter: Filter) -> impl Stream<Item = Item> + Send {
    async_stream::stream! {
        for standing in state.standing() {
            if filter.passes_standing(&standing) {
                yield Item::Standing(standing);
            }
        }
        yield Item::Synced(state.revision());
    }
}
