//! The REST service: routes, limits, and what all handlers share.

pub(crate) mod admin;
mod around;
mod auth;
mod bills;
mod body;
mod cancel;
mod events;
mod health;
mod lately;
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
mod unchanged;
mod waiting;
mod watches;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use clock::Clock;
use courier::Links;
use domain::{RuleBook, Rupiah, Secret, Terms};
use queue::{Queue, Throttle};
use store::Db;
use tokio_util::sync::CancellationToken;

pub(crate) use auth::{Admin, Caller, Owner, Remote, Staff, may};
use auth::{FrontEnd, Tenant};
pub(crate) use body::{Body, Named};
pub(crate) use events::NO_BUFFERING;
pub use lately::Lately;
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
pub use unchanged::Unchanged;
pub use watches::Watches;

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
    /// What was read a moment ago.
    pub lately: Lately,
    /// What was answered, and stands as long as the books say so.
    pub unchanged: Unchanged,
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
    let limit = DefaultBodyLimit::max(app.settings.body_bytes_max);
    let around = middleware::from_fn_with_state(Arc::clone(&app), around::around);
    ROUTES.clone().layer(limit).layer(around).with_state(app)
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
