//! The flags of `refrain serve`: every setting as an optional flag, the heaviest of the layers.

use std::path::PathBuf;

use clap::Args;

/// Flags that start a node. All are optional: what no flag says comes from the environment (`REFRAIN_*`), then from
/// the file given with `--config`, then from the defaults named here.
///
/// Values stay text here, so that a bad one is judged in one place and gets the same message whether it came from a
/// flag, a variable or a file.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// A TOML file with settings, the keys as here with `_` for `-` [env: `REFRAIN_CONFIG`]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The folder that holds everything the node keeps [default: ./refrain-data]
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<String>,

    /// Where to listen for clients (gRPC and HTTP) [default: 127.0.0.1:7400]
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<String>,

    /// Where to listen for the other nodes [default: 127.0.0.1:7401]
    #[arg(long, value_name = "IP:PORT")]
    pub peer_listen: Option<String>,

    /// The address that others are told for clients [default: the one listened on]
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,

    /// The address that others are told for peers [default: the one listened on]
    #[arg(long, value_name = "HOST:PORT")]
    pub peer_advertise: Option<String>,

    /// Listen on more than loopback although nothing is encrypted; and where no principals are configured, take every
    /// caller's word [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub insecure: Option<String>,

    /// On a fresh data folder, wait for `cluster init` or `cluster add` instead of forming a cluster of one
    /// [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub join: Option<String>,

    /// A file with the cluster's token key, 64 hex digits; or give the digits in `REFRAIN_TOKEN_KEY`
    /// [default: `token.key` in the data folder, made at first unless --join]
    #[arg(long, value_name = "FILE")]
    pub token_key_file: Option<String>,

    /// A file with this node's sealing key, 64 hex digits [default: `sealing.key` in the data folder, made at first]
    #[arg(long, value_name = "FILE")]
    pub sealing_key_file: Option<String>,

    /// Whether gRPC server reflection is served [default: only when listening on loopback]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub reflection: Option<String>,

    /// What is logged, as a tracing filter such as `info,refrain=debug` [default: info, and of Raft what is wrong]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,

    /// How log lines look: `text` or `json` [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,

    /// The collector that spans of calls go to, by OTLP over gRPC, such as `http://127.0.0.1:4317` [default: none, no spans]
    #[arg(long, value_name = "URL")]
    pub traces: Option<String>,

    /// The part of the calls, 0 to 1, whose spans are sent; of calls that come with a trace, their sender has decided
    /// [default: 1]
    #[arg(long, value_name = "PART")]
    pub traces_sampled: Option<String>,

    /// A file to write once the node listens: JSON with `client`, `peer`, `node_id` and `pid` [default: none]
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<String>,

    /// Milliseconds between a leader's heartbeats [default: 100]
    #[arg(long, value_name = "MS")]
    pub heartbeat_ms: Option<String>,

    /// The least milliseconds without a leader before an election [default: 500]
    #[arg(long, value_name = "MS")]
    pub election_timeout_min_ms: Option<String>,

    /// The most milliseconds without a leader before an election [default: 1000]
    #[arg(long, value_name = "MS")]
    pub election_timeout_max_ms: Option<String>,

    /// Milliseconds that a call may take when it names no deadline [default: 5000]
    #[arg(long, value_name = "MS")]
    pub deadline_default_ms: Option<String>,

    /// The most milliseconds that a call may ask for [default: 60000]
    #[arg(long, value_name = "MS")]
    pub deadline_max_ms: Option<String>,

    /// How many calls are worked on at a time; more are turned away with `RESOURCE_EXHAUSTED` [default: 4096]
    #[arg(long, value_name = "COUNT")]
    pub max_calls: Option<String>,

    /// Bytes of log after which a snapshot is made [default: 16777216]
    #[arg(long, value_name = "BYTES")]
    pub snapshot_log_bytes: Option<String>,

    /// The most milliseconds that a graceful stop may take [default: 10000]
    #[arg(long, value_name = "MS")]
    pub drain_timeout_ms: Option<String>,

    /// How many minutes from now an override that is proposed here may end [default: 1440]
    #[arg(long, value_name = "MINUTES")]
    pub override_max_minutes: Option<String>,

    /// Milliseconds between two reports of who asked and what overrides let through [default: 60000]
    #[arg(long, value_name = "MS")]
    pub usage_report_ms: Option<String>,

    /// How many minutes a stamp that is made here lives, 1 to 15 [default: 15]
    #[arg(long, value_name = "MINUTES")]
    pub stamp_minutes: Option<String>,

    /// Days until this node changes the key that it signs stamps with [default: 30]
    #[arg(long, value_name = "DAYS")]
    pub stamp_key_days: Option<String>,
}

impl ServeArgs {
    /// The settings that were given, under the keys that the other layers use too.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("data", &self.data),
            ("listen", &self.listen),
            ("peer_listen", &self.peer_listen),
            ("advertise", &self.advertise),
            ("peer_advertise", &self.peer_advertise),
            ("insecure", &self.insecure),
            ("join", &self.join),
            ("token_key_file", &self.token_key_file),
            ("sealing_key_file", &self.sealing_key_file),
            ("reflection", &self.reflection),
            ("log", &self.log),
            ("log_format", &self.log_format),
            ("traces", &self.traces),
            ("traces_sampled", &self.traces_sampled),
            ("ready_file", &self.ready_file),
            ("heartbeat_ms", &self.heartbeat_ms),
            ("election_timeout_min_ms", &self.election_timeout_min_ms),
            ("election_timeout_max_ms", &self.election_timeout_max_ms),
            ("deadline_default_ms", &self.deadline_default_ms),
            ("deadline_max_ms", &self.deadline_max_ms),
            ("max_calls", &self.max_calls),
            ("snapshot_log_bytes", &self.snapshot_log_bytes),
            ("drain_timeout_ms", &self.drain_timeout_ms),
            ("override_max_minutes", &self.override_max_minutes),
            ("usage_report_ms", &self.usage_report_ms),
            ("stamp_minutes", &self.stamp_minutes),
            ("stamp_key_days", &self.stamp_key_days),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.as_deref()?)))
    }
}
