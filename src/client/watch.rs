//! Following the events, over broken connections and lost nodes.

use std::time::Duration;

use futures::stream::BoxStream;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Streaming};

use super::{
    ANSWER_BYTES_MAX, Client,
    call::Backoff,
    error::{Error, Trail},
};
use crate::proto::v1::{
    Event, Heartbeat, Standing, WatchRequest, WatchResponse, watch_response::Item,
    watch_service_client::WatchServiceClient,
};

/// The heartbeat interval that a request of 0 means.
const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(5);

/// The longest that the next item may keep a watcher waiting, in heartbeats, and the least in all.
const SILENCE: (u32, Duration) = (3, Duration::from_secs(2));

/// What a watcher sees.
#[allow(
    clippy::large_enum_variant,
    reason = "an event is what nearly all of them are"
)]
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// An event. Each comes once, in the order of revisions.
    Event(Event),
    /// Nothing more that passes the filters up to this revision.
    Heartbeat(Heartbeat),
    /// A preference as it stood when the watch began (only with `snapshot`).
    Standing(Standing),
    /// The snapshot is complete as of this revision; events after it follow.
    Synced(u64),
    /// The feed broke off and is being taken up again where it was: for the record. Only where `from_the_start` is
    /// set, a snapshot was cut short and comes again, so that what was collected of it must be dropped.
    Interrupted {
        /// Why, in words.
        why: String,
        /// Whether the snapshot begins anew.
        from_the_start: bool,
    },
}

impl Client {
    /// Follows the events. The feed ends only with an error that nothing but the caller can mend (such as
    /// `REVISION_COMPACTED`, when every endpoint has said so), or when no endpoint has opened it within the deadline;
    /// once open, it is taken up again after the last revision seen, at another endpoint if need be, for as long as
    /// that takes.
    pub fn watch(&self, mut request: WatchRequest) -> BoxStream<'static, Result<Seen, Error>> {
        self.caller(&mut request.service, &mut request.schema_version);
        let client = self.clone();
        Box::pin(async_stream::stream! {
            let mut cursor = Cursor::new(request);
            let mut backoff = Backoff::new(&client.0.settings);
            let mut patience = Patience::new(&client);
            loop {
                let (at, endpoint) = client.0.endpoints.preferred();
                let uri = endpoint.uri.clone();
                let error = match client.open(&cursor.request).await {
                    Err(error) => error,
                    Ok(mut feed) => loop {
                        cursor.begun = true;
                        match next(&mut feed, cursor.silence).await {
                            Err(error) => break error,
                            Ok(item) => {
                                patience.refresh();
                                backoff = Backoff::new(&client.0.settings);
                                if let Some(seen) = cursor.take(item) {
                                    yield Ok(seen);
                                }
                            }
                        }
                    },
                };
                client.0.endpoints.leave(at, None);
                if let Err(error) = patience.bear(&uri, error.clone(), cursor.begun) {
                    yield Err(error);
                    return;
                }
                if cursor.begun {
                    yield Ok(Seen::Interrupted {
                        why: error.to_string(),
                        from_the_start: cursor.in_snapshot(),
                    });
                }
                sleep(backoff.next()).await;
            }
        })
    }

    async fn open(&self, request: &WatchRequest) -> Result<Streaming<WatchResponse>, Error> {
        let (_, endpoint) = self.0.endpoints.preferred();
        let limit = self.0.settings.attempt_timeout;
        // No grpc-timeout: it would end the feed itself.
        let mut client = WatchServiceClient::new(endpoint.channel.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX);
        match timeout(limit, client.watch(request.clone())).await {
            Ok(Ok(feed)) => Ok(feed.into_inner()),
            Ok(Err(status)) => Err(Error::from_status(&status)),
            Err(_) => Err(Error::timed_out(limit)),
        }
    }
}

/// The next item, or why none comes.
async fn next(feed: &mut Streaming<WatchResponse>, silence: Duration) -> Result<Item, Error> {
    match timeout(silence, feed.message()).await {
        // An item of a kind that this client does not know could be an event: going on would lose it.
        Ok(Ok(Some(WatchResponse { item }))) => item.ok_or_else(|| {
            Error::local(
                Code::Unimplemented,
                super::reason::ANSWER_INVALID,
                "the feed holds an item that this client does not know; use a newer client",
            )
        }),
        Ok(Ok(None)) => Err(Error::broken("the feed ended")),
        Ok(Err(status)) => Err(Error::from_status(&status)),
        Err(_) => Err(Error::timed_out(silence)),
    }
}

/// Where the watcher is, as the request that would go on from there.
struct Cursor {
    request: WatchRequest,
    silence: Duration,
    /// Whether a snapshot has begun and is not complete.
    partial: bool,
    /// Whether the feed was ever open.
    begun: bool,
}

impl Cursor {
    fn new(request: WatchRequest) -> Self {
        let heartbeat = match request.heartbeat_interval_ms {
            0 => HEARTBEAT_DEFAULT,
            ms => Duration::from_millis(ms.into()),
        };
        Self {
            request,
            silence: (heartbeat * SILENCE.0).max(SILENCE.1),
            partial: false,
            begun: false,
        }
    }

    /// Takes an item in; `None` for an event that was delivered before.
    fn take(&mut self, item: Item) -> Option<Seen> {
        match item {
            Item::Event(event) => {
                if event.revision < self.request.from_revision {
                    return None;
                }
                self.passed(event.revision);
                Some(Seen::Event(event))
            }
            Item::Heartbeat(heartbeat) => {
                if !self.request.snapshot {
                    self.passed(heartbeat.revision);
                }
                Some(Seen::Heartbeat(heartbeat))
            }
            Item::Standing(standing) => {
                self.partial = true;
                Some(Seen::Standing(standing))
            }
            Item::Synced(synced) => {
                self.partial = false;
                self.request.snapshot = false;
                self.passed(synced.revision);
                Some(Seen::Synced(synced.revision))
            }
        }
    }

    fn passed(&mut self, revision: u64) {
        self.request.from_revision = self.request.from_revision.max(revision + 1);
    }

    /// Whether the snapshot was cut short. Nothing is left of it then.
    fn in_snapshot(&mut self) -> bool {
        std::mem::take(&mut self.partial)
    }
}

/// How long a feed that does not open is waited for, and how often a refusal is doubted.
struct Patience {
    ends: Instant,
    /// Attempts in a row that were refused for good, each endpoint's own word.
    refused: usize,
    endpoints: usize,
    trail: Trail,
}

impl Patience {
    fn new(client: &Client) -> Self {
        Self {
            ends: Instant::now() + client.0.settings.deadline,
            refused: 0,
            endpoints: client.0.endpoints.len(),
            trail: Trail::new(false),
        }
    }

    /// Something came.
    fn refresh(&mut self) {
        self.refused = 0;
        self.trail = Trail::new(false);
    }

    /// Whether to try again after this error.
    fn bear(&mut self, endpoint: &str, error: Error, begun: bool) -> Result<(), Error> {
        self.trail.note(endpoint, &error);
        // Another node may keep more history, or be further, than this one.
        let own_word = matches!(error.code(), Code::OutOfRange | Code::FailedPrecondition);
        self.refused = if own_word { self.refused + 1 } else { 0 };
        let last_word = own_word && self.refused >= self.endpoints;
        let fatal = !error.is_temporary() && !own_word;
        if fatal || last_word || (!begun && Instant::now() >= self.ends) {
            return Err(error.over(&self.trail));
        }
        Ok(())
    }
}
