//! What happens around every request: it gets a name, a place and a time, and its answer says what all answers say.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use tracing::Instrument as _;

use super::{App, Problem, shedding};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Half a year, as long as browsers are to remember that we are reached over TLS alone.
const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=15768000");

/// Answers a request. One function and no tower of layers: each layer is one more thing to allocate and to move.
pub(super) async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).cloned().or_else(|| app.clock.ulid().parse().ok());
    // Who is sent away has no span, and costs next to nothing.
    let work = |request: Request| {
        let span = span_of(&request, id.as_ref());
        within(Arc::clone(&app), request, next).instrument(span)
    };
    let mut response = shedding::admit(&app, request, work).await;
    let headers = response.headers_mut();
    if let Some(id) = id {
        set(headers, REQUEST_ID, id);
    }
    // What is answered is for whoever asked, and is nothing else than it says.
    set(headers, header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set(headers, header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if app.settings.is_https {
        set(headers, header::STRICT_TRANSPORT_SECURITY, ONLY_TLS);
    }
    response
}

/// A handler that has said something else of its answer is right.
fn set(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}

/// The handler, for as long as a request may take.
async fn within(app: Arc<App>, request: Request, next: Next) -> Response {
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    let response = match tokio::time::timeout(app.settings.request_timeout, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => {
            tracing::error!("a handler panicked");
            Problem::Internal.into_response()
        }
        Err(_elapsed) => Problem::TimedOut.into_response(),
    };
    tracing::Span::current().record("http.status", response.status().as_u16());
    response
}

/// The path and no query, the method and no header: what is logged of a request holds no secret.
fn span_of(request: &Request, id: Option<&HeaderValue>) -> tracing::Span {
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    tracing::info_span!(
        "request",
        method = %request.method(),
        path = request.uri().path(),
        route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str),
        request.id = id,
        http.status = tracing::field::Empty
    )
}
