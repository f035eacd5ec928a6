//! The program's log: its filter and form, and panics that say where they happened but not what was in hand.

use std::io::{IsTerminal as _, Write as _};
use std::panic;

use anyhow::Context as _;
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{log_sink::LogSink, traces};
use crate::config::{LogFormat, LogSettings};
use crate::limits::{LOG_FLUSH_TIMEOUT, LOG_LINES_WAITING};
use crate::traces::TARGET;

/// The program's log. Dropped at the end, it waits a moment until all is written.
#[must_use = "what is said last is lost without it"]
pub struct Logging(LogSink);

impl Drop for Logging {
    fn drop(&mut self) {
        self.0.flush(LOG_FLUSH_TIMEOUT);
    }
}

/// Says why the program ends, on standard error, and waits no longer for it than for the log: who does not read it does not hold the
/// end up. Said after the log was dropped, it comes last.
pub fn say_last(text: &str) {
    // Not here: whoever writes the log may still hold standard error. Where there is no thread, the exit status tells it alone.
    if let Ok(mut sink) = LogSink::begin(std::io::stderr(), 1) {
        let _ = sink.write_all(format!("{text}\n").as_bytes());
        sink.flush(LOG_FLUSH_TIMEOUT);
    }
}

/// Begins logging to standard error, and, where `traced`, gathering spans. Called once, by the program.
///
/// # Errors
/// Where the filter does not parse, or a log was installed before.
pub fn install(settings: &LogSettings, traced: bool) -> anyhow::Result<Logging> {
    // Spans are for the tracer alone, whatever is logged.
    let filter =
        EnvFilter::try_new(&settings.filter)?.add_directive(format!("{TARGET}=off").parse()?);
    let sink = LogSink::begin(std::io::stderr(), LOG_LINES_WAITING)?;
    let colours = std::io::stderr().is_terminal();
    let installed = if traced {
        let log = fmt::layer().with_ansi(colours).with_writer(sink.clone());
        let log = match settings.format {
            LogFormat::Text => log.boxed(),
            LogFormat::Json => log.json().boxed(),
        };
        tracing_subscriber::registry()
            .with(log.with_filter(filter))
            .with(traces::layer())
            .try_init()
            .map_err(anyhow::Error::from)
    } else {
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(colours)
            .with_writer(sink.clone());
        match settings.format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log.json().try_init(),
        }
        .map_err(|error| anyhow::anyhow!(error))
    };
    installed.context("cannot begin the log")?;
    panic::set_hook(Box::new(|info| {
        // The message of a panic may quote what was in hand, an identifier even. The place is enough to find the fault.
        let place = info.location().map(ToString::to_string);
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(place, %backtrace, "a fault of the program: please report it");
    }));
    Ok(Logging(sink))
}
