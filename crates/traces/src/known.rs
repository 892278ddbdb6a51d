//! What may leave: the fields that are named here. A span that is given another one some day does not tell it.

use std::time::Duration;

use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter};

/// None of them is a secret, or about a person. Paths are not among them: they hold what anybody writes there.
const KNOWN: [&str; 10] = [
    "target",
    "method",
    "route",
    "request.id",
    "http.status",
    "job.id",
    "job.kind",
    "job.attempt",
    "call.method",
    "call.verb",
];
/// A front end may choose its `x-request-id`, and a caller his method: what is longer is not told, nor what is no name.
const LENGTH_MAX: usize = 64;
/// What stands in names besides letters and digits, and in routes.
const IN_NAMES: [char; 7] = ['-', '_', '.', ':', '/', '{', '}'];

/// An exporter that is given what is known.
#[derive(Debug)]
pub(crate) struct Known<E>(pub(crate) E);

impl<E: SpanExporter> SpanExporter for Known<E> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        for span in &mut batch {
            span.attributes.retain(is_known);
            span.events = SpanEvents::default();
        }
        self.0.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn is_known(field: &KeyValue) -> bool {
    let is_name = match &field.value {
        Value::String(text) => {
            let text = text.as_str();
            text.len() <= LENGTH_MAX
                && text.chars().all(|c| c.is_ascii_alphanumeric() || IN_NAMES.contains(&c))
        }
        Value::Bool(_) | Value::I64(_) | Value::F64(_) => true,
        // None of ours is a list.
        _ => false,
    };
    is_name && KNOWN.contains(&field.key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_and_a_name_is_told() {
        assert!(is_known(&KeyValue::new("request.id", "01KB0000000000000000000000")));
        assert!(is_known(&KeyValue::new("http.status", 201)));
        assert!(!is_known(&KeyValue::new("path", "/api/payment/KSR-1")));
        assert!(is_known(&KeyValue::new("route", "/api/admin/reconciliations/{id}/items")));
        assert!(!is_known(&KeyValue::new("request.id", "x".repeat(LENGTH_MAX + 1))));
        assert!(!is_known(&KeyValue::new("request.id", "budi@kost.example")));
    }
}
