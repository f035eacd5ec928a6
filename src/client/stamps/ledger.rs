//! What a watch has shown, and what that says of a stamp: pure, so that every order of events can be tried.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::denied::NoGoAhead;
use crate::{
    client::Seen,
    clock::Millis,
    limits,
    proto::v1::{Event, EventKind},
};

/// A moment by both clocks. Spans are taken from the one that went further: the monotonic one may stand still while the
/// machine sleeps, and the wall clock may be set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// By the monotonic clock.
    pub(super) at: Instant,
    /// By the wall clock.
    pub(super) wall: Millis,
}

impl Moment {
    /// How long ago `earlier` was, if not longer.
    pub(super) fn since(self, earlier: Self) -> Duration {
        let wall = Duration::from_millis(self.wall.0.saturating_sub(earlier.wall.0));
        self.at.saturating_duration_since(earlier.at).max(wall)
    }
}

/// What must hold for a stamp to be a go-ahead.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// How old the cluster's last word may be.
    pub(super) bound: Duration,
    /// How many changed tokens are remembered.
    pub(super) remembered: usize,
    /// Whether every event is watched, so that revisions come without a gap.
    pub(super) dense: bool,
}

/// A token as it is remembered.
type Key = (u16, [u8; 16]);

/// The watch broke a promise, or was ended: everything begins anew.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost(pub(super) String);

/// What the watch has shown since it began.
#[derive(Debug)]
pub(super) struct Ledger {
    terms: Terms,
    /// The revision that it began at, or why it has not.
    began: Result<u64, String>,
    /// Everything up to here has been seen.
    seen: u64,
    /// When the watch last said anything.
    heard: Option<Moment>,
    /// All that was acknowledged before this moment has been seen.
    confirmed: Option<Moment>,
    /// Moments, and what must have been seen to say that of them.
    awaited: VecDeque<(Moment, u64)>,
    /// The highest revision that the cluster itself has named.
    named: u64,
    /// The last change that concerns everybody.
    rules: u64,
    /// The newest change that is no longer remembered.
    forgotten: u64,
    changed: HashMap<Key, u64>,
    /// The same in the order in which it came.
    order: VecDeque<(Moment, u64, Key)>,
    /// A node's clock, and when it was read.
    node: Option<(Millis, Moment)>,
}

/// Moments that wait for the watch to come as far; older ones are given up.
const AWAITED: usize = 16;

impl Ledger {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            began: Err("the watch has not begun".to_owned()),
            seen: 0,
            heard: None,
            confirmed: None,
            awaited: VecDeque::new(),
            named: 0,
            rules: 0,
            forgotten: 0,
            changed: HashMap::new(),
            order: VecDeque::new(),
            node: None,
        }
    }

    /// A watch begins, of everything after `revision`. Nothing of an earlier one counts.
    pub(super) fn begin(&mut self, revision: u64) {
        *self = Self {
            began: Ok(revision),
            seen: revision,
            named: revision,
            ..Self::new(self.terms.clone())
        };
    }

    /// The watch is over, or cannot begin.
    pub(super) fn lose(&mut self, why: String) {
        *self = Self {
            began: Err(why),
            ..Self::new(self.terms.clone())
        };
    }

    /// Up to where everything has been seen.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// The last change that concerns everybody.
    pub(super) fn rules(&self) -> u64 {
        self.rules
    }

    /// Whether the watch has been behind the cluster for longer than it may be.
    pub(super) fn is_behind(&self, now: Moment) -> bool {
        let oldest = self.awaited.front();
        oldest.is_some_and(|(asked, _)| now.since(*asked) > self.terms.bound)
    }

    /// Takes in what the watch shows.
    pub(super) fn observe(&mut self, seen: &Seen, now: Moment) -> Result<(), Lost> {
        match seen {
            Seen::Event(event) => {
                self.follows(event.revision)?;
                self.note(event, now);
                self.seen = event.revision;
                self.heard = Some(now);
                self.forget(now);
            }
            Seen::Heartbeat(beat) => {
                let gap = self.terms.dense && beat.revision != self.seen;
                if gap || beat.revision < self.seen {
                    return Err(Lost(format!(
                        "a heartbeat names revision {}, and {} was seen",
                        beat.revision, self.seen
                    )));
                }
                self.seen = beat.revision;
                self.heard = Some(now);
                let sent = beat.sent_at.as_ref().and_then(|sent| {
                    let seconds = u64::try_from(sent.seconds).ok()?;
                    let millis = u64::try_from(sent.nanos).ok()? / 1_000_000;
                    Some(Millis(seconds.checked_mul(1_000)?.checked_add(millis)?))
                });
                self.node = sent.map(|sent| (sent, now)).or(self.node);
            }
            // It goes on after the last revision that was seen, so that nothing is missed; but for now nobody listens.
            Seen::Interrupted { .. } => {
                self.heard = None;
                self.confirmed = None;
                self.awaited.clear();
            }
            Seen::Standing(_) | Seen::Synced(_) => {
                return Err(Lost("the watch shows what nobody asked for".to_owned()));
            }
        }
        self.catch_up();
        Ok(())
    }

    /// The cluster has named its revision, in answer to a question that was asked at `asked`: nothing that had been
    /// acknowledged by then lies after that revision.
    pub(super) fn confirm(&mut self, asked: Moment, revision: u64) -> Result<(), Lost> {
        if revision < self.named {
            return Err(Lost(format!(
                "the cluster is at revision {revision}, and was at {}",
                self.named
            )));
        }
        self.named = revision;
        if self.awaited.len() == AWAITED {
            self.awaited.pop_front();
        }
        self.awaited.push_back((asked, revision));
        self.catch_up();
        Ok(())
    }

    /// Whether a stamp of this revision, about these tokens, still stands as of `now`; and how old that knowledge is.
    pub(super) fn judge(
        &self,
        revision: u64,
        tokens: &[String],
        now: Moment,
    ) -> Result<Duration, NoGoAhead> {
        let began = *self
            .began
            .as_ref()
            .map_err(|why| NoGoAhead::NotFollowing(why.clone()))?;
        let (Some(heard), Some(confirmed)) = (self.heard, self.confirmed) else {
            let why = "no word has come since the watch began or broke off";
            return Err(NoGoAhead::NotFollowing(why.to_owned()));
        };
        let age = now.since(heard).max(now.since(confirmed));
        let bound = self.terms.bound;
        if age > bound {
            return Err(NoGoAhead::Silent { age, bound });
        }
        if revision < began {
            return Err(NoGoAhead::BeforeTheWatch { revision, began });
        }
        if revision > self.seen {
            let seen = self.seen;
            return Err(NoGoAhead::NotReached { revision, seen });
        }
        if revision < self.rules {
            let changed = self.rules;
            return Err(NoGoAhead::RulesChanged { revision, changed });
        }
        if revision < self.forgotten {
            let forgotten = self.forgotten;
            return Err(NoGoAhead::Forgotten {
                revision,
                forgotten,
            });
        }
        for token in tokens {
            // A token that cannot be read cannot be looked up either.
            let key = key(token).ok_or(NoGoAhead::SubjectDiffers)?;
            if let Some(&changed) = self.changed.get(&key)
                && changed > revision
            {
                return Err(NoGoAhead::SubjectChanged { revision, changed });
            }
        }
        Ok(now.since(confirmed))
    }

    /// The time by which a stamp's life is judged: the later of this machine's clock and a node's, as far as one is known.
    pub(super) fn time(&self, now: Moment) -> Millis {
        let node = self.node.map(|(sent, heard)| {
            let since = u64::try_from(now.at.saturating_duration_since(heard.at).as_millis());
            Millis(sent.0.saturating_add(since.unwrap_or(u64::MAX)))
        });
        node.map_or(now.wall, |node| node.max(now.wall))
    }

    /// Whether an event is the next one.
    fn follows(&self, revision: u64) -> Result<(), Lost> {
        let next = self.seen.saturating_add(1);
        let fits = if self.terms.dense {
            revision == next
        } else {
            revision >= next
        };
        if fits {
            return Ok(());
        }
        Err(Lost(format!(
            "an event of revision {revision} came after {}",
            self.seen
        )))
    }

    fn note(&mut self, event: &Event, now: Moment) {
        let mut keys: Vec<Key> = Vec::with_capacity(event.tokens.len());
        let mut readable = true;
        for token in &event.tokens {
            match key(&token.token) {
                Some(key) => keys.push(key),
                None => readable = false,
            }
        }
        if !readable || concerns_everybody(event, keys.is_empty()) {
            self.rules = event.revision;
        }
        for key in keys {
            self.changed.insert(key, event.revision);
            self.order.push_back((now, event.revision, key));
        }
    }

    /// Forgets what is too old or too much. Whatever is forgotten, stamps from before it are denied from here on, so
    /// that forgetting never allows anything.
    fn forget(&mut self, now: Moment) {
        while let Some(&(came, revision, key)) = self.order.front() {
            let old = now.since(came) > limits::STAMP_MEMORY;
            if !old && self.order.len() <= self.terms.remembered {
                return;
            }
            self.order.pop_front();
            self.forgotten = self.forgotten.max(revision);
            if self.changed.get(&key) == Some(&revision) {
                self.changed.remove(&key);
            }
        }
    }

    fn catch_up(&mut self) {
        while let Some(&(asked, revision)) = self.awaited.front() {
            if revision > self.seen {
                return;
            }
            self.awaited.pop_front();
            self.confirmed = Some(asked);
        }
    }
}

/// Whether an event may change what is decided about people whom it does not name. What this client does not know may.
fn concerns_everybody(event: &Event, names_nobody: bool) -> bool {
    match EventKind::try_from(event.kind) {
        Ok(EventKind::OptOut | EventKind::OptIn | EventKind::Preferences) => names_nobody,
        // An override only ever allows, and no stamp is made under one; a proposal does nothing; a new namespace is nobody's
        // yet; a key changes who can sign, not what was decided; a member, who answers.
        Ok(
            EventKind::Namespace
            | EventKind::ChangeProposed
            | EventKind::ChangeWithdrawn
            | EventKind::OverrideBegan
            | EventKind::OverrideRevoked
            | EventKind::OverrideEnded
            | EventKind::StampKey
            | EventKind::JournalKey
            | EventKind::Membership
            | EventKind::Violation
            | EventKind::Anomaly
            | EventKind::AnomalySettings
            | EventKind::EvidenceErased,
        ) => false,
        Ok(
            EventKind::Unspecified
            | EventKind::Created
            | EventKind::Purpose
            | EventKind::FeatureLevel
            | EventKind::NamespaceSettings
            | EventKind::SchemaFloor,
        )
        | Err(_) => true,
    }
}

/// Reads `<generation>:<32 hex digits>`.
fn key(token: &str) -> Option<Key> {
    let (generation, digits) = token.split_once(':')?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some((generation.parse().ok()?, bytes))
}
