//! Calls to the provider: bounded in time and size, and following nobody elsewhere.

use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, http};
use reqwest::redirect::Policy;

/// The largest answer that is read. A list of keys has a few kilobytes.
const BYTES_MAX: usize = 256 * 1024;

/// Why a provider cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An address is none.
    #[error("{0} is no address")]
    Address(&'static str),
    /// No client can be made.
    #[error("no client for the provider can be made: {0}")]
    Client(String),
}

/// What went wrong with a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Sending(#[from] reqwest::Error),
    #[error(transparent)]
    Odd(#[from] http::Error),
    #[error("the provider names an address without TLS")]
    Plain,
    #[error("the answer is longer than {BYTES_MAX} bytes")]
    TooLong,
}

/// A client for the provider alone.
pub(crate) struct Http {
    client: reqwest::Client,
    only_tls: bool,
}

impl Http {
    /// A client that gives up after `timeout`, and goes without TLS nowhere if `only_tls`.
    pub(crate) fn new(timeout: Duration, only_tls: bool) -> Result<Self, SetupError> {
        // reqwest would panic.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(SetupError::Client("no TLS provider is installed".to_owned()));
        }
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(Policy::none())
            .pool_max_idle_per_host(2)
            .user_agent(concat!("kasir/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SetupError::Client(story(&error)))?;
        Ok(Self { client, only_tls })
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        if self.only_tls && request.uri().scheme() != Some(&http::uri::Scheme::HTTPS) {
            return Err(CallError::Plain);
        }
        let mut answer = self.client.execute(request.try_into()?).await?;
        let mut told = http::Response::builder().status(answer.status());
        if let Some(headers) = told.headers_mut() {
            headers.extend(answer.headers().clone());
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await? {
            if body.len() + part.len() > BYTES_MAX {
                return Err(CallError::TooLong);
            }
            body.extend_from_slice(&part);
        }
        Ok(told.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// An error and its causes in one line.
pub(crate) fn story(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
