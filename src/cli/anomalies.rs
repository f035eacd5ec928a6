//! `refrain anomalies`: what is out of the ordinary, and what counts as that.

use clap::{Args, ValueEnum};
use refrain::{
    clock,
    proto::v1::{
        AnomalyKind, AnomalySettings, ConfigureAnomaliesRequest, Event, ListAnomaliesRequest,
    },
};
use serde_json::{Value, json};

use super::{
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Paint, Tone, cell, grouped, moment, word},
};

/// The most events that one page can hold.
const PAGE_MAX: u32 = 1_000;

/// The flags of `anomalies`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AnomaliesArgs {
    #[command(subcommand)]
    settings: Option<Settings>,

    /// Of this kind alone
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,

    /// In this namespace alone; the namespace of the client's flags does not count here
    #[arg(long = "of-namespace", value_name = "NAME", default_value_t)]
    of: String,

    /// Found from then on, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// At most so many events, the newest first
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// What can be done beside listing.
#[derive(Debug, clap::Subcommand)]
enum Settings {
    /// Shows what counts as out of the ordinary, and sets what is named, on all nodes
    Settings(SettingsArgs),
}

/// How something is out of the ordinary.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// One subject went back and forth
    Flapping,
    /// One subject changed many times
    ManyChanges,
    /// One caller made many changes
    Burst,
    /// The same request came again and again
    Repeated,
    /// An import was far longer or shorter than the last
    ImportSize,
}

/// What to set; what is left out stays as it is.
#[derive(Debug, Args)]
struct SettingsArgs {
    /// How long changes of one subject are counted, 1 to 3600
    #[arg(long, value_name = "SECONDS")]
    subject_window: Option<u32>,

    /// Tell from so many changes of one subject on; 0 for never
    #[arg(long, value_name = "COUNT")]
    subject_changes: Option<u32>,

    /// Tell from so many turns of one subject on, from out to in or back; 0 for never
    #[arg(long, value_name = "COUNT")]
    subject_turns: Option<u32>,

    /// How long changes by one caller are counted, 1 to 3600
    #[arg(long, value_name = "SECONDS")]
    caller_window: Option<u32>,

    /// Tell from so many changes by one caller on; 0 for never
    #[arg(long, value_name = "COUNT")]
    caller_changes: Option<u32>,

    /// How long repeats of the same request are counted, 1 to 3600
    #[arg(long, value_name = "SECONDS")]
    repeat_window: Option<u32>,

    /// Tell from so many repeats on; 0 for never
    #[arg(long, value_name = "COUNT")]
    repeats: Option<u32>,

    /// Tell of an import that is so many times as long, or as short, as the one before; 0 for never
    #[arg(long, value_name = "FACTOR")]
    import_factor: Option<u32>,

    /// Only where the longer of the two has so many rows
    #[arg(long, value_name = "ROWS")]
    import_rows: Option<u32>,
}

impl SettingsArgs {
    fn over(&self, standing: AnomalySettings) -> AnomalySettings {
        AnomalySettings {
            subject_window_s: self.subject_window.unwrap_or(standing.subject_window_s),
            subject_changes: self.subject_changes.unwrap_or(standing.subject_changes),
            subject_turns: self.subject_turns.unwrap_or(standing.subject_turns),
            caller_window_s: self.caller_window.unwrap_or(standing.caller_window_s),
            caller_changes: self.caller_changes.unwrap_or(standing.caller_changes),
            repeat_window_s: self.repeat_window.unwrap_or(standing.repeat_window_s),
            repeats: self.repeats.unwrap_or(standing.repeats),
            import_factor: self.import_factor.unwrap_or(standing.import_factor),
            import_rows: self.import_rows.unwrap_or(standing.import_rows),
        }
    }
}

/// Lists anomalies, or shows and sets what counts as one.
pub async fn run(
    args: &AnomaliesArgs,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    match &args.settings {
        Some(Settings::Settings(wanted)) => settings(wanted, client, output).await,
        None => list(args, client, output).await,
    }
}

async fn settings(
    wanted: &SettingsArgs,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    let standing = client.anomaly_settings().await?;
    let next = wanted.over(standing);
    let changed = next != standing
        && client
            .configure_anomalies(ConfigureAnomaliesRequest {
                request_id: String::new(),
                settings: Some(next),
            })
            .await?
            .changed;
    let json = json!({ "changed": changed, "settings": settings_json(&next) });
    output.result(|| settings_text(&next, changed, output.paint), &json)?;
    Ok(exit::OK)
}

/// What counts as out of the ordinary, for programs.
pub fn settings_json(it: &AnomalySettings) -> Value {
    json!({
        "subject_window_s": it.subject_window_s,
        "subject_changes": it.subject_changes,
        "subject_turns": it.subject_turns,
        "caller_window_s": it.caller_window_s,
        "caller_changes": it.caller_changes,
        "repeat_window_s": it.repeat_window_s,
        "repeats": it.repeats,
        "import_factor": it.import_factor,
        "import_rows": it.import_rows,
    })
}

fn settings_text(it: &AnomalySettings, changed: bool, paint: Paint) -> String {
    let mut table = paint.table(["KIND", "TOLD FROM", "WITHIN"]);
    let mut row = |kind: &str, count: u32, what: &str, window: Option<u32>| {
        let told = if count == 0 {
            "never".to_owned()
        } else {
            format!("{} {what}", grouped(u64::from(count)))
        };
        let within = window.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds} s"));
        table.add_row([
            cell(Tone::Bold, kind),
            cell(Tone::Plain, told),
            cell(Tone::Plain, within),
        ]);
    };
    let subject = Some(it.subject_window_s);
    row("flapping", it.subject_turns, "turns", subject);
    row("many_changes", it.subject_changes, "changes", subject);
    row(
        "burst",
        it.caller_changes,
        "changes",
        Some(it.caller_window_s),
    );
    row("repeated", it.repeats, "repeats", Some(it.repeat_window_s));
    let rows = grouped(u64::from(it.import_rows));
    let times = format!("times as many rows or fewer, of at least {rows}");
    row("import_size", it.import_factor, &times, None);
    let mut text = table.trim_fmt();
    if changed {
        text.push_str("\n\nChanged, on all nodes.");
    }
    text
}

async fn list(args: &AnomaliesArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let since = args.since.as_deref().map(|text| {
        clock::moment(text).ok_or_else(|| {
            Failure::usage(format!(
                "--since `{text}` is no time: give one such as 2026-01-31T12:00:00Z"
            ))
        })
    });
    let since = since.transpose()?;
    let kind = args
        .kind
        .map_or(AnomalyKind::Unspecified, |kind| match kind {
            Kind::Flapping => AnomalyKind::Flapping,
            Kind::ManyChanges => AnomalyKind::ManyChanges,
            Kind::Burst => AnomalyKind::Burst,
            Kind::Repeated => AnomalyKind::Repeated,
            Kind::ImportSize => AnomalyKind::ImportSize,
        });
    let client = client.client()?;
    let (mut events, mut before) = (Vec::new(), 0);
    loop {
        let left = args.limit - u32::try_from(events.len()).unwrap_or(args.limit);
        let request = ListAnomaliesRequest {
            namespace: args.of.clone(),
            kind: kind.into(),
            since,
            limit: left.min(PAGE_MAX),
            before_revision: before,
        };
        let page = client.anomalies(request).await?;
        events.extend(page.events);
        before = page.next_before_revision;
        if before == 0 || events.len() >= usize::try_from(args.limit).unwrap_or(usize::MAX) {
            break;
        }
    }
    let json = json!({
        "anomalies": events.iter().map(as_json).collect::<Vec<Value>>(),
        "next_before_revision": before,
    });
    output.result(|| as_text(&events, before, output.paint), &json)?;
    Ok(exit::OK)
}

/// An anomaly for programs.
pub fn as_json(event: &Event) -> Value {
    let found = event.anomaly.clone().unwrap_or_default();
    json!({
        "event_id": event.id,
        "revision": event.revision,
        "found_at": moment(event.received_at.as_ref()),
        "namespace": event.namespace,
        "kind": word(found.kind().as_str_name(), "ANOMALY_KIND_"),
        "principal": event.principal,
        "type": found.r#type,
        "token": found.token,
        "count": found.count,
        "expected": found.expected,
        "window_s": found.window_s,
    })
}

fn as_text(events: &[Event], before: u64, paint: Paint) -> String {
    if events.is_empty() {
        return "Nothing out of the ordinary.".to_owned();
    }
    let mut table = paint.table([
        "KIND",
        "COUNT",
        "WITHIN",
        "CALLER",
        "SUBJECT",
        "NAMESPACE",
        "FOUND",
        "EVENT",
    ]);
    for event in events {
        let found = event.anomaly.clone().unwrap_or_default();
        let within = match found.window_s {
            0 => format!("{} before", grouped(found.expected)),
            seconds => format!("{seconds} s"),
        };
        table.add_row([
            cell(Tone::Bad, word(found.kind().as_str_name(), "ANOMALY_KIND_")),
            cell(Tone::Plain, grouped(found.count)),
            cell(Tone::Plain, within),
            cell(Tone::Bold, &event.principal),
            cell(Tone::Plain, &found.token),
            cell(Tone::Plain, &event.namespace),
            cell(Tone::Plain, moment(event.received_at.as_ref())),
            cell(Tone::Plain, &event.id),
        ]);
    }
    let mut text = table.trim_fmt();
    if before > 0 {
        text.push_str("\n\nThere are older ones: raise --limit.");
    }
    text
}
