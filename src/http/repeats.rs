//! `Idempotency-Key`: a request that is sent again gets the first answer again.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono::TimeDelta;
use clock::delta;
use domain::UserId;
use sha2::{Digest as _, Sha256};
use store::repeats::{self, Keyed as Row, Standing, Window};
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument as _;

use super::{App, Problem};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const KEY_LENGTH_MAX: usize = 255;
/// The largest answer that is kept. Ours are far smaller.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A first request that was not heard of for so long will never answer: its process has died.
const STUCK_AFTER: TimeDelta = TimeDelta::seconds(6);
/// How often a request that runs says so.
const HEARD_OF_EVERY: Duration = Duration::from_secs(2);

/// A body, and the key of the request when it has one. It is the last argument of a handler: who asks is known by then.
pub(super) struct Keyed<B> {
    /// The body.
    pub(super) body: B,
    /// The key.
    pub(super) key: Option<Key>,
}

/// The key of a request, and what the request is.
pub(super) struct Key {
    key: String,
    request_hash: String,
}

impl Key {
    /// What the key of this person names, for work that must be done once for it, whatever becomes of the answer.
    pub(super) fn name_for(&self, user: UserId, what: &str) -> String {
        let digest = Sha256::digest(format!("{user}\n{what}\n{}", self.key));
        hex::encode(&digest[..16])
    }
}

/// A body that nobody reads.
pub(super) struct Nothing;

impl FromRequest<Arc<App>> for Nothing {
    type Rejection = Problem;

    async fn from_request(_request: Request, _app: &Arc<App>) -> Result<Self, Problem> {
        Ok(Self)
    }
}

impl<B: FromRequest<Arc<App>, Rejection = Problem>> FromRequest<Arc<App>> for Keyed<B> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let Some(key) = key_of(request.headers())? else {
            return Ok(Self { body: B::from_request(request, app).await?, key: None });
        };
        let (parts, body) = request.into_parts();
        let read = Bytes::from_request(Request::from_parts(parts.clone(), body), app).await;
        let bytes = read.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
            _ => Problem::Malformed(rejection.body_text()),
        })?;
        let key = Key { key, request_hash: hash(&parts, &bytes) };
        let body = B::from_request(Request::from_parts(parts, Body::from(bytes)), app).await?;
        Ok(Self { body, key: Some(key) })
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = given.next() else { return Ok(None) };
    let is_right = (1..=KEY_LENGTH_MAX).contains(&key.len())
        && key.as_bytes().iter().all(u8::is_ascii_graphic)
        && given.next().is_none();
    match key.to_str() {
        Ok(key) if is_right => Ok(Some(key.to_owned())),
        Ok(_) | Err(_) => Err(Problem::Unprocessable(format!(
            "the header Idempotency-Key is one key of 1 to {KEY_LENGTH_MAX} visible ASCII characters"
        ))),
    }
}

/// Names a request. Neither a method nor a path holds a line break, so that two requests never read the same.
fn hash(parts: &Parts, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{}\n{}\n", parts.method, parts.uri.path()));
    hash.update(body);
    hex::encode(hash.finalize())
}

impl App {
    /// Does the work of a request once for each key, and gives the first answer to whoever repeats it.
    ///
    /// No transaction is held meanwhile. The work goes on when the caller hangs up or the time for the request is over:
    /// then its answer is there when the caller asks again.
    pub(super) async fn once(
        self: &Arc<Self>,
        user: UserId,
        key: Option<Key>,
        work: impl Future<Output = Result<Response, Problem>> + Send + 'static,
    ) -> Result<Response, Problem> {
        let Some(key) = key else { return work.await };
        let at = self.clock.now();
        let window = Window { since: at - delta(repeats::KEPT), stuck: at - STUCK_AFTER };
        let row = Row { user, key: &key.key, request_hash: &key.request_hash, at };
        match repeats::take(&self.db, &row, window).await? {
            Standing::First => {}
            Standing::Running => return Err(Problem::IdempotencyKeyInUse),
            Standing::Different => return Err(Problem::IdempotencyKeyReused),
            Standing::Answered(status, body) => return Ok(replay(status, body)),
        }
        let app = Arc::clone(self);
        let task = async move {
            let mut row = Row { user, key: &key.key, request_hash: &key.request_hash, at };
            // In a task of its own, so that a panic gives the key back as well.
            let work = tokio::spawn(work.in_current_span());
            let done = hold(&app, &mut row, work).await.unwrap_or_else(|error| {
                tracing::error!(%error, "a handler panicked");
                Err(Problem::Internal)
            });
            keep(&app, &row, done).await
        };
        tokio::spawn(task.in_current_span()).await.unwrap_or(Err(Problem::Internal))
    }
}

/// Waits for the work, and says now and then that it runs, so that nobody takes its key for a dead one's.
async fn hold<T>(app: &App, row: &mut Row<'_>, mut work: JoinHandle<T>) -> Result<T, JoinError> {
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(HEARD_OF_EVERY) => {
                let now = app.clock.now();
                if repeats::still_runs(&app.db, row, now).await.is_ok_and(|kept| kept) {
                    row.at = now;
                }
            }
        }
    }
}

/// Keeps the answer, or gives the key back when the same request may get another answer a moment later.
async fn keep(app: &App, row: &Row<'_>, done: Result<Response, Problem>) -> Result<Response, Problem> {
    let passing = match &done {
        Ok(_) => false,
        Err(problem) => problem.status().is_server_error() || *problem == Problem::Contended,
    };
    if passing {
        if let Err(error) = repeats::give_back(&app.db, row).await {
            tracing::warn!(%error, "an idempotency key could not be given back; it is free again in a moment");
        }
        return done;
    }
    let (parts, body) = done.into_response().into_parts();
    let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|error| {
        tracing::error!(%error, "an answer could not be kept");
        Problem::Internal
    })?;
    let text = String::from_utf8_lossy(&bytes);
    if let Err(error) = repeats::answer(&app.db, row, parts.status.as_u16(), &text).await {
        // It was done all the same, and doing it again is safe.
        tracing::warn!(%error, "an answer could not be kept");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn replay(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let is_problem = status.is_client_error() || status.is_server_error();
    let kind = if is_problem { "application/problem+json" } else { "application/json" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (REPLAYED, HeaderValue::from_static("true")),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_taken_as_it_is_written_or_refused(given in prop::collection::vec(any::<u8>(), 0..300), twice: bool) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&given) {
                headers.append(IDEMPOTENCY_KEY, value.clone());
                if twice {
                    headers.append(IDEMPOTENCY_KEY, value);
                }
            }
            match key_of(&headers) {
                Ok(Some(key)) => prop_assert!(key.as_bytes() == given && key.len() <= KEY_LENGTH_MAX && !twice),
                Ok(None) => prop_assert!(headers.is_empty()),
                Err(problem) => prop_assert!(matches!(problem, Problem::Unprocessable(_))),
            }
        }
    }
}
