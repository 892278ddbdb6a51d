//! `/admin`: where an owner sees money and an operator sees jobs. A page is whole without script; script adds liveness.

mod assets;
mod audit;
mod balance;
mod bills;
mod chart;
mod findings;
mod form;
mod job;
mod jobs;
mod layout;
mod live;
mod methods;
mod notifications;
mod overview;
mod parts;
mod payment;
mod payments;
mod people;
mod queues;
mod reconciliations;
mod rooms;
mod schedules;
mod second_factor;
mod second_step;
mod session;
mod single_sign_on;
mod statements;
mod stopping;
mod tenants;
mod timeline;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use crate::http::{App, Problem};

/// Pages run our own scripts and styles alone, are shown in no frame, and send forms to us alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The pages, and what their forms do.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .merge(entrance())
        .merge(money())
        .merge(work())
        .merge(house())
        .route("/reminders/stop", get(stopping::ask).post(stopping::stop))
        .layer(middleware::from_fn(around))
}

fn entrance() -> Router<Arc<App>> {
    Router::new()
        .route("/admin", get(overview::show))
        .route("/admin/", get(|| async { Redirect::permanent("/admin") }))
        .route("/admin/live", get(overview::live))
        .route("/admin/login", get(session::ask).post(session::log_in))
        .route("/admin/login/code", post(second_step::log_in))
        .route("/admin/login/oidc", get(single_sign_on::leave))
        .route("/admin/login/oidc/callback", get(single_sign_on::arrive))
        .route("/admin/second-factor", get(second_factor::show))
        .route("/admin/second-factor/offer", post(second_factor::offer))
        .route("/admin/second-factor/confirm", post(second_factor::confirm))
        .route("/admin/second-factor/remove", post(second_factor::remove))
        .route("/admin/logout", post(session::log_out))
        .route("/admin/look", get(session::prefer))
        .route("/admin/assets/{name}", get(assets::serve))
        .route("/admin/audit", get(audit::list))
        .route("/admin/people", get(people::list))
        .route("/admin/people/password", post(people::change_password))
        .route("/admin/{*rest}", get(|| async { Problem::NotFound }))
}

fn money() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/payments", get(payments::list))
        .route("/admin/payments/{invoice}", get(payment::show))
        .route("/admin/payments/{invoice}/live", get(payment::live))
        .route("/admin/payments/{invoice}/evidence", get(payment::download))
        .route("/admin/payments/{invoice}/sync", post(payment::sync))
        .route("/admin/payments/{invoice}/cancel", post(payment::cancel))
        .route("/admin/payments/{invoice}/approve", post(payment::approve))
        .route("/admin/payments/{invoice}/deny", post(payment::deny))
        .route("/admin/payments/{invoice}/refund", post(payment::refund))
        .route("/admin/findings", get(findings::list))
        .route("/admin/findings/export", get(findings::export))
        .route("/admin/findings/{id}/resolve", post(findings::resolve))
        .route("/admin/reconciliations", get(reconciliations::list).post(reconciliations::start))
        .route("/admin/reconciliations/{id}", get(reconciliations::show))
        .route("/admin/reconciliations/{id}/live", get(reconciliations::live))
        .route("/admin/statements", statements::routes())
        .route("/admin/balance", get(balance::show))
}

fn work() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/jobs", get(jobs::list))
        .route("/admin/jobs/live", get(jobs::live))
        .route("/admin/jobs/retry", post(jobs::retry_all))
        .route("/admin/jobs/cancel", post(jobs::cancel_all))
        .route("/admin/jobs/{id}", get(job::show))
        .route("/admin/jobs/{id}/live", get(job::live))
        .route("/admin/jobs/{id}/retry", post(job::retry))
        .route("/admin/jobs/{id}/cancel", post(job::cancel))
        .route("/admin/jobs/{id}/run", post(job::run))
        .route("/admin/queues", get(queues::list))
        .route("/admin/queues/live", get(queues::live))
        .route("/admin/queues/pause", post(queues::pause))
        .route("/admin/queues/resume", post(queues::resume))
        .route("/admin/schedules", get(schedules::list))
        .route("/admin/schedules/{name}/run", post(schedules::run))
        .route("/admin/notifications", get(notifications::list))
        .route("/admin/notifications/{id}", get(notifications::show))
        .route("/admin/notifications/{id}/replay", post(notifications::replay))
        .route("/admin/notifications/{id}/reveal", post(notifications::reveal))
}

fn house() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/bills", get(bills::list).post(bills::add))
        .route("/admin/bills/{id}", get(bills::show))
        .route("/admin/bills/{id}/live", get(bills::live))
        .route("/admin/bills/{id}/cash", post(bills::take_cash))
        .route("/admin/bills/{id}/void", post(bills::make_void))
        .route("/admin/tenants", get(tenants::list).post(tenants::add))
        .route("/admin/tenants/{id}", post(tenants::change))
        .route("/admin/tenants/{id}/reminders", post(tenants::remind))
        .route("/admin/tenants/{id}/remove", post(tenants::remove))
        .route("/admin/rooms", get(rooms::list).post(rooms::add))
        .route("/admin/rooms/{id}", post(rooms::change))
        .route("/admin/rooms/{id}/remove", post(rooms::remove))
        .route("/admin/methods", get(methods::list))
        .route("/admin/methods/{id}", post(methods::change))
}

/// Says to every answer how browsers are to treat it, and turns failures into pages.
async fn around(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (view, is_page) = (session::view_of(&parts), parts.method == Method::GET);
    let here = parts.uri.path_and_query().map_or("/admin", |path| path.as_str()).to_owned();
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(problem) = response.extensions().get::<Problem>().cloned() {
        let is_stranger = problem == Problem::Unauthenticated;
        response = if is_stranger && is_page && !here.contains("/live") {
            let next: String = form_urlencoded::byte_serialize(here.as_bytes()).collect();
            Redirect::to(&format!("/admin/login?next={next}")).into_response()
        } else {
            let page = layout::failure(&view, &problem, !is_page);
            told(&response, page)
        };
    }
    harden(&mut response);
    response
}

/// The page of a request that was not let in.
pub(crate) fn page_of(request: &Parts, problem: Problem) -> Response {
    let page = layout::failure(&session::view_of(request), &problem, request.method != Method::GET);
    let mut response = told(&problem.into_response(), page);
    harden(&mut response);
    response
}

/// The page in the place of an answer to programs.
fn told(answer: &Response, page: impl IntoResponse) -> Response {
    let mut page = (answer.status(), page).into_response();
    if let Some(wait) = answer.headers().get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    page
}

fn harden(response: &mut Response) {
    const RULES: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in RULES {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What a page shows is nobody else's, also not the next one's at the same machine.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
