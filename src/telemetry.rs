//! Logs: a line for a person, fields for a query, no secrets.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// What an operator wants to see.
const USUAL: &str = "info,apalis=warn,sqlx=warn,tokio_cron_scheduler=warn";

/// Starts logging to standard error: readable on a terminal, JSON elsewhere, unless `KASIR_LOG_FORMAT` says
/// otherwise. `RUST_LOG` chooses what is logged.
pub fn start() {
    // An empty RUST_LOG is none, as with all other variables.
    let wanted = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = wanted.and_then(|text| EnvFilter::try_new(text).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(USUAL));
    let format = std::env::var("KASIR_LOG_FORMAT").unwrap_or_default();
    let json = format == "json" || (format.is_empty() && !std::io::stderr().is_terminal());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(BoxMakeWriter::new(std::io::stderr));
    // A second start in one process, as in tests, keeps the first.
    let _already = if json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}
