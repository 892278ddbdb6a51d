//! The client: one function for each thing that the gateway is asked to do.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Method, Report, Secret, TransactionId};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, Url};

use crate::answer::{Answer, Asked};
use crate::http::{http_client, story};
use crate::{CallError, Charge, SetupError};

/// The longest answer that is read; real ones have a few kilobytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The longest wait that we let the gateway prescribe.
const RETRY_AFTER_S_MAX: u64 = 3600;

/// Where the gateway is, and how long we wait for it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://api.midtrans.com`, the sandbox, or the simulator: scheme, host and port only (contract §1).
    pub base_url: String,
    /// The server key, which also says whose merchant account it is.
    pub server_key: Secret,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer, connecting and reading included.
    pub timeout: Duration,
}

/// A client of the Core API. Cheap to clone.
#[derive(Clone)]
pub struct Midtrans {
    http: reqwest::Client,
    base: Url,
    authorization: HeaderValue,
}

impl Midtrans {
    /// A client with these settings. It connects when it is first used.
    ///
    /// # Errors
    /// When the base URL or the key cannot be right, or no HTTP client can be built.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        Ok(Self {
            http: http_client(settings.connect_timeout, settings.timeout)?,
            base: base_url(&settings.base_url)?,
            authorization: authorization(&settings.server_key)?,
        })
    }

    /// Asks for a payment: `POST /v2/charge` (contract §2). A denial is a report, not an error.
    ///
    /// # Errors
    /// See [`CallError`]; on `Unknown`, `Running` and `Duplicate` the transaction may exist: ask [`Self::status`].
    pub async fn charge(&self, charge: &Charge) -> Result<Report, CallError> {
        if charge.method == Method::Cash {
            return Err(CallError::NotSent(
                "cash is taken by hand, the gateway knows no such method".to_owned(),
            ));
        }
        let request = self
            .http
            .post(self.url(&["v2", "charge"])?)
            .header("Idempotency-Key", charge.idempotency_key())
            .body(charge.request().to_string());
        self.call(request, Asked::Charge(&charge.invoice, charge.method)).await
    }

    /// Asks how a transaction stands: `GET /v2/{id}/status` (contract §3). With an invoice the answer is about its
    /// latest transaction.
    ///
    /// # Errors
    /// See [`CallError`]; an answer about another transaction is `Unknown`.
    pub async fn status(&self, invoice_or_transaction_id: &str) -> Result<Report, CallError> {
        let url = self.transaction_url(invoice_or_transaction_id, "status")?;
        self.call(self.http.get(url), Asked::Transaction(invoice_or_transaction_id)).await
    }

    /// Cancels a transaction that is not paid: `POST /v2/{id}/cancel` (contract §4).
    ///
    /// # Errors
    /// See [`CallError`]; `Unchangeable` when it is paid or over already.
    pub async fn cancel(&self, id: &str) -> Result<Report, CallError> {
        self.end(id, "cancel").await
    }

    /// Ends the time of a pending transaction: `POST /v2/{id}/expire` (contract §4). Body 407 is the success.
    ///
    /// # Errors
    /// See [`CallError`]; `Unchangeable` when it is paid or over already.
    pub async fn expire(&self, id: &str) -> Result<Report, CallError> {
        self.end(id, "expire").await
    }

    /// Where the picture of the QR code of a transaction is whose charge answer was lost (contract §2); `None` for a
    /// method without one.
    #[must_use]
    pub fn qr_image_url(&self, method: Method, transaction_id: &TransactionId) -> Option<String> {
        match method {
            Method::Qris | Method::Gopay => {
                self.url(&["v2", method.code(), transaction_id.as_str(), "qr-code"]).ok().map(String::from)
            }
            Method::Bca | Method::Bni | Method::Bri | Method::Cimb | Method::Permata | Method::Mandiri => {
                None
            }
            Method::Shopeepay | Method::Alfamart | Method::Indomaret | Method::Cash => None,
        }
    }

    /// No `Idempotency-Key` here: asked twice, the gateway itself says 412, while a stored success would be replayed
    /// for five minutes and hide a settlement that came in between (contract §1).
    async fn end(&self, id: &str, verb: &str) -> Result<Report, CallError> {
        let url = self.transaction_url(id, verb)?;
        self.call(self.http.post(url).body("{}"), Asked::Transaction(id)).await
    }

    async fn call(&self, request: RequestBuilder, asked: Asked<'_>) -> Result<Report, CallError> {
        let json = HeaderValue::from_static("application/json");
        let request = request
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, json.clone())
            .header(CONTENT_TYPE, json)
            .build()
            .map_err(|error| CallError::NotSent(story(&error.without_url())))?;
        tracing::debug!(http.method = %request.method(), http.path = request.url().path(), "asking the gateway");
        let response = self.http.execute(request).await.map_err(failure)?;
        answer(response).await?.read(asked)
    }

    fn transaction_url(&self, id: &str, verb: &str) -> Result<Url, CallError> {
        // An invoice is a transaction id by its characters.
        match TransactionId::try_from(id) {
            Ok(id) => self.url(&["v2", id.as_str(), verb]),
            Err(invalid) => Err(CallError::NotSent(invalid.to_string())),
        }
    }

    /// The base with these segments, each percent-encoded. A segment of dots would be dropped, and make another path.
    fn url(&self, segments: &[&str]) -> Result<Url, CallError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) if !segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) => {
                path.clear().extend(segments);
            }
            _ => return Err(CallError::NotSent(format!("no path can be made of {segments:?}"))),
        }
        Ok(url)
    }
}

/// Shows where it calls, never the key.
impl fmt::Debug for Midtrans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Midtrans").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

pub(crate) fn base_url(text: &str) -> Result<Url, SetupError> {
    let url = Url::parse(text).map_err(|_| SetupError::BaseUrl("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(SetupError::BaseUrl("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SetupError::BaseUrl("has a user; the key belongs into its own setting"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(SetupError::BaseUrl("has more than scheme, host and port"));
    }
    Ok(url)
}

/// The key is the user, the password is empty (contract §1).
pub(crate) fn authorization(key: &Secret) -> Result<HeaderValue, SetupError> {
    if key.is_empty() || !key.expose().bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return Err(SetupError::ServerKey("is empty, or has blanks, a colon or letters that no key has"));
    }
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{}:", key.expose()))))
        .map_err(|_| SetupError::ServerKey("fits no header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Only what failed while connecting is known not to have reached the gateway.
fn failure(error: reqwest::Error) -> CallError {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        CallError::NotSent(story(&error))
    } else {
        CallError::Unknown(story(&error))
    }
}

pub(crate) async fn answer(mut response: Response) -> Result<Answer, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(CallError::Unknown(format!("the answer has more than {ANSWER_BYTES_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { http: response.status().as_u16(), retry_after: retry_after(&response), body })
}

/// Seconds only; the date form would need a clock.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_S_MAX)))
}
