//! What goes on while the leader is killed: people opt out one after the other, and one who has is asked for again and
//! again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use refrain::{
    client::{Client, Error, identifier},
    proto::v1::{CheckRequest, SetOptOutRequest},
};
use tokio::task::JoinSet;

/// How many opt-outs are under way at a time.
const WRITERS: usize = 4;

/// How long a checker waits between two questions.
const CHECK_PAUSE: Duration = Duration::from_millis(5);

/// The purpose that all of it is about.
pub const PURPOSE: &str = "marketing.email";

/// The load while it runs. Ends when it is dropped.
pub struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    next: AtomicU64,
    /// When which opt-out was acknowledged, by its number.
    acknowledged: Mutex<Vec<(Instant, u64)>>,
    failed: Mutex<Option<Error>>,
    denied: AtomicU64,
    unanswered: AtomicU64,
    allowed: AtomicU64,
}

/// What the load has shown.
pub struct Shown {
    /// The opt-outs that were acknowledged: when, and which.
    pub acknowledged: Vec<(Instant, u64)>,
    /// Why an opt-out was given up, if one was.
    pub failed: Option<Error>,
    /// Checks that were answered with DENY.
    pub denied: u64,
    /// Checks without an answer, which deny too.
    pub unanswered: u64,
    /// Checks that were answered with ALLOW: there must be none.
    pub allowed: u64,
}

impl Load {
    /// Starts: opt-outs through `writing`, checks for `who` through each of `checking`.
    pub fn start(writing: &Client, checking: Vec<Client>, who: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        for _ in 0..WRITERS {
            tasks.spawn(write(writing.clone(), Arc::clone(&shared)));
        }
        for client in checking {
            tasks.spawn(check(client, question(who), Arc::clone(&shared)));
        }
        Self { shared, tasks }
    }

    /// How many opt-outs have been acknowledged.
    pub fn acknowledged(&self) -> usize {
        lock(&self.shared.acknowledged).len()
    }

    /// Lets what is under way end, and tells what was seen.
    pub async fn stop(mut self) -> Shown {
        self.shared.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        let shared = &self.shared;
        let mut acknowledged = std::mem::take(&mut *lock(&shared.acknowledged));
        acknowledged.sort_unstable();
        Shown {
            acknowledged,
            failed: lock(&shared.failed).take(),
            denied: shared.denied.load(Ordering::Relaxed),
            unanswered: shared.unanswered.load(Ordering::Relaxed),
            allowed: shared.allowed.load(Ordering::Relaxed),
        }
    }
}

impl Shown {
    /// The longest time between two acknowledged opt-outs.
    pub fn gap(&self) -> Duration {
        let pairs = self.acknowledged.windows(2);
        let gaps = pairs.map(|pair| pair[1].0.saturating_duration_since(pair[0].0));
        gaps.max().unwrap_or_default()
    }
}

/// The address of a person who opts out under load.
pub fn address(number: u64) -> String {
    format!("visitor-{number:06}@example.com")
}

/// May this person get marketing e-mail?
pub fn question(address: &str) -> CheckRequest {
    CheckRequest {
        identifiers: vec![identifier::email(address)],
        purpose: PURPOSE.to_owned(),
        service: "demo".to_owned(),
        ..Default::default()
    }
}

/// This person wants no marketing e-mail.
pub fn stop_mailing(address: &str) -> SetOptOutRequest {
    SetOptOutRequest {
        identifiers: vec![identifier::email(address)],
        purposes: vec![PURPOSE.to_owned()],
        ..Default::default()
    }
}

async fn write(client: Client, shared: Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        match client.opt_out(stop_mailing(&address(number))).await {
            Ok(_) => lock(&shared.acknowledged).push((Instant::now(), number)),
            Err(error) => {
                *lock(&shared.failed) = Some(error);
                return;
            }
        }
    }
}

async fn check(client: Client, question: CheckRequest, shared: Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) {
        let counter = match client.check(question.clone()).await {
            Ok(_) => &shared.allowed,
            Err(denied) if denied.answer().is_some() => &shared.denied,
            Err(_) => &shared.unanswered,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(CHECK_PAUSE).await;
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_the_longest_silence() {
        let zero = Instant::now();
        let at = |ms| (zero + Duration::from_millis(ms), ms);
        let shown = Shown {
            acknowledged: vec![at(0), at(5), at(905), at(910)],
            failed: None,
            denied: 0,
            unanswered: 0,
            allowed: 0,
        };
        assert_eq!(shown.gap(), Duration::from_millis(900));
    }
}
