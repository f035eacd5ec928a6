//! Reading stamps without asking about each: the cluster's public keys, kept at hand.

use std::sync::{Arc, PoisonError};

use tokio::time::{Instant, timeout};

use super::{denied::NoGoAhead, keys};
use crate::{
    client::Client,
    limits,
    stamp::{AllowedAsOf, Denied, KeySet, Offline, StampError, Wanted},
};

/// Reads stamps: tells a genuine one from a forged one, and DENY from *allowed as of a revision*. That is not a go-ahead: the
/// person may have opted out since. See [`LiveStamps`](super::LiveStamps) for one, or ask the authority.
///
/// Cheap to clone; clones share the keys.
#[derive(Clone)]
pub struct Stamps {
    client: Client,
    keys: Arc<Keys>,
}

/// The keys that were read last, and the one who reads them anew.
#[derive(Default)]
struct Keys {
    read: std::sync::Mutex<Option<Arc<Read>>>,
    /// How asking for them ended last. Held by the one who asks.
    asking: tokio::sync::Mutex<Option<Asked>>,
}

/// How asking for the keys ended.
struct Asked {
    ended: Instant,
    outcome: Result<Arc<Read>, NoGoAhead>,
}

/// Keys, and when they were asked for.
struct Read {
    keys: KeySet,
    asked: Instant,
}

impl Stamps {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            keys: Arc::default(),
        }
    }

    /// What a stamp says of a namespace and a purpose. Whom it is about is for the caller to compare: see
    /// [`AllowedAsOf::tokens`].
    ///
    /// The keys are read from the cluster when they are first needed, once a minute after that, and for a key that is not
    /// known, though not more than once a second; where they cannot be read, the answer is a denial.
    ///
    /// # Errors
    /// A denial, with its cause.
    pub async fn read(&self, stamp: &str, wanted: Wanted<'_>) -> Result<AllowedAsOf, NoGoAhead> {
        let read = match self.known() {
            Some(read) => read,
            None => self.ask(None).await?,
        };
        let judged = self.judge(&read.keys, stamp, wanted);
        if judged != Err(Denied::Stamp(StampError::UnknownKey)) {
            return Ok(judged?);
        }
        match self.ask(Some(read.asked)).await {
            Ok(read) => Ok(self.judge(&read.keys, stamp, wanted)?),
            Err(_) => Ok(judged?),
        }
    }

    fn judge(&self, keys: &KeySet, stamp: &str, wanted: Wanted<'_>) -> Result<AllowedAsOf, Denied> {
        let now = self.client.0.settings.clock.now().0 / 1_000;
        match keys.judge(stamp, self.client.of_tenant(wanted), now) {
            Offline::AllowedAsOf(allowed) => Ok(allowed),
            Offline::Deny(denied) => Err(denied),
        }
    }

    /// The keys that are at hand, unless they are too old.
    fn known(&self) -> Option<Arc<Read>> {
        let read = self.keys.read.lock();
        let read = read.unwrap_or_else(PoisonError::into_inner).clone();
        read.filter(|read| read.asked.elapsed() <= limits::STAMP_KEYS_AGE.0)
    }

    /// Keys that were asked for after `moment`, if one is given; by one caller for all who wait.
    async fn ask(&self, moment: Option<Instant>) -> Result<Arc<Read>, NoGoAhead> {
        let entered = Instant::now();
        // Whoever asks does so for no longer than a call takes.
        let patience = self.client.0.settings.deadline;
        let mut asking = timeout(patience, self.keys.asking.lock())
            .await
            .map_err(|_| unread("they are being asked for, and no answer has come"))?;
        let wanted = |read: &Read| moment.is_none_or(|moment| read.asked > moment);
        if let Some(read) = self.known()
            && wanted(&read)
        {
            return Ok(read);
        }
        // What came of it while this caller waited, or a moment ago, is the answer for this one too.
        if let Some(last) = &*asking
            && (last.ended >= entered || last.ended.elapsed() <= limits::STAMP_KEYS_AGE.1)
        {
            return match &last.outcome {
                Ok(read) if wanted(read) => Ok(Arc::clone(read)),
                Ok(_) => Err(unread("they were asked for a moment ago")),
                Err(why) => Err(why.clone()),
            };
        }
        let outcome = self.fetch().await;
        *asking = Some(Asked {
            ended: Instant::now(),
            outcome: outcome.clone(),
        });
        outcome
    }

    async fn fetch(&self) -> Result<Arc<Read>, NoGoAhead> {
        let asked = Instant::now();
        let told = self.client.stamp_keys().await;
        let told = told.map_err(|error| NoGoAhead::KeysUnread(error.to_string()))?;
        let keys = keys::of(&told, self.client.0.settings.clock.now())?;
        let read = Arc::new(Read { keys, asked });
        *self
            .keys
            .read
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&read));
        Ok(read)
    }
}

fn unread(why: &str) -> NoGoAhead {
    NoGoAhead::KeysUnread(why.to_owned())
}
