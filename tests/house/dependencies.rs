//! What a program builds that takes the library for its client alone, as `cargo tree` tells it.

use std::process::Command;

use crate::source::root;

/// Crates of the server and of the program, none of which a client may bring along.
const SERVER: [&str; 28] = [
    "axum",
    "chacha20poly1305",
    "clap",
    "comfy-table",
    "crc32c",
    "csv",
    "figment",
    "hmac",
    "indicatif",
    "openraft",
    "openraft-rt-tokio",
    "opentelemetry-otlp",
    "opentelemetry_sdk",
    "postcard",
    "prost-build",
    "protox",
    "regex-syntax",
    "rustix",
    "sled",
    "strsim",
    "tempfile",
    "toml",
    "tonic-health",
    "tonic-reflection",
    "tracing-opentelemetry",
    "tracing-subscriber",
    "turmoil",
    "unicode-normalization",
];

/// The names of all crates that the client alone is built from, itself included.
pub fn of_the_client_alone() -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["tree", "--offline", "--locked", "--edges", "normal"])
        // With all that a client may want.
        .args([
            "--no-default-features",
            "--features",
            "client,opentelemetry",
        ])
        .args(["--prefix", "none", "--format", "{p}"])
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree failed:\n{said}");
    let lines = String::from_utf8(output.stdout).expect("names of crates");
    let names = lines.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// Those among them that belong to the server; one line each.
pub fn of_the_server(names: &[String]) -> Vec<String> {
    let mut bad = Vec::new();
    if !names.iter().any(|name| name == "tonic") {
        bad.push("the list of crates does not name tonic, so it is no list of the client".into());
    }
    let foreign = SERVER
        .iter()
        .filter(|it| names.iter().any(|name| name == *it));
    bad.extend(foreign.map(|it| format!("the client alone is built with `{it}`")));
    bad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_of_the_server_is_found() {
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(of_the_server(&names(&["tonic", "sled", "axum"])).len(), 2);
        assert_eq!(of_the_server(&names(&["tonic", "axum-core"])), [""; 0]);
        assert_eq!(of_the_server(&[]).len(), 1);
    }
}
