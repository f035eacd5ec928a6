//! Stamps that are held against a live watch: a go-ahead without a call for each.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use super::{
    denied::NoGoAhead,
    floors::Floors,
    follow,
    ledger::{Ledger, Moment, Terms},
};
use crate::{
    client::{Client, Error},
    limits,
    stamp::{AllowedAsOf, KeySet, Offline, Wanted},
};

/// Whom the data is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// The one with this token, `<generation>:<32 hex digits>`: the stamp must be about the same.
    Token(&'a str),
    /// Whom the stamp is about: for data that names nobody in any other way. Whoever can write such data can put somebody
    /// else's stamp to it.
    TheStamps,
}

/// Go on, now. Made by [`LiveStamps`] alone, for the one use that was asked about; it is not to be kept.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct GoAhead {
    allowed: AllowedAsOf,
    age: Duration,
}

impl GoAhead {
    /// What the stamp says.
    pub fn allowed(&self) -> &AllowedAsOf {
        &self.allowed
    }

    /// How old the knowledge is that nothing has changed since: what was acknowledged before that is reflected.
    pub fn age(&self) -> Duration {
        self.age
    }
}

/// How stamps are held against a watch.
#[derive(Clone)]
#[must_use]
pub struct LiveStampsBuilder {
    pub(super) client: Client,
    pub(super) namespaces: BTreeSet<String>,
    pub(super) heartbeat: Duration,
    pub(super) bound: Duration,
    remembered: usize,
}

impl LiveStampsBuilder {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            namespaces: BTreeSet::new(),
            heartbeat: Duration::from_millis(limits::STAMP_HEARTBEAT_MS),
            bound: limits::STAMP_WORD_AGE,
            remembered: limits::STAMP_CHANGES,
        }
    }

    /// Watches this namespace, and others that are named; stamps of the rest are denied. Default: all. A stamp of a
    /// revision that was just made may then have to wait for the next heartbeat.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespaces.insert(namespace.into());
        self
    }

    /// How often the watch is to say something while nothing happens, and the cluster is asked how far it is; 100 ms to 5 s.
    /// Three of these, and at most 5 s, is how old the cluster's last word may be. Default: 1 s.
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.heartbeat = every;
        self
    }

    /// How many changed tokens are remembered; some 100 bytes each. Where more change within 17 minutes, older stamps are
    /// denied. Default: 262,144.
    pub fn remembered(mut self, tokens: usize) -> Self {
        self.remembered = tokens;
        self
    }

    /// Begins to watch, in a task that ends with the last clone. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// A heartbeat that is too short or too long.
    pub fn start(mut self) -> Result<LiveStamps, Error> {
        let least = Duration::from_millis(limits::HEARTBEAT_MIN_MS.into());
        if !(least..=limits::STAMP_WORD_AGE).contains(&self.heartbeat) {
            return Err(Error::setting(
                "the heartbeat must lie between 100 ms and 5 s",
            ));
        }
        self.bound = (self.heartbeat * limits::STAMP_HEARTBEATS).min(limits::STAMP_WORD_AGE);
        let terms = Terms {
            bound: self.bound,
            remembered: self.remembered,
            dense: self.namespaces.is_empty(),
        };
        let shared = Arc::new(Shared {
            patience: terms.bound,
            namespaces: self.namespaces.clone(),
            client: self.client.clone(),
            known: Mutex::new(Known {
                ledger: Ledger::new(terms),
                keys: Err("they were not asked for yet".to_owned()),
                floors: Err("they were not asked for yet".to_owned()),
            }),
            news: watch::Sender::new(()),
        });
        let task = tokio::spawn(follow::run(self, Arc::clone(&shared)));
        Ok(LiveStamps(Arc::new(Held {
            shared,
            task: task.abort_handle(),
        })))
    }
}

/// Turns stamps into go-aheads while a watch shows that nothing has changed: see [the reasoning](super#when-a-stamp-is-a-go-ahead).
///
/// Cheap to clone; clones share the watch.
#[derive(Clone)]
pub struct LiveStamps(Arc<Held>);

/// Ends the watch with its last holder.
struct Held {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the watching task writes and the judging reads.
pub(super) struct Shared {
    pub(super) client: Client,
    namespaces: BTreeSet<String>,
    patience: Duration,
    known: Mutex<Known>,
    news: watch::Sender<()>,
}

/// All that is known.
pub(super) struct Known {
    pub(super) ledger: Ledger,
    pub(super) keys: Result<Arc<KeySet>, String>,
    pub(super) floors: Result<Floors, String>,
}

impl Shared {
    pub(super) fn now(&self) -> Moment {
        Moment {
            at: Instant::now(),
            wall: self.client.0.settings.clock.now(),
        }
    }

    /// Changes what is known, and wakes those who wait for it.
    pub(super) fn learn<T>(&self, learn: impl FnOnce(&mut Known) -> T) -> T {
        let learnt = learn(&mut self.known());
        self.news.send_replace(());
        learnt
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked while it changed what is known left it half changed: then nothing is.
        self.known.lock().unwrap_or_else(|poisoned| {
            let mut known = PoisonError::into_inner(poisoned);
            known.ledger.lose("the watching task failed".to_owned());
            known
        })
    }

    fn judge(
        &self,
        stamp: &str,
        wanted: Wanted<'_>,
        whose: Whose<'_>,
    ) -> Result<GoAhead, NoGoAhead> {
        let (keys, time) = {
            let known = self.known();
            let keys = known.keys.as_ref();
            let keys = keys.map_err(|why| NoGoAhead::KeysUnread(why.clone()))?;
            (Arc::clone(keys), known.ledger.time(self.now()))
        };
        // Signatures take their time, and nobody else has to wait for it.
        let wanted = self.client.of_tenant(wanted);
        let allowed = match keys.judge(stamp, wanted, time.0 / 1_000) {
            Offline::AllowedAsOf(allowed) => allowed,
            Offline::Deny(denied) => return Err(denied.into()),
        };
        if let Whose::Token(token) = whose
            && !allowed.tokens().iter().any(|it| it == token)
        {
            return Err(NoGoAhead::SubjectDiffers);
        }
        if !self.namespaces.is_empty() && !self.namespaces.contains(allowed.namespace()) {
            return Err(NoGoAhead::NamespaceNotWatched);
        }
        let known = self.known();
        let now = self.now();
        let age = known
            .ledger
            .judge(allowed.revision(), allowed.tokens(), now)?;
        let floors = known.floors.as_ref();
        let floors = floors.map_err(|why| NoGoAhead::FloorsUnread(why.clone()))?;
        if floors.revision() < known.ledger.rules() {
            let why = "they have changed, and were not read yet";
            return Err(NoGoAhead::FloorsUnread(why.to_owned()));
        }
        floors.admit(wanted.purpose, self.client.0.settings.schema_version)?;
        Ok(GoAhead { allowed, age })
    }
}

impl LiveStamps {
    /// Whether a stamp is a go-ahead for this namespace, purpose and person. Where the watch is about to come to the stamp's
    /// revision, waits for it, for as long as the cluster's word counts at most.
    ///
    /// # Errors
    /// A denial, with its cause.
    pub async fn check(
        &self,
        stamp: &str,
        wanted: Wanted<'_>,
        whose: Whose<'_>,
    ) -> Result<GoAhead, NoGoAhead> {
        let shared = &self.0.shared;
        let ends = Instant::now() + shared.patience;
        let mut news = shared.news.subscribe();
        loop {
            news.mark_unchanged();
            let judged = shared.judge(stamp, wanted, whose);
            if !matches!(judged, Err(NoGoAhead::NotReached { .. })) {
                return judged;
            }
            if !matches!(timeout_at(ends, news.changed()).await, Ok(Ok(()))) {
                return judged;
            }
        }
    }

    /// As [`LiveStamps::check`], without waiting.
    ///
    /// # Errors
    /// A denial, with its cause.
    pub fn check_now(
        &self,
        stamp: &str,
        wanted: Wanted<'_>,
        whose: Whose<'_>,
    ) -> Result<GoAhead, NoGoAhead> {
        self.0.shared.judge(stamp, wanted, whose)
    }

    /// Waits until the watch is live. Nothing has to: until then every stamp is denied.
    pub async fn until_live(&self) {
        let shared = &self.0.shared;
        let mut news = shared.news.subscribe();
        loop {
            news.mark_unchanged();
            if shared.is_live() {
                return;
            }
            // Held by `shared`, the sender cannot be gone.
            let _ = news.changed().await;
        }
    }

    /// The revision that the watch has come to; 0 before it began.
    pub fn revision(&self) -> u64 {
        self.0.shared.known().ledger.seen()
    }
}

impl Shared {
    fn is_live(&self) -> bool {
        let known = self.known();
        let seen = known.ledger.seen();
        let floors = known.floors.as_ref();
        let floors = floors.is_ok_and(|floors| floors.revision() >= known.ledger.rules());
        known.keys.is_ok() && floors && known.ledger.judge(seen, &[], self.now()).is_ok()
    }
}
