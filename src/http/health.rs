//! `/livez`: this process runs. `/readyz`: it can do its work, and how everything that it needs stands.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use clock::Time;
use queue::Circuit;
use serde_json::{Value, json};
use store::processes::{self, Process, Seen};
use store::{calls, checks, jobs};

use super::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz))
}

pub(super) async fn livez() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Without the database nothing can be promised: 503. Without Redis jobs travel more slowly, and without workers they
/// wait: still 200, since nothing is lost and other processes would be in no better place.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let begun = app.clock.now();
    let database = store::ping(&app.db).await.is_ok();
    let database_ms = database.then(|| since(&app, begun));
    let migrations = store::pending_migrations(&app.db).await.ok();
    let begun = app.clock.now();
    let answers = app.queue.redis_answers().await;
    let redis_ms = (answers == Some(true)).then(|| since(&app, begun));
    let redis = match answers {
        Some(true) => "ok",
        Some(false) => "down",
        None => "unused",
    };
    let ready = database && migrations == Some(0);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let report = json!({
        "status": if ready { "ready" } else { "not ready" },
        "database": if database { "ok" } else { "down" },
        "databaseMs": database_ms,
        "pendingMigrations": migrations,
        "redis": redis,
        "redisMs": redis_ms,
        "jobs": lag(&app).await,
        "checks": overdue(&app).await,
        "processes": living(&app).await,
        "gateway": gateway(&app).await,
    });
    (status, Json(report))
}

/// Jobs that wait, and how long the oldest has.
async fn lag(app: &App) -> Option<Value> {
    let depth = jobs::depth(&app.db, app.clock.now()).await.ok()?;
    let oldest_due_ms = depth.oldest_due.map(|at| since(app, at));
    Some(json!({
        "due": depth.due, "running": depth.running, "dead": depth.dead, "oldestDueMs": oldest_due_ms,
    }))
}

/// Payments that the gateway is to be asked about by now.
async fn overdue(app: &App) -> Option<Value> {
    let backlog = checks::backlog(&app.db, app.clock.now()).await.ok()?;
    let oldest_ms = backlog.oldest.map(|at| since(app, at));
    Some(json!({ "overdue": backlog.overdue, "oldestMs": oldest_ms, "waiting": backlog.waiting }))
}

/// Who gave a sign of life, and when the last of each role did.
async fn living(app: &App) -> Option<Value> {
    let seen = processes::seen(&app.db, app.clock.now()).await.ok()?;
    let roles = ROLES.map(|(role, plays)| {
        let Standing { alive, silent } = standing(&seen, plays, app.clock.now());
        let last = seen.iter().find(|seen| plays(&seen.process)).map(|seen| since(app, seen.at));
        (role.to_owned(), json!({ "alive": alive, "silent": silent, "lastSeenMs": last }))
    });
    Some(Value::Object(roles.into_iter().collect()))
}

/// Whether the gateway is called, and when it last said how a transaction stands.
async fn gateway(app: &App) -> Option<Value> {
    let circuit = match app.throttle.stand().await.circuit {
        Circuit::Closed => "closed",
        Circuit::HalfOpen => "half open",
        Circuit::Open => "open",
    };
    let answer = calls::last_answer(&app.db).await.ok()?;
    Some(json!({ "circuit": circuit, "lastAnswerMs": answer.map(|at| since(app, at)) }))
}

/// How long ago that was, in milliseconds; clocks may differ a little.
fn since(app: &App, at: Time) -> i64 {
    (app.clock.now() - at).num_milliseconds().max(0)
}

/// Whether a process plays a role.
pub(super) type Plays = fn(&Process) -> bool;

/// The roles that a process can play.
pub(super) const ROLES: [(&str, Plays); 3] = [
    ("api", |process| process.is_api),
    ("worker", |process| process.is_worker),
    ("scheduler", |process| process.is_scheduler),
];

/// How many play a role.
pub(super) struct Standing {
    /// They were heard of lately.
    pub(super) alive: i64,
    /// They were, and are no more, and did not say that they end.
    pub(super) silent: i64,
}

pub(super) fn standing(seen: &[Seen], plays: Plays, now: Time) -> Standing {
    let of_role = seen.iter().filter(|seen| plays(&seen.process));
    let (alive, silent): (Vec<&Seen>, Vec<&Seen>) = of_role.partition(|seen| seen.is_alive(now));
    let count = |some: &[&Seen]| i64::try_from(some.len()).unwrap_or(i64::MAX);
    Standing { alive: count(&alive), silent: count(&silent) }
}
