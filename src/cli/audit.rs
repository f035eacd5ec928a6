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
    proto::v1::{Event, ExportRequest, ExportResponse},
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
    let (mut sheet, file) = Sheet::begin(args.to.as_deref(), args.format)?;
    let mut pieces = client.export(request);
    let mut whole = Whole {
        events: 0,
        bytes: 0,
        next: args.from_revision,
    };
    while let Some(piece) = pieces.next().await {
        let written = match piece {
            Ok(piece) => whole.and(&mut sheet, file.as_ref(), &piece),
            Err(error) => Err(error.into()),
        };
        if let Err(failure) = written {
            // What the sheet still holds would be written when it goes.
            drop(sheet);
            let file = args.to.as_deref().zip(file.as_ref());
            return Err(whole.broken_off(args.from_revision, file, failure));
        }
    }
    let Whole {
        events: count,
        next,
        ..
    } = whole;
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

/// What was written up to the end of a piece.
struct Whole {
    /// How many events.
    events: u64,
    /// How long the file is with them.
    bytes: u64,
    /// The first revision that was not looked at.
    next: u64,
}

impl Whole {
    /// Writes a piece, all the way to the file.
    fn and(
        &mut self,
        sheet: &mut Sheet,
        file: Option<&File>,
        piece: &ExportResponse,
    ) -> Result<(), Failure> {
        for event in &piece.events {
            sheet.write(event)?;
        }
        sheet.end()?;
        if let Some(file) = file {
            self.bytes = file.metadata()?.len();
        }
        self.events += u64::try_from(piece.events.len()).unwrap_or_default();
        self.next = piece.next_revision;
        Ok(())
    }

    /// What came behind the last whole piece is taken away again; a file without events is not left in the way of the next try.
    fn broken_off(&self, from: u64, file: Option<(&Path, &File)>, failure: Failure) -> Failure {
        let (events, next) = (grouped(self.events), self.next);
        let mut failure = failure;
        if next > from {
            failure = failure.advise(format!(
                "{events} events were written, whole up to revision {next}: `--from-revision {next}` goes on behind them"
            ));
        }
        let Some((path, file)) = file else {
            return failure;
        };
        let tidied = match self.events {
            0 => std::fs::remove_file(path),
            _ => file.set_len(self.bytes),
        };
        match tidied {
            Ok(()) => failure,
            Err(error) => failure.advise(format!(
                "what is left of the last piece in `{}` cannot be taken away: {error}",
                path.display()
            )),
        }
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
    /// Begins to write; also brings the file, where it is one.
    fn begin(to: Option<&Path>, form: Form) -> Result<(Self, Option<File>), Failure> {
        let create = |path: &Path| {
            let file = File::create_new(path).and_then(|file| Ok((file.try_clone()?, file)));
            file.map_err(|error| {
                Failure::usage(format!("`{}` cannot be written: {error}", path.display()))
            })
        };
        let (sink, file): (Box<dyn Write>, _) = match to.map(create).transpose()? {
            None => (Box::new(BufWriter::new(io::stdout())), None),
            Some((sink, file)) => (Box::new(BufWriter::new(sink)), Some(file)),
        };
        let sheet = match form {
            Form::Jsonl => Self::Lines(sink),
            Form::Csv => {
                let mut table = csv::Writer::from_writer(sink);
                table.write_record(COLUMNS).map_err(io::Error::from)?;
                Self::Table(Box::new(table))
            }
        };
        Ok((sheet, file))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(revisions: &[u64], next_revision: u64) -> ExportResponse {
        let event = |revision: &u64| Event {
            revision: *revision,
            ..Event::default()
        };
        ExportResponse {
            events: revisions.iter().map(event).collect(),
            next_revision,
            complete: false,
        }
    }

    /// What is left of a file when it breaks off behind these pieces, one of which tears: what it holds, and what is said.
    fn left(form: Form, pieces: &[ExportResponse], torn: Option<&str>) -> (Option<String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let (mut sheet, file) = Sheet::begin(Some(&path), form).unwrap();
        let mut whole = Whole {
            events: 0,
            bytes: 0,
            next: 5,
        };
        for piece in pieces {
            whole.and(&mut sheet, file.as_ref(), piece).unwrap();
        }
        drop(sheet);
        if let Some(torn) = torn {
            let mut end = File::options().append(true).open(&path).unwrap();
            end.write_all(torn.as_bytes()).unwrap();
        }
        let failure = Failure::other("the disk is full");
        let failure = whole.broken_off(5, Some(&path).map(|it| &**it).zip(file.as_ref()), failure);
        (std::fs::read_to_string(&path).ok(), failure.text())
    }

    #[test]
    fn what_breaks_off_is_whole_up_to_where_it_says() {
        let pieces = [piece(&[5, 6], 8), piece(&[9], 12)];
        for (form, first) in [(Form::Jsonl, 0), (Form::Csv, 1)] {
            for torn in [None, Some("half of")] {
                let (text, said) = left(form, &pieces, torn);
                let text = text.unwrap();
                assert_eq!(text.lines().count(), 3 + first, "{text}");
                assert!(text.ends_with('\n'), "{text}");
                assert!(said.contains("`--from-revision 12`"), "{said}");
            }
        }
    }

    #[test]
    fn a_file_without_events_is_not_left_in_the_way() {
        for form in [Form::Jsonl, Form::Csv] {
            let (text, said) = left(form, &[], None);
            assert_eq!(text, None);
            assert!(!said.contains("--from-revision"), "{said}");
            // Much was looked through, and nothing of it was wanted.
            let (text, said) = left(form, &[piece(&[], 4_101)], Some("half of"));
            assert_eq!(text, None);
            assert!(said.contains("`--from-revision 4101`"), "{said}");
        }
    }

    /// A disk with so much room.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            match taken {
                0 => Err(io::ErrorKind::StorageFull.into()),
                taken => Ok(taken),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_written_counts_for_nothing() {
        let mut sheet = Sheet::Lines(Box::new(BufWriter::new(Full(1_000))));
        let mut whole = Whole {
            events: 0,
            bytes: 0,
            next: 0,
        };
        let pieces = (1..100).map(|at| piece(&[at], at + 1));
        let mut failed = false;
        for piece in pieces {
            failed = whole.and(&mut sheet, None, &piece).is_err();
            if failed {
                break;
            }
        }
        assert!(failed && whole.events > 0);
        assert_eq!(whole.next, whole.events + 1);
        let failure = whole.broken_off(0, None, Failure::other("full"));
        let next = format!("`--from-revision {}`", whole.next);
        assert!(failure.text().contains(&next), "{}", failure.text());
    }
}
