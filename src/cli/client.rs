//! The flags that all client commands share, and the client made from them.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use refrain::client::{Client, ClientBuilder};

use super::{failure::Failure, output::Format, token};

/// Where a node listens that was started without flags.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:7400";

/// Where the cluster is and how long to wait for it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Client options")]
pub struct ClientArgs {
    /// A node's address; give it several times, or separated by commas, to go to another node when one fails
    #[arg(
        long,
        global = true,
        env = "REFRAIN_ENDPOINT",
        value_delimiter = ',',
        default_value = DEFAULT_ENDPOINT,
        value_name = "HOST:PORT"
    )]
    pub endpoint: Vec<String>,

    /// How long each call may take with all its attempts, such as 500ms, 5s, 2m
    #[arg(long, global = true, env = "REFRAIN_TIMEOUT", default_value = "5s", value_parser = parse_duration, value_name = "TIME")]
    pub timeout: Duration,

    /// How results are printed; with `json`, errors too, on standard error
    #[arg(
        long,
        global = true,
        env = "REFRAIN_OUTPUT",
        default_value = "table",
        value_enum,
        value_name = "FORM"
    )]
    pub output: Format,

    /// A file with the token of the principal that calls, which not everybody may read; or give the token in
    /// `REFRAIN_TOKEN` [default: none]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// The tenant [default: `default`]
    #[arg(long, global = true, env = "REFRAIN_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,
}

impl ClientArgs {
    /// A client for these flags.
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(self.builder()?.build()?)
    }

    /// The nodes' addresses. A variable that is set to nothing counts as not set; a flag that is given so is a mistake, and leaves
    /// none.
    pub fn endpoints(&self) -> Vec<&str> {
        let named = self.endpoint.iter().filter(|it| !it.trim().is_empty());
        let mut endpoints: Vec<&str> = named.map(String::as_str).collect();
        if endpoints.is_empty()
            && std::env::var_os("REFRAIN_ENDPOINT").is_some_and(|it| it.is_empty())
        {
            endpoints.push(DEFAULT_ENDPOINT);
        }
        endpoints
    }

    /// As [`ClientArgs::client`], to be refined.
    pub fn builder(&self) -> Result<ClientBuilder, Failure> {
        let builder = Client::builder()
            .endpoints(self.endpoints())
            .deadline(self.timeout)
            .connect_timeout(self.timeout.min(Duration::from_secs(2)))
            .namespace(self.namespace.clone().unwrap_or_default());
        Ok(match token::find(self.token_file.as_deref())? {
            Some(token) => builder.bearer(token),
            None => builder,
        })
    }
}

/// Reads `500ms`, `5s`, `2m`; a bare number means seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits
        .parse()
        .map_err(|_| "give a number and a unit, such as 500ms, 5s or 2m".to_owned())?;
    let milliseconds = match &text[digits.len()..] {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        unit => return Err(format!("`{unit}` is no unit; use ms, s or m")),
    };
    match milliseconds {
        Some(1..=3_600_000) => Ok(Duration::from_millis(milliseconds.unwrap_or_default())),
        _ => Err("it must lie between 1ms and 60m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_bounds() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for bad in [
            "",
            "s",
            "0s",
            "2h",
            "-1s",
            "1.5s",
            "99999m",
            "18446744073709551615m",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
