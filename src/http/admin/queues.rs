//! `GET /api/admin/queues`, and `POST /api/admin/queues/{kind}/pause` and `/resume`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::Time;
use queue::KINDS;
use serde::Serialize;
use serde_json::{Value, json};
use store::audit::By;
use store::board::{self, Count, Paused};
use store::jobs;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::jobs::OrderReason;
use crate::http::openapi::{Routes, Who, told};
use crate::http::schemas;
use crate::http::{Admin, App, Body, Named, Problem, Staff};

/// How the work stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Queues {
    /// Jobs that could run now; those of a paused kind are left out. Counted up to 10000, as are the next two.
    #[schema(maximum = 10000)]
    due: i64,
    #[schema(maximum = 10000)]
    running: i64,
    /// Given up: a person must look.
    #[schema(maximum = 10000)]
    dead: i64,
    /// Since when the oldest due job waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_due: Option<Time>,
    kinds: Vec<KindView>,
}

/// The jobs of one kind.
#[derive(Serialize, ToSchema)]
#[schema(as = QueueOfKind)]
struct KindView {
    kind: String,
    paused: Option<PauseView>,
    counts: Vec<CountView>,
}

/// That a kind of work rests.
#[derive(Serialize, ToSchema)]
#[schema(as = QueuePause)]
struct PauseView {
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    by: String,
    reason: String,
}

/// How many jobs are in a state.
#[derive(Serialize, ToSchema)]
#[schema(as = JobCount)]
struct CountView {
    /// `ready`, `running`, `done`, `dead` or `cancelled`.
    state: String,
    #[schema(maximum = 1000)]
    count: i64,
    /// Whether there are more.
    capped: bool,
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(told(routes!(show), Who::Admin, &[]))
        .routes(told(routes!(pause), Who::Staff, &[]))
        .routes(told(routes!(resume), Who::Staff, &[]))
}

/// How the work stands, kind by kind.
#[utoipa::path(get, path = "/api/admin/queues", tag = "admin", operation_id = "getQueues", responses((status = 200, description = "As it stands", body = Queues)))]
async fn show(State(app): State<Arc<App>>, _: Admin) -> Result<Json<Queues>, Problem> {
    let depth = jobs::depth(&app.db, app.clock.now()).await?;
    let counts = board::counts(&app.db, KINDS).await?;
    let paused = board::paused(&app.db).await?;
    let kinds = KINDS.iter().map(|kind| kind_of(kind, &counts, &paused)).collect();
    let (due, running, dead, oldest_due) = (depth.due, depth.running, depth.dead, depth.oldest_due);
    Ok(Json(Queues { due, running, dead, oldest_due, kinds }))
}

/// Lets no job of the kind begin; those that run end as ever.
#[utoipa::path(post, path = "/api/admin/queues/{kind}/pause", tag = "admin", operation_id = "pauseQueue", request_body = OrderReason, responses((status = 200, description = "It rests", body = schemas::Done)))]
pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    staff: Staff,
    Named(kind): Named,
    Body(why): Body<OrderReason>,
) -> Result<Json<Value>, Problem> {
    let by = By { actor: &staff.actor(), reason: Some(why.text()?), now: app.clock.now() };
    board::pause(&app.db, known(&kind)?, &by).await?;
    Ok(Json(json!({})))
}

/// Lets jobs of the kind begin again.
#[utoipa::path(post, path = "/api/admin/queues/{kind}/resume", tag = "admin", operation_id = "resumeQueue", request_body = OrderReason, responses((status = 200, description = "It goes on", body = schemas::Done)))]
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    staff: Staff,
    Named(kind): Named,
    Body(why): Body<OrderReason>,
) -> Result<Json<Value>, Problem> {
    let by = By { actor: &staff.actor(), reason: Some(why.text()?), now: app.clock.now() };
    board::resume(&app.db, known(&kind)?, &by).await?;
    Ok(Json(json!({})))
}

fn known(kind: &str) -> Result<&'static str, Problem> {
    KINDS.iter().copied().find(|known| *known == kind).ok_or(Problem::NotFound)
}

fn kind_of(kind: &str, counts: &[Count], paused: &[Paused]) -> KindView {
    let count =
        |count: &Count| CountView { state: count.state.clone(), count: count.count, capped: count.is_capped };
    let pause = |pause: &Paused| PauseView {
        at: pause.paused_at,
        by: pause.paused_by.clone(),
        reason: pause.reason.clone(),
    };
    KindView {
        kind: kind.to_owned(),
        paused: paused.iter().find(|pause| pause.kind == kind).map(pause),
        counts: counts.iter().filter(|count| count.kind == kind).map(count).collect(),
    }
}
