//! Counters and timers.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Bounds of the buckets for what a caller waits for, in seconds.
const CALL_SECONDS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0,
];

/// Bounds of the buckets for what a disk or a majority takes, in seconds.
const STEP_SECONDS: [f64; 13] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

/// Times one kind of step. Clones time the same.
#[derive(Debug, Clone)]
pub struct Timer(Histogram);

impl Default for Timer {
    fn default() -> Self {
        Self(Histogram::new(STEP_SECONDS))
    }
}

impl Timer {
    /// Notes how long a step took.
    pub fn note(&self, took: Duration) {
        self.0.observe(took.as_secs_f64());
    }
}

/// What became of the spans of a process. Clones count the same.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    sent: Counter,
    lost: Counter,
}

impl Spans {
    /// Counts spans that the collector took.
    pub fn sent(&self, count: u64) {
        self.sent.inc_by(count);
    }

    /// Counts spans that are lost.
    pub fn lost(&self, count: u64) {
        self.lost.inc_by(count);
    }

    /// How many the collector took so far.
    pub fn total_sent(&self) -> u64 {
        self.sent.get()
    }

    /// How many were lost so far.
    pub fn total_lost(&self) -> u64 {
        self.lost.get()
    }
}

/// A call that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Call {
    /// `grpc` or `http`.
    pub transport: &'static str,
    /// The call's name in the contract, such as `DecisionService/Check`, whatever it came in by; or `other`.
    pub call: String,
    /// gRPC's code, such as `NOT_FOUND`, or the status of HTTP.
    pub code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    call: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    decision: &'static str,
    reason: &'static str,
}

/// All that is counted and timed. Clones count the same.
#[derive(Debug, Clone)]
pub struct Meters {
    calls: Family<Call, Counter>,
    call_seconds: Family<Named, Histogram, fn() -> Histogram>,
    decisions: Family<Decided, Counter>,
    /// What it takes to make a batch of the log durable.
    log_sync: Timer,
    /// What became of the spans for a tracer.
    spans: Spans,
    /// What it takes, on the leader, from proposing a change to having applied it.
    pub commit: Timer,
    /// What it takes to have a round of reads confirmed.
    pub read_round: Timer,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            decisions: Family::default(),
            log_sync: Timer::default(),
            spans: Spans::default(),
            commit: Timer::default(),
            read_round: Timer::default(),
        }
    }
}

impl Meters {
    /// Meters that show what the log's own timer was told, and what was counted of spans.
    pub fn with(log_sync: Timer, spans: Spans) -> Self {
        Self {
            log_sync,
            spans,
            ..Self::default()
        }
    }

    /// Counts a call, and how long its caller waited for the head of the answer.
    pub fn called(&self, call: &Call, took: Duration) {
        let named = Named {
            call: call.call.clone(),
        };
        self.calls.get_or_create(call).inc();
        self.call_seconds
            .get_or_create(&named)
            .observe(took.as_secs_f64());
    }

    /// Counts a decision that was answered.
    pub fn decided(&self, decision: &'static str, reason: &'static str) {
        self.decisions
            .get_or_create(&Decided { decision, reason })
            .inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "calls",
            "Calls that were answered, by their name in the contract and their status",
            self.calls.clone(),
        );
        registry.register_with_unit(
            "call",
            "How long callers waited for the head of the answer",
            Unit::Seconds,
            self.call_seconds.clone(),
        );
        registry.register(
            "decisions",
            "Decisions that were answered, each of a batch for itself",
            self.decisions.clone(),
        );
        registry.register(
            "trace_spans_sent",
            "Spans that the collector of traces took",
            self.spans.sent.clone(),
        );
        registry.register(
            "trace_spans_lost",
            "Spans that were lost: too many waited, or the collector did not take them",
            self.spans.lost.clone(),
        );
        for (name, help, timer) in [
            (
                "log_sync",
                "How long it took to make a batch of the log durable",
                &self.log_sync,
            ),
            (
                "commit",
                "How long it took, on the leader, from proposing a change to having applied it",
                &self.commit,
            ),
            (
                "read_round",
                "How long it took to have a round of reads confirmed by a majority",
                &self.read_round,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, timer.0.clone());
        }
    }
}
