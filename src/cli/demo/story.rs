//! How the demonstration tells what it does: a line for each thing done, and something that moves meanwhile.

use std::{fmt::Display, time::Instant};

use indicatif::ProgressBar;

use crate::cli::{
    cluster::spinner,
    failure::Failure,
    output::{Format, Output},
    paint::{Tone, span},
};

/// How wide the words of a step are before its detail.
const WIDTH: usize = 50;

/// The narrator. Silent where the output is for programs.
pub struct Story<'a> {
    output: &'a Output,
}

/// Something that is being done.
pub struct Step<'a> {
    story: &'a Story<'a>,
    began: Instant,
    spinner: ProgressBar,
}

impl<'a> Story<'a> {
    /// Begins.
    pub fn new(output: &'a Output) -> Self {
        Self { output }
    }

    /// A line.
    pub fn say(&self, text: impl Display) -> Result<(), Failure> {
        match self.output.format {
            Format::Table => self.output.line(text),
            Format::Json => Ok(()),
        }
    }

    /// A heading.
    pub fn chapter(&self, text: &str) -> Result<(), Failure> {
        self.say(format_args!(
            "\n{}",
            self.output.paint.text(Tone::Bold, text)
        ))
    }

    /// Begins something that may take a while.
    pub fn step(&'a self, doing: impl Into<String>) -> Step<'a> {
        let spinner = match self.output.format {
            Format::Table => spinner(),
            Format::Json => ProgressBar::hidden(),
        };
        spinner.set_message(doing.into());
        Step {
            story: self,
            began: Instant::now(),
            spinner,
        }
    }
}

impl Step<'_> {
    /// Says how far it is.
    pub fn now(&self, doing: impl Into<String>) {
        self.spinner.set_message(doing.into());
    }

    /// What turns meanwhile.
    pub fn bar(&self) -> &ProgressBar {
        &self.spinner
    }

    /// Done: the words, a detail, and how long it took.
    pub fn done(self, words: &str, detail: impl Display) -> Result<(), Failure> {
        self.spinner.finish_and_clear();
        let paint = self.story.output.paint;
        let took = paint.text(Tone::Dim, span(self.began.elapsed()));
        let tick = paint.text(Tone::Good, "✔");
        let detail = detail.to_string();
        let gap = if detail.is_empty() { "" } else { "  " };
        self.story.say(format_args!(
            "  {tick} {words:<WIDTH$}  {detail}{gap}{took}"
        ))
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.spinner.finish_and_clear();
    }
}
