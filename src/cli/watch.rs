//! `refrain watch`: follows the events until Ctrl-C.

use clap::Args;
use futures::StreamExt as _;
use refrain::{client::Seen, proto::v1::WatchRequest};
use serde_json::{Value, json};

use super::{
    caller::CallerArgs,
    client::ClientArgs,
    exit,
    failure::Failure,
    history::{event_json, event_kind, event_purposes, event_signal},
    output::{Format, Output},
    paint::{Tone, grouped, moment, word},
};

/// The flags of `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The first revision wanted; 1 for all that ever was [default: only what is new]
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    from: u64,

    /// First print the preferences that stand
    #[arg(long, conflicts_with = "from")]
    snapshot: bool,

    /// Only events that touch this purpose, what lies under it or above it; any number
    #[arg(long, value_name = "PURPOSE")]
    purpose: Vec<String>,

    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,

    /// Print heartbeats too: everything up to their revision has been seen
    #[arg(long)]
    heartbeats: bool,

    #[command(flatten)]
    caller: CallerArgs,
}

/// Prints events as they come.
pub async fn run(args: &WatchArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let request = WatchRequest {
        from_revision: args.from,
        snapshot: args.snapshot,
        namespaces: client.namespace.clone().into_iter().collect(),
        purposes: args.purpose.clone(),
        schema_version: args.caller.schema_version,
        service: args.caller.service.clone(),
        ..WatchRequest::default()
    };
    let mut feed = client.client()?.watch(request);
    let mut events = 0;
    let mut told = false;
    let enough = |events: u64| args.limit.is_some_and(|limit| events >= limit);
    while !output.closed() && !enough(events) {
        let seen = tokio::select! {
            seen = feed.next() => seen,
            _ = tokio::signal::ctrl_c() => break,
        };
        let seen = match seen {
            Some(Ok(seen)) => seen,
            Some(Err(error)) => return Err(error.into()),
            None => break,
        };
        match &seen {
            Seen::Event(_) => events += 1,
            Seen::Heartbeat(heartbeat) if !args.heartbeats => {
                if !std::mem::replace(&mut told, true) {
                    let revision = grouped(heartbeat.revision);
                    output.note(format_args!(
                        "watching, revision {revision}; Ctrl-C ends it"
                    ));
                }
                continue;
            }
            Seen::Interrupted { why, .. } => output.note(format_args!("the feed broke off: {why}")),
            _ => {}
        }
        match output.format {
            Format::Json => output.line(as_json(&seen))?,
            Format::Table => {
                if let Some(text) = as_text(&seen, output) {
                    output.line(text)?;
                }
            }
        }
    }
    Ok(exit::OK)
}

fn as_text(seen: &Seen, output: &Output) -> Option<String> {
    let text = match seen {
        Seen::Event(event) => {
            let kind = output
                .paint
                .text(Tone::Bold, format!("{:<8}", event_kind(event)));
            let of: Vec<&str> = event.tokens.iter().map(|it| it.r#type.as_str()).collect();
            format!(
                "{:>10}  {}  {kind}  {}  {}  {}  {}",
                grouped(event.revision),
                moment(event.received_at.as_ref()),
                event.namespace,
                event_purposes(event),
                of.join(" "),
                event_signal(event),
            )
        }
        Seen::Heartbeat(heartbeat) => {
            let text = format!("{:>10}  heartbeat", grouped(heartbeat.revision));
            output.paint.text(Tone::Dim, text)
        }
        Seen::Standing(standing) => format!(
            "{:>10}  stands  {:<8}  {}  {}  {}",
            grouped(standing.revision),
            word(standing.change().as_str_name(), "CHANGE_"),
            standing.namespace,
            standing.purpose,
            standing.token,
        ),
        Seen::Synced(revision) => {
            let text = format!("{:>10}  all that stands is above", grouped(*revision));
            output.paint.text(Tone::Dim, text)
        }
        Seen::Interrupted { from_the_start, .. } if *from_the_start => {
            "            what stands comes again from the start".to_owned()
        }
        Seen::Interrupted { .. } => return None,
    };
    Some(text)
}

fn as_json(seen: &Seen) -> Value {
    match seen {
        Seen::Event(event) => json!({ "event": event_json(event) }),
        Seen::Heartbeat(it) => json!({ "heartbeat": {
            "revision": it.revision,
            "sent_at": moment(it.sent_at.as_ref()),
        }}),
        Seen::Standing(it) => json!({ "standing": {
            "namespace": it.namespace,
            "token": it.token,
            "purpose": it.purpose,
            "change": word(it.change().as_str_name(), "CHANGE_"),
            "event_id": it.event_id,
            "revision": it.revision,
        }}),
        Seen::Synced(revision) => json!({ "synced": { "revision": revision } }),
        Seen::Interrupted {
            why,
            from_the_start,
        } => json!({ "interrupted": { "why": why, "from_the_start": from_the_start } }),
    }
}
