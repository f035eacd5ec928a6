//! The task behind live stamps: follows the events, and asks the cluster again and again how far it is.

use std::sync::Arc;

use futures::{StreamExt as _, future::BoxFuture};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{
    floors::Floors,
    keys,
    ledger::{Lost, Moment},
    live::{LiveStampsBuilder, Shared},
};
use crate::{
    client::{Error, Seen, call::Backoff},
    proto::v1::{EventKind, ListPurposesResponse, ListStampKeysResponse, WatchRequest},
};

/// Follows for ever; whatever breaks is begun anew, and until it has begun nothing is a go-ahead.
pub(super) async fn run(how: LiveStampsBuilder, shared: Arc<Shared>) {
    let client = how.client.clone();
    let mut backoff = Backoff::new(&client.0.settings);
    loop {
        let Lost(why) = match begin(&how, &shared).await {
            Ok(()) => {
                backoff = Backoff::new(&client.0.settings);
                follow(&how, &shared).await
            }
            Err(lost) => lost,
        };
        shared.learn(|known| known.ledger.lose(why));
        sleep(backoff.next()).await;
    }
}

/// What the cluster says of itself: its revision and its keys, and the registry where that was asked for.
struct Word {
    asked: Moment,
    keys: Result<ListStampKeysResponse, Error>,
    registry: Option<Result<ListPurposesResponse, Error>>,
}

/// Asks the cluster. The moment is taken before the question: what was acknowledged by then is in the answer.
fn ask(how: &LiveStampsBuilder, shared: &Shared, registry: bool) -> BoxFuture<'static, Word> {
    let asked = shared.now();
    let client = how.client.clone();
    // An answer that takes longer is of no use any more. Within that, each of the endpoints gets its turn.
    let turns = u32::try_from(client.0.endpoints.len().min(3)).unwrap_or(3);
    let limits = (how.bound, how.bound / turns);
    Box::pin(async move {
        let keys = client.stamp_keys_within(limits).await;
        let registry = if registry {
            Some(client.purposes_within(limits).await)
        } else {
            None
        };
        Word {
            asked,
            keys,
            registry,
        }
    })
}

/// Takes in what the cluster said, and tells its revision. Where there was no answer, nothing changes: the last word ages.
fn learn(shared: &Shared, word: Word) -> Option<u64> {
    shared.learn(|known| {
        match word.registry {
            Some(Ok(registry)) => known.floors = Ok(Floors::of(registry)),
            Some(Err(error)) => known.floors = Err(error.to_string()),
            None => {}
        }
        let told = word.keys.ok()?;
        let keys = keys::of(&told, known.ledger.time(word.asked));
        known.keys = keys.map(Arc::new).map_err(|error| error.to_string());
        Some(told.revision)
    })
}

/// Finds out where the cluster is, and begins there.
async fn begin(how: &LiveStampsBuilder, shared: &Shared) -> Result<(), Lost> {
    let word = ask(how, shared, true).await;
    if let Err(error) = &word.keys {
        return Err(Lost(error.to_string()));
    }
    if let Some(revision) = learn(shared, word) {
        shared.learn(|known| known.ledger.begin(revision));
    }
    Ok(())
}

/// Follows until something is lost.
async fn follow(how: &LiveStampsBuilder, shared: &Shared) -> Lost {
    let mut feed = how.client.watch(request(how, shared));
    let mut beats = interval(how.heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answer: Option<BoxFuture<'static, Word>> = None;
    loop {
        let idle = answer.is_none();
        let word = async {
            match answer.as_mut() {
                Some(answer) => answer.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            seen = feed.next() => {
                let seen = match seen {
                    Some(Ok(seen)) => seen,
                    Some(Err(error)) => return Lost(error.to_string()),
                    None => return Lost("the watch ended".to_owned()),
                };
                let now = shared.now();
                if let Err(lost) = shared.learn(|known| known.ledger.observe(&seen, now)) {
                    return lost;
                }
                if changes_keys_or_floors(&seen) {
                    beats.reset_immediately();
                }
            }
            word = word => {
                answer = None;
                let asked = word.asked;
                if let Some(revision) = learn(shared, word)
                    && let Err(lost) = shared.learn(|known| known.ledger.confirm(asked, revision))
                {
                    return lost;
                }
            }
            _ = beats.tick(), if idle => {
                let (behind, floors_known) = {
                    let known = shared.known();
                    let floors = known.floors.as_ref();
                    let known_as_of = floors.map_or(0, Floors::revision);
                    let current = floors.is_ok() && known_as_of >= known.ledger.rules();
                    (known.ledger.is_behind(shared.now()), current)
                };
                answer = Some(ask(how, shared, !floors_known));
                if behind {
                    // The node that the watch is on may be cut off from the others. Those that answer are known by now.
                    feed = how.client.watch(request(how, shared));
                }
            }
        }
    }
}

/// The watch of everything after what was seen.
fn request(how: &LiveStampsBuilder, shared: &Shared) -> WatchRequest {
    WatchRequest {
        from_revision: shared.known().ledger.seen() + 1,
        namespaces: how.namespaces.iter().cloned().collect(),
        heartbeat_interval_ms: u32::try_from(how.heartbeat.as_millis()).unwrap_or(u32::MAX),
        ..WatchRequest::default()
    }
}

/// Whether the next word of the cluster is needed sooner.
fn changes_keys_or_floors(seen: &Seen) -> bool {
    let Seen::Event(event) = seen else {
        return false;
    };
    matches!(
        event.kind(),
        EventKind::StampKey | EventKind::Purpose | EventKind::SchemaFloor
    )
}
