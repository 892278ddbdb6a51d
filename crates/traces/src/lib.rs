//! Traces for a collector that speaks OTLP over HTTP (protobuf). Spans leave in the background, through a queue that has an
//! end: a collector that is down or slow holds up nothing, and what finds no place is dropped.

mod known;
mod out;
mod place;
mod sampling;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use reqwest::Url;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use known::Known;
use out::Out;

pub use place::{continue_at, here};
pub use sampling::Sampling;

/// What the path of an address is when it has none (OTLP, section "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";
/// Spans that wait to be sent. One more is dropped.
const WAITING_MAX: usize = 4_096;
/// Spans sent at once.
const TOGETHER_MAX: usize = 512;
/// Spans wait so long for others at most.
const EVERY: Duration = Duration::from_secs(2);
/// A call to the collector takes at most so long.
const CALL_MAX: Duration = Duration::from_secs(5);
/// A process that ends waits so long for its last spans at most.
const END_MAX: Duration = Duration::from_secs(3);
/// The crates whose spans are told: ours alone, because of them we know what they hold.
const OURS: [&str; 5] = ["courier", "kasir", "midtrans", "queue", "workers"];

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// It is no address of HTTP.
    #[error("it is no address like http://HOST:4318 or https://HOST/v1/traces")]
    Address,
    /// It holds a name or a password, which would not stay secret there.
    #[error("it holds a name or a password; OTEL_EXPORTER_OTLP_HEADERS says who we are")]
    Password,
    /// There is no such way to choose traces.
    #[error("OTEL_TRACES_SAMPLER is {0}; it knows {known}", known = sampling::KNOWN)]
    Sampler(String),
    /// It is no share.
    #[error("OTEL_TRACES_SAMPLER_ARG is {0}; it is a share from 0 (no trace) to 1 (all)")]
    Share(String),
    /// No client can be made.
    #[error("no client for it can be made: {0}")]
    Client(String),
}

/// The way of traces out of this process.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send spans there. Calls to the collector are made on the runtime of the caller.
    ///
    /// # Errors
    /// When the address or the sampling is none, or no client can be made.
    pub fn start(endpoint: &str, sampling: &Sampling) -> Result<Self, SetupError> {
        let sampler = sampling.sampler()?;
        let client = |error: &dyn std::fmt::Display| SetupError::Client(error.to_string());
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Out::new(CALL_MAX)?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(address(endpoint)?)
            .with_timeout(CALL_MAX)
            .build()
            .map_err(|error| client(&error))?;
        let limits = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .with_max_export_batch_size(TOGETHER_MAX)
            .with_scheduled_delay(EVERY)
            .build();
        let about = Resource::builder()
            .with_service_name("kasir")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let processor = BatchSpanProcessor::builder(Known(exporter)).with_batch_config(limits).build();
        let provider = SdkTracerProvider::builder().with_resource(about).with_sampler(sampler);
        Ok(Self(provider.with_span_processor(processor).build()))
    }

    /// What hears of the spans. Lines of the log do not go along: they are for people, and stay here.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("kasir"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            // Without the hint everybody would ask of each line of every library whether it is told.
            .with_filter(filter_fn(is_told).with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what waits, and ends. It takes a few seconds at most.
    pub async fn end(self) {
        // It blocks, and the calls that it waits for need the runtime.
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(END_MAX)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces did not reach the collector");
        }
    }
}

fn is_told(about: &Metadata<'_>) -> bool {
    let of = about.target().split("::").next().unwrap_or_default();
    about.is_span() && *about.level() <= Level::INFO && OURS.contains(&of)
}

fn address(endpoint: &str) -> Result<String, SetupError> {
    let mut url = Url::parse(endpoint).map_err(|_| SetupError::Address)?;
    if !["http", "https"].contains(&url.scheme()) || url.query().is_some() || url.fragment().is_some() {
        return Err(SetupError::Address);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SetupError::Password);
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_is_given_the_usual_one() {
        for (given, whole) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example/", "https://collector.example/v1/traces"),
            ("https://collector.example/otlp/v1/traces", "https://collector.example/otlp/v1/traces"),
        ] {
            assert_eq!(address(given).unwrap(), whole);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in
            ["", "collector:4318", "grpc://collector:4317", "http://", "http://c:99999", "http://c/?a=b"]
        {
            assert!(matches!(address(wrong), Err(SetupError::Address)), "{wrong}");
        }
        assert!(matches!(address("http://me:secret@collector:4318"), Err(SetupError::Password)));
    }
}
