//! What a node is told: flags over environment over file over defaults, judged once, with a place for every complaint.

mod args;
mod effective;
mod layers;
mod principals;
mod problem;
mod read;
mod secret;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

pub use self::{
    args::ServeArgs,
    effective::Setting,
    problem::{ConfigError, Problem},
    secret::{Secret, SecretSource},
};

use self::layers::Layers;
use crate::admission::Principals;
use crate::limits;

/// What is logged unless told otherwise: Refrain's own news, and of Raft only what is wrong. Each heartbeat that a dead
/// peer misses would be a line; Refrain tells of that peer once.
const DEFAULT_FILTER: &str = "info,openraft=warn,openraft::core::heartbeat=error";

/// The settings of a node, valid and complete.
///
/// TLS will be a section of its own (`[tls]`: certificate, key and the authority for callers, for clients and for peers
/// apart). Until it is there, nothing is encrypted, and [`Config::insecure`] is what admits that.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The folder that holds everything the node keeps.
    pub data: PathBuf,
    /// Where to listen for clients.
    pub listen: SocketAddr,
    /// Where to listen for the other nodes.
    pub peer_listen: SocketAddr,
    /// The `host:port` that others are told for clients; `None` for the one listened on.
    pub advertise: Option<String>,
    /// The `host:port` that others are told for peers; `None` for the one listened on.
    pub peer_advertise: Option<String>,
    /// Whether more than loopback may be listened on although nothing is encrypted.
    pub insecure: bool,
    /// Who may call; with none, whoever calls over loopback.
    pub principals: Principals,
    /// Whether a fresh node waits to be taken into a cluster instead of forming one of its own.
    pub join: bool,
    /// The cluster's token key: the same on every node.
    pub token_key: SecretSource,
    /// This node's sealing key: never replicated.
    pub sealing_key: SecretSource,
    /// Whether gRPC server reflection is served.
    pub reflection: bool,
    /// How and what is logged.
    pub log: LogSettings,
    /// Where spans of calls go, and of which calls.
    pub traces: TraceSettings,
    /// The file to write once the node listens.
    pub ready_file: Option<PathBuf>,
    /// When a leader is missed.
    pub timing: Timing,
    /// How long calls may take.
    pub deadlines: Deadlines,
    /// How many calls are worked on at a time.
    pub max_calls: usize,
    /// Bytes of log after which a snapshot is made.
    pub snapshot_log_bytes: u64,
    /// Log entries that stay behind a snapshot. No flag sets it: tests keep few, so that a follower soon needs a snapshot.
    pub log_entries_kept: u64,
    /// The most time that a graceful stop may take.
    pub drain_timeout: Duration,
    /// How far from now an override that is proposed here may end, in minutes.
    pub override_max_minutes: u32,
    /// How often what was counted is reported to the cluster.
    pub usage_report: Duration,
    /// How long a stamp that is made here lives; at most 15 minutes.
    pub stamp_life: Duration,
    /// How long, by the log's time, this node signs stamps with the same key.
    pub stamp_key_life: Duration,
}

/// How and what is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// A tracing filter, such as `info,refrain=debug`; a valid one.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// Where spans of calls go, and of which calls.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSettings {
    /// A collector that speaks OTLP over gRPC, as `http://host:port`; without one there are no spans.
    pub collector: Option<String>,
    /// The part of the calls that is traced, 0 to 1, where their senders have not decided.
    pub sampled: f64,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// When a leader is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Between a leader's heartbeats.
    pub heartbeat: Duration,
    /// The least time without a leader before an election; at least three heartbeats.
    pub election_min: Duration,
    /// The most time without a leader before an election; each node draws a time between the two.
    pub election_max: Duration,
}

/// How long calls may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For a call that names none.
    pub default: Duration,
    /// The most that a call gets, whatever it asks for.
    pub max: Duration,
}

impl Config {
    /// Reads the configuration of the running process.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong, each with its place.
    pub fn load(args: &ServeArgs) -> Result<Self, ConfigError> {
        Self::from_layers(args, &std::env::vars_os().collect::<Vec<_>>())
    }

    /// The defaults, with everything kept in `data`: for tests and for programs that embed a node.
    pub fn in_folder(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            listen: loopback(7400),
            peer_listen: loopback(7401),
            advertise: None,
            peer_advertise: None,
            insecure: false,
            principals: Principals::default(),
            join: false,
            token_key: SecretSource::Made(data.join("token.key")),
            sealing_key: SecretSource::Made(data.join("sealing.key")),
            reflection: true,
            log: LogSettings {
                filter: DEFAULT_FILTER.to_owned(),
                format: LogFormat::Text,
            },
            traces: TraceSettings {
                collector: None,
                sampled: 1.0,
            },
            ready_file: None,
            timing: Timing {
                heartbeat: Duration::from_millis(100),
                election_min: Duration::from_millis(500),
                election_max: Duration::from_secs(1),
            },
            deadlines: Deadlines {
                default: Duration::from_secs(5),
                max: Duration::from_secs(60),
            },
            max_calls: 4096,
            // So little that a restart replays for no more than a few seconds.
            snapshot_log_bytes: 16 << 20,
            log_entries_kept: limits::LOG_ENTRIES_KEPT,
            drain_timeout: Duration::from_secs(10),
            override_max_minutes: 24 * 60,
            usage_report: Duration::from_secs(60),
            stamp_life: Duration::from_secs(limits::STAMP_SECONDS),
            stamp_key_life: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }

    /// Reads the configuration of a file alone, whatever the environment says: to compare it with others.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn of_file(args: &ServeArgs) -> Result<Self, ConfigError> {
        Self::from_layers(args, &[])
    }

    fn from_layers(
        args: &ServeArgs,
        environment: &[(OsString, OsString)],
    ) -> Result<Self, ConfigError> {
        let get = |name: &str| {
            let (_, value) = environment.iter().find(|(key, _)| key == name)?;
            (!value.is_empty()).then(|| value.clone())
        };
        let path = args
            .config
            .clone()
            .or_else(|| get("REFRAIN_CONFIG").map(PathBuf::from));
        let text = path.as_deref().map(read_file).transpose()?;
        let file = path.as_deref().zip(text.as_deref());
        let mut layers = Layers::stack(args, environment, file)?;
        let config = Self::read(&mut layers, get("REFRAIN_TOKEN_KEY"));
        layers.finish()?;
        Ok(config)
    }
}

/// Configuration files, and the token key of a variable: whatever they say, they are taken or refused in words.
#[cfg(any(test, fuzzing))]
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let args = ServeArgs::default();
    let file = (Path::new("refrain.toml"), text);
    let read = Layers::stack(&args, &[], Some(file)).and_then(|mut layers| {
        let config = Config::read(&mut layers, Some(text.into()));
        layers.finish().map(|()| config)
    });
    if let Err(error) = read {
        assert!(!error.to_string().is_empty(), "refused without a word");
    }
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| {
        ConfigError::one(
            format!("configuration file {}", path.display()),
            format!("cannot be read: {error}"),
            "name a TOML file with --config or REFRAIN_CONFIG",
        )
    })
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
