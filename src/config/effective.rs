//! The settings as they are in force on a node, for comparing it with the others.

use super::{Config, LogFormat, SecretSource};

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the configuration file.
    pub name: &'static str,
    /// Its value as text. Of what is secret, or says who may call, a fingerprint.
    pub value: String,
    /// Whether it is this node's own, such as an address, so that it may differ from the others'.
    pub own: bool,
}

impl Config {
    /// Every setting in force, in the order of the example configuration.
    pub fn effective(&self) -> Vec<Setting> {
        let advertised = |told: &Option<String>| told.clone().unwrap_or_default();
        let own = [
            ("data", self.data.display().to_string()),
            ("listen", self.listen.to_string()),
            ("peer_listen", self.peer_listen.to_string()),
            ("advertise", advertised(&self.advertise)),
            ("peer_advertise", advertised(&self.peer_advertise)),
            ("join", self.join.to_string()),
            ("token_key_file", place(&self.token_key)),
            ("sealing_key_file", place(&self.sealing_key)),
            ("traces", self.traces.collector.clone().unwrap_or_default()),
            (
                "ready_file",
                self.ready_file
                    .as_ref()
                    .map(|path| path.display().to_string())
                    .unwrap_or_default(),
            ),
        ];
        let ms = |time: std::time::Duration| time.as_millis().to_string();
        let format = match self.log.format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let (minutes, days) = (60, 24 * 60 * 60);
        let common = [
            ("insecure", self.insecure.to_string()),
            ("reflection", self.reflection.to_string()),
            ("log", self.log.filter.clone()),
            ("log_format", format.to_owned()),
            ("traces_sampled", self.traces.sampled.to_string()),
            ("heartbeat_ms", ms(self.timing.heartbeat)),
            ("election_timeout_min_ms", ms(self.timing.election_min)),
            ("election_timeout_max_ms", ms(self.timing.election_max)),
            ("deadline_default_ms", ms(self.deadlines.default)),
            ("deadline_max_ms", ms(self.deadlines.max)),
            ("max_calls", self.max_calls.to_string()),
            ("snapshot_log_bytes", self.snapshot_log_bytes.to_string()),
            ("drain_timeout_ms", ms(self.drain_timeout)),
            (
                "override_max_minutes",
                self.override_max_minutes.to_string(),
            ),
            ("usage_report_ms", ms(self.usage_report)),
            (
                "stamp_minutes",
                (self.stamp_life.as_secs() / minutes).to_string(),
            ),
            (
                "stamp_key_days",
                (self.stamp_key_life.as_secs() / days).to_string(),
            ),
            ("principal", self.principals.fingerprint()),
        ];
        let setting = |own| move |(name, value)| Setting { name, value, own };
        let own = own.into_iter().map(setting(true));
        own.chain(common.into_iter().map(setting(false))).collect()
    }
}

/// Where a secret comes from. What it is, is told by fingerprints elsewhere.
fn place(source: &SecretSource) -> String {
    match source {
        SecretSource::Given(_) => "REFRAIN_TOKEN_KEY".to_owned(),
        SecretSource::File(path) | SecretSource::Made(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::layers::{KEYS, TABLES};
    use super::*;

    #[test]
    fn every_setting_that_there_is_can_be_compared() {
        let config = Config::in_folder("data".as_ref());
        let told: BTreeSet<&str> = config.effective().iter().map(|one| one.name).collect();
        let known: BTreeSet<&str> = KEYS.into_iter().chain(TABLES).collect();
        assert_eq!(told, known);
    }
}
