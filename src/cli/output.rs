//! What the commands print: tables for people, JSON for programs, colour only on a terminal.

use std::{
    cell::Cell,
    fmt::Display,
    io::{self, Write as _},
};

use clap::ValueEnum;
use serde_json::Value;

use super::{failure::Failure, paint::Paint};

/// In which form results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs: one JSON value; of `watch`, one on each line.
    Json,
}

/// Where results go.
#[derive(Debug)]
pub struct Output {
    /// The form.
    pub format: Format,
    /// How words are coloured.
    pub paint: Paint,
    closed: Cell<bool>,
}

impl Output {
    /// Standard output.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            paint: Paint::of(&io::stdout()),
            closed: Cell::new(false),
        }
    }

    /// Whether nobody reads any more.
    pub fn closed(&self) -> bool {
        self.closed.get()
    }

    /// Prints a line. That the reader has gone is no error: what the command found out still decides its exit status.
    pub fn line(&self, text: impl Display) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed.set(true);
                Ok(())
            }
            Err(error) => Err(Failure::other(format!("cannot write the result: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Prints a result: `text` for people, `json` for programs.
    pub fn result(&self, text: impl FnOnce() -> String, json: &Value) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.line(text()),
            Format::Json => self.line(json),
        }
    }

    /// A note to people, beside the result: on standard error, and not at all for programs.
    pub fn note(&self, text: impl Display) {
        if self.format == Format::Table {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}
