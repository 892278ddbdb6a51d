//! The REST service: routes, limits, and what all handlers share.

mod auth;
mod bills;
mod body;
mod health;
mod login;
mod methods;
mod notification;
mod passwords;
mod pay;
mod payment;
mod problem;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::HeaderName;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use clock::Clock;
use domain::Secret;
use queue::Queue;
use store::Db;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use auth::{Caller, FrontEnd, Tenant};
use body::Body;
pub use passwords::{HashingFailed, Passwords};
pub use problem::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What all handlers share.
pub struct App {
    /// The books.
    pub db: Db,
    /// Where work goes.
    pub queue: Queue,
    /// The time.
    pub clock: Clock,
    /// Checks passwords.
    pub passwords: Passwords,
    /// Limits and keys.
    pub settings: Settings,
}

/// Limits and keys of the service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names and keys of the front ends.
    pub api_keys: Vec<(String, Secret)>,
    /// Keys that may have signed a notification.
    pub notification_keys: Vec<Secret>,
    /// The largest body.
    pub body_bytes_max: usize,
    /// The longest list.
    pub page_size_max: i64,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// A payment that was checked so lately is not checked again because somebody looks at it.
    pub poll_on_read: Duration,
    /// When a new payment is looked at for the first time.
    pub first_check: Duration,
}

/// All routes of the service.
pub fn router(app: Arc<App>) -> Router {
    let request_id = RequestIds(app.clock.clone());
    let settings = &app.settings;
    let timeout = settings.request_timeout;
    let around = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, request_id))
        .layer(TraceLayer::new_for_http().make_span_with(span_of))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(middleware::from_fn(move |request: Request, next: Next| within(timeout, request, next)))
        .layer(CatchPanicLayer::custom(|_panic: Box<dyn std::any::Any + Send>| -> Response {
            tracing::error!("a handler panicked");
            axum::response::IntoResponse::into_response(Problem::Internal)
        }))
        .layer(DefaultBodyLimit::max(settings.body_bytes_max));
    Router::new()
        .route("/api/login", post(login::login))
        .route("/api/total-bills", get(bills::total))
        .route("/api/bills", get(bills::list))
        .route("/api/bills/{id}/pay", post(pay::pay))
        .route("/api/payment/{invoice}", get(payment::show))
        .route("/api/payments/{invoice}", get(payment::show))
        .route("/api/payment-methods", get(methods::list))
        .route("/api/midtrans-notification", post(notification::receive))
        .route("/api/midtrans-notification/", post(notification::receive))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/problems/{slug}", get(explain))
        .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
        .fallback(|| async { Problem::NotFound })
        .layer(around)
        .with_state(app)
}

/// What a problem of this name means and what to do about it: the page behind a problem's `type`.
async fn explain(State(_app): State<Arc<App>>, Path(slug): Path<String>) -> Result<String, Problem> {
    let found = Problem::all().into_iter().find(|problem| problem.slug() == slug);
    found
        .map(|problem| format!("{} {slug}\n\n{}\n", problem.status().as_u16(), problem.help()))
        .ok_or(Problem::NotFound)
}

async fn within(timeout: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => axum::response::IntoResponse::into_response(Problem::TimedOut),
    }
}

/// The path and no query, the method and no header: what is logged of a request holds no secret.
fn span_of<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let id = request
        .extensions()
        .get::<RequestId>()
        .and_then(|id| id.header_value().to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), request.id = id)
}

/// Gives each request a name that its answer and its log lines carry.
#[derive(Clone)]
struct RequestIds(Clock);

impl MakeRequestId for RequestIds {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        self.0.ulid().parse().ok().map(RequestId::new)
    }
}
