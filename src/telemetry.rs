//! Logs: a line for a person, fields for a query, no secrets. And traces, where a collector is named.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use traces::{Sampling, Traces};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// What an operator wants to see.
const USUAL: &str = "info,apalis=warn,sqlx=warn,tokio_cron_scheduler=warn";

/// Starts logging to standard error: readable on a terminal, JSON elsewhere, unless `KASIR_LOG_FORMAT` says
/// otherwise. `RUST_LOG` chooses what is logged. If `KASIR_OTLP_ENDPOINT` names a collector, a process that is
/// `traced` sends it traces; the way of them is given, to be ended last.
///
/// # Errors
/// When the collector's address is none, or what is said of sampling.
pub fn start(is_traced: bool) -> anyhow::Result<Option<Traces>> {
    // An empty variable is none, as with all others.
    let told = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let filter = told("RUST_LOG").and_then(|text| EnvFilter::try_new(text).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(USUAL));
    let format = told("KASIR_LOG_FORMAT").unwrap_or_default();
    let json = format == "json" || (format.is_empty() && !std::io::stderr().is_terminal());
    let collector = told("KASIR_OTLP_ENDPOINT").filter(|_| is_traced);
    let Some(collector) = collector else {
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(BoxMakeWriter::new(std::io::stderr));
        // A second start in one process, as in tests, keeps the first.
        let _already = if json { builder.json().try_init() } else { builder.with_target(false).try_init() };
        return Ok(None);
    };
    let sampling = Sampling { kind: told("OTEL_TRACES_SAMPLER"), share: told("OTEL_TRACES_SAMPLER_ARG") };
    let traces = Traces::start(&collector, &sampling).context("KASIR_OTLP_ENDPOINT")?;
    let lines = tracing_subscriber::fmt::layer().with_writer(BoxMakeWriter::new(std::io::stderr));
    let lines: Box<dyn Layer<Registry> + Send + Sync> =
        if json { lines.json().boxed() } else { lines.with_target(false).boxed() };
    let _already =
        tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces.layer()).try_init();
    Ok(Some(traces))
}
