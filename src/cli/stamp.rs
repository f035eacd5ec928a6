//! `refrain stamp`: does a stamp still hold?

use std::io::Read as _;

use clap::{Args, Subcommand};
use prost_types::Timestamp;
use refrain::{
    client::{Cause, Error},
    proto::v1::{CheckResponse, VerifyStampRequest},
    stamp::{Claims, Stamped},
};
use serde_json::{Value, json};

use super::{
    check::{as_json, as_text, or_none},
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Tone, grouped, moment},
    subject::SubjectArgs,
};

/// The most bytes that are read from standard input: more than a stamp has, with room for white space around it.
const INPUT_BYTES: u64 = 16 << 10;

/// What the authority says of a stamp that does not count: nothing may be done by it.
const WORTHLESS: [&str; 5] = [
    "STAMP_INVALID",
    "STAMP_EXPIRED",
    "STAMP_NAMESPACE_DIFFERS",
    "STAMP_PURPOSE_DIFFERS",
    "STAMP_SUBJECT_DIFFERS",
];

/// What `stamp` can do.
#[derive(Debug, Subcommand)]
pub enum StampCommand {
    /// Asks whether a stamp is genuine, and whether data about the person whom it is about may be used now
    ///
    /// Name the person as the message does, above all by --token: whoever writes a message can put another person's stamp
    /// to it. Without, it is about whom the stamp says.
    ///
    /// Exit status 0: ALLOW, now. 3: DENY, or the stamp is forged, expired, or about another namespace, purpose or person.
    /// Any
    /// other: there is no answer, so do not process.
    #[command(after_help = exit::HELP)]
    Verify(VerifyArgs),
}

/// The flags of `stamp verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The stamp as it came with the message; `-` reads it from standard input
    stamp: String,

    /// What the data would be used for, such as marketing.email; one of the stamp's purposes
    #[arg(long, value_name = "PURPOSE")]
    purpose: String,

    #[command(flatten)]
    subject: SubjectArgs,

    /// The service that asks
    #[arg(long, value_name = "NAME", default_value = "")]
    service: String,

    /// The registry's schema version that the caller was built for
    #[arg(long, value_name = "VERSION", default_value_t = 0)]
    schema_version: u32,
}

/// Runs `stamp`.
pub async fn run(
    command: &StampCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let StampCommand::Verify(args) = command;
    let stamp = match args.stamp.as_str() {
        "-" => from_input()?,
        stamp => stamp.trim().to_owned(),
    };
    let question = VerifyStampRequest {
        stamp: stamp.clone(),
        purpose: args.purpose.clone(),
        identifiers: args.subject.given()?,
        service: args.service.clone(),
        schema_version: args.schema_version,
        ..Default::default()
    };
    match client.client()?.verify_stamp(question).await {
        Ok(allowed) => {
            show(true, allowed.answer(), &stamp, args, output)?;
            Ok(exit::OK)
        }
        Err(denied) => match denied.cause {
            Cause::Decided(answer) => {
                show(false, &answer, &stamp, args, output)?;
                Ok(exit::DENIED)
            }
            Cause::Unanswered(error) if WORTHLESS.contains(&error.reason()) => {
                refuse(&error, args, output)?;
                Ok(exit::DENIED)
            }
            Cause::Unanswered(error) => Err(Failure::from(error).denying()),
        },
    }
}

fn from_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let input = std::io::stdin().lock();
    input.take(INPUT_BYTES + 1).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let stamp = text.trim();
    if stamp.is_empty() || text.len() as u64 > INPUT_BYTES {
        let failure = Failure::data("standard input holds no stamp, or more than one");
        return Err(failure.denying());
    }
    Ok(stamp.to_owned())
}

/// Tells what holds now, and what the stamp says: the authority has found it genuine.
fn show(
    allowed: bool,
    answer: &CheckResponse,
    stamp: &str,
    args: &VerifyArgs,
    output: &Output,
) -> Result<(), Failure> {
    let claims = Claims::unverified(stamp);
    let claims = claims.map_err(|error| Failure::other(error.to_string()).denying())?;
    let paint = output.paint;
    let text = || {
        let mut lines = as_text(allowed, answer, &args.purpose, paint);
        let said = format!(
            "{} as of revision {}",
            said(&claims),
            grouped(claims.revision)
        );
        lines.push(paint.fact("stamp", said));
        lines.push(paint.fact("made", at(claims.issued_at)));
        lines.push(paint.fact("expires", at(claims.expires_at)));
        lines.push(paint.fact("for", or_none(&claims.service)));
        lines.join("\n")
    };
    let mut all = as_json(allowed, answer);
    all["stamp"] = stamped(&claims);
    output.result(text, &all)
}

fn refuse(error: &Error, args: &VerifyArgs, output: &Output) -> Result<(), Failure> {
    let text = || {
        let verdict = output.paint.text(Tone::Bad, "DENY");
        let (purpose, reason) = (&args.purpose, error.reason());
        format!("{verdict}  {purpose}: {} ({reason})", error.message())
    };
    let told = json!({
        "decision": "DENY",
        "reason": error.reason(),
        "message": error.message(),
    });
    output.result(text, &told)
}

fn stamped(claims: &Claims) -> Value {
    json!({
        "decision": said(claims),
        "revision": claims.revision,
        "namespace": claims.namespace,
        "tokens": claims.tokens,
        "purposes": claims.purposes,
        "service": claims.service,
        "issued_at": at(claims.issued_at),
        "expires_at": at(claims.expires_at),
        "decision_id": claims.decision_id,
    })
}

fn said(claims: &Claims) -> &'static str {
    match claims.decision {
        Stamped::Allow => "ALLOW",
        Stamped::Deny => "DENY",
    }
}

/// A time of a stamp in RFC 3339.
fn at(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    moment(Some(&Timestamp { seconds, nanos: 0 }))
}
