//! The page that a scraper reads.

use std::fmt;

use prometheus_client::{
    encoding::text,
    metrics::{family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};

use super::Meters;

/// What every name on the page begins with.
const PREFIX: &str = "refrain";

type Number = Gauge<f64, std::sync::atomic::AtomicU64>;

/// A page that is being written: what was counted, and what is read off the node now.
pub struct Page(Registry);

impl Page {
    /// The media type of the page.
    pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// A page that has all that was counted.
    pub fn of(meters: &Meters) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        meters.register(&mut registry);
        Self(registry)
    }

    /// A page of something else than a node, whose names begin with `prefix`.
    pub fn named(prefix: &str) -> Self {
        Self(Registry::with_prefix(prefix))
    }

    /// Adds a number.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Number::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    /// Adds a number for each value of a label.
    pub fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, f64)>,
    ) {
        let gauges = Family::<[(&'static str, String); 1], Number>::default();
        for (value, number) in values {
            gauges.get_or_create(&[(label, value)]).set(number);
        }
        self.0.register(name, help, gauges);
    }

    /// Adds what is said in words: a metric of the value 1, with labels.
    pub fn info(&mut self, name: &str, help: &str, labels: Vec<(&'static str, String)>) {
        self.0.register(name, help, Info::new(labels));
    }

    /// The page as text.
    ///
    /// # Errors
    /// None in practice: the text grows in memory.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.0)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Call, Spans, Timer};

    #[test]
    fn the_page_has_what_was_counted_and_what_was_read() {
        let timer = Timer::default();
        let spans = Spans::default();
        spans.lost(2);
        let meters = Meters::with(timer.clone(), spans);
        let call = Call {
            transport: "grpc",
            call: "DecisionService/Check".to_owned(),
            code: "OK".to_owned(),
        };
        meters.called(&call, Duration::from_millis(2));
        meters.decided("DENY", "OPTED_OUT");
        timer.note(Duration::from_millis(3));
        let mut page = Page::of(&meters);
        page.gauge("ready", "Whether the node serves", 1.0);
        let peers = [("0a".to_owned(), 0.0), ("0b".to_owned(), 1.0)];
        page.gauges("peer_up", "Whether a member answers", "peer", peers);
        page.info("node", "The node", vec![("version", "1.2.3".to_owned())]);
        let text = page.text().unwrap();
        for line in [
            r#"refrain_calls_total{transport="grpc",call="DecisionService/Check",code="OK"} 1"#,
            r#"refrain_call_seconds_bucket{le="0.0025",call="DecisionService/Check"} 1"#,
            r#"refrain_decisions_total{decision="DENY",reason="OPTED_OUT"} 1"#,
            "refrain_log_sync_seconds_count 1",
            "refrain_trace_spans_sent_total 0",
            "refrain_trace_spans_lost_total 2",
            "refrain_ready 1.0",
            r#"refrain_peer_up{peer="0a"} 0.0"#,
            r#"refrain_node_info{version="1.2.3"} 1"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
    }
}
