//! Each layer's weight, and a message for each bad setting.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::Path, time::Duration};

use clap::{CommandFactory as _, Parser};

use super::{Config, ConfigError, LogFormat, Secret, SecretSource, ServeArgs, layers::KEYS};
use crate::clock::SystemEntropy;

mod principals;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: ServeArgs,
}

fn args(flags: &[&str]) -> ServeArgs {
    Program::try_parse_from(std::iter::once(&"refrain").chain(flags))
        .expect("flags")
        .args
}

fn load(flags: &[&str], environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment: Vec<(OsString, OsString)> = environment
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    Config::from_layers(&args(flags), &environment)
}

fn complaint(flags: &[&str], environment: &[(&str, &str)]) -> String {
    load(flags, environment)
        .expect_err("must be refused")
        .to_string()
}

/// Writes a configuration file and hands its path to `check`.
fn with_file<T>(text: &str, check: impl FnOnce(&str) -> T) -> T {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("node.toml");
    std::fs::write(&path, text).expect("file");
    check(path.to_str().expect("utf-8"))
}

#[test]
fn nothing_said_gives_the_defaults() {
    let config = load(&[], &[]).expect("defaults");
    assert_eq!(config, Config::in_folder(Path::new("refrain-data")));
    assert!(config.reflection);
}

#[test]
fn flags_weigh_more_than_variables_and_those_more_than_the_file() {
    let text = "heartbeat_ms = 150\nlog = \"warn\"\nlog_format = \"json\"\njoin = false\n";
    with_file(text, |file| {
        let environment = [
            ("REFRAIN_CONFIG", file),
            ("REFRAIN_HEARTBEAT_MS", "120"),
            ("REFRAIN_LOG", "debug"),
        ];
        let config = load(&["--log", "error"], &environment).expect("config");
        assert_eq!(config.log.filter, "error");
        assert_eq!(config.timing.heartbeat, Duration::from_millis(120));
        assert_eq!(config.log.format, LogFormat::Json);
    });
}

#[test]
fn a_bad_value_is_named_with_its_place() {
    let flag = complaint(&["--heartbeat-ms", "often"], &[]);
    assert_eq!(
        flag,
        "flag --heartbeat-ms: read `often`; a whole number of milliseconds from 10 to 10000 would do"
    );
    let variable = complaint(&[], &[("REFRAIN_LISTEN", "7400")]);
    assert!(
        variable.starts_with("variable REFRAIN_LISTEN: read `7400`; an address"),
        "{variable}"
    );
    with_file("snapshot_log_bytes = -1\njoin = [true]", |file| {
        let both = complaint(&["--config", file], &[]);
        assert!(
            both.contains(&format!("file {file}, key snapshot_log_bytes: read `-1`; ")),
            "{both}"
        );
        assert!(
            both.contains("key join: read a table or a list; `true` or `false` would do"),
            "{both}"
        );
    });
}

#[test]
fn a_number_is_no_folder() {
    with_file("data = 5\ntoken_key_file = true\n", |file| {
        let said = complaint(&["--config", file], &[]);
        for part in [
            "data: read a value that is no text",
            "token_key_file: read",
            "quotation",
        ] {
            assert!(said.contains(part), "{part:?} is missing in {said}");
        }
    });
}

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion() {
    with_file("lisen = \"127.0.0.1:1\"", |file| {
        let message = complaint(&["--config", file], &[]);
        assert!(
            message.ends_with("key lisen: no such setting; did you mean `listen`?"),
            "{message}"
        );
    });
    with_file("[tls]\ncertificate = \"a\"", |file| {
        let message = complaint(&["--config", file], &[]);
        assert!(message.contains("key tls: no such setting"), "{message}");
    });
    let message = complaint(&[], &[("REFRAIN_HARTBEAT_MS", "100")]);
    assert!(
        message.contains("did you mean `REFRAIN_HEARTBEAT_MS`?"),
        "{message}"
    );
}

#[test]
fn what_kubernetes_and_compose_set_is_no_error() {
    let environment = [
        ("REFRAIN_SERVICE_HOST", "10.0.0.1"),
        ("REFRAIN_SERVICE_PORT_GRPC", "7400"),
        ("REFRAIN_PORT", "tcp://10.0.0.1:7400"),
        ("REFRAIN_PEERS_PORT_7401_TCP_ADDR", "10.0.0.1"),
        ("REFRAIN_ADVERTISE", ""),
    ];
    load(&[], &environment).expect("config");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let missing = complaint(&["--config", "/no/such/node.toml"], &[]);
    assert!(
        missing.starts_with("configuration file /no/such/node.toml: cannot be read"),
        "{missing}"
    );
    with_file("listen = ", |file| {
        let message = complaint(&["--config", file], &[]);
        assert!(message.contains("not TOML"), "{message}");
    });
    let environment = [("REFRAIN_LOG".into(), OsString::from_vec(vec![0xff]))];
    let message = Config::from_layers(&args(&[]), &environment)
        .expect_err("refused")
        .to_string();
    assert!(
        message.starts_with("variable REFRAIN_LOG: not UTF-8"),
        "{message}"
    );
}

#[test]
fn more_than_loopback_needs_a_word() {
    let message = complaint(&["--listen", "192.0.2.1:7400"], &[]);
    assert!(message.contains("say --insecure"), "{message}");
    let config = load(&["--listen", "192.0.2.1:7400", "--insecure"], &[]).expect("config");
    assert!(
        !config.reflection,
        "reflection is off beyond loopback unless asked for"
    );

    let message = complaint(&["--listen", "0.0.0.0:7400", "--insecure=yes"], &[]);
    assert!(message.contains("advertise"), "{message}");
    let told = [
        "--listen",
        "0.0.0.0:7400",
        "--insecure",
        "--advertise",
        "node-1:7400",
    ];
    load(&told, &[]).expect("config");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (flags, word) in [
        (&["--heartbeat-ms", "400"][..], "three heartbeats"),
        (
            &["--election-timeout-max-ms", "510"],
            "must draw different times",
        ),
        (&["--deadline-default-ms", "90000"], "deadline_max_ms"),
        (&["--peer-listen", "127.0.0.1:7400"], "port of their own"),
        (&["--advertise", "somewhere"], "a host and port"),
        (&["--advertise", "a b:1"], "a host and port"),
        (&["--log", "refrain=loud=er"], "a filter"),
    ] {
        let message = complaint(flags, &[]);
        assert!(message.contains(word), "{flags:?}: {message}");
    }
}

#[test]
fn the_token_key_comes_from_one_place_and_is_never_shown() {
    let digits = "0123456789".repeat(7)[..64].to_owned();
    let config = load(&[], &[("REFRAIN_TOKEN_KEY", &digits)]).expect("config");
    let SecretSource::Given(secret) = &config.token_key else {
        panic!("{config:?}");
    };
    assert_eq!(hex::encode(secret.expose()), digits);
    assert!(!format!("{config:?}").contains("0123456789"));

    let message = complaint(&[], &[("REFRAIN_TOKEN_KEY", "0123456789secret")]);
    assert!(
        message.contains("read 16 bytes that are no key"),
        "{message}"
    );
    assert!(
        !message.contains("secret;") && !message.contains("0123456789"),
        "{message}"
    );
    let both = complaint(
        &["--token-key-file", "key"],
        &[("REFRAIN_TOKEN_KEY", &digits)],
    );
    assert!(both.contains("in one place"), "{both}");
    let joins = complaint(&["--join"], &[]);
    assert!(joins.contains("copy `token.key`"), "{joins}");
    with_file("token_key = \"00\"", |file| {
        let message = complaint(&["--config", file], &[]);
        assert!(message.contains("REFRAIN_TOKEN_KEY"), "{message}");
    });
}

#[test]
fn a_collector_of_traces_is_named_by_its_address() {
    let config = load(&[], &[]).expect("defaults");
    assert_eq!(
        (config.traces.collector, config.traces.sampled),
        (None, 1.0)
    );
    with_file(
        "traces = \"http://localhost:4317/\"\ntraces_sampled = 0.01",
        |file| {
            let config = load(&["--config", file], &[]).expect("config");
            assert_eq!(
                config.traces.collector.as_deref(),
                Some("http://localhost:4317")
            );
            let part = config.traces.sampled;
            assert!((part - 0.01).abs() < f64::EPSILON, "{part}");
        },
    );
    for bad in [
        "https://localhost:4317",
        "localhost:4317",
        "http://localhost",
        "http://a b:1",
        "http://a:1/v1/traces",
    ] {
        let said = complaint(&["--traces", bad], &[]);
        assert!(
            said.contains("speaks no TLS") && said.contains("as an agent"),
            "{said}"
        );
    }
    for bad in ["2", "-0.1", "NaN", "some"] {
        let said = complaint(&[], &[("REFRAIN_TRACES_SAMPLED", bad)]);
        assert!(said.contains("from 0 to 1"), "{said}");
    }
}

#[test]
fn a_key_is_made_once_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("new/token.key");
    let source = SecretSource::Made(path.clone());
    let made = source.resolve(&SystemEntropy).expect("made");
    let bits = std::fs::metadata(&path)
        .expect("metadata")
        .permissions()
        .mode();
    assert_eq!(bits & 0o777, 0o600);
    assert_eq!(source.resolve(&SystemEntropy).expect("read"), made);
    assert_eq!(
        SecretSource::File(path.clone())
            .resolve(&SystemEntropy)
            .expect("read"),
        made
    );

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    let open = source
        .resolve(&SystemEntropy)
        .expect_err("open to all")
        .to_string();
    assert!(open.contains("chmod 600"), "{open}");

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    std::fs::write(&path, "secretsecret").expect("write");
    let bad = source
        .resolve(&SystemEntropy)
        .expect_err("no key")
        .to_string();
    assert!(
        bad.contains("64 hex digits") && !bad.contains("secretsecret"),
        "{bad}"
    );
    let missing = SecretSource::File(folder.path().join("none"));
    assert!(missing.resolve(&SystemEntropy).is_err());
    assert!(!format!("{:?}", Secret::new([7; 32])).contains('7'));
}

#[test]
fn every_setting_has_a_flag_with_its_default_in_the_help() {
    let command = Program::command();
    for key in KEYS {
        let argument = command
            .get_arguments()
            .find(|argument| argument.get_id().as_str() == key)
            .unwrap_or_else(|| panic!("no flag for {key}"));
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        if !key.ends_with("advertise") {
            assert!(help.contains("[default: "), "{key}: {help}");
        }
    }
}

#[test]
fn a_damaged_key_is_told_from_another_key() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("sealing.key");
    let source = SecretSource::Made(path.clone());
    let made = source.resolve(&SystemEntropy).expect("made");
    let whole = std::fs::read_to_string(&path).expect("text");
    let key = hex::encode(made.expose());
    for place in 0..key.len() {
        let other = if &key[place..=place] == "0" { "1" } else { "0" };
        let mut damaged = whole.clone();
        damaged.replace_range(place..=place, other);
        std::fs::write(&path, damaged).expect("write");
        let message = source
            .resolve(&SystemEntropy)
            .expect_err("damaged")
            .to_string();
        assert!(
            message.contains("does not match its checksum") && message.contains("backup"),
            "{message}"
        );
        assert!(!message.contains(&key[..8]), "{message}");
    }
    // As `openssl rand -hex 32` makes it.
    std::fs::write(&path, format!("{key}\n")).expect("write");
    assert_eq!(source.resolve(&SystemEntropy).expect("read"), made);
}
