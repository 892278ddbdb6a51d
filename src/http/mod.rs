//! The REST service: routes, limits, and what all handlers share.

pub(crate) mod admin;
mod auth;
mod bills;
mod body;
mod cancel;
mod events;
mod health;
mod line;
mod logos;
mod methods;
mod metrics;
mod notification;
mod openapi;
mod passwords;
mod patience;
mod pay;
mod payment;
mod problem;
mod repeats;
mod schemas;
mod sealed;
mod second_factor;
mod serving;
pub(crate) mod sessions;
mod shedding;
mod single_sign_on;
mod tls;
mod tokens;
mod waiting;
mod watches;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use clock::Clock;
use courier::Links;
use domain::{RuleBook, Rupiah, Secret, Terms};
use queue::{Queue, Throttle};
use store::Db;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

pub(crate) use auth::{Admin, Caller, Owner, Remote, Staff, may};
use auth::{FrontEnd, Tenant};
pub(crate) use body::{Body, Named};
pub(crate) use events::NO_BUFFERING;
pub use notification::Notified;
pub use notification::name_of_body;
pub use passwords::{HashingFailed, Passwords};
pub use patience::Patience;
pub(crate) use payment::of_caller;
pub use problem::Problem;
pub use second_factor::SecondFactors;
pub use serving::{ConnectionLimits, Door, serve, serve_apart};
pub use shedding::{Places, Shares};
pub use single_sign_on::SingleSignOn;
pub(crate) use single_sign_on::{Brought, Outside};
pub use tls::{Tls, TlsError, TlsFiles};
pub use tokens::{NotSigned, Tokens, draw_api_key, name_of};
pub use watches::Watches;

/// Half a year, as long as browsers are to remember that we are reached over TLS alone.
const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=15768000");

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What all handlers share.
pub struct App {
    /// The books.
    pub db: Db,
    /// The same books, by connections that only notifications use.
    pub inbox: Db,
    /// Where work goes.
    pub queue: Queue,
    /// The time.
    pub clock: Clock,
    /// How calls to the gateway stand.
    pub throttle: Throttle,
    /// Checks passwords.
    pub passwords: Passwords,
    /// Signs and reads access tokens.
    pub tokens: Tokens,
    /// Makes and checks one-time codes.
    pub second_factors: SecondFactors,
    /// The provider that logs admins in; `None`: passwords alone.
    pub single_sign_on: Option<SingleSignOn>,
    /// The links by which tenants stop reminders.
    pub links: Links,
    /// How many are let in at once.
    pub places: Places,
    /// Slows down those who guess.
    pub patience: Patience,
    /// Who waits for changes of payments.
    pub watches: Watches,
    /// Cancelled when the service stops: then nobody waits any longer.
    pub stop: CancellationToken,
    /// How often notifications were answered in which way, in this process.
    pub notified: Notified,
    /// Limits and keys.
    pub settings: Settings,
}

/// Limits and keys of the service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names and keys of the front ends.
    pub api_keys: Vec<(String, Secret)>,
    /// Whether the headers `email` and `password` log a person in on each request.
    pub header_login: bool,
    /// Whether those who run the house may log in by password.
    pub admin_passwords: bool,
    /// Keys that may have signed a notification.
    pub notification_keys: Vec<Secret>,
    /// The largest body.
    pub body_bytes_max: usize,
    /// The longest list.
    pub page_size_max: i64,
    /// What the house has set for the methods.
    pub rules: RuleBook,
    /// Whether people reach us over TLS, so that a cookie may go no other way.
    pub is_https: bool,
    /// A payment is in a payout so many working days after it was paid.
    pub payout_days: u32,
    /// What a room costs in a month when nobody says so.
    pub default_price: Rupiah,
    /// What a month costs, and when it is due.
    pub terms: Terms,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// A payment that was checked so lately is not checked again because somebody looks at it.
    pub poll_on_read: Duration,
    /// When a new payment is looked at for the first time.
    pub first_check: Duration,
}

/// The routes without what they share, put together once: it takes a while, and a test opens many routers.
static ROUTES: LazyLock<Router<Arc<App>>> = LazyLock::new(|| {
    let (routes, document) = documented().split_for_parts();
    routes
        .route("/openapi.json", openapi::page(text_of(&document)))
        .merge(openapi::swagger())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(problem::routes())
        .merge(crate::dashboard::routes())
        .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
        .fallback(|| async { Problem::NotFound })
});

/// All routes of the service.
pub fn router(app: Arc<App>) -> Router {
    let request_id = RequestIds(app.clock.clone());
    let settings = &app.settings;
    let timeout = settings.request_timeout;
    let set = SetResponseHeaderLayer::if_not_present;
    let only_tls = settings.is_https.then_some(ONLY_TLS);
    let around = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, request_id))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        // What is answered is for whoever asked, and is nothing else than it says.
        .layer(set(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .option_layer(only_tls.map(|value| set(header::STRICT_TRANSPORT_SECURITY, value)))
        // Before anything is logged: who is sent away must cost nothing.
        .layer(middleware::from_fn_with_state(Arc::clone(&app), shedding::admit))
        .layer(TraceLayer::new_for_http().make_span_with(span_of))
        .layer(middleware::from_fn(move |request: Request, next: Next| within(timeout, request, next)))
        .layer(CatchPanicLayer::custom(|_panic: Box<dyn std::any::Any + Send>| -> Response {
            tracing::error!("a handler panicked");
            axum::response::IntoResponse::into_response(Problem::Internal)
        }))
        .layer(DefaultBodyLimit::max(settings.body_bytes_max));
    ROUTES.clone().layer(around).with_state(app)
}

/// The OpenAPI document of the routes, as text.
#[must_use]
pub fn openapi() -> String {
    text_of(documented().get_openapi())
}

fn text_of(document: &utoipa::openapi::OpenApi) -> String {
    // Nothing in a document fails to be written.
    document.to_pretty_json().unwrap_or_default()
}

/// The routes that tell of themselves.
fn documented() -> openapi::Routes {
    openapi::Routes::with_openapi(openapi::blank())
        .merge(sessions::routes())
        .merge(bills::routes())
        .merge(admin::routes())
        .merge(pay::routes())
        .merge(payment::routes())
        .merge(cancel::routes())
        .merge(events::routes())
        .merge(methods::routes())
        .merge(logos::routes())
        .merge(notification::routes())
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
