//! The trace that a call belongs to, sent along with it, where the program that calls traces.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{global, propagation::Injector};

/// Adds what the program's propagator makes of the current context: none where it has installed none, or nothing is traced.
pub(super) fn pass_on(headers: &mut HeaderMap) {
    global::get_text_map_propagator(|propagator| propagator.inject(&mut Added(headers)));
}

/// Headers that are added to, and none replaced: a propagator has no say in the token.
struct Added<'a>(&'a mut HeaderMap);

impl Injector for Added<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = HeaderName::from_bytes(key.as_bytes());
        let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) else {
            return;
        };
        if !value.is_empty() && !self.0.contains_key(&name) {
            self.0.insert(name, value);
        }
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use opentelemetry::{
        Context, SpanId, TraceFlags, TraceId,
        trace::{SpanContext, TraceContextExt as _, TraceState},
    };
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tonic::{Request, service::Interceptor as _};

    use super::super::bearer::Bearer;

    fn sent() -> Request<()> {
        let mut bearer = Bearer::new("secret").unwrap();
        bearer.call(Request::new(())).unwrap()
    }

    #[test]
    fn a_call_carries_the_current_trace_and_none_where_there_is_none() {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        assert!(!sent().metadata().contains_key("traceparent"));
        let span = SpanContext::new(
            TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c),
            SpanId::from(0xb7ad_6b71_6920_3331),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        );
        let _current = Context::new().with_remote_span_context(span).attach();
        let request = sent();
        assert_eq!(
            request.metadata().get("traceparent").unwrap(),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        );
        assert!(!request.metadata().contains_key("tracestate"));
        assert_eq!(
            request.metadata().get("authorization").unwrap(),
            "Bearer secret"
        );
    }
}
