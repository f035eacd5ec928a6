//! `refrain import`: opts out everybody in a CSV file.

pub mod report;
pub mod rows;
mod sidecar;
pub mod table;

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use refrain::{
    client::{Client, ImportStep},
    proto::v1::ImportHeader,
};
use serde_json::json;

use self::{
    report::Report,
    rows::{Extent, Taken, Unread, refused_of},
    sidecar::{Found, Mark, Opening, Sidecar},
    table::Table,
};
use super::{
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Tone, grouped},
};

/// What `import --help` says of the file.
const ABOUT_THE_FILE: &str = "\
Opts out everybody in a CSV file; never opts anybody in.

The first line that is no comment (#) names the columns: any of `email`, `phone`, `sha256_email` and `sha256_phone` \
(64 hex digits: the SHA-256 of the normalised value, which for e-mail is trimmed, NFC and lower-case, and for a \
telephone number E.164), `id` (TYPE:VALUE) and `purposes` (separated by `;` or blanks). Other columns are ignored. \
Each line is one row: a field may stand in quotation marks, but must not go over several lines.

A row that is refused is reported with its line and the reason, and the rest goes on; the exit status is 65 then.

An import that breaks off is taken up again by running the same command: FILE.refrain-import, beside the file, \
remembers its id, the file's size and the SHA-256 of what was read of it, the cluster remembers the row that it goes \
on with, and no row is taken twice; a file that has changed meanwhile is refused. It is removed when the import is done. Where it cannot be \
written, or with standard input, go on with --import-id and the same input from its beginning.";

/// The flags of `import`.
#[derive(Debug, Args)]
#[command(about = "Opts out everybody in a CSV file", long_about = ABOUT_THE_FILE)]
pub struct ImportArgs {
    /// The CSV file; `-` for standard input
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,

    /// What rows without purposes opt out of; any number
    #[arg(long, value_name = "PURPOSE")]
    purpose: Vec<String>,

    /// Write every refused row to this file, as CSV: line, reason, message
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// The id of an import to go on with, a UUID of version 7 [default: that of FILE.refrain-import, or a new one]
    #[arg(long, value_name = "UUID")]
    import_id: Option<String>,

    /// Forget an earlier import that broke off, and begin anew
    #[arg(long, conflicts_with = "import_id")]
    restart: bool,

    /// The registry's schema version that the purposes are of
    #[arg(long, value_name = "VERSION", default_value_t = 0)]
    schema_version: u32,
}

/// An import that is about to run.
struct Plan {
    import_id: String,
    sidecar: Option<Sidecar>,
    /// What earlier runs have told of.
    earlier: Vec<Mark>,
}

/// Imports a file.
pub async fn run(
    args: &ImportArgs,
    client_args: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client_args.client()?;
    let mut report = Report::begin(args.report.as_deref())?;
    let name = args.file.display().to_string();
    let unreadable = |error: io::Error| Failure::data(format!("cannot read {name}: {error}"));

    let bar;
    let (reader, opening): (Box<dyn BufRead + Send>, _) = if args.file == Path::new("-") {
        bar = progress(None);
        let stdin = bar.wrap_read(io::stdin());
        (Box::new(BufReader::new(stdin)), None)
    } else {
        let mut file = File::open(&args.file).map_err(unreadable)?;
        let (size, head_sha256) = sidecar::fingerprint(&mut file).map_err(unreadable)?;
        let opening = Opening {
            import_id: String::new(),
            namespace: client_args.namespace.clone().unwrap_or_default(),
            purposes: args.purpose.clone(),
            size,
            head_sha256,
        };
        bar = progress(Some(size));
        (Box::new(BufReader::new(bar.wrap_read(file))), Some(opening))
    };
    let table = Table::open(reader, args.purpose.clone()).map_err(|error| {
        Failure::data(format!("{name}: {error}")).advise("see `refrain import --help`")
    })?;
    if !table.columns.ignored.is_empty() {
        output.note(format_args!(
            "ignored columns: {}",
            table.columns.ignored.join(", ")
        ));
    }
    // Only now: a file whose header is not understood leaves nothing behind.
    let mut plan = match opening {
        Some(opening) => args.plan(&client, opening, output).await?,
        None => Plan {
            import_id: args
                .import_id
                .clone()
                .unwrap_or_else(|| client.new_request_id()),
            sidecar: None,
            earlier: Vec::new(),
        },
    };

    for refused in plan.earlier.iter().flat_map(Mark::refusals) {
        report.add(refused);
    }
    let header = ImportHeader {
        import_id: plan.import_id.clone(),
        namespace: String::new(),
        schema_version: args.schema_version,
    };
    let report = RefCell::new(report);
    let mut sum = Sum::of(&plan.earlier);
    let before = plan.earlier.last().map(|mark| Extent {
        rows: mark.next_row,
        sha256: mark.sha256.clone(),
    });
    let taken = rows::take(&client, header, table, &report, before, |step, extent| {
        sum.add(step);
        bar.set_message(format!("{} rows", grouped(step.next_row)));
        let mark = mark_of(step, extent);
        if let Some(Err(error)) = plan.sidecar.as_mut().map(|it| it.mark(&mark)) {
            output.note(format_args!("cannot keep the place of the import: {error}"));
            plan.sidecar = None;
        }
    })
    .await;
    bar.finish_and_clear();
    let mut report = report.into_inner();
    let reported = report.finish();
    let resume = Resume {
        import_id: &plan.import_id,
        beside: plan.sidecar.is_some(),
    };
    finish(&taken, &sum, &report, &resume, output)?;
    reported?;
    if let Some(sidecar) = plan.sidecar {
        sidecar.remove()?;
    }
    Ok(if report.count() == 0 {
        exit::OK
    } else {
        exit::DATA
    })
}

impl ImportArgs {
    /// Finds out whether this import goes on or begins.
    async fn plan(
        &self,
        client: &Client,
        mut opening: Opening,
        output: &Output,
    ) -> Result<Plan, Failure> {
        let path = sidecar::path_for(&self.file);
        if let Some(import_id) = self.import_id.clone() {
            return Ok(Plan {
                import_id,
                sidecar: None,
                earlier: Vec::new(),
            });
        }
        if !self.restart {
            match Sidecar::find(path.clone(), &opening) {
                Ok(Found::Nothing) | Err(_) => {}
                Ok(Found::Other(path)) => {
                    let message = format!(
                        "{} belongs to an import of another file, or with another --purpose or --namespace",
                        path.display()
                    );
                    let advice =
                        "put the file back to finish that import, or begin anew with --restart";
                    return Err(Failure::data(message).advise(advice));
                }
                Ok(Found::Same(sidecar, found, earlier)) => {
                    let told = earlier.last().map_or(0, |mark| mark.next_row);
                    let known = client.import_position(&found.import_id, "").await?;
                    if known >= told {
                        if known > 0 {
                            let row = grouped(known);
                            output.note(format_args!(
                                "going on after row {row} of an import that broke off"
                            ));
                        }
                        return Ok(Plan {
                            import_id: found.import_id,
                            sidecar: Some(sidecar),
                            earlier,
                        });
                    }
                    output.note(
                        "the cluster does not know the import that broke off: beginning anew",
                    );
                }
            }
        }
        opening.import_id = client.new_request_id();
        let sidecar = Sidecar::create(path.clone(), &opening);
        let sidecar = sidecar.inspect_err(|error| {
            output.note(format_args!(
                "cannot write {} ({error}): if this import breaks off, go on with --import-id {}",
                path.display(),
                opening.import_id
            ));
        });
        Ok(Plan {
            import_id: opening.import_id,
            sidecar: sidecar.ok(),
            earlier: Vec::new(),
        })
    }
}

/// What all runs of an import have told of.
#[derive(Default)]
struct Sum {
    changed: u64,
    unchanged: u64,
    refused: u64,
}

impl Sum {
    fn of(earlier: &[Mark]) -> Self {
        let mut sum = Self::default();
        for mark in earlier {
            sum.changed += mark.changed;
            sum.unchanged += mark.unchanged;
            sum.refused += mark.refused.len() as u64;
        }
        sum
    }

    fn add(&mut self, step: &ImportStep) {
        self.changed += step.changed;
        self.unchanged += step.unchanged;
        self.refused += step.refused.len() as u64;
    }
}

/// How an import that broke off is taken up again.
struct Resume<'a> {
    import_id: &'a str,
    beside: bool,
}

/// Prints what became of the import.
fn finish(
    taken: &Taken,
    sum: &Sum,
    report: &Report,
    resume: &Resume<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let how = if resume.beside {
        "what was imported stays so: run the same command again to go on".to_owned()
    } else {
        let id = resume.import_id;
        format!(
            "what was imported stays so: go on with --import-id {id} and the same input from its beginning"
        )
    };
    let import = match (&taken.import, &taken.unread) {
        (Err(error), _)
            if error.reason() == "REQUEST_ID_INVALID" && !is_request_id(resume.import_id) =>
        {
            let message = "--import-id is no UUID of version 7";
            let advice =
                "give the id that was told when the import broke off, or leave the flag out";
            return Err(Failure::usage(message).advise(advice));
        }
        (Err(error), _) => {
            output.note(report.text());
            return Err(Failure::from(error.clone()).advise(how));
        }
        (Ok(_), Some(Unread::Changed(rows))) => {
            let message = format!(
                "the file has changed since the import broke off: up to its row {}, which were imported, it is not \
                 what it was",
                grouped(*rows)
            );
            let advice = "put the file back to finish that import, or begin anew with --restart";
            return Err(Failure::data(message).advise(advice));
        }
        (Ok(_), Some(Unread::Io(error))) => {
            let message = format!("the file could not be read to its end: {error}");
            return Err(Failure::data(message).advise(how));
        }
        (Ok(import), None) => import,
    };
    // Rows of an answer that was lost, or of a run that left no word: the cluster took them once, all the same.
    let untold = import
        .next_row
        .saturating_sub(sum.changed + sum.unchanged + sum.refused);
    let json = json!({
        "import_id": import.import_id,
        "rows": taken.lines,
        "changed": sum.changed,
        "unchanged": sum.unchanged,
        "taken_before": untold,
        "refused": report.count(),
        "refusals": report.json(),
        "revision": import.revision,
    });
    let text = || {
        let paint = output.paint;
        let mut lines = vec![format!(
            "{} {} of {} rows: {} new, {} opted out already",
            paint.text(Tone::Good, "imported"),
            grouped(taken.lines.saturating_sub(report.count())),
            grouped(taken.lines),
            grouped(sum.changed),
            grouped(sum.unchanged),
        )];
        if untold > 0 {
            lines.push(format!("  {} taken by an earlier run", grouped(untold)));
        }
        if report.count() > 0 {
            let count = format!("refused {} rows", grouped(report.count()));
            lines.push(paint.text(Tone::Bad, count));
            lines.push(report.text());
        }
        lines.join("\n")
    };
    output.result(text, &json)
}

fn mark_of(step: &ImportStep, extent: Option<Extent>) -> Mark {
    Mark {
        next_row: step.next_row,
        sha256: extent.map(|it| it.sha256).unwrap_or_default(),
        changed: step.changed,
        unchanged: step.unchanged,
        refused: refused_of(step)
            .map(|it| (it.line, it.reason, it.message))
            .collect(),
    }
}

/// A bar over bytes where the size is known, else something that turns; on a terminal only.
fn progress(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (
            ProgressBar::new(size),
            "importing {wide_bar} {bytes}/{total_bytes}  {msg}  {eta}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "importing {spinner} {bytes}  {msg}",
        ),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A good id may be refused as well, for a clock that is ahead: that the cluster tells best.
fn is_request_id(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok_and(|id| id.get_version_num() == 7)
}
