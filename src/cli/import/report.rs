//! The report of refused rows: a few for people, all of them for a file.

use std::{fs::File, path::Path};

use serde_json::{Value, json};

use super::table::Refused;
use crate::cli::failure::Failure;

/// How many refusals people are shown.
const SHOWN: usize = 20;

/// How many refusals the JSON result lists.
const LISTED: usize = 1_000;

/// How many refusals wait to be written in the order of their lines; a report of more is in order in parts.
const SORTED: usize = 100_000;

/// Where refused rows are reported.
pub struct Report {
    file: Option<csv::Writer<File>>,
    /// What is not in the file yet: the cluster's refusals come later than those of lines that were read meanwhile.
    waiting: Vec<Refused>,
    kept: Vec<Refused>,
    count: u64,
    /// The first failure to write; what comes after it is counted and not written.
    broken: Option<String>,
}

impl Report {
    /// Begins a report, with a file if one was asked for.
    pub fn begin(path: Option<&Path>) -> Result<Self, Failure> {
        let file = match path {
            None => None,
            Some(path) => {
                let mut file = csv::Writer::from_path(path).map_err(|error| {
                    Failure::usage(format!("--report {}: {error}", path.display()))
                })?;
                file.write_record(["line", "reason", "message"])
                    .map_err(|error| Failure::other(format!("cannot write the report: {error}")))?;
                Some(file)
            }
        };
        Ok(Self {
            file,
            waiting: Vec::new(),
            kept: Vec::new(),
            count: 0,
            broken: None,
        })
    }

    /// Adds a row.
    pub fn add(&mut self, refused: Refused) {
        self.count += 1;
        if self.file.is_some() {
            self.waiting.push(refused.clone());
            if self.waiting.len() >= SORTED {
                self.write();
            }
        }
        if self.kept.len() < LISTED {
            self.kept.push(refused);
        }
    }

    /// Writes what waits.
    fn write(&mut self) {
        self.waiting.sort_by_key(|it| it.line);
        let waiting = std::mem::take(&mut self.waiting);
        let (Some(file), None) = (&mut self.file, &self.broken) else {
            return;
        };
        let written = waiting
            .iter()
            .try_for_each(|it| file.write_record([&it.line.to_string(), &it.reason, &it.message]));
        self.broken = written.err().map(|error| error.to_string());
    }

    /// How many rows it holds.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Writes out what is left, and puts what is shown in order.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.write();
        self.kept.sort_by_key(|it| it.line);
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush()
        {
            self.broken.get_or_insert(error.to_string());
        }
        match &self.broken {
            Some(error) => Err(Failure::other(format!("cannot write the report: {error}"))),
            None => Ok(()),
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let shown = self
            .kept
            .iter()
            .take(SHOWN)
            .map(|it| format!("  line {}: {} ({})", it.line, it.message, it.reason));
        let mut lines: Vec<String> = shown.collect();
        let more = self.count.saturating_sub(SHOWN as u64);
        if more > 0 {
            let where_all = match self.file {
                Some(_) => "the report has all of them",
                None => "--report FILE writes all of them",
            };
            lines.push(format!("  and {more} more; {where_all}"));
        }
        lines.join("\n")
    }

    /// For programs: the first 1,000.
    pub fn json(&self) -> Vec<Value> {
        let one =
            |it: &Refused| json!({ "line": it.line, "reason": it.reason, "message": it.message });
        self.kept.iter().map(one).collect()
    }
}
