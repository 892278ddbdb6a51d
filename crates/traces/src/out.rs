//! Calls to the collector: on the runtime of the process, with a time-out, and told of when they begin to fail.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::redirect::Policy;
use tokio::runtime::Handle;

use crate::SetupError;

/// A client for the collector alone.
#[derive(Debug)]
pub(crate) struct Out {
    client: reqwest::Client,
    runtime: Handle,
    fails: Arc<AtomicBool>,
}

impl Out {
    pub(crate) fn new(timeout: Duration) -> Result<Self, SetupError> {
        // reqwest would panic.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(SetupError::Client("no TLS provider is installed".to_owned()));
        }
        let runtime = Handle::try_current().map_err(|error| SetupError::Client(error.to_string()))?;
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(Policy::none())
            .pool_max_idle_per_host(1)
            .user_agent(concat!("kasir/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SetupError::Client(error.to_string()))?;
        Ok(Self { client, runtime, fails: Arc::default() })
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Out {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        // Whoever asks is a thread without a runtime.
        let sending = self.runtime.spawn(send(self.client.clone(), request));
        Box::pin(async move {
            let sent = sending.await?;
            let is_taken = sent.as_ref().is_ok_and(|answer| answer.status().is_success());
            // Once when it begins, and not each time: a collector that is down for a day fills no log.
            if !self.fails.swap(!is_taken, Ordering::Relaxed) && !is_taken {
                let why =
                    sent.as_ref().map_or_else(ToString::to_string, |answer| answer.status().to_string());
                tracing::warn!(why, "the collector takes no traces; they are lost until it does");
            }
            sent
        })
    }
}

/// What the answer says does not matter, but whether it is one of success.
async fn send(client: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let answer = client.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let mut told = Response::builder().status(answer.status());
    if let Some(headers) = told.headers_mut() {
        headers.extend(answer.headers().clone());
    }
    Ok(told.body(Bytes::new())?)
}
