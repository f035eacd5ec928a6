//! What the passes came to, for a scraper.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use refrain::metrics::Page;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::{super::failure::Failure, record::Pass};

/// What every name on the page begins with.
const PREFIX: &str = "refrain_probe";

/// The passes so far.
#[derive(Default)]
struct Passes {
    held: u64,
    failed: u64,
    last: Option<(Pass, Instant)>,
}

/// Serves the page, where it is wanted, until it is dropped.
pub struct Export {
    passes: Arc<Mutex<Passes>>,
    served: Option<(SocketAddr, AbortOnDropHandle<()>)>,
}

impl Export {
    /// Begins to serve at an address, where one is given.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(address: Option<SocketAddr>) -> Result<Self, Failure> {
        let passes = Arc::<Mutex<Passes>>::default();
        let Some(address) = address else {
            return Ok(Self {
                passes,
                served: None,
            });
        };
        let unusable = |error: std::io::Error| {
            Failure::usage(format!("cannot listen on {address}: {error}"))
                .advise("give another with --metrics-listen")
        };
        let listener = TcpListener::bind(address).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let routes = Router::new()
            .route("/metrics", get(page))
            .with_state(Arc::clone(&passes));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::warn!(%error, "the metrics are not served any more");
            }
        });
        Ok(Self {
            passes,
            served: Some((address, AbortOnDropHandle::new(serving))),
        })
    }

    /// Where it serves.
    pub fn address(&self) -> Option<SocketAddr> {
        self.served.as_ref().map(|(address, _)| *address)
    }

    /// Notes a pass.
    pub fn note(&self, pass: Pass) {
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        if pass.holds() {
            passes.held += 1;
        } else {
            passes.failed += 1;
        }
        passes.last = Some((pass, Instant::now()));
    }
}

async fn page(State(passes): State<Arc<Mutex<Passes>>>) -> impl IntoResponse {
    let passes = passes.lock().unwrap_or_else(PoisonError::into_inner);
    let text = written(&passes).text().unwrap_or_default();
    ([(header::CONTENT_TYPE, Page::MEDIA_TYPE)], text)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a scraper knows no other numbers"
)]
fn written(passes: &Passes) -> Page {
    let mut page = Page::named(PREFIX);
    let outcomes = [("held", passes.held), ("failed", passes.failed)];
    let outcomes = outcomes.map(|(name, count)| (name.to_owned(), count as f64));
    page.gauges(
        "passes",
        "Passes since the start, by whether every promise held",
        "outcome",
        outcomes,
    );
    let Some((last, at)) = &passes.last else {
        return page;
    };
    page.gauge(
        "ok",
        "Whether every promise held in the last pass",
        f64::from(u8::from(last.holds())),
    );
    page.gauge(
        "last_pass_age_seconds",
        "How long ago the last pass ended",
        at.elapsed().as_secs_f64(),
    );
    page.gauge(
        "last_pass_seconds",
        "How long the last pass took",
        last.took.as_secs_f64(),
    );
    let name = |name: &str| name.replace(' ', "_");
    let held = last.steps.iter();
    let held = held.map(|step| (name(step.name), f64::from(u8::from(step.holds()))));
    page.gauges(
        "step_ok",
        "Whether a step of the last pass held",
        "step",
        held,
    );
    let longest = last.steps.iter().filter_map(|step| {
        let [_, _, longest] = step.spread()?;
        Some((name(step.name), longest.as_secs_f64()))
    });
    page.gauges(
        "step_seconds",
        "The longest that a part of a step of the last pass took",
        "step",
        longest,
    );
    page
}
