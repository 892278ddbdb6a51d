//! `/livez`: this process runs. `/readyz`: it can do its work.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use store::jobs;

use super::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz))
}

pub(super) async fn livez() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Without the database nothing can be promised: 503. Without Redis jobs travel more slowly: still 200.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let database = store::ping(&app.db).await.is_ok();
    let migrations = store::pending_migrations(&app.db).await.ok();
    let depth = jobs::depth(&app.db, app.clock.now()).await.ok();
    let redis = match app.queue.redis_answers().await {
        Some(true) => "ok",
        Some(false) => "down",
        None => "unused",
    };
    let ready = database && migrations == Some(0);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let oldest_due_ms =
        depth.and_then(|depth| depth.oldest_due).map(|at| (app.clock.now() - at).num_milliseconds());
    let report = json!({
        "status": if ready { "ready" } else { "not ready" },
        "database": if database { "ok" } else { "down" },
        "pendingMigrations": migrations,
        "redis": redis,
        "jobs": depth.map(|depth| json!({
            "due": depth.due, "running": depth.running, "dead": depth.dead, "oldestDueMs": oldest_due_ms,
        })),
    });
    (status, Json(report))
}
