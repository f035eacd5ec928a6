//! Spans for a tracer: of a call, of what it waits for, and of what it has another node do; and the W3C context that ties them.
//!
//! Spans are `tracing`'s, all under one target that the log leaves out and only the tracer takes in: where none is
//! installed, asking whether there is one is all that they cost. They hold names from the contract, statuses, reasons and ids of
//! events and decisions. Never an identifier, a token, evidence, or anything else that a caller can choose, but for the context itself:
//! the ids of the caller's trace, and its `tracestate`, which is there to be passed on.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{Status, TraceContextExt as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::limits::TRACE_STATE_BYTES;

/// The target of every span, and of nothing else. No module is called so, so that no line of the log is meant with it.
pub const TARGET: &str = "refrain::otlp";

/// The headers of the W3C trace context.
const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// Whether there is a tracer.
pub fn on() -> bool {
    tracing::span_enabled!(target: TARGET, tracing::Level::INFO)
}

/// The span of a call that came in, below the caller's where its headers name one. None where there is no tracer, the caller's trace
/// is not sampled, or the draw fell against a new one: then nothing below it is traced either.
pub fn of_call(headers: &HeaderMap, name: &str) -> Span {
    if !on() {
        return Span::none();
    }
    let parent = TraceContextPropagator::new().extract(&Read(headers));
    let known = parent.span().span_context().clone();
    if known.is_valid() && !known.is_sampled() {
        return Span::none();
    }
    begun(parent, name)
}

/// The span of what another node asks for. None where that node traces nothing: whether a trace is kept is decided once, where the
/// call came in.
pub fn of_peer(headers: &HeaderMap, method: &'static str) -> Span {
    if !on() {
        return Span::none();
    }
    let parent = TraceContextPropagator::new().extract(&Read(headers));
    if !parent.span().span_context().is_sampled() {
        return Span::none();
    }
    let span = begun(parent, &format!("refrain.peer.Peer/{method}"));
    note_rpc(&span, "refrain.peer.Peer", method);
    span
}

fn begun(parent: Context, name: &str) -> Span {
    let span =
        info_span!(target: TARGET, parent: None, "call", otel.name = name, otel.kind = "server");
    // Only fails where there is no tracer, or the span has begun.
    let _ = span.set_parent(parent);
    if span.context().span().span_context().is_sampled() {
        span
    } else {
        Span::none()
    }
}

/// A span below the one that is current; none where nothing is traced.
pub fn step(name: &'static str) -> Span {
    step_below(&current(), name)
}

/// A span below another one; none where that one is none.
pub fn step_below(parent: &Span, name: &'static str) -> Span {
    if parent.is_none() {
        return Span::none();
    }
    info_span!(target: TARGET, parent: parent, "step", otel.name = name)
}

/// The span of a call to another node, whose context goes along in `headers`; none where nothing is traced.
pub fn to_peer(headers: &mut HeaderMap, method: &'static str) -> Span {
    let parent = current();
    if parent.is_none() {
        return Span::none();
    }
    let name = format!("refrain.peer.Peer/{method}");
    let span =
        info_span!(target: TARGET, parent: &parent, "peer", otel.name = name, otel.kind = "client");
    note_rpc(&span, "refrain.peer.Peer", method);
    TraceContextPropagator::new().inject_context(&span.context(), &mut Write(headers));
    span
}

/// The current span, where it is one of ours.
pub fn current() -> Span {
    if !on() {
        return Span::none();
    }
    let span = Span::current();
    let ours = span.metadata().is_some_and(|it| it.target() == TARGET);
    if ours { span } else { Span::none() }
}

/// Notes which call of gRPC a span is of.
pub fn note_rpc(span: &Span, service: &str, method: &str) {
    span.set_attribute("rpc.system", "grpc");
    span.set_attribute("rpc.service", service.to_owned());
    span.set_attribute("rpc.method", method.to_owned());
}

/// Notes a word on a span. It must be none that a caller chose.
pub fn note(span: &Span, key: &'static str, word: &str) {
    if !span.is_none() {
        span.set_attribute(key, word.to_owned());
    }
}

/// Notes a number on a span.
pub fn note_number(span: &Span, key: &'static str, number: i64) {
    span.set_attribute(key, number);
}

/// Gives a span that has begun its real name.
pub fn rename(span: &Span, name: String) {
    if !span.is_none() {
        span.context().span().update_name(name);
    }
}

/// Notes that what a span is of failed for a reason that is ours, and not the caller's.
pub fn fail(span: &Span) {
    span.set_status(Status::error(""));
}

/// The context as it came in: what is not exactly in W3C's form is none.
struct Read<'a>(&'a HeaderMap);

impl Extractor for Read<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut all = self.0.get_all(key).iter();
        let (first, None) = (all.next()?.to_str().ok()?, all.next()) else {
            return None;
        };
        let good = match key {
            PARENT => well_formed(first),
            _ => first.len() <= TRACE_STATE_BYTES,
        };
        good.then_some(first)
    }

    fn keys(&self) -> Vec<&str> {
        vec![PARENT, STATE]
    }
}

/// Whether this is a `traceparent`: four fields, or more of a later version, in lower-case hex digits.
fn well_formed(text: &str) -> bool {
    let fields: Vec<&str> = text.split('-').take(5).collect();
    let later = fields.first().is_some_and(|version| *version != "00");
    let hex = |text: &str| {
        text.bytes()
            .all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
    };
    let lengths = [2, 32, 16, 2];
    (fields.len() == 4 || later)
        && fields.len() >= 4
        && lengths
            .iter()
            .zip(&fields)
            .all(|(length, field)| field.len() == *length && hex(field))
}

/// The context as it goes out.
struct Write<'a>(&'a mut HeaderMap);

impl Injector for Write<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = HeaderName::from_bytes(key.as_bytes());
        if let (Ok(name), Ok(value), false) =
            (name, HeaderValue::try_from(&value), value.is_empty())
        {
            self.0.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn read(headers: &[(&'static str, &str)]) -> Option<(String, String, bool)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let context = TraceContextPropagator::new().extract(&Read(&map));
        let found = context.span().span_context().clone();
        found.is_valid().then(|| {
            let state = found.trace_state().header();
            (found.trace_id().to_string(), state, found.is_sampled())
        })
    }

    #[test]
    fn what_is_in_w3cs_form_is_taken() {
        for (flags, sampled) in [("01", true), ("00", false), ("03", true)] {
            let parent = format!("00-{TRACE}-b7ad6b7169203331-{flags}");
            let found = read(&[("traceparent", &parent), ("tracestate", "a=b")]);
            assert_eq!(found, Some((TRACE.to_owned(), "a=b".to_owned(), sampled)));
        }
        let later = format!("01-{TRACE}-b7ad6b7169203331-01-more");
        assert!(read(&[("traceparent", &later)]).is_some());
    }

    #[test]
    fn what_is_malformed_is_none() {
        for bad in [
            "",
            "nonsense",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-lovelace@example.com",
        ] {
            assert_eq!(read(&[("traceparent", bad)]), None, "{bad}");
        }
        let good = format!("00-{TRACE}-b7ad6b7169203331-01");
        let twice = [("traceparent", good.as_str()); 2];
        assert_eq!(read(&twice), None);
    }

    #[test]
    fn a_state_that_is_too_long_or_malformed_is_left_out() {
        let good = format!("00-{TRACE}-b7ad6b7169203331-01");
        let long = format!("a={}", "b".repeat(TRACE_STATE_BYTES));
        for state in [long.as_str(), "no state"] {
            let found = read(&[("traceparent", &good), ("tracestate", state)]);
            assert_eq!(found, Some((TRACE.to_owned(), String::new(), true)));
        }
    }

    #[test]
    fn without_a_tracer_there_is_no_span() {
        assert!(!on());
        let mut headers = HeaderMap::new();
        headers.insert(
            PARENT,
            HeaderValue::from_str(&format!("00-{TRACE}-b7ad6b7169203331-01")).unwrap(),
        );
        assert!(of_call(&headers, "x").is_none());
        assert!(of_peer(&headers, "Propose").is_none());
        let mut out = HeaderMap::new();
        assert!(step("x").is_none() && to_peer(&mut out, "Propose").is_none());
        assert!(out.is_empty());
    }
}
