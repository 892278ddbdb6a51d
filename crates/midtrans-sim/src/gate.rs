//! The way every API call takes: recorded, made to fail, authenticated, remembered by its key, and only then answered.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::answers::{Answer, Made, Outcome, json_response};
use crate::core::Core;
use crate::faults::{Calls, Failure, Loss};
use crate::idempotency::{self, Claimed, Replay};
use crate::instruction::uuid;
use crate::records::Call;
use crate::snap_api::{self, makes_a_page};
use crate::transaction::Act;

/// The largest body of a call.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a charge waits for the notification that is to come before its answer.
const NOTIFIED_WITHIN: Duration = Duration::from_secs(5);

/// Lets a call through to its handler, or not.
pub(crate) async fn gate(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // The whole body first: a call that is on record has then claimed its key as well.
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let failure = record(&core, &parts);
    if let Some(failure) = failure
        && let Some(response) = fail(&core, failure, parts.uri.path())
    {
        return response;
    }
    if !accepts_json(&parts.headers) {
        return html(StatusCode::NOT_FOUND, "Ups! The page you are looking for is not here.");
    }
    if !is_merchant(&parts.headers, &core.options.server_key) {
        return unauthorized(&core, parts.uri.path()).into_response();
    }
    let claim = match Claim::take(&core, &parts, &body) {
        Ok(claim) => claim,
        Err(response) => return response,
    };
    if failure == Some(Failure::Hang) {
        return silence(&core).await;
    }
    // On a task of its own: a caller who hangs up does not stop the gateway.
    let request = Request::from_parts(parts, Body::from(body));
    let work = core.runtime.spawn(work(Arc::clone(&core), request, next, claim));
    let Ok((response, made)) = work.await else { return cut() };
    let loss = core.state().faults.api.take_loss(made);
    match loss {
        None => response,
        Some(Loss::Cut) => cut(),
        Some(Loss::Hang) => silence(&core).await,
        Some(Loss::GatewayTimeout) => html(StatusCode::GATEWAY_TIMEOUT, "504 Gateway Time-out"),
    }
}

/// Writes the call down; how it is to fail, if it is.
fn record(core: &Core, parts: &Parts) -> Option<Failure> {
    let path = parts.uri.path();
    let kind = match (&parts.method, path) {
        (_, "/v2/charge") => Calls::Charge,
        (_, path) if makes_a_page(path) => Calls::Charge,
        (&Method::GET, _) => Calls::Status,
        _ => Calls::Action,
    };
    let mut state = core.state();
    state.charge_calls += u64::from(path == "/v2/charge");
    state.page_calls += u64::from(makes_a_page(path));
    state.calls.push(Call {
        method: parts.method.to_string(),
        path: path.to_owned(),
        idempotency_key: key_header(&parts.headers).map(str::to_owned),
        at: core.clock().now(),
    });
    state.faults.api.take_failure(kind)
}

/// The answer of a failing call; none for one that will hang.
fn fail(core: &Core, failure: Failure, path: &str) -> Option<Response> {
    let (code, message) = match failure {
        Failure::Hang => return None,
        Failure::RateLimited => {
            let body = json!({ "message": "API rate limit exceeded" });
            return Some(json_response(StatusCode::TOO_MANY_REQUESTS, &body));
        }
        Failure::HtmlNotFound => return Some(html(StatusCode::NOT_FOUND, "Ups!")),
        Failure::HtmlBadGateway => return Some(html(StatusCode::BAD_GATEWAY, "502 Bad Gateway")),
        Failure::ServerError => {
            (500, "Sorry. Our system is recovering from unexpected issues. Please retry.")
        }
        Failure::Unavailable => (
            503,
            "Sorry. The bank/payment partner is experiencing some connection issues. Please retry later.",
        ),
        Failure::NoVaNumber => (505, "Unable to create va_number for this transaction"),
    };
    if snap_api::is_call(path) {
        let http = if code == 503 { 503 } else { 500 };
        return Some(snap_api::refusal(http, &[message.to_owned()]).into_response());
    }
    let mut answer = Answer::refusal(code, message, &uuid(core.clock()));
    if core.state().faults.api.server_errors_over_http_200 {
        answer.http = StatusCode::OK;
    }
    Some(answer.into_response())
}

/// 401, in the words of the API that was called.
fn unauthorized(core: &Core, path: &str) -> Answer {
    if snap_api::is_call(path) {
        let message =
            "Access denied due to unauthorized transaction, please check client or server key".to_owned();
        return snap_api::refusal(401, &[message]);
    }
    let message = "Transaction cannot be authorized with the current client/server key.";
    Answer::refusal(401, message, &uuid(core.clock()))
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["application/json", "application/*", "*/*"].iter().any(|kind| accept.contains(kind))
}

fn is_merchant(headers: &HeaderMap, server_key: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given =
        given.and_then(|value| value.strip_prefix("Basic ")).map(|encoded| BASE64_STANDARD.decode(encoded));
    let expected = format!("{server_key}:");
    matches!(given, Some(Ok(given)) if bool::from(given.ct_eq(expected.as_bytes())))
}

fn key_header(headers: &HeaderMap) -> Option<&str> {
    headers.get("idempotency-key").and_then(|value| value.to_str().ok())
}

/// Works on a call; whether it made a transaction goes with the answer.
async fn work(core: Arc<Core>, request: Request, next: Next, claim: Option<Claim>) -> (Response, bool) {
    let latency = Duration::from_millis(core.state().faults.api.latency_ms);
    if !latency.is_zero() {
        tokio::select! {
            () = core.stop.cancelled() => return (cut(), false),
            () = tokio::time::sleep(latency) => {}
        }
    }
    let response = next.run(request).await;
    let Some(outcome) = response.extensions().get::<Outcome>().cloned() else { return (response, false) };
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    if let Some(claim) = claim
        && outcome.is_success()
    {
        claim.remember(Replay { http: parts.status, body: body.to_vec() });
    }
    if let Some(Made::Transaction(transaction_id)) = &outcome.made {
        settle_if_asked(&core, transaction_id).await;
    }
    (Response::from_parts(parts, Body::from(body)), outcome.made.is_some())
}

/// A payer so quick that the merchant hears of it before the charge is answered.
async fn settle_if_asked(core: &Arc<Core>, transaction_id: &str) {
    if !core.state().faults.api.take_settle_before_answer() {
        return;
    }
    if core.act(transaction_id, Act::Settle).is_ok() && !core.all_delivered(NOTIFIED_WITHIN).await {
        tracing::warn!(
            transaction_id,
            "the merchant did not take the notification before the charge was answered"
        );
    }
}

/// An idempotency key while its first call is being worked on; dropped, the key is free again.
struct Claim {
    core: Arc<Core>,
    key: String,
}

impl Claim {
    /// Claims the key of a call, where it has one that counts; the answer where the call is not the first.
    #[expect(clippy::result_large_err, reason = "the answer is given at once")]
    fn take(core: &Arc<Core>, parts: &Parts, body: &[u8]) -> Result<Option<Self>, Response> {
        let key = key_header(&parts.headers).and_then(idempotency::usable);
        let counts =
            parts.method == Method::POST && !snap_api::is_call(parts.uri.path()) && supports_keys(body);
        let Some(key) = key.filter(|_| counts) else {
            return Ok(None);
        };
        let claimed = core.state().keys.claim(&key, core.clock().now());
        match claimed {
            Claimed::Fresh => Ok(Some(Self { core: Arc::clone(core), key })),
            Claimed::Running => Err(StatusCode::ACCEPTED.into_response()),
            Claimed::Replay(replay) => {
                let headers = [(header::CONTENT_TYPE, "application/json;charset=UTF-8")];
                Err((replay.http, headers, replay.body).into_response())
            }
        }
    }

    fn remember(self, replay: Replay) {
        self.core.state().keys.remember(&self.key, replay, self.core.clock().now());
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.core.state().keys.release(&self.key);
    }
}

/// Permata and Indomaret know no idempotency keys (contract, section 1).
fn supports_keys(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let indomaret =
        body["cstore"]["store"].as_str().is_some_and(|store| store.eq_ignore_ascii_case("indomaret"));
    !(body["payment_type"] == "permata" || body["bank_transfer"]["bank"] == "permata" || indomaret)
}

fn html(status: StatusCode, text: &str) -> Response {
    (status, Html(format!("<!DOCTYPE html><html><body><h1>{text}</h1></body></html>"))).into_response()
}

/// A response whose body breaks at once, which cuts the connection.
fn cut() -> Response {
    let broken =
        futures::stream::once(async { Err::<Vec<u8>, _>(io::Error::from(io::ErrorKind::ConnectionReset)) });
    Response::new(Body::from_stream(broken))
}

/// No answer until the caller leaves, the simulator stops, or somebody hangs up for both.
async fn silence(core: &Core) -> Response {
    let hung_up = core.hang_up.notified();
    let _waiting = Waiting::begin(core);
    tokio::select! {
        () = core.stop.cancelled() => {}
        () = hung_up => {}
    }
    cut()
}

/// One who waits for an answer that will not come.
struct Waiting<'a>(&'a Core);

impl<'a> Waiting<'a> {
    fn begin(core: &'a Core) -> Self {
        core.silent.send_modify(|silent| *silent += 1);
        Self(core)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.silent.send_modify(|silent| *silent = silent.saturating_sub(1));
    }
}
