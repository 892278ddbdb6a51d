//! A place in a trace as a line of text, for work that is done later or elsewhere (`traceparent` of W3C Trace Context).

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: &str = "traceparent";

/// Where the code that runs stands in its trace. Nothing when this process keeps no traces, or outside of every span.
#[must_use]
pub fn here() -> Option<String> {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut text = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut text);
    text.remove(TRACEPARENT)
}

/// Makes a span that was not entered yet a part of the trace of `place`. What is no place changes nothing.
pub fn continue_at(span: &Span, place: &str) {
    let text = HashMap::from([(TRACEPARENT.to_owned(), place.to_owned())]);
    let context = TraceContextPropagator::new().extract(&text);
    if context.span().span_context().is_valid() {
        // Where no traces are kept there is nothing to continue.
        let _none_kept = span.set_parent(context);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const PLACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// The place of a span that continues at another.
    fn continued(place: &str) -> String {
        let span = tracing::info_span!("job");
        continue_at(&span, place);
        span.in_scope(here).unwrap()
    }

    #[test]
    fn a_span_continues_the_trace_of_the_place_that_it_is_given() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            assert_eq!(here(), None, "outside of every span");
            let next = continued(PLACE);
            assert_eq!((&next[..36], &next[52..]), (&PLACE[..36], "-01"), "the trace, and that it is kept");
            assert_ne!(next, PLACE);
            assert!(continued(&PLACE.replace("-01", "-00")).ends_with("-00"), "nor is what it makes");
            for nonsense in ["", "x", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
                assert_ne!(continued(nonsense)[..36], PLACE[..36], "{nonsense}");
            }
        });
    }

    #[test]
    fn where_no_traces_are_kept_there_is_no_place() {
        let span = tracing::info_span!("job");
        continue_at(&span, PLACE);
        assert_eq!(span.in_scope(here), None);
    }
}
