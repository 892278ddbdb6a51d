//! The client: one function for each thing that the gateway is asked to do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{ChargeAs, Method, RefundKey, Report, Rupiah, Secret, TransactionId};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Request, RequestBuilder, Response, Url};
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::answer::{Answer, Asked, Refunding};
use crate::fields::cut;
use crate::gate::Asking;
use crate::http::{http_client, story};
use crate::{CallError, Charge, Gate, SetupError, Urgency, page};
use serde_json::json;

/// The longest answer that is read; real ones have a few kilobytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The longest wait that we let the gateway prescribe.
const RETRY_AFTER_S_MAX: u64 = 3600;

/// Where the gateway is, and how long we wait for it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://api.midtrans.com`, the sandbox, or the simulator: scheme, host and port only (contract §1).
    pub base_url: String,
    /// Where the hosted page is: another host than the Core API's, but for the simulator (contract §1).
    pub page_url: String,
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
    page_base: Url,
    authorization: HeaderValue,
    gate: Option<Arc<dyn Gate>>,
    urgency: Urgency,
}

/// A refund that the gateway shall make. The same key again means the same refund (contract §4).
#[derive(Debug, Clone)]
pub struct RefundOrder {
    /// Its name.
    pub key: RefundKey,
    /// How much.
    pub amount: Rupiah,
    /// Why; the gateway keeps 255 characters.
    pub reason: String,
    /// Whether the bank is asked at once.
    pub direct: bool,
}

/// The longest reason that the gateway keeps.
const REASON_CHARS_MAX: usize = 255;

impl Midtrans {
    /// A client with these settings. It connects when it is first used.
    ///
    /// # Errors
    /// When the base URL or the key cannot be right, or no HTTP client can be built.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        Ok(Self {
            http: http_client(settings.connect_timeout, settings.timeout)?,
            base: base_url(&settings.base_url)?,
            page_base: base_url(&settings.page_url)?,
            authorization: authorization(&settings.server_key)?,
            gate: None,
            urgency: Urgency::Now,
        })
    }

    /// The same client with a gateway at another address, which has both the Core API and the hosted page.
    ///
    /// # Errors
    /// When the base URL cannot be right.
    pub fn towards(self, base_url: &str) -> Result<Self, SetupError> {
        let base = self::base_url(base_url)?;
        Ok(Self { page_base: base.clone(), base, ..self })
    }

    /// The same client, whose every call passes this gate.
    #[must_use]
    pub fn guarded(self, gate: Arc<dyn Gate>) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// The same client for calls that nobody waits for.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self { urgency: Urgency::Patient, ..self.clone() }
    }

    /// Asks for a payment: `POST /v2/charge` (contract §2). A denial is a report, not an error.
    ///
    /// # Errors
    /// See [`CallError`]; on `Unknown`, `Running` and `Duplicate` the transaction may exist: ask [`Self::status`].
    pub async fn charge(&self, charge: &Charge) -> Result<Report, CallError> {
        match charge.method.profile().charge {
            ChargeAs::Hand => {
                Err(CallError::NotSent("cash is taken by hand, the gateway knows no such method".to_owned()))
            }
            ChargeAs::Page(methods) => self.make_page(charge, methods).await,
            _ => {
                let mut request = self.http.post(self.url(&["v2", "charge"])?);
                if charge.idempotent {
                    request = request.header("Idempotency-Key", charge.idempotency_key());
                }
                let request = request.body(charge.request().to_string());
                self.call(request).await?.read(Asked::Charge(&charge.invoice, charge.method))
            }
        }
    }

    /// `POST /snap/v1/transactions`. Several pages of one invoice do no harm: the invoice is paid once (contract §2).
    async fn make_page(&self, charge: &Charge, methods: &[&str]) -> Result<Report, CallError> {
        let url = path_on(&self.page_base, &["snap", "v1", "transactions"])?;
        let request = self.http.post(url).body(charge.page_request(methods).to_string());
        page::made(&self.call(request).await?)
    }

    /// Closes a hosted page, so that nobody can pay there: `POST /snap/v1/transactions/{token}/cancel`.
    ///
    /// # Errors
    /// See [`CallError`]; `Refused` when it is closed or over already, and while a payer is in the middle of a try.
    pub async fn close_page(&self, token: &str) -> Result<(), CallError> {
        let url = path_on(&self.page_base, &["snap", "v1", "transactions", token, "cancel"])?;
        page::closed(&self.call(self.http.post(url).body("{}")).await?)
    }

    /// Asks how a transaction stands: `GET /v2/{id}/status` (contract §3). With an invoice the answer is about its
    /// latest transaction.
    ///
    /// # Errors
    /// See [`CallError`]; an answer about another transaction is `Unknown`.
    pub async fn status(&self, invoice_or_transaction_id: &str) -> Result<Report, CallError> {
        let url = self.transaction_url(invoice_or_transaction_id, &["status"])?;
        self.call(self.http.get(url)).await?.read(Asked::Transaction(invoice_or_transaction_id))
    }

    /// Cancels a transaction that is not paid: `POST /v2/{id}/cancel` (contract §4).
    ///
    /// # Errors
    /// See [`CallError`]; `Unchangeable` when it is paid or over already.
    pub async fn cancel(&self, id: &str) -> Result<Report, CallError> {
        self.act(id, "cancel").await
    }

    /// Ends the time of a pending transaction: `POST /v2/{id}/expire` (contract §4). Body 407 is the success.
    ///
    /// # Errors
    /// See [`CallError`]; `Unchangeable` when it is paid or over already.
    pub async fn expire(&self, id: &str) -> Result<Report, CallError> {
        self.act(id, "expire").await
    }

    /// Accepts a card payment under challenge: `POST /v2/{id}/approve` (contract §4).
    ///
    /// # Errors
    /// See [`CallError`]; `Unchangeable` when it is under no challenge.
    pub async fn approve(&self, id: &str) -> Result<Report, CallError> {
        self.act(id, "approve").await
    }

    /// Refuses a card payment under challenge: `POST /v2/{id}/deny` (contract §4).
    ///
    /// # Errors
    /// See [`CallError`]; `Unchangeable` when it is under no challenge.
    pub async fn deny(&self, id: &str) -> Result<Report, CallError> {
        self.act(id, "deny").await
    }

    /// Takes an amount that a card has reserved: `POST /v2/capture` (contract §4). A denial leaves the transaction
    /// authorised, whatever its answer says of it, so ask [`Self::status`] afterwards.
    ///
    /// # Errors
    /// See [`CallError`]; `Unchangeable` when nothing is reserved.
    pub async fn capture(&self, id: &TransactionId, amount: Rupiah) -> Result<Report, CallError> {
        let body = json!({ "transaction_id": id.as_str(), "gross_amount": amount.get() });
        let request = self.http.post(self.url(&["v2", "capture"])?).body(body.to_string());
        self.call(request).await?.read(Asked::Transaction(id.as_str()))
    }

    /// Gives money back: `POST /v2/{id}/refund`, or `/refund/online/direct` (contract §4). Its key makes it safe to ask
    /// again; which refunds there are, and what they add up to, [`Self::status`] tells.
    ///
    /// # Errors
    /// See [`CallError`]; `Unchangeable` when nothing is settled, `Duplicate` when the key is known, `Refused` when it is
    /// more than what is left.
    pub async fn refund(&self, id: &str, refund: &RefundOrder) -> Result<Refunding, CallError> {
        let url = match refund.direct {
            true => self.transaction_url(id, &["refund", "online", "direct"])?,
            false => self.transaction_url(id, &["refund"])?,
        };
        let body = json!({
            "refund_key": refund.key.as_str(),
            "amount": refund.amount.get(),
            "reason": cut(&refund.reason, REASON_CHARS_MAX),
        });
        let request = self.http.post(url).body(body.to_string());
        self.call(request).await?.read_refund(Asked::Transaction(id))
    }

    /// Where the picture of the QR code of a transaction is whose charge answer was lost (contract §2); `None` for a
    /// method without one.
    #[must_use]
    pub fn qr_image_url(&self, method: Method, transaction_id: &TransactionId) -> Option<String> {
        let kind = match method.profile().charge {
            ChargeAs::Qris(_) => "qris",
            ChargeAs::Plain("gopay") => "gopay",
            _ => return None,
        };
        self.url(&["v2", kind, transaction_id.as_str(), "qr-code"]).ok().map(String::from)
    }

    /// No `Idempotency-Key` here: asked twice, the gateway itself says 412, while a stored success would be replayed
    /// for five minutes and hide a settlement that came in between (contract §1).
    async fn act(&self, id: &str, verb: &str) -> Result<Report, CallError> {
        let url = self.transaction_url(id, &[verb])?;
        self.call(self.http.post(url).body("{}")).await?.read(Asked::Transaction(id))
    }

    /// The one way out: nothing is sent past the gate.
    async fn call(&self, request: RequestBuilder) -> Result<Answer, CallError> {
        let request = self.signed(request)?;
        let Some(gate) = &self.gate else { return self.send(request).await };
        gate.enter(self.urgency).await.map_err(|retry_after| CallError::Held { retry_after })?;
        let (asking, begun) = (Asking::of(&request), Instant::now());
        let ended = self.send(request).await;
        gate.heard(&asking.ended(&ended, begun.elapsed())).await;
        ended
    }

    fn signed(&self, request: RequestBuilder) -> Result<Request, CallError> {
        let json = HeaderValue::from_static("application/json");
        let mut request = request
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, json.clone())
            .header(CONTENT_TYPE, json)
            .build()
            .map_err(|error| CallError::NotSent(story(&error.without_url())))?;
        // Transactions of this form are known to the gateway's other door alone (contract §3: DANA).
        if request.url().path_segments().is_some_and(|mut path| path.any(is_of_snap_api)) {
            request.headers_mut().insert("transaction-source", HeaderValue::from_static("SNAP_API"));
        }
        Ok(request)
    }

    async fn send(&self, request: Request) -> Result<Answer, CallError> {
        let (method, verb) = (request.method(), verb_of(request.url()));
        let span = tracing::info_span!("call", call.method = %method, call.verb = verb, http.status = Empty);
        async {
            tracing::debug!(http.path = request.url().path(), "asking the gateway");
            let response = self.http.execute(request).await.map_err(failure)?;
            Span::current().record("http.status", response.status().as_u16());
            answer(response).await
        }
        .instrument(span)
        .await
    }

    fn transaction_url(&self, id: &str, verbs: &[&str]) -> Result<Url, CallError> {
        // An invoice is a transaction id by its characters.
        match TransactionId::try_from(id) {
            Ok(id) => self.url(&[&["v2", id.as_str()], verbs].concat()),
            Err(invalid) => Err(CallError::NotSent(invalid.to_string())),
        }
    }

    fn url(&self, segments: &[&str]) -> Result<Url, CallError> {
        path_on(&self.base, segments)
    }
}

/// What is asked for, without the invoice or token of which it is asked.
fn verb_of(url: &Url) -> &str {
    url.path()
        .rsplit('/')
        .find(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase()))
        .unwrap_or_default()
}

/// The base with these segments, each percent-encoded. A segment of dots would be dropped, and make another path.
fn path_on(base: &Url, segments: &[&str]) -> Result<Url, CallError> {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut path) if !segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) => {
            path.clear().extend(segments);
        }
        _ => return Err(CallError::NotSent(format!("no path can be made of {segments:?}"))),
    }
    Ok(url)
}

/// `A1…ID`; an invoice of ours never looks like that.
fn is_of_snap_api(segment: &str) -> bool {
    segment.len() > "A1ID".len() && segment.starts_with("A1") && segment.ends_with("ID")
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
