//! The settings of a client, each with its default.

use std::{sync::Arc, time::Duration};

use super::{
    Client, Inner,
    bearer::Bearer,
    endpoints::{Endpoints, Transporting},
    error::Error,
};
use crate::{
    clock::{Clock, Entropy, SystemClock, SystemEntropy},
    net::Connector,
};

/// Builds a [`Client`]. Nothing is connected until the first call.
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    endpoints: Vec<String>,
    attempt_timeout: Option<Duration>,
    bearer: Result<Bearer, Error>,
    transporting: Transporting,
    settings: Settings,
}

/// What every call looks at.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) deadline: Duration,
    pub(super) import_deadline: Duration,
    pub(super) attempt_timeout: Duration,
    pub(super) attempts_max: u32,
    pub(super) backoff_min: Duration,
    pub(super) backoff_max: Duration,
    pub(super) namespace: String,
    pub(super) schema_version: u32,
    pub(super) service: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            attempt_timeout: None,
            bearer: Ok(Bearer::default()),
            transporting: Transporting {
                connector: Connector::tcp(),
                connect_timeout: Duration::from_secs(1),
                keep_alive: Duration::from_secs(10),
                keep_alive_timeout: Duration::from_secs(10),
            },
            settings: Settings {
                deadline: Duration::from_secs(5),
                import_deadline: Duration::from_secs(60),
                attempt_timeout: Duration::from_secs(5),
                attempts_max: 100,
                backoff_min: Duration::from_millis(20),
                backoff_max: Duration::from_secs(1),
                namespace: String::new(),
                schema_version: 0,
                service: String::new(),
                clock: Arc::new(SystemClock),
                entropy: Arc::new(SystemEntropy),
            },
        }
    }
}

/// The longest that a client waits for anything; what is set longer counts as this.
const WAIT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl ClientBuilder {
    /// Adds a node's address, `http://host:port` or `host:port`. Name several nodes of the cluster: the first is asked
    /// until it fails, then the next.
    pub fn endpoint(mut self, address: impl Into<String>) -> Self {
        self.endpoints.push(address.into());
        self
    }

    /// Adds several addresses.
    pub fn endpoints<A: Into<String>>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        self.endpoints.extend(addresses.into_iter().map(Into::into));
        self
    }

    /// How long a call may take with all its attempts. Default: 5 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// How long an import goes on trying to have one step of at most 1,000 rows taken. Default: 60 s.
    pub fn import_deadline(mut self, deadline: Duration) -> Self {
        self.settings.import_deadline = deadline;
        self
    }

    /// How long one attempt may take before the next endpoint is asked. Default: a third of the deadline where there
    /// are three endpoints or more, half of it where there are two, all of it where there is one.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// How many attempts a call may make. Default: 100; the deadline ends most calls long before.
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.settings.attempts_max = attempts.max(1);
        self
    }

    /// The first and the longest wait between two rounds of attempts; each is cut by up to half at random. Default:
    /// 20 ms and 1 s.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.settings.backoff_min = first.max(Duration::from_millis(1));
        self.settings.backoff_max = longest.max(self.settings.backoff_min);
        self
    }

    /// How long a connection may take to come about. Default: 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.transporting.connect_timeout = timeout;
        self
    }

    /// How often a connection is pinged, and how long the answer may take before it counts as broken. Default: 10 s
    /// each. (A call has its own deadline, a watch its heartbeats; this is for connections that nobody uses.)
    pub fn keep_alive(mut self, every: Duration, timeout: Duration) -> Self {
        self.transporting.keep_alive = every;
        self.transporting.keep_alive_timeout = timeout;
        self
    }

    /// The token of the principal that the client is, sent with every call and watch. Default: none. Nothing is encrypted in
    /// this version: whoever sees the traffic sees the token.
    pub fn bearer(mut self, token: impl AsRef<str>) -> Self {
        self.bearer = Bearer::new(token.as_ref());
        self
    }

    /// The tenant of every request that names none. Default: none, which the server takes as `default`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.settings.namespace = namespace.into();
        self
    }

    /// The schema version of the purpose registry that your program was built for. Default: 0, not known.
    pub fn schema_version(mut self, version: u32) -> Self {
        self.settings.schema_version = version;
        self
    }

    /// The name under which your service asks. Default: none.
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.settings.service = service.into();
        self
    }

    /// How connections are made. Default: TCP with `TCP_NODELAY`.
    pub fn connector(mut self, connector: Connector) -> Self {
        self.transporting.connector = connector;
        self
    }

    /// Where request ids take their time from. Default: the operating system's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Where request ids and waits take their randomness from. Default: the operating system.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.settings.entropy = entropy;
        self
    }

    /// Makes the client. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// An endpoint that is no address, or none at all; a token that cannot be one.
    pub fn build(mut self) -> Result<Client, Error> {
        for wait in [
            &mut self.transporting.connect_timeout,
            &mut self.transporting.keep_alive,
            &mut self.transporting.keep_alive_timeout,
        ] {
            *wait = (*wait).min(WAIT_MAX);
        }
        let endpoints = Endpoints::new(&self.endpoints, &self.transporting, &self.bearer?)?;
        let mut settings = self.settings;
        // As good as for ever, and there is always a point in time so far away.
        for wait in [
            &mut settings.deadline,
            &mut settings.import_deadline,
            &mut settings.backoff_min,
            &mut settings.backoff_max,
        ] {
            *wait = (*wait).min(WAIT_MAX);
        }
        let share = u32::try_from(endpoints.len().min(3)).unwrap_or(3);
        settings.attempt_timeout = self
            .attempt_timeout
            .unwrap_or(settings.deadline / share)
            .min(settings.deadline);
        Ok(Client(Arc::new(Inner {
            endpoints,
            settings,
        })))
    }
}
