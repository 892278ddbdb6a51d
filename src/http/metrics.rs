//! `/metrics`: what this process counts and how the ledger stands, in the text format of Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use queue::Circuit;
use store::{checks, findings, jobs};

use super::shedding::Standing;
use super::{App, Problem};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/metrics", get(metrics))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Who is let in, and who was sent away.
fn register_places(registry: &mut Registry, app: &App) {
    let in_progress: Family<Vec<(&str, &str)>, Gauge> = Family::default();
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
    let hashings: Counter = Counter::default();
    hashings.inc_by(app.passwords.hashings());
    registry.register(
        "password_hashings",
        "Passwords hashed or checked the long way, in this process",
        hashings,
    );
    registry.register(
        "notifications",
        "Notifications of the gateway by what they were answered, in this process",
        app.notified.0.clone(),
    );
    register_places(&mut registry, &app);
    let now = app.clock.now();
    let depth = jobs::depth(&app.db, now).await?;
    let oldest_ms = depth.oldest_due.map_or(0, |at| (now - at).num_milliseconds());
    let circuit = match app.throttle.stand().await.circuit {
        Circuit::Closed => 0,
        Circuit::HalfOpen => 1,
        Circuit::Open => 2,
    };
    let backlog = checks::backlog(&app.db, now).await?;
    let behind_ms = backlog.oldest.map_or(0, |at| (now - at).num_milliseconds());
    for (name, help, value) in [
        ("body_bytes", "Bytes of bodies that came in and are not dealt with", count(app.places.body_bytes())),
        (
            "requests_waiting",
            "Requests that wait for a change of their payment",
            count(app.watches.waiting()),
        ),
        ("checks_overdue", "Payments that the gateway is to be asked about by now", backlog.overdue),
        ("checks_oldest_overdue_milliseconds", "How long the oldest of them has waited", behind_ms),
        ("gateway_circuit", "Whether the gateway is called: 0 yes, 1 one call tries it, 2 no", circuit),
        ("jobs_due", "Jobs that are due and not claimed, 10000 at most", depth.due),
        ("jobs_running", "Jobs that are being done, 10000 at most", depth.running),
        ("jobs_dead", "Jobs that were given up, 10000 at most: a person must look", depth.dead),
        ("jobs_oldest_due_milliseconds", "How long the oldest due job has waited", oldest_ms),
    ] {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let open: Family<Vec<(&str, &str)>, Gauge> = Family::default();
    for (kind, count) in findings::count_open(&app.db).await? {
        open.get_or_create(&vec![("kind", kind.as_str())]).set(count);
    }
    registry.register("findings_open", "Findings that nobody has dealt with", open);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        Problem::Internal
    })?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
