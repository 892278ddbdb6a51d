//! `/metrics`: what this process counts and how the ledger stands, in the text format of Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clock::Time;
use domain::FindingKind;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use queue::Circuit;
use store::{StoreError, calls, checks, findings, jobs, processes, unbooked};

use super::health::{ROLES, Standing as Living, standing};
use super::shedding::Standing;
use super::{App, Problem};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A gauge with labels.
type Gauges = Family<Vec<(&'static str, &'static str)>, Gauge>;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/metrics", get(metrics))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Who is let in, and who was sent away.
fn register_places(registry: &mut Registry, app: &App) {
    let in_progress = Gauges::default();
    let refused: Family<Vec<(&str, &str)>, Counter> = Family::default();
    for Standing { share, taken, refused: refusals } in app.places.standing() {
        in_progress.get_or_create(&vec![("share", share)]).set(count(taken));
        refused.get_or_create(&vec![("share", share)]).inc_by(refusals);
    }
    registry.register(
        "requests_in_progress",
        "Requests being answered, by their share of places",
        in_progress,
    );
    registry.register(
        "requests_refused",
        "Requests that found no place and were told to come again",
        refused,
    );
}

async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let mut registry = Registry::with_prefix("kasir");
    this_process(&app, &mut registry);
    let now = app.clock.now();
    work(&app, &mut registry, now).await?;
    the_gateway(&app, &mut registry, now).await?;
    who_lives(&app, &mut registry, now).await?;
    what_waits(&app, &mut registry).await?;
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        Problem::Internal
    })?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

fn gauge(registry: &mut Registry, (name, help): (&str, &str), value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

/// How long ago that was; 0 when it never was.
fn age_ms(at: Option<Time>, now: Time) -> i64 {
    at.map_or(0, |at| (now - at).num_milliseconds().max(0))
}

/// What only this process knows.
fn this_process(app: &App, registry: &mut Registry) {
    let hashings: Counter = Counter::default();
    hashings.inc_by(app.passwords.hashings());
    registry.register(
        "password_hashings",
        "Passwords hashed or checked the long way, in this process",
        hashings,
    );
    // What is counted from nothing on is seen to grow from its first time on.
    for answer in [Problem::WrongSignature, Problem::Overloaded, Problem::Unavailable] {
        let _counted = app.notified.0.get_or_create(&vec![("answer", answer.slug())]);
    }
    registry.register(
        "notifications",
        "Notifications of the gateway by what they were answered, in this process",
        app.notified.0.clone(),
    );
    register_places(registry, app);
    for (name, help, number) in [
        ("body_bytes", "Bytes of bodies that came in and are not dealt with", app.places.body_bytes()),
        ("requests_waiting", "Requests that wait for a change of their payment", app.watches.waiting()),
    ] {
        gauge(registry, (name, help), count(number));
    }
}

/// How the ledger of jobs stands.
async fn work(app: &App, registry: &mut Registry, now: Time) -> Result<(), StoreError> {
    let depth = jobs::depth(&app.db, now).await?;
    for (name, help, value) in [
        ("jobs_due", "Jobs that are due and not claimed, 10000 at most", depth.due),
        ("jobs_running", "Jobs that are being done, 10000 at most", depth.running),
        ("jobs_dead", "Jobs that were given up, 10000 at most: a person must look", depth.dead),
        (
            "jobs_oldest_due_milliseconds",
            "How long the oldest due job has waited",
            age_ms(depth.oldest_due, now),
        ),
    ] {
        gauge(registry, (name, help), value);
    }
    Ok(())
}

/// How far we are behind the gateway.
async fn the_gateway(app: &App, registry: &mut Registry, now: Time) -> Result<(), StoreError> {
    let circuit = match app.throttle.stand().await.circuit {
        Circuit::Closed => 0,
        Circuit::HalfOpen => 1,
        Circuit::Open => 2,
    };
    let backlog = checks::backlog(&app.db, now).await?;
    let unbooked = unbooked::count(&app.db, now).await?;
    let answered = calls::last_answer(&app.db).await?;
    for (name, help, value) in [
        ("checks_overdue", "Payments that the gateway is to be asked about by now", backlog.overdue),
        (
            "checks_oldest_overdue_milliseconds",
            "How long the oldest of them has waited",
            age_ms(backlog.oldest, now),
        ),
        ("checks_waiting", "Questions to the gateway that are due as jobs, 1000 at most", backlog.waiting),
        ("gateway_circuit", "Whether the gateway is called: 0 yes, 1 one call tries it, 2 no", circuit),
        (
            "gateway_last_answer_milliseconds",
            "How long ago the gateway last said how a transaction stands; 0 when it never has",
            age_ms(answered, now),
        ),
        (
            "money_unbooked",
            "Notifications of the last day that say that money came which is not booked, 1000 at most",
            unbooked.count,
        ),
        (
            "money_oldest_unbooked_milliseconds",
            "How long ago the first of them came",
            age_ms(unbooked.oldest, now),
        ),
    ] {
        gauge(registry, (name, help), value);
    }
    Ok(())
}

/// Who works, and on what.
async fn who_lives(app: &App, registry: &mut Registry, now: Time) -> Result<(), StoreError> {
    let seen = processes::seen(&app.db, now).await?;
    let living = Gauges::default();
    for (role, plays) in ROLES {
        let Living { alive, silent } = standing(&seen, plays, now);
        for (state, count) in [("alive", alive), ("silent", silent)] {
            living.get_or_create(&vec![("role", role), ("state", state)]).set(count);
        }
    }
    registry.register(
        "processes",
        "Processes that gave a sign of life lately, or in the last hour and not lately, by their role",
        living,
    );
    let redis = match app.queue.redis_answers().await {
        Some(false) => 0,
        Some(true) => 1,
        None => 2,
    };
    gauge(registry, ("redis", "Whether Redis answers: 0 no, 1 yes, 2 there is none"), redis);
    Ok(())
}

/// What waits for a person.
async fn what_waits(app: &App, registry: &mut Registry) -> Result<(), StoreError> {
    let open = Gauges::default();
    for kind in FindingKind::ALL {
        open.get_or_create(&vec![("kind", kind.as_str())]).set(0);
    }
    for (kind, count) in findings::count_open(&app.db).await? {
        open.get_or_create(&vec![("kind", kind.as_str())]).set(count);
    }
    registry.register("findings_open", "Findings that nobody has dealt with, 10000 of all at most", open);
    Ok(())
}
