//! `refrain preferences` and `refrain history`: what stands for a person, and how it came about.

use clap::Args;
use refrain::proto::v1::{
    Decision, Event, EventToken, GetPreferencesRequest, GetPreferencesResponse, ListEventsRequest,
};
use serde_json::{Value, json};

use super::{
    anomalies::{as_json as anomaly_json, settings_json},
    caller::CallerArgs,
    check::why,
    client::ClientArgs,
    exit,
    failure::Failure,
    monitor::as_json as violation_json,
    output::Output,
    paint::{Paint, Tone, cell, grouped, moment, word},
    subject::SubjectArgs,
};

/// The most events that one page of history can hold.
const PAGE_MAX: u32 = 1_000;

/// The flags of `preferences`.
#[derive(Debug, Args)]
pub struct PreferencesArgs {
    #[command(flatten)]
    subject: SubjectArgs,

    /// A revision that the answer must have reached
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    min_revision: u64,

    #[command(flatten)]
    caller: CallerArgs,
}

/// The flags of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    subject: SubjectArgs,

    /// At most so many events, the newest first
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    /// Only events older than this revision
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    before: u64,

    #[command(flatten)]
    caller: CallerArgs,
}

/// Prints what stands for a person.
pub async fn preferences(
    args: &PreferencesArgs,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let request = GetPreferencesRequest {
        identifiers: args.subject.identifiers()?,
        min_revision: args.min_revision,
        schema_version: args.caller.schema_version,
        service: args.caller.service.clone(),
        ..Default::default()
    };
    let standing = client.client()?.preferences(request).await?;
    let json = json!({
        "revision": standing.revision,
        "last_revision": standing.last_revision,
        "preferences": standing.preferences.iter().map(|it| json!({
            "type": it.r#type,
            "token": it.token,
            "purpose": it.purpose,
            "change": word(it.change().as_str_name(), "CHANGE_"),
            "event_id": it.event_id,
            "revision": it.revision,
            "received_at": moment(it.received_at.as_ref()),
            "signalled": it.signalled,
        })).collect::<Vec<Value>>(),
        "decisions": standing.decisions.iter().map(|it| json!({
            "purpose": it.purpose,
            "decision": word(it.decision().as_str_name(), "DECISION_"),
            "reason": word(it.reason().as_str_name(), "REASON_"),
            "event_id": it.event_id,
        })).collect::<Vec<Value>>(),
    });
    output.result(|| as_text(&standing, output.paint), &json)?;
    Ok(exit::OK)
}

fn as_text(standing: &GetPreferencesResponse, paint: Paint) -> String {
    let mut decisions = paint.table(["PURPOSE", "DECISION", "WHY"]);
    for it in &standing.decisions {
        let (tone, decision) = match it.decision() {
            Decision::Allow => (Tone::Good, "ALLOW"),
            Decision::Deny | Decision::Unspecified => (Tone::Bad, "DENY"),
        };
        decisions.add_row([
            cell(Tone::Plain, &it.purpose),
            cell(tone, decision),
            cell(Tone::Plain, why(it.reason())),
        ]);
    }
    let mut text = decisions.trim_fmt();
    text.push_str("\n\n");
    if standing.preferences.is_empty() {
        text.push_str("No record stands: the defaults decide.");
    } else {
        let mut records = paint.table(["RECORD", "PURPOSE", "OF", "REVISION", "RECEIVED"]);
        for it in &standing.preferences {
            let change = word(it.change().as_str_name(), "CHANGE_");
            let signalled = if it.signalled { " (signal)" } else { "" };
            records.add_row([
                cell(Tone::Bold, format!("{change}{signalled}")),
                cell(Tone::Plain, &it.purpose),
                cell(Tone::Plain, &it.r#type),
                cell(Tone::Plain, grouped(it.revision)),
                cell(Tone::Plain, moment(it.received_at.as_ref())),
            ]);
        }
        text.push_str(&records.trim_fmt());
    }
    let revision = format!("\n\nas of revision {}", grouped(standing.revision));
    text.push_str(&paint.text(Tone::Dim, revision));
    text
}

/// Prints a person's events, newest first.
pub async fn history(
    args: &HistoryArgs,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut request = ListEventsRequest {
        identifiers: args.subject.identifiers()?,
        before_revision: args.before,
        schema_version: args.caller.schema_version,
        service: args.caller.service.clone(),
        ..Default::default()
    };
    let mut events: Vec<Event> = Vec::new();
    let (revision, next) = loop {
        let left = limit - events.len();
        request.page_size = u32::try_from(left).unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let page = client.list_events(request.clone()).await?;
        let before = request.before_revision;
        let next = page.next_before_revision;
        events.extend(page.events.into_iter().take(left));
        // A page that does not lead further back would be read for ever.
        let leads_back = next != 0 && (before == 0 || next < before);
        if events.len() >= limit || !leads_back {
            break (page.revision, next);
        }
        request.before_revision = next;
    };
    let json = json!({
        "revision": revision,
        "next_before_revision": next,
        "events": events.iter().map(event_json).collect::<Vec<Value>>(),
    });
    let text = || {
        if events.is_empty() {
            return "No events.".to_owned();
        }
        let mut table = output.paint.table([
            "REVISION", "RECEIVED", "EVENT", "PURPOSES", "SIGNAL", "BY", "ID",
        ]);
        for event in &events {
            table.add_row([
                cell(Tone::Plain, grouped(event.revision)),
                cell(Tone::Plain, moment(event.received_at.as_ref())),
                cell(Tone::Bold, event_kind(event)),
                cell(Tone::Plain, event_purposes(event)),
                cell(Tone::Plain, event_signal(event)),
                cell(Tone::Plain, &event.principal),
                cell(Tone::Dim, &event.id),
            ]);
        }
        let older = match next {
            0 => String::new(),
            next => format!("\n\nolder ones: --before {next}"),
        };
        table.trim_fmt() + &older
    };
    output.result(text, &json)?;
    Ok(exit::OK)
}

/// What an event recorded, in a word.
pub fn event_kind(event: &Event) -> &'static str {
    word(event.kind().as_str_name(), "EVENT_KIND_")
}

/// How the wish arrived, in a word.
pub fn event_signal(event: &Event) -> &'static str {
    word(event.signal().as_str_name(), "SIGNAL_")
}

/// What an event is about: the purposes that it names, those opted in to beside others opted out of with a `+`; or the member.
pub fn event_purposes(event: &Event) -> String {
    if let Some(done) = &event.membership {
        let act = word(done.act().as_str_name(), "MEMBERSHIP_ACT_");
        return format!("{act} {} {}", done.node_id, done.peer_address);
    }
    let opted_in = event.opted_in_purposes.iter().map(|it| format!("+{it}"));
    let all = event.purposes.iter().cloned().chain(opted_in);
    all.collect::<Vec<String>>().join(" ")
}

fn token_json(token: &EventToken) -> Value {
    json!({
        "type": token.r#type,
        "token": token.token,
        "previous_revision": token.previous_revision,
    })
}

/// An event for programs.
pub fn event_json(event: &Event) -> Value {
    let mut all = json!({
        "id": event.id,
        "revision": event.revision,
        "kind": event_kind(event),
        "namespace": event.namespace,
        "tokens": event.tokens.iter().map(token_json).collect::<Vec<Value>>(),
        "purposes": event.purposes,
        "opted_in_purposes": event.opted_in_purposes,
        "signal": event_signal(event),
        "principal": event.principal,
        "received_at": moment(event.received_at.as_ref()),
        "evidence_sha256": hex::encode(&event.evidence_sha256),
        "change_id": event.change_id,
        "proposed_by": event.proposed_by,
        "service": event.service,
        "lifted": event.lifted.iter().map(|it| json!({
            "service": it.service,
            "count": it.count,
        })).collect::<Vec<Value>>(),
    });
    // What only some kinds have is left out of the others.
    if event.violations.is_some() {
        all["violations"] = violation_json(event);
    }
    if let Some(done) = &event.membership {
        all["membership"] = json!({
            "node_id": done.node_id,
            "peer_address": done.peer_address,
            "act": word(done.act().as_str_name(), "MEMBERSHIP_ACT_"),
        });
    }
    if event.anomaly.is_some() {
        all["anomaly"] = anomaly_json(event);
    }
    if let Some(erased) = &event.erased_evidence {
        all["erased_evidence"] = json!({
            "tokens": erased.tokens.iter().map(token_json).collect::<Vec<Value>>(),
            "revisions": erased.revisions,
        });
    }
    if let Some(settings) = &event.anomaly_settings {
        all["anomaly_settings"] = settings_json(settings);
    }
    all
}
