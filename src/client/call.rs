//! One call: its attempts, where each goes, how long it waits, and when it gives up.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tonic::{Request, Response, Status};

use super::{
    Client,
    builder::Settings,
    endpoints::Channel,
    error::{Error, Outcome, Trail},
};

/// Whether a call can change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It cannot: a failure leaves nothing in doubt.
    Reads,
    /// It can. The same request may be sent many times, because its id makes it one.
    Changes,
    /// It can, and no id makes it one: what may have been done is not asked for again.
    Adds,
}

/// With less time left than this no further attempt is made: an answer that it misses would leave in doubt what an
/// earlier one had found out. Of a short deadline, a quarter.
const ATTEMPT_MIN: Duration = Duration::from_millis(250);

/// The key of `ErrorInfo`'s metadata under which a node may name the leader.
const LEADER_HINT: &str = "leader_client_address";

impl Client {
    /// Makes attempts until one is answered, refused for good, or the deadline has passed. `attempt` gets the channel
    /// and the time that it has.
    pub(super) async fn call<T, F, Fut>(&self, effect: Effect, attempt: F) -> Result<T, Error>
    where
        F: Fn(Channel, Duration) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let settings = &self.0.settings;
        let limits = (settings.deadline, settings.attempt_timeout);
        self.call_within(effect, limits, attempt).await
    }

    /// As [`Client::call`], for a call that sends one message.
    pub(super) async fn send<R, T, F, Fut>(
        &self,
        effect: Effect,
        message: R,
        attempt: F,
    ) -> Result<T, Error>
    where
        R: Clone,
        F: Fn(Channel, Request<R>) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.call(effect, |channel, limit| {
            attempt(channel, timed(message.clone(), limit))
        })
        .await
    }

    /// As [`Client::call`], with a deadline for the call and one for each attempt.
    pub(super) async fn call_within<T, F, Fut>(
        &self,
        effect: Effect,
        (deadline, attempt_timeout): (Duration, Duration),
        attempt: F,
    ) -> Result<T, Error>
    where
        F: Fn(Channel, Duration) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let settings = &self.0.settings;
        let endpoints = &self.0.endpoints;
        let ends = Instant::now() + deadline;
        let last_begin = ends - ATTEMPT_MIN.min(deadline / 4);
        let mut trail = Trail::new(effect != Effect::Reads);
        let mut backoff = Backoff::new(settings);
        let mut made = 0;
        loop {
            let left = ends.saturating_duration_since(Instant::now());
            let limit = left.min(attempt_timeout);
            let (at, endpoint) = endpoints.preferred();
            let answered = timeout(limit, attempt(endpoint.channel.clone(), limit)).await;
            let error = match answered {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => Error::from_status(&status),
                Err(_) => Error::timed_out(limit),
            };
            made += 1;
            trail.note(&endpoint.uri, &error);
            if !error.is_temporary() {
                return Err(error.over(&trail));
            }
            endpoints.leave(at, error.metadata().get(LEADER_HINT).map(String::as_str));
            if effect == Effect::Adds && error.outcome() == Outcome::Unknown {
                return Err(error.over(&trail));
            }
            // Each endpoint gets its turn before anybody waits.
            if usize::try_from(made).unwrap_or(usize::MAX) % endpoints.len() == 0 {
                let wait = backoff.next();
                if Instant::now() + wait < last_begin {
                    sleep(wait).await;
                } else {
                    return Err(error.over(&trail));
                }
            }
            if made >= settings.attempts_max || Instant::now() >= last_begin {
                return Err(error.over(&trail));
            }
        }
    }

    /// One attempt at the endpoint that was named first, for what concerns that node alone. Only a connection that
    /// could not be made is tried again.
    pub(super) async fn call_first<T, F, Fut>(&self, effect: Effect, attempt: F) -> Result<T, Error>
    where
        F: Fn(Channel, Duration) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let settings = &self.0.settings;
        let endpoint = self.0.endpoints.first();
        let ends = Instant::now() + settings.deadline;
        let mut trail = Trail::new(effect != Effect::Reads);
        let mut backoff = Backoff::new(settings);
        loop {
            let limit = ends.saturating_duration_since(Instant::now());
            let error = match timeout(limit, attempt(endpoint.channel.clone(), limit)).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => Error::from_status(&status),
                Err(_) => Error::timed_out(limit),
            };
            trail.note(&endpoint.uri, &error);
            let wait = backoff.next();
            if !error.is_unreachable() || Instant::now() + wait >= ends {
                return Err(error.over(&trail));
            }
            sleep(wait).await;
        }
    }
}

/// A request that tells the server how long the caller will wait.
pub(super) fn timed<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// Waits that double, each cut by up to half at random so that callers do not come back in step.
pub(super) struct Backoff<'a> {
    settings: &'a Settings,
    next: Duration,
}

impl<'a> Backoff<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            next: settings.backoff_min,
        }
    }

    pub(super) fn next(&mut self) -> Duration {
        let mut random = [0; 2];
        self.settings.entropy.fill(&mut random);
        let half = self.next / 2;
        self.next = (self.next * 2).min(self.settings.backoff_max);
        half + half * u32::from(u16::from_le_bytes(random)) / u32::from(u16::MAX)
    }
}
