//! `GET /api/payment/{invoice}/events`: server-sent events, one for each change of a payment.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use domain::Payment;
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use utoipa_axum::routes;

use super::openapi::{Routes, Who, also_at, told};
use super::payment::{of_caller, poll_on_read, view};
use super::schemas;
use super::{App, Caller, Named, Problem};

/// How often to say that we are still there, so that nobody in between cuts the connection.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(15);
/// After so long the stream ends; a front end that still wants to know comes back with `Last-Event-ID`.
const STREAM_FOR: Duration = Duration::from_secs(600);
/// Tells nginx to pass each event on at once.
pub(crate) const NO_BUFFERING: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

pub(super) fn routes() -> Routes {
    Routes::new().routes(told(routes!(events), Who::Person, &[Problem::TooManyStreams])).routes(also_at(
        "/api/payments/{invoice}/events",
        told(routes!(events), Who::Person, &[Problem::TooManyStreams]),
    ))
}

/// Tells each change of a payment until it ends, or for ten minutes.
#[utoipa::path(get, path = "/api/payment/{invoice}/events", tag = "payments", operation_id = "paymentEvents", params(schemas::LastEventId), responses((status = 200, description = "Events `payment`, each with a payment as data", body = serde_json::Value, content_type = "text/event-stream"), (status = 204, description = "Nothing more will come")))]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Caller(me): Caller,
    Named(invoice): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let payment = of_caller(&app, &me, &invoice).await?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    if seen == Some(payment.version) && !payment.state.is_live() {
        // This tells an EventSource that nothing more will come, and not to come back.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let place = Arc::clone(&app.watches.streams).try_acquire_owned();
    let place = place.map_err(|_full| Problem::TooManyStreams)?;
    poll_on_read(&app, &payment).await;
    let watch = app.watch(payment);
    let until = Instant::now() + STREAM_FOR;
    let telling = Telling { app, watch, seen, until, ended: false, _place: place };
    let events = Sse::new(stream::unfold(telling, Telling::next));
    let alive = KeepAlive::new().interval(SIGN_OF_LIFE_EVERY);
    Ok(([NO_BUFFERING], events.keep_alive(alive)).into_response())
}

/// A stream of events. Its place is free again when it ends or the front end goes away.
struct Telling {
    app: Arc<App>,
    watch: watch::Receiver<Payment>,
    /// The version that was told last.
    seen: Option<i64>,
    until: Instant,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Telling {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if self.ended {
            return None;
        }
        let payment = self.news().await?;
        self.seen = Some(payment.version);
        self.ended = !payment.state.is_live();
        let event = Event::default().event("payment").id(payment.version.to_string());
        // A stream that breaks off is asked for again.
        let view = view(&self.app, &payment).await.ok()?;
        Some((Ok(event.json_data(view).ok()?), self))
    }

    /// The payment in a version that was not told yet. `None`: its time is over, or the service stops.
    async fn news(&mut self) -> Option<Payment> {
        let Self { app, watch, seen, until, .. } = self;
        let news = async {
            let found = watch.wait_for(|payment| Some(payment.version) != *seen).await;
            found.ok().map(|payment| payment.clone())
        };
        tokio::select! {
            payment = news => payment,
            () = tokio::time::sleep_until(*until) => None,
            () = app.stop.cancelled() => None,
        }
    }
}
