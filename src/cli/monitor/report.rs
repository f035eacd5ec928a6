//! `refrain report`: has what a service processed judged, from a file with a report a line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;
use refrain::{
    client::Client,
    clock,
    proto::v1::{Identifier, Processing, ReportProcessingRequest, identifier::Form},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{
    caller::CallerArgs,
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{grouped, word},
};

/// Reports of a batch.
const BATCH: usize = 500;
/// The longest line, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// The flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A JSON object a line, as POST /v1/{namespace}/processing takes them; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    caller: CallerArgs,
}

/// A line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    identifiers: Vec<Named>,
    purpose: String,
    processed_at: String,
    #[serde(default)]
    decision_id: String,
    #[serde(default)]
    stamp: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    r#type: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    token: Option<String>,
}

impl Named {
    fn identifier(self) -> Result<Identifier, String> {
        let form = match (self.value, self.sha256, self.token) {
            (Some(value), None, None) => Form::Value(value),
            (None, Some(digits), None) => {
                let hash = hex::decode(digits);
                Form::Sha256(hash.map_err(|_| "`sha256` is not in hexadecimal digits".to_owned())?)
            }
            (None, None, Some(token)) => Form::Token(token),
            _ => {
                return Err(
                    "an identifier has exactly one of `value`, `sha256` and `token`".to_owned(),
                );
            }
        };
        Ok(Identifier {
            r#type: self.r#type,
            form: Some(form),
        })
    }
}

impl Line {
    fn read(text: &str) -> Result<Processing, String> {
        let line: Self = serde_json::from_str(text).map_err(|error| wrong(&error))?;
        let at = clock::moment(&line.processed_at);
        let at = at.ok_or("`processed_at` is no time such as 2026-01-31T12:00:00Z")?;
        let identifiers = line.identifiers.into_iter().map(Named::identifier);
        Ok(Processing {
            identifiers: identifiers.collect::<Result<_, _>>()?,
            purpose: line.purpose,
            processed_at: Some(at),
            decision_id: line.decision_id,
            stamp: line.stamp,
        })
    }
}

/// What is wrong with a line, and where. serde's own words would repeat what stands there.
fn wrong(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Syntax => "it is no JSON",
        Category::Eof => "it ends in the middle of its JSON",
        Category::Data => "a field is missing, not known, or not of its type",
        Category::Io => "it cannot be read",
    };
    format!("{what} (at column {})", error.column())
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    judged: u64,
    /// By the number of its line.
    violations: Vec<(u64, String, String)>,
    refused: Vec<(u64, String)>,
}

/// Reports.
pub async fn run(args: &ReportArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    if args.caller.service.is_empty() {
        return Err(Failure::usage("say with --service who processed it"));
    }
    let client = client.client()?;
    let mut lines = open(&args.file)?;
    let mut outcome = Outcome::default();
    let (mut batch, mut number) = (Vec::new(), 0);
    while let Some(text) = next(&mut lines, &args.file)? {
        number += 1;
        if text.trim().is_empty() {
            continue;
        }
        match Line::read(&text) {
            Ok(report) => batch.push((number, report)),
            // What is in the line is not repeated: it may name a person.
            Err(why) => outcome.refused.push((number, why)),
        }
        if batch.len() == BATCH {
            send(&client, args, std::mem::take(&mut batch), &mut outcome).await?;
        }
    }
    if !batch.is_empty() {
        send(&client, args, batch, &mut outcome).await?;
    }
    show(&outcome, output)?;
    Ok(if outcome.refused.is_empty() {
        exit::OK
    } else {
        exit::DATA
    })
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(Box::new(BufReader::new(file)))
}

fn next(lines: &mut dyn BufRead, path: &Path) -> Result<Option<String>, Failure> {
    use io::Read as _;
    let mut text = String::new();
    let read = lines.take(LINE_BYTES_MAX).read_line(&mut text);
    let read =
        read.map_err(|error| Failure::data(format!("cannot read {}: {error}", path.display())))?;
    if read as u64 == LINE_BYTES_MAX && !text.ends_with('\n') {
        return Err(Failure::data(format!(
            "{} has a line of more than {} KiB: it is no file of reports",
            path.display(),
            LINE_BYTES_MAX >> 10
        )));
    }
    Ok((read > 0).then_some(text))
}

async fn send(
    client: &Client,
    args: &ReportArgs,
    batch: Vec<(u64, Processing)>,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let (numbers, reports): (Vec<u64>, Vec<Processing>) = batch.into_iter().unzip();
    let request = ReportProcessingRequest {
        namespace: String::new(),
        service: args.caller.service.clone(),
        schema_version: args.caller.schema_version,
        reports,
    };
    let answer = client.report_processing(request).await.map_err(|error| {
        let first = numbers.first().copied().unwrap_or_default();
        let twice = match error.outcome() {
            refrain::client::Outcome::NotApplied => "",
            refrain::client::Outcome::Unknown => {
                "; some of that may have been judged too, and would count twice"
            }
        };
        Failure::from(error).advise(format!(
            "what comes before line {first} was judged: report the rest again from there{twice}"
        ))
    })?;
    let line = |index: u32| {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        numbers.get(index).copied().unwrap_or_default()
    };
    outcome.judged += u64::from(answer.judged);
    for found in answer.violations {
        let kind = word(found.kind().as_str_name(), "VIOLATION_KIND_");
        let at = line(found.index);
        outcome
            .violations
            .push((at, kind.to_owned(), found.opt_out_event_id));
    }
    for refused in answer.refused {
        let error = refused.error.unwrap_or_default();
        let why = format!("{} ({})", error.message, error.reason);
        outcome.refused.push((line(refused.index), why));
    }
    Ok(())
}

fn show(outcome: &Outcome, output: &Output) -> Result<(), Failure> {
    let json = json!({
        "judged": outcome.judged,
        "violations": outcome.violations.iter().map(|(line, kind, opt_out)| json!({
            "line": line,
            "kind": kind,
            "opt_out_event_id": opt_out,
        })).collect::<Vec<Value>>(),
        "refused": outcome.refused.iter().map(|(line, why)| json!({
            "line": line,
            "error": why,
        })).collect::<Vec<Value>>(),
    });
    let text = || {
        let mut lines = vec![format!(
            "judged {}, {} violations, {} refused",
            grouped(outcome.judged),
            grouped(outcome.violations.len() as u64),
            grouped(outcome.refused.len() as u64)
        )];
        for (line, kind, opt_out) in &outcome.violations {
            let against = match &**opt_out {
                "" => String::new(),
                id => format!(", against the opt-out {id}"),
            };
            lines.push(format!("  line {line}: {kind}{against}"));
        }
        for (line, why) in &outcome.refused {
            lines.push(format!("  line {line} was refused: {why}"));
        }
        lines.join("\n")
    };
    output.result(text, &json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_report_or_says_why_not() {
        let good = r#"{"identifiers":[{"type":"email","value":"ada@example.com"}],"purpose":"sale","processed_at":"2026-01-31T12:00:00Z","decision_id":"x"}"#;
        let report = Line::read(good).unwrap();
        assert_eq!(
            (report.purpose.as_str(), report.decision_id.as_str()),
            ("sale", "x")
        );
        for (bad, why) in [
            ("{", "ends in the middle"),
            (r#"{"identifiers":[],"purpose":"sale"}"#, "missing"),
            (
                r#"{"identifiers":[],"purpose":"sale","processed_at":"now"}"#,
                "no time",
            ),
            (
                r#"{"identifiers":[{"type":"email"}],"purpose":"sale","processed_at":"2026-01-31T12:00:00Z"}"#,
                "exactly one",
            ),
            (
                r#"{"identifiers":[],"purpose":"sale","processed_at":"2026-01-31T12:00:00Z","stmap":""}"#,
                "not known",
            ),
            (
                r#"{"identifiers":"ada@example.com","purpose":"sale","processed_at":"2026-01-31T12:00:00Z"}"#,
                "column 32",
            ),
            (r#"{"ada@example.com":1}"#, "not known"),
        ] {
            let said = Line::read(bad).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
            assert!(!said.contains("ada"), "{said}");
        }
    }
}
