//! The only place where an HTTP client is made: with time-outs, and following no redirects.

use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;

use crate::SetupError;

/// Idle connections that are kept for each host.
const IDLE_CONNECTIONS_MAX: usize = 8;

/// How long an idle connection is kept: less than the minute after which load balancers cut it.
const IDLE_S_MAX: u64 = 50;

/// A client that gives up: after `connect_timeout` on connecting, after `timeout` on the whole call, body and all.
/// It follows no redirect, so a key is sent to nobody but the host that it was meant for.
///
/// # Errors
/// When no TLS provider is installed in this process, or the system's roots cannot be read.
pub fn http_client(connect_timeout: Duration, timeout: Duration) -> Result<reqwest::Client, SetupError> {
    built(builder(connect_timeout, timeout)?)
}

/// The same, for whoever has a wish besides.
pub(crate) fn builder(connect_timeout: Duration, timeout: Duration) -> Result<ClientBuilder, SetupError> {
    // reqwest would panic.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(SetupError::Client("no TLS provider is installed".to_owned()));
    }
    Ok(reqwest::Client::builder()
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        .redirect(Policy::none())
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(Duration::from_secs(IDLE_S_MAX))
        .user_agent(concat!("kasir/", env!("CARGO_PKG_VERSION"))))
}

pub(crate) fn built(builder: ClientBuilder) -> Result<reqwest::Client, SetupError> {
    builder.build().map_err(|error| SetupError::Client(story(&error)))
}

/// An error and its causes in one line; reqwest's own text is only the first of them.
pub(crate) fn story(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
