//! `refrain check`: may data about this person be used?

use clap::Args;
use refrain::{
    client::Cause,
    proto::v1::{CheckRequest, CheckResponse, Reason},
};
use serde_json::{Value, json};

use super::{
    caller::CallerArgs,
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Paint, Tone, grouped, moment, word},
    subject::SubjectArgs,
};

/// The flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    subject: SubjectArgs,

    /// What the data would be used for, such as marketing.email
    #[arg(long, value_name = "PURPOSE")]
    purpose: String,

    #[command(flatten)]
    caller: CallerArgs,

    /// A revision that the answer must have reached
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    min_revision: u64,
}

/// Asks, prints, and says ALLOW or DENY by the exit status.
pub async fn run(args: &CheckArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let question = CheckRequest {
        identifiers: args.subject.identifiers()?,
        purpose: args.purpose.clone(),
        service: args.caller.service.clone(),
        min_revision: args.min_revision,
        schema_version: args.caller.schema_version,
        ..Default::default()
    };
    match client.client()?.check(question).await {
        Ok(allowed) => {
            show(true, allowed.answer(), &args.purpose, output)?;
            Ok(exit::OK)
        }
        Err(denied) => match denied.cause {
            Cause::Decided(answer) => {
                show(false, &answer, &args.purpose, output)?;
                Ok(exit::DENIED)
            }
            Cause::Unanswered(error) => Err(Failure::from(error).denying()),
        },
    }
}

fn show(
    allowed: bool,
    answer: &CheckResponse,
    purpose: &str,
    output: &Output,
) -> Result<(), Failure> {
    let text = || as_text(allowed, answer, purpose, output.paint).join("\n");
    output.result(text, &as_json(allowed, answer))
}

/// An answer for people, line by line.
pub fn as_text(allowed: bool, answer: &CheckResponse, purpose: &str, paint: Paint) -> Vec<String> {
    let verdict = if allowed {
        paint.text(Tone::Good, "ALLOW")
    } else {
        paint.text(Tone::Bad, "DENY")
    };
    let reason = word(answer.reason().as_str_name(), "REASON_");
    vec![
        format!("{verdict}  {purpose}: {} ({reason})", why(answer.reason())),
        paint.fact("event", or_none(&answer.event_id)),
        paint.fact("revision", grouped(answer.revision)),
        paint.fact("node time", moment(answer.evaluated_at.as_ref())),
        paint.fact("decision", or_none(&answer.decision_id)),
    ]
}

/// An answer for programs.
pub fn as_json(allowed: bool, answer: &CheckResponse) -> Value {
    json!({
        "decision": if allowed { "ALLOW" } else { "DENY" },
        "reason": word(answer.reason().as_str_name(), "REASON_"),
        "event_id": answer.event_id,
        "revision": answer.revision,
        "decision_id": answer.decision_id,
        "override_id": answer.override_id,
        "evaluated_at": moment(answer.evaluated_at.as_ref()),
    })
}

/// A reason in words.
pub fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Unspecified => "no reason given",
        Reason::OptedOut => "the person opted out",
        Reason::DefaultDeny => "the person said nothing, and the purpose's default is to deny",
        Reason::OptedIn => "the person opted in",
        Reason::DefaultAllow => "the person said nothing, and the purpose's default is to allow",
        Reason::Essential => "the purpose is essential",
        Reason::Overridden => "the person opted out, and an override lifts that for now",
    }
}

/// A text, or that there is none.
pub fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
