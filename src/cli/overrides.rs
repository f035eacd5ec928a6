//! `refrain override`: lifting opt-outs for a while, by two principals, never in silence.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use prost_types::Timestamp;
use refrain::{
    client::Client,
    clock::{Clock as _, SystemClock},
    proto::v1::{
        ApproveOverrideRequest, OverrideScope, ProposeOverrideRequest, RevokeOverrideRequest,
    },
};
use serde_json::json;

use super::{
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    override_list,
    paint::{grouped, moment},
    request::{RequestArgs, failed},
    subject::SubjectArgs,
};

/// What `override` can do.
#[derive(Debug, Subcommand)]
pub enum OverrideCommand {
    /// Proposes one; it lifts nothing until another principal approves it
    ///
    /// With one identifier (--email and so on) it lifts that person's opt-outs alone, without one everybody's.
    Propose(Box<ProposeArgs>),
    /// Approves one that another principal proposed: from here on it lifts opt-outs
    Approve(OverrideArgs),
    /// Ends one at once, or withdraws one that was only proposed
    Revoke(OverrideArgs),
    /// Shows those that are proposed, in force, or just over, and what each let through
    List,
}

/// The flags of `override propose`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("end").required(true).args(["for", "until"]))]
pub struct ProposeArgs {
    /// A purpose whose opt-outs are lifted, with what lies under it; any number
    #[arg(long, value_name = "PURPOSE", required = true)]
    purpose: Vec<String>,

    /// A service that may go on; any number
    #[arg(long, value_name = "NAME", required = true)]
    service: Vec<String>,

    /// Why, for those who audit; no personal data
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// How long it lasts, counted from now, such as 30m or 2h
    #[arg(long = "for", id = "for", value_name = "TIME", value_parser = parse_span)]
    lasting: Option<Duration>,

    /// When it ends, such as 2030-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    until: Option<Timestamp>,

    #[command(flatten)]
    request: RequestArgs,

    #[command(flatten)]
    subject: SubjectArgs,
}

/// Which override.
#[derive(Debug, Args)]
pub struct OverrideArgs {
    /// The override's id, as `refrain override list` shows it
    #[arg(value_name = "OVERRIDE")]
    id: String,

    #[command(flatten)]
    request: RequestArgs,
}

/// Runs `override`.
pub async fn run(
    command: &OverrideCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    match command {
        OverrideCommand::Propose(args) => propose(args, &client, output).await,
        OverrideCommand::Approve(args) => approve(args, &client, output).await,
        OverrideCommand::Revoke(args) => revoke(args, &client, output).await,
        OverrideCommand::List => override_list::run(&client, output).await,
    }
}

async fn propose(args: &ProposeArgs, client: &Client, output: &Output) -> Result<u8, Failure> {
    let subject = args.subject.at_most_one()?;
    let expires_at = args.expires_at();
    let request_id = args.request.id(client);
    let request = ProposeOverrideRequest {
        request_id: request_id.clone(),
        scope: Some(OverrideScope {
            namespace: String::new(),
            purposes: args.purpose.clone(),
            services: args.service.clone(),
            subject,
        }),
        reason: args.reason.clone(),
        expires_at: Some(expires_at),
    };
    let done = client.propose_override(request).await;
    // The same request again has the same end, which `--for` would count anew.
    let again = format!("--until {} --request-id", moment(Some(&expires_at)));
    let done = done.map_err(|error| Failure::from(error).retry_with(&again, &request_id))?;
    let json = json!({
        "override_id": done.override_id,
        "revision": done.revision,
        "expires_at": moment(Some(&expires_at)),
        "request_id": done.request_id,
    });
    let text = || {
        format!(
            "proposed, and nothing is lifted until another principal approves it:\n  refrain override approve {}\nit \
             ends at {}",
            done.override_id,
            moment(Some(&expires_at)),
        )
    };
    output.result(text, &json)?;
    Ok(exit::OK)
}

async fn approve(args: &OverrideArgs, client: &Client, output: &Output) -> Result<u8, Failure> {
    let request_id = args.request.id(client);
    let request = ApproveOverrideRequest {
        request_id: request_id.clone(),
        override_id: args.id.clone(),
    };
    let done = client.approve_override(request).await;
    let done = done.map_err(failed(&request_id))?;
    let json = json!({
        "event_id": done.event_id,
        "revision": done.revision,
        "request_id": done.request_id,
    });
    let text = || {
        format!(
            "in force from revision {} on; `refrain override revoke {}` ends it",
            grouped(done.revision),
            args.id
        )
    };
    output.result(text, &json)?;
    Ok(exit::OK)
}

async fn revoke(args: &OverrideArgs, client: &Client, output: &Output) -> Result<u8, Failure> {
    let request_id = args.request.id(client);
    let request = RevokeOverrideRequest {
        request_id: request_id.clone(),
        override_id: args.id.clone(),
    };
    let done = client.revoke_override(request).await;
    let done = done.map_err(failed(&request_id))?;
    let changed = !done.event_id.is_empty();
    let json = json!({
        "event_id": done.event_id,
        "revision": done.revision,
        "changed": changed,
        "request_id": done.request_id,
    });
    let text = || {
        let revision = grouped(done.revision);
        if changed {
            format!("it lifts nothing any more, revision {revision}")
        } else {
            "it was over already".to_owned()
        }
    };
    output.result(text, &json)?;
    Ok(exit::OK)
}

impl ProposeArgs {
    fn expires_at(&self) -> Timestamp {
        if let Some(until) = self.until {
            return until;
        }
        let lasting = self.lasting.unwrap_or_default();
        // Whole seconds: what is printed is what was asked for.
        let seconds = SystemClock.now().0 / 1_000 + lasting.as_secs();
        Timestamp {
            seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
            nanos: 0,
        }
    }
}

/// Reads `30m`, `2h`, `1d`.
fn parse_span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits
        .parse()
        .map_err(|_| "give a number and a unit, such as 30m or 2h".to_owned())?;
    let minutes = match &text[digits.len()..] {
        "m" => Some(number),
        "h" => number.checked_mul(60),
        "d" => number.checked_mul(24 * 60),
        unit => return Err(format!("`{unit}` is no unit; use m, h or d")),
    };
    // The cluster has a maximum of its own, which is shorter than a year.
    match minutes {
        Some(minutes @ 1..=527_040) => Ok(Duration::from_secs(minutes * 60)),
        _ => Err("it must lie between 1m and 366d".to_owned()),
    }
}

/// Reads a time in RFC 3339.
fn parse_moment(text: &str) -> Result<Timestamp, String> {
    refrain::clock::moment(text).ok_or_else(|| {
        "give a time with its distance from UTC, as 2030-01-31T12:00:00Z or 2030-01-31T12:00:00+01:00"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units_and_bounds() {
        assert_eq!(parse_span("30m"), Ok(Duration::from_secs(1_800)));
        assert_eq!(parse_span("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(parse_span("1d"), Ok(Duration::from_secs(86_400)));
        for bad in [
            "",
            "h",
            "0h",
            "2",
            "2s",
            "-1h",
            "1.5h",
            "367d",
            "18446744073709551615d",
        ] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_are_read_as_they_are_printed() {
        let end = parse_moment("2030-01-31T12:00:00Z").unwrap();
        assert_eq!(moment(Some(&end)), "2030-01-31T12:00:00Z");
        for bad in [
            "",
            "tomorrow",
            "12:00",
            "2030-01-31",
            "2030-01-31T12:00:00",
            "2030-01-31 12:00:00Z",
        ] {
            assert!(parse_moment(bad).is_err(), "{bad}");
        }
    }
}
