//! `refrain audit export`: the events, as lines of JSON or as a table for other programs.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use futures::StreamExt as _;
use prost_types::Timestamp;
use refrain::{
    clock,
    proto::v1::{Event, ExportRequest},
};
use serde_json::json;

use super::{
    client::ClientArgs,
    exit,
    failure::Failure,
    history::{event_json, event_kind, event_signal},
    output::Output,
    paint::{grouped, moment},
    subject::SubjectArgs,
};

/// The commands below `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Writes the events up to now, those of administration among them, in their order
    Export(ExportArgs),
}

/// The flags of `audit export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Where to write; nothing that is there is written over [default: standard output]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,

    /// In which form
    #[arg(long, value_name = "FORM", default_value = "jsonl")]
    format: Form,

    /// Of this namespace alone; the namespace of the client's flags does not count here
    #[arg(long = "of-namespace", value_name = "NAME", default_value_t)]
    of: String,

    /// Received from then on, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Received before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Only events of this service: changes that it sent, overrides for it, violations of it
    #[arg(long = "of-service", value_name = "NAME", default_value_t)]
    service: String,

    /// The first revision to look at: where an export that broke off is to go on
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    from_revision: u64,

    #[command(flatten)]
    subject: SubjectArgs,
}

/// In which form events are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// One event a line, as JSON
    Jsonl,
    /// One event a row, after a row of names
    Csv,
}

/// Runs a command below `audit`.
pub async fn run(
    command: &AuditCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    match command {
        AuditCommand::Export(args) => export(args, client, output).await,
    }
}

async fn export(args: &ExportArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let request = ExportRequest {
        namespace: args.of.clone(),
        since: time("--since", args.since.as_deref())?,
        until: time("--until", args.until.as_deref())?,
        identifiers: args.subject.given()?,
        service: args.service.clone(),
        from_revision: args.from_revision,
    };
    let client = client.client()?;
    let mut sheet = Sheet::begin(args.to.as_deref(), args.format)?;
    let mut pieces = client.export(request);
    let (mut count, mut next) = (0_u64, args.from_revision);
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                sheet.end()?;
                return Err(broken_off(args, Failure::from(error), count, next));
            }
        };
        for event in &piece.events {
            sheet.write(event)?;
            count += 1;
        }
        next = piece.next_revision;
    }
    sheet.end()?;
    if args.to.is_some() {
        let json = json!({ "events": count, "next_revision": next });
        let text = || {
            format!(
                "{} events written; `--from-revision {next}` brings what comes after them.",
                grouped(count)
            )
        };
        output.result(text, &json)?;
    }
    Ok(exit::OK)
}

/// What was written is whole up to `next`; where that is nothing, no file is left in the way of the next try.
fn broken_off(args: &ExportArgs, failure: Failure, count: u64, next: u64) -> Failure {
    if next > args.from_revision {
        return failure.advise(format!(
            "{} events were written: `--from-revision {next}` goes on behind them",
            grouped(count)
        ));
    }
    match args.to.as_deref().map(std::fs::remove_file) {
        Some(Err(error)) => failure.advise(format!("the empty file is left behind: {error}")),
        Some(Ok(())) | None => failure,
    }
}

fn time(flag: &str, text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let read = |text: &str| {
        clock::moment(text).ok_or_else(|| {
            Failure::usage(format!(
                "{flag} `{text}` is no time: give one such as 2026-01-31T12:00:00Z"
            ))
        })
    };
    text.map(read).transpose()
}

/// What events are written to.
enum Sheet {
    Lines(Box<dyn Write>),
    Table(Box<csv::Writer<Box<dyn Write>>>),
}

/// The columns of a table.
const COLUMNS: [&str; 14] = [
    "revision",
    "id",
    "received_at",
    "kind",
    "namespace",
    "principal",
    "service",
    "signal",
    "tokens",
    "purposes",
    "opted_in_purposes",
    "change_id",
    "proposed_by",
    "event",
];

impl Sheet {
    fn begin(to: Option<&Path>, form: Form) -> Result<Self, Failure> {
        let sink: Box<dyn Write> = match to {
            None => Box::new(BufWriter::new(io::stdout())),
            Some(path) => {
                let file = File::create_new(path).map_err(|error| {
                    Failure::usage(format!("`{}` cannot be written: {error}", path.display()))
                })?;
                Box::new(BufWriter::new(file))
            }
        };
        Ok(match form {
            Form::Jsonl => Self::Lines(sink),
            Form::Csv => {
                let mut table = csv::Writer::from_writer(sink);
                table.write_record(COLUMNS).map_err(io::Error::from)?;
                Self::Table(Box::new(table))
            }
        })
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        let json = event_json(event);
        match self {
            Self::Lines(sink) => writeln!(sink, "{json}"),
            Self::Table(table) => {
                let tokens = event.tokens.iter();
                let tokens = tokens.map(|it| format!("{}={}", it.r#type, it.token));
                let row = [
                    event.revision.to_string(),
                    event.id.clone(),
                    moment(event.received_at.as_ref()),
                    event_kind(event).to_owned(),
                    event.namespace.clone(),
                    event.principal.clone(),
                    event.service.clone(),
                    event_signal(event).to_owned(),
                    tokens.collect::<Vec<_>>().join(" "),
                    event.purposes.join(" "),
                    event.opted_in_purposes.join(" "),
                    event.change_id.clone(),
                    event.proposed_by.clone(),
                    json.to_string(),
                ];
                table.write_record(row).map_err(io::Error::from)
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Lines(sink) => sink.flush(),
            Self::Table(table) => table.flush(),
        }
    }
}
