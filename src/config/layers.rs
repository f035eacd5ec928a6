//! The layers of the configuration (file, environment, flags), and reading one setting with its place.

use std::{ffi::OsString, path::Path};

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};

use super::{
    args::ServeArgs,
    problem::{ConfigError, Problem},
};

/// Every setting that a file or a variable may name.
pub(super) const KEYS: [&str; 27] = [
    "data",
    "listen",
    "peer_listen",
    "advertise",
    "peer_advertise",
    "insecure",
    "join",
    "token_key_file",
    "sealing_key_file",
    "reflection",
    "log",
    "log_format",
    "traces",
    "traces_sampled",
    "ready_file",
    "heartbeat_ms",
    "election_timeout_min_ms",
    "election_timeout_max_ms",
    "deadline_default_ms",
    "deadline_max_ms",
    "max_calls",
    "snapshot_log_bytes",
    "drain_timeout_ms",
    "override_max_minutes",
    "usage_report_ms",
    "stamp_minutes",
    "stamp_key_days",
];

/// Every table that a file alone may hold.
pub(super) const TABLES: [&str; 1] = ["principal"];

/// Variables with our prefix that are no settings of a node: where the file is, the secret, and what the client
/// commands read.
const OTHER_VARIABLES: [&str; 7] = [
    "REFRAIN_CONFIG",
    "REFRAIN_TOKEN_KEY",
    "REFRAIN_ENDPOINT",
    "REFRAIN_NAMESPACE",
    "REFRAIN_OUTPUT",
    "REFRAIN_TIMEOUT",
    "REFRAIN_TOKEN",
];

/// What every variable of ours begins with.
const PREFIX: &str = "REFRAIN_";

/// Values from one place, all of them text.
struct Layer {
    metadata: Metadata,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// The layers on top of each other, and the problems found while reading them.
pub(super) struct Layers {
    figment: Figment,
    values: Dict,
    problems: Vec<Problem>,
}

impl Layers {
    /// Stacks the layers: `file` (its name and text), then the environment, then the flags.
    pub(super) fn stack(
        args: &ServeArgs,
        environment: &[(OsString, OsString)],
        file: Option<(&Path, &str)>,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut figment = Figment::new();
        if let Some((path, text)) = file {
            figment = figment.merge(file_layer(path, text, &mut problems)?);
        }
        figment = figment.merge(environment_layer(environment, &mut problems));
        figment = figment.merge(flags_layer(args));
        let unreadable = |error: Error| {
            let read = error.to_string();
            ConfigError::one("the configuration", read, "correct what it names")
        };
        let values = figment.extract().map_err(unreadable)?;
        Ok(Self {
            figment,
            values,
            problems,
        })
    }

    /// Reads one setting; `None` where no layer has it, or where it is bad, which is then noted with what was `wanted`.
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = text_of(self.values.get(key)?);
        let parsed = text.as_deref().and_then(parse);
        if parsed.is_none() {
            let read = match text {
                Some(text) => format!("read `{}`", text.escape_debug()),
                None => "read a table or a list".to_owned(),
            };
            self.refuse(key, read, wanted);
        }
        parsed
    }

    /// What the file holds under a key, whatever it is.
    pub(super) fn value(&self, key: &str) -> Option<Value> {
        self.values.get(key).cloned()
    }

    /// Notes that something within a table of the file cannot stand as it is: `path` says what, from the key on.
    pub(super) fn refuse_within(
        &mut self,
        key: &str,
        path: &str,
        read: impl Into<String>,
        wanted: impl Into<String>,
    ) {
        let place = format!("{}{path}", self.place(key));
        self.problems.push(Problem {
            place,
            read: read.into(),
            wanted: wanted.into(),
        });
    }

    /// As [`Layers::read`], for what is text by nature: a number or a truth value in the file is a slip there.
    pub(super) fn read_text<T>(
        &mut self,
        key: &str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if let Some(Value::Bool(..) | Value::Num(..)) = self.values.get(key) {
            let read = "read a value that is no text".to_owned();
            self.refuse(key, read, format!("{wanted}, in quotation marks"));
            return None;
        }
        self.read(key, wanted, parse)
    }

    /// Notes that a setting cannot stand as it is.
    pub(super) fn refuse(&mut self, key: &str, read: String, wanted: impl Into<String>) {
        let place = self.place(key);
        self.problems.push(Problem {
            place,
            read,
            wanted: wanted.into(),
        });
    }

    /// Notes that a variable that is no setting is bad.
    pub(super) fn refuse_variable(&mut self, name: &str, read: String, wanted: &str) {
        self.problems.push(Problem {
            place: format!("variable {name}"),
            read,
            wanted: wanted.to_owned(),
        });
    }

    /// Ends the reading: an error if anything was bad.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError {
            problems: self.problems,
        })
    }

    /// Where a setting's value came from.
    fn place(&self, key: &str) -> String {
        match self.figment.find_metadata(key) {
            Some(metadata) => {
                let key = metadata.interpolate(&Profile::Default, &[key]);
                format!("{} {key}", metadata.name)
            }
            None => format!("setting {key} (not given, so its default)"),
        }
    }
}

fn file_layer(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Result<Layer, ConfigError> {
    let place = format!("file {}, key", path.display());
    let mut tables = Toml::string(text).data().map_err(|error| {
        let place = format!("file {}", path.display());
        let read = format!("not TOML: {}", error.to_string().trim_end());
        ConfigError::one(place, read, "correct it there")
    })?;
    let mut values = tables.remove(&Profile::Default).unwrap_or_default();
    let unknown: Vec<String> = values
        .keys()
        .filter(|key| !KEYS.contains(&key.as_str()) && !TABLES.contains(&key.as_str()))
        .cloned()
        .collect();
    for key in unknown {
        values.remove(&key);
        let known: Vec<&str> = KEYS.into_iter().chain(TABLES).collect();
        let wanted = match (key.as_str(), near_miss(&key, &known)) {
            ("token_key", _) => {
                "a secret does not belong into this file: use token_key_file or the variable REFRAIN_TOKEN_KEY"
                    .to_owned()
            }
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (_, None) => format!("the keys are {}", known.join(", ")),
        };
        problems.push(Problem {
            place: format!("{place} {key}"),
            read: "no such setting".to_owned(),
            wanted,
        });
    }
    let metadata = Metadata::named(place).interpolater(|_, path| path.join("."));
    Ok(Layer { metadata, values })
}

fn environment_layer(environment: &[(OsString, OsString)], problems: &mut Vec<Problem>) -> Layer {
    let metadata = Metadata::named("variable")
        .interpolater(|_, path| format!("{PREFIX}{}", path.join(".").to_uppercase()));
    let mut values = Dict::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        if OTHER_VARIABLES.contains(&name) || is_service_link(name) {
            continue;
        }
        let place = || format!("variable {name}");
        let Some(key) = KEYS.iter().find(|key| variable(key) == name) else {
            let known = KEYS.map(variable);
            let known: Vec<&str> = known
                .iter()
                .map(String::as_str)
                .chain(OTHER_VARIABLES)
                .collect();
            problems.push(Problem {
                place: place(),
                read: "no such setting".to_owned(),
                wanted: match near_miss(name, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("unset it; the variables are {}", known.join(", ")),
                },
            });
            continue;
        };
        match value.to_str() {
            // Compose files and unit files pass on what is not set as an empty text.
            Some("") => {}
            Some(value) => {
                values.insert((*key).to_owned(), Value::from(value));
            }
            None => problems.push(Problem {
                place: place(),
                read: "not UTF-8".to_owned(),
                wanted: "give it as UTF-8 text".to_owned(),
            }),
        }
    }
    Layer { metadata, values }
}

fn flags_layer(args: &ServeArgs) -> Layer {
    let metadata = Metadata::named("flag")
        .interpolater(|_, path| format!("--{}", path.join(".").replace('_', "-")));
    let values = args
        .given()
        .map(|(key, value)| (key.to_owned(), Value::from(value)))
        .collect();
    Layer { metadata, values }
}

/// The variable of a setting.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

/// Whether Kubernetes made this variable: it tells every pod of a service called `refrain` (or `refrain-peers`)
/// where that is, under names such as `REFRAIN_SERVICE_HOST` and `REFRAIN_PORT_7400_TCP_ADDR`.
fn is_service_link(name: &str) -> bool {
    let rest = &name[PREFIX.len()..];
    let port = rest.rfind("PORT").map(|at| &rest[at + "PORT".len()..]);
    rest.ends_with("SERVICE_HOST")
        || rest.contains("SERVICE_PORT")
        || port.is_some_and(|after| {
            after.is_empty() || after.contains("_TCP") || after.contains("_UDP")
        })
}

/// The known name that a mistyped one most likely stands for.
pub(super) fn near_miss<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, near) = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), *known))
        .min()?;
    (distance <= 1 + name.len() / 5).then_some(near)
}

/// A scalar as the text that a flag would have had; `None` for a table or a list.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Char(_, letter) => Some(letter.to_string()),
        Value::Bool(_, truth) => Some(truth.to_string()),
        Value::Num(_, number) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
            (Some(whole), _, _) => Some(whole.to_string()),
            (_, Some(whole), _) => Some(whole.to_string()),
            (_, _, real) => Some(real?.to_string()),
        },
        Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
    }
}
