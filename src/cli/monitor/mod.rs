//! `refrain report`, `refrain violations` and `refrain score`: what services processed, and how they stand.

mod report;

use clap::Args;
use refrain::{
    clock,
    proto::v1::{Event, GetScoresRequest, ListViolationsRequest, ServiceScore},
};
use serde_json::{Value, json};

pub use self::report::{ReportArgs, run as report};

use super::{
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Paint, Tone, cell, grouped, moment, word},
};

/// The most events that one page can hold.
const PAGE_MAX: u32 = 1_000;

/// The flags of `violations`.
#[derive(Debug, Args)]
pub struct ViolationsArgs {
    /// Of this service alone
    #[arg(long, value_name = "NAME", default_value_t)]
    service: String,

    /// In this namespace alone; the namespace of the client's flags does not count here
    #[arg(long = "of-namespace", value_name = "NAME", default_value_t)]
    of: String,

    /// Received from then on, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// At most so many events, the newest first
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// The flags of `score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Of this service alone
    #[arg(value_name = "SERVICE", default_value_t)]
    service: String,

    /// Over so many hours up to now
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=168))]
    hours: u32,
}

/// Lists violations.
pub async fn violations(
    args: &ViolationsArgs,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let since = args.since.as_deref().map(|text| {
        clock::moment(text).ok_or_else(|| {
            Failure::usage(format!(
                "--since `{text}` is no time: give one such as 2026-01-31T12:00:00Z"
            ))
        })
    });
    let since = since.transpose()?;
    let client = client.client()?;
    let (mut events, mut before) = (Vec::new(), 0);
    loop {
        let left = args.limit - u32::try_from(events.len()).unwrap_or(args.limit);
        let request = ListViolationsRequest {
            namespace: args.of.clone(),
            service: args.service.clone(),
            since,
            limit: left.min(PAGE_MAX),
            before_revision: before,
        };
        let page = client.violations(request).await?;
        events.extend(page.events);
        before = page.next_before_revision;
        if before == 0 || events.len() >= usize::try_from(args.limit).unwrap_or(usize::MAX) {
            break;
        }
    }
    let json = json!({
        "violations": events.iter().map(as_json).collect::<Vec<Value>>(),
        "next_before_revision": before,
    });
    output.result(|| as_text(&events, before, output.paint), &json)?;
    Ok(exit::OK)
}

/// Violations for programs.
pub fn as_json(event: &Event) -> Value {
    let found = event.violations.clone().unwrap_or_default();
    json!({
        "event_id": event.id,
        "revision": event.revision,
        "received_at": moment(event.received_at.as_ref()),
        "namespace": event.namespace,
        "service": found.service,
        "reported_by": event.principal,
        "purpose": event.purposes.first(),
        "kind": word(found.kind().as_str_name(), "VIOLATION_KIND_"),
        "count": found.count,
        "first_at": moment(found.first_at.as_ref()),
        "last_at": moment(found.last_at.as_ref()),
        "samples": found.samples.iter().map(|one| json!({
            "type": one.r#type,
            "token": one.token,
            "processed_at": moment(one.processed_at.as_ref()),
            "opt_out_event_id": one.opt_out_event_id,
        })).collect::<Vec<Value>>(),
    })
}

fn as_text(events: &[Event], before: u64, paint: Paint) -> String {
    if events.is_empty() {
        return "No violations.".to_owned();
    }
    let mut table = paint.table([
        "SERVICE",
        "REPORTED BY",
        "KIND",
        "TIMES",
        "PURPOSE",
        "NAMESPACE",
        "LAST",
        "EVENT",
    ]);
    for event in events {
        let found = event.violations.clone().unwrap_or_default();
        table.add_row([
            cell(Tone::Bold, &found.service),
            cell(Tone::Plain, &event.principal),
            cell(
                Tone::Bad,
                word(found.kind().as_str_name(), "VIOLATION_KIND_"),
            ),
            cell(Tone::Plain, grouped(found.count)),
            cell(Tone::Plain, event.purposes.join(", ")),
            cell(Tone::Plain, &event.namespace),
            cell(Tone::Plain, moment(found.last_at.as_ref())),
            cell(Tone::Plain, &event.id),
        ]);
    }
    let mut text = table.trim_fmt();
    if before > 0 {
        text.push_str("\n\nThere are older ones: raise --limit.");
    }
    text
}

/// Shows scores.
pub async fn score(args: &ScoreArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let request = GetScoresRequest {
        service: args.service.clone(),
        hours: args.hours,
    };
    let scores = client.client()?.scores(request).await?;
    let json = json!({
        "hours": args.hours,
        "scores": scores.iter().map(|one| json!({
            "service": one.service,
            "score": one.score,
            "score_before": one.score_before,
            "judged": one.judged,
            "violations": one.violations.iter().map(|it| json!({
                "kind": word(it.kind().as_str_name(), "VIOLATION_KIND_"),
                "count": it.count,
            })).collect::<Vec<Value>>(),
        })).collect::<Vec<Value>>(),
    });
    output.result(|| in_a_table(&scores, args.hours, output.paint), &json)?;
    Ok(exit::OK)
}

fn in_a_table(scores: &[ServiceScore], hours: u32, paint: Paint) -> String {
    if scores.is_empty() {
        return format!("Nothing was reported in the last {} hours.", 2 * hours);
    }
    let mut table = paint.table(["SERVICE", "SCORE", "BEFORE", "REPORTS", "VIOLATIONS"]);
    for one in scores {
        let tone = match one.score {
            Some(score) if score >= 100.0 => Tone::Good,
            Some(_) => Tone::Bad,
            None => Tone::Plain,
        };
        let number = |score: Option<f64>| {
            score.map_or_else(|| "-".to_owned(), |score| format!("{score:.2}"))
        };
        let violations = one.violations.iter().map(|it| {
            let kind = word(it.kind().as_str_name(), "VIOLATION_KIND_");
            format!("{} {kind}", grouped(it.count))
        });
        let service = if one.service.is_empty() {
            "(others)"
        } else {
            &one.service
        };
        table.add_row([
            cell(Tone::Bold, service),
            cell(tone, number(one.score)),
            cell(Tone::Plain, number(one.score_before)),
            cell(Tone::Plain, grouped(one.judged)),
            cell(Tone::Plain, violations.collect::<Vec<_>>().join(", ")),
        ]);
    }
    table.trim_fmt()
}
