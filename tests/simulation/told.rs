//! Counts what the nodes of a run say in their logs, and prints it where `SIMULATION_LOG` asks for it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::{EnvFilter, fmt as printing};

type Counts = Arc<Mutex<BTreeMap<String, usize>>>;

/// How often each thing was said.
pub struct Told {
    counts: Counts,
    _guard: DefaultGuard,
}

impl Told {
    /// Listens on this thread until it is dropped.
    pub fn listen() -> Self {
        let counts = Counts::default();
        let filter = std::env::var("SIMULATION_LOG").ok();
        let print = filter.is_some().then(|| {
            printing::layer()
                .without_time()
                .with_writer(std::io::stderr)
                .with_ansi(false)
        });
        let filter = filter.unwrap_or_else(|| "off,refrain=info,node=info".to_owned());
        let subscriber = tracing_subscriber::registry()
            .with(EnvFilter::new(filter))
            .with(Counting(counts.clone()))
            .with(print);
        Self {
            counts,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// How often this was said.
    pub fn count(&self, message: &str) -> usize {
        count(&self.counts, message)
    }

    /// The same, for whoever asks while it listens.
    pub fn counting(&self) -> impl Fn(&str) -> usize + Clone + use<> {
        let counts = self.counts.clone();
        move |message| count(&counts, message)
    }
}

fn count(counts: &Counts, message: &str) -> usize {
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    counts.get(message).copied().unwrap_or(0)
}

struct Counting(Counts);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(message.0).or_default() += 1;
    }
}
