//! Reads each setting from the layers, and judges them together.

use std::{
    ffi::OsString,
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::{
    Config, LogFormat, Secret, SecretSource, Timing, layers::Layers, loopback, principals, secret,
};
use crate::limits;

/// What names a collector of traces.
const COLLECTOR: &str = "a collector's address such as http://127.0.0.1:4317 would do, where it takes OTLP over gRPC; this \
                         version speaks no TLS: for a collector that wants https, run a collector as an agent beside the node, \
                         and name the agent";

impl Config {
    /// Reads each setting. What is bad is noted in `layers`, and its default stands in until then.
    pub(super) fn read(layers: &mut Layers, token_key: Option<OsString>) -> Self {
        let data = layers
            .read_text("data", "name a folder", not_empty)
            .map_or_else(|| PathBuf::from("refrain-data"), PathBuf::from);
        let mut config = Self::in_folder(&data);

        let address = "an address to bind such as 127.0.0.1:7400 would do";
        set(&mut config.listen, layers.read("listen", address, bindable));
        set(
            &mut config.peer_listen,
            layers.read("peer_listen", address, bindable),
        );
        let told = "a host and port such as node-1.example.org:7400 would do";
        config.advertise = layers.read("advertise", told, reachable);
        config.peer_advertise = layers.read("peer_advertise", told, reachable);

        let truth = "`true` or `false` would do";
        set(
            &mut config.insecure,
            layers.read("insecure", truth, boolean),
        );
        set(&mut config.join, layers.read("join", truth, boolean));
        config.reflection = layers
            .read("reflection", truth, boolean)
            .unwrap_or(config.listen.ip().is_loopback());

        config.read_secrets(layers, token_key);
        config.principals = principals::read(layers);

        let filter = "a filter such as `info` or `warn,refrain=debug` would do";
        set(
            &mut config.log.filter,
            layers.read_text("log", filter, log_filter),
        );
        set(
            &mut config.log.format,
            layers.read("log_format", "`text` or `json` would do", log_format),
        );
        config.traces.collector = layers.read_text("traces", COLLECTOR, collector);
        let part = "a number from 0 to 1 such as 0.01 would do";
        set(
            &mut config.traces.sampled,
            layers.read("traces_sampled", part, part_of_one),
        );
        config.ready_file = layers
            .read_text("ready_file", "name a file", not_empty)
            .map(PathBuf::from);

        let Timing {
            heartbeat,
            election_min,
            election_max,
        } = &mut config.timing;
        set(heartbeat, millis(layers, "heartbeat_ms", 10, 10_000));
        set(
            election_min,
            millis(layers, "election_timeout_min_ms", 30, 60_000),
        );
        set(
            election_max,
            millis(layers, "election_timeout_max_ms", 40, 120_000),
        );
        set(
            &mut config.deadlines.default,
            millis(layers, "deadline_default_ms", 10, 600_000),
        );
        set(
            &mut config.deadlines.max,
            millis(layers, "deadline_max_ms", 10, 600_000),
        );
        set(
            &mut config.drain_timeout,
            millis(layers, "drain_timeout_ms", 0, 600_000),
        );
        if let Some(calls) = whole(layers, "max_calls", "", 1, 1 << 20) {
            config.max_calls = usize::try_from(calls).unwrap_or(usize::MAX);
        }
        let bytes = whole(layers, "snapshot_log_bytes", " of bytes", 1 << 16, 1 << 36);
        set(&mut config.snapshot_log_bytes, bytes);

        let most = u64::from(limits::OVERRIDE_MINUTES);
        let minutes = whole(layers, "override_max_minutes", " of minutes", 1, most);
        let minutes = minutes.and_then(|minutes| u32::try_from(minutes).ok());
        set(&mut config.override_max_minutes, minutes);
        set(
            &mut config.usage_report,
            millis(layers, "usage_report_ms", 100, 60_000),
        );

        let minutes = whole(
            layers,
            "stamp_minutes",
            " of minutes",
            1,
            limits::STAMP_SECONDS / 60,
        );
        set(
            &mut config.stamp_life,
            minutes.map(|minutes| Duration::from_secs(minutes * 60)),
        );
        let days = whole(
            layers,
            "stamp_key_days",
            " of days",
            1,
            limits::STAMP_KEY_DAYS,
        );
        set(
            &mut config.stamp_key_life,
            days.map(|days| Duration::from_secs(days * 24 * 60 * 60)),
        );

        config.judge(layers);
        config
    }

    fn read_secrets(&mut self, layers: &mut Layers, token_key: Option<OsString>) {
        let wanted = "name the file with the key";
        let file = layers.read_text("token_key_file", wanted, not_empty);
        if let Some(file) = layers.read_text("sealing_key_file", wanted, not_empty) {
            self.sealing_key = SecretSource::File(file.into());
        }
        match (token_key, file) {
            (Some(_), Some(_)) => layers.refuse(
                "token_key_file",
                "the variable REFRAIN_TOKEN_KEY is set as well".to_owned(),
                "give the key in one place",
            ),
            (Some(digits), None) => match digits.to_str().and_then(|text| Secret::parse(text).ok()) {
                Some(secret) => self.token_key = SecretSource::Given(secret),
                None => layers.refuse_variable(
                    "REFRAIN_TOKEN_KEY",
                    format!("read {} bytes that are no key", digits.len()),
                    secret::WANTED,
                ),
            },
            (None, Some(file)) => self.token_key = SecretSource::File(file.into()),
            (None, None) if self.join => layers.refuse(
                "token_key_file",
                "a node that joins needs the cluster's own token key".to_owned(),
                "copy `token.key` from the data folder of a node of that cluster and name it in token_key_file, or give \
                 its digits in the variable REFRAIN_TOKEN_KEY",
            ),
            (None, None) => {}
        }
    }

    /// Judges what only shows when settings are seen together.
    fn judge(&self, layers: &mut Layers) {
        let exposed = [
            ("listen", self.listen, &self.advertise),
            ("peer_listen", self.peer_listen, &self.peer_advertise),
        ];
        for (key, address, told) in exposed {
            if !address.ip().is_loopback() && !self.insecure {
                layers.refuse(
                    key,
                    format!("{address} can be reached from elsewhere, and this version does not encrypt what travels, tokens among it"),
                    "listen on 127.0.0.1, or say --insecure (REFRAIN_INSECURE=true, `insecure = true`) if the network is \
                     trusted",
                );
            }
            if address.ip().is_unspecified() && told.is_none() {
                let setting = if key == "listen" {
                    "advertise"
                } else {
                    "peer_advertise"
                };
                layers.refuse(
                    setting,
                    format!("{key} is {address}, which is no address to give to others"),
                    "set it to the host and port at which others reach this node",
                );
            }
        }
        if self.listen == self.peer_listen && self.listen.port() != 0 {
            layers.refuse(
                "peer_listen",
                format!("{} is the address for clients too", self.listen),
                "give peers a port of their own",
            );
        }
        let Timing {
            heartbeat,
            election_min,
            election_max,
        } = self.timing;
        if election_min < heartbeat * 3 {
            layers.refuse(
                "election_timeout_min_ms",
                format!("{} ms is less than three heartbeats of {} ms", election_min.as_millis(), heartbeat.as_millis()),
                "raise it or lower heartbeat_ms: a single late heartbeat must not cost a leader its office",
            );
        }
        if election_max < election_min + heartbeat {
            layers.refuse(
                "election_timeout_max_ms",
                format!(
                    "{} ms leaves less than a heartbeat above election_timeout_min_ms, {} ms",
                    election_max.as_millis(),
                    election_min.as_millis()
                ),
                "raise it (twice the least is usual): nodes must draw different times",
            );
        }
        if self.deadlines.default > self.deadlines.max {
            layers.refuse(
                "deadline_default_ms",
                format!(
                    "{} ms is more than deadline_max_ms, {} ms",
                    self.deadlines.default.as_millis(),
                    self.deadlines.max.as_millis()
                ),
                "lower it or raise deadline_max_ms",
            );
        }
    }
}

/// Takes what was read, where something was.
fn set<T>(setting: &mut T, read: Option<T>) {
    if let Some(read) = read {
        *setting = read;
    }
}

fn not_empty(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// An address to bind: an IP address and a port, or `localhost` and a port.
fn bindable(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix("localhost:") {
        return port.parse().ok().map(loopback);
    }
    text.parse().ok()
}

/// An address to tell: any host, and a port that is not 0.
fn reachable(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let bare = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    (bare && port != 0 && (1..=253).contains(&host.len())).then(|| text.to_owned())
}

/// A collector: its scheme, host and port.
fn collector(text: &str) -> Option<String> {
    let address = text.strip_prefix("http://")?;
    let address = address.strip_suffix('/').unwrap_or(address);
    reachable(address).map(|address| format!("http://{address}"))
}

fn part_of_one(text: &str) -> Option<f64> {
    let part: f64 = text.parse().ok()?;
    (0.0..=1.0).contains(&part).then_some(part)
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn log_filter(text: &str) -> Option<String> {
    tracing_subscriber::EnvFilter::try_new(text).ok()?;
    not_empty(text)
}

fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

fn millis(layers: &mut Layers, key: &str, least: u64, most: u64) -> Option<Duration> {
    whole(layers, key, " of milliseconds", least, most).map(Duration::from_millis)
}

fn whole(layers: &mut Layers, key: &str, unit: &str, least: u64, most: u64) -> Option<u64> {
    let wanted = format!("a whole number{unit} from {least} to {most} would do");
    layers.read(key, &wanted, |text| {
        let number = text.parse().ok()?;
        (least..=most).contains(&number).then_some(number)
    })
}
