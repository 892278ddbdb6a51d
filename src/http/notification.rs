//! `POST /api/midtrans-notification`: keeps what the gateway sends and answers; the work comes later.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::routing::post;
use domain::Time;
use midtrans::{Kind, Notification};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use queue::{Job as _, NewJob, ProcessNotification, Reason, SyncPayment};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use store::notifications::{self, About, NewNotification};
use utoipa_axum::routes;

use super::openapi::{Routes, Who, told};
use super::schemas;
use super::{App, Problem};

/// The longest name of an order or a transaction that the gateway makes itself (contract §7).
const NAME_MAX: usize = 255;

pub(super) fn routes() -> Routes {
    let fails = [Problem::WrongSignature];
    Routes::new()
        .routes(told(routes!(receive), Who::Anyone, &fails))
        .routes(told(routes!(ready), Who::Anyone, &[]))
        .route("/api/midtrans-notification/", post(receive).get(ready))
}

/// How often notifications were answered in which way, in this process.
#[derive(Debug, Clone, Default)]
pub struct Notified(pub(super) Family<Vec<(&'static str, &'static str)>, Counter>);

impl Notified {
    fn count(&self, answer: &Result<(StatusCode, Json<Value>), Problem>) {
        match answer {
            Ok(_) => self.count_as("stored"),
            Err(problem) => self.refused(problem),
        }
    }

    /// One was refused, perhaps before it was read.
    pub(super) fn refused(&self, problem: &Problem) {
        self.count_as(problem.slug());
    }

    fn count_as(&self, answer: &'static str) {
        self.0.get_or_create(&vec![("answer", answer)]).inc();
    }
}

/// Says that notifications are taken here, to a browser or a monitor.
#[utoipa::path(get, path = "/api/midtrans-notification", tag = "gateway", operation_id = "notificationsReady", responses((status = 200, description = "Notifications are taken here by POST", body = schemas::Stored)))]
pub(super) async fn ready() -> Json<Value> {
    Json(json!({ "status": "ready" }))
}

/// Keeps what the gateway sends.
#[utoipa::path(post, path = "/api/midtrans-notification", tag = "gateway", operation_id = "notify", request_body = schemas::Notification, responses((status = 201, description = "It is kept", body = schemas::Stored)))]
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let answer = keep(&app, body).await;
    app.notified.count(&answer);
    answer
}

async fn keep(app: &App, body: Result<Bytes, BytesRejection>) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
        _ => Problem::Malformed("the body broke off".to_owned()),
    })?;
    let text =
        std::str::from_utf8(&body).map_err(|_| Problem::Malformed("the body is not UTF-8".to_owned()))?;
    let notification = Notification::parse(&body).map_err(|error| Problem::Malformed(error.to_string()))?;
    let order_id = notification.order_id.as_deref().filter(|id| is_name(id));
    let transaction_id = notification.transaction_id.as_deref().filter(|id| is_name(id));
    let verified = notification.is_signed_by(&app.settings.notification_keys);
    let kind = match (notification.kind, order_id) {
        (Kind::Payment, Some(_)) => "payment",
        (Kind::DashboardTest, Some(_)) => "dashboard_test",
        (Kind::Subscription, _) => "subscription",
        (Kind::PayAccount, _) => "pay_account",
        (Kind::Payment | Kind::DashboardTest | Kind::Unknown, None) | (Kind::Unknown, Some(_)) => {
            return Err(Problem::Malformed(
                "this is no notification: it has no order_id of a payment".to_owned(),
            ));
        }
    };
    let must_be_signed = match notification.kind {
        Kind::Payment | Kind::DashboardTest => true,
        // It has a formula of its own (contract §7); one without a signature can still be kept, and changes nothing.
        Kind::PayAccount => notification.signature_key.is_some(),
        Kind::Subscription | Kind::Unknown => false,
    };
    if must_be_signed && !verified {
        tracing::warn!(order_id, "a notification with a wrong signature was refused");
        return Err(Problem::WrongSignature);
    }
    let body_hash = name_of_body(&body);
    let event = notification.event.as_ref().map(domain::Event::as_str);
    let new = NewNotification { body_hash, body: text, kind, order_id, transaction_id, event, verified };
    let now = app.clock.now();
    // It may be written down by another task, for many at once.
    let trace = traces::here();
    let job = move |about| NewJob { trace: trace.clone(), ..job_of(about, now) };
    let queued = notifications::record(&app.inbox, &new, job, now).await.map_err(|error| {
        // Whatever the trouble is, the gateway shall come back: it repeats a 503 four times, a 500 once (contract §7).
        tracing::error!(%error, "a notification could not be kept; the gateway will send it again");
        Problem::Unavailable
    })?;
    app.queue.wake(queued.into_iter().collect());
    Ok((StatusCode::CREATED, Json(json!({ "status": "stored" }))))
}

/// A payment that is named by its own invoice is asked about. What else there is, a worker finds out.
fn job_of(about: About, now: Time) -> NewJob {
    match about.payment {
        Some(payment_id) => SyncPayment { payment_id, reason: Reason::Notification }.new_job(now),
        None => ProcessNotification { notification_id: about.notification }.new_job(now),
    }
}

/// What the inbox calls a body.
#[must_use]
pub fn name_of_body(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

fn is_name(id: &str) -> bool {
    !id.is_empty() && id.len() <= NAME_MAX && !id.contains(char::is_control)
}
