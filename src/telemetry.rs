//! Logs: a line for a person, fields for a query, no secrets.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// Starts logging to standard error: readable on a terminal, JSON elsewhere, unless `KASIR_LOG_FORMAT` says
/// otherwise. `RUST_LOG` chooses what is logged; by default what an operator wants to see.
pub fn start() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,apalis=warn,sqlx=warn,tokio_cron_scheduler=warn"));
    let format = std::env::var("KASIR_LOG_FORMAT").unwrap_or_default();
    let json = format == "json" || (format.is_empty() && !std::io::stderr().is_terminal());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(BoxMakeWriter::new(std::io::stderr));
    // A second start in one process, as in tests, keeps the first.
    let _already = if json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}
