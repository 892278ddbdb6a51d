//! `GET /api/admin/jobs` and `/{id}`, and what is ordered of one job: `POST /api/admin/jobs/{id}/retry`, `/cancel`, `/run`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::{BillId, JobId, NotificationId, Time, UserId};
use queue::KINDS;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::audit::By;
use store::board::{self, About, AttemptRow, JobRow, STATES};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::paging::{Listed, Paging, Wish};
use super::{Asked, REASON_CHARS_MAX, Row, opt_text, text};
use crate::foresight::foresee;
use crate::http::openapi::{Routes, Who, told};
use crate::http::{Admin, App, Body, Problem, Staff};

const WORDS_CHARS_MAX: usize = 200;

/// A job.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Job)]
pub(crate) struct JobView {
    #[schema(value_type = i64, minimum = 1)]
    id: JobId,
    kind: String,
    /// `ready`, `running`, `done`, `dead` or `cancelled`.
    state: String,
    attempts: i64,
    /// After so many failed attempts it is dead.
    max_attempts: i64,
    /// Not before this.
    #[schema(value_type = String, format = DateTime)]
    run_at: Time,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Time>,
    /// Until when its worker has it.
    #[schema(value_type = Option<String>, format = DateTime)]
    lease_until: Option<Time>,
    /// The last failure.
    last_error: Option<String>,
    /// The payment that it, or its notification, is about.
    invoice: Option<String>,
    #[schema(value_type = Option<i64>, minimum = 1)]
    notification_id: Option<NotificationId>,
}

/// A job with its story.
#[derive(Serialize, ToSchema)]
struct JobStory {
    #[serde(flatten)]
    job: JobView,
    /// What the work needs to know.
    #[schema(value_type = Object)]
    payload: Value,
    /// The ended attempts, the oldest first.
    history: Vec<AttemptView>,
    foresight: Foreseen,
}

/// An ended attempt at a job.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Attempt)]
struct AttemptView {
    /// From 1; after a person had the job tried again, from 1 anew.
    attempt: i64,
    /// `done`, `retry`, `later`, `dead` or `lost`.
    outcome: String,
    note: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    finished_at: Time,
}

/// What doing the job now would come to.
#[derive(Serialize, ToSchema)]
struct Foreseen {
    indonesian: &'static str,
    english: &'static str,
}

/// Which jobs are wanted. Of `invoice`, `bill`, `tenant`, `room` and `error` at most one is given.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    #[param(pattern = "^(ready|running|done|dead|cancelled)$")]
    state: Option<String>,
    /// Such as `sync_payment`.
    #[param(pattern = "^[a-z_]+$")]
    kind: Option<String>,
    /// About the payment of this number, or with this name of the gateway's.
    #[param(min_length = 1, max_length = 200)]
    invoice: Option<String>,
    /// About payments of this bill.
    #[param(minimum = 1)]
    bill: Option<i64>,
    /// About payments of this tenant.
    #[param(minimum = 1)]
    tenant: Option<i64>,
    /// About payments of bills of the room with this code.
    #[param(min_length = 1, max_length = 200)]
    room: Option<String>,
    /// Whose last failure says this somewhere. Ten thousand failures are looked through for a page, which may be short
    /// though the header `Link` leads on.
    #[param(min_length = 1, max_length = 200)]
    error: Option<String>,
}

/// Why something is ordered of a job.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OrderReason {
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub(crate) reason: String,
}

impl OrderReason {
    pub(super) fn text(&self) -> Result<&str, Problem> {
        text("reason", &self.reason, REASON_CHARS_MAX)
    }
}

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(told(routes!(list), Who::Admin, &[]))
        .routes(told(routes!(show), Who::Admin, &[]))
        .routes(told(routes!(retry), Who::Staff, &[Problem::JobNotDead, Problem::JobWaits]))
        .routes(told(routes!(cancel), Who::Staff, &[Problem::JobNotWaiting, Problem::JobNeeded]))
        .routes(told(routes!(run), Who::Staff, &[Problem::JobNotWaiting]))
}

/// The jobs, newest first.
#[utoipa::path(get, path = "/api/admin/jobs", tag = "admin", operation_id = "listJobs", params(Filter, Wish), responses((status = 200, description = "A page", body = Vec<JobView>)))]
async fn list(
    State(app): State<Arc<App>>,
    _: Admin,
    Asked(filter): Asked<Filter>,
    paging: Paging,
) -> Result<Listed<JobView>, Problem> {
    let found = board::list(&app.db, &which(&filter)?, paging.page()).await?;
    let jobs = found.jobs.into_iter().map(JobView::from).collect();
    let searched = found.searched_down_to.map(|id| id.0);
    Ok(paging.answer_of_search(jobs, |job| job.id.0, searched))
}

/// One job, every attempt at it, and what another would come to.
#[utoipa::path(get, path = "/api/admin/jobs/{id}", tag = "admin", operation_id = "getJob", responses((status = 200, description = "The job", body = JobStory)))]
async fn show(State(app): State<Arc<App>>, _: Admin, Row(id): Row) -> Result<Json<JobStory>, Problem> {
    let job = board::find(&app.db, JobId(id)).await?.ok_or(Problem::NotFound)?;
    let history = board::attempts(&app.db, job.id).await?.into_iter().map(AttemptView::from).collect();
    let (indonesian, english) = foresee(&app.db, &job).await?.says();
    let payload = payload(&job);
    let foresight = Foreseen { indonesian, english };
    Ok(Json(JobStory { job: job.into(), payload, history, foresight }))
}

/// What the job was given: ids, and nothing that must be hidden; should that ever change, it is hidden.
pub(crate) fn payload(job: &JobRow) -> Value {
    let mut payload = serde_json::from_str(&job.payload).unwrap_or_default();
    midtrans::mask(&mut payload);
    payload
}

/// Has a dead job tried again, with all its attempts.
#[utoipa::path(post, path = "/api/admin/jobs/{id}/retry", tag = "admin", operation_id = "retryJob", request_body = OrderReason, responses((status = 200, description = "It is due", body = JobView)))]
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    staff: Staff,
    Row(id): Row,
    Body(why): Body<OrderReason>,
) -> Result<Json<JobView>, Problem> {
    let by = By { actor: &staff.actor(), reason: Some(why.text()?), now: app.clock.now() };
    app.queue.wake(board::retry(&app.db, JobId(id), &by).await?);
    as_it_is(&app, id).await
}

/// Ends a job that waits or is dead. Of money nothing is lost by it: where nothing else would do the work, it is refused.
#[utoipa::path(post, path = "/api/admin/jobs/{id}/cancel", tag = "admin", operation_id = "cancelJob", request_body = OrderReason, responses((status = 200, description = "It is cancelled", body = JobView)))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    staff: Staff,
    Row(id): Row,
    Body(why): Body<OrderReason>,
) -> Result<Json<JobView>, Problem> {
    let by = By { actor: &staff.actor(), reason: Some(why.text()?), now: app.clock.now() };
    board::cancel(&app.db, JobId(id), &by).await?;
    as_it_is(&app, id).await
}

/// Has a waiting job done at once, unless its kind is paused.
#[utoipa::path(post, path = "/api/admin/jobs/{id}/run", tag = "admin", operation_id = "runJob", request_body = OrderReason, responses((status = 200, description = "It is due", body = JobView)))]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    staff: Staff,
    Row(id): Row,
    Body(why): Body<OrderReason>,
) -> Result<Json<JobView>, Problem> {
    let by = By { actor: &staff.actor(), reason: Some(why.text()?), now: app.clock.now() };
    app.queue.wake(board::run_now(&app.db, JobId(id), &by).await?);
    as_it_is(&app, id).await
}

async fn as_it_is(app: &App, id: i64) -> Result<Json<JobView>, Problem> {
    let job = board::find(&app.db, JobId(id)).await?.ok_or(Problem::NotFound)?;
    Ok(Json(job.into()))
}

fn which(filter: &Filter) -> Result<board::Filter, Problem> {
    let words = |field, value: &Option<String>| {
        Ok::<_, Problem>(opt_text(field, value.as_deref(), WORDS_CHARS_MAX)?.map(str::to_owned))
    };
    let about: Vec<About> = [
        words("invoice", &filter.invoice)?.map(About::Invoice),
        filter.bill.map(|id| About::Bill(BillId(id))),
        filter.tenant.map(|id| About::Tenant(UserId(id))),
        words("room", &filter.room)?.map(About::Room),
        words("error", &filter.error)?.map(About::Error),
    ]
    .into_iter()
    .flatten()
    .collect();
    if about.len() > 1 {
        let wrong = "of `invoice`, `bill`, `tenant`, `room` and `error` at most one is given";
        return Err(Problem::Unprocessable(wrong.to_owned()));
    }
    Ok(board::Filter {
        state: known("state", filter.state.as_deref(), &STATES)?,
        kind: known("kind", filter.kind.as_deref(), KINDS)?,
        about: about.into_iter().next(),
    })
}

/// A word that is one of these.
fn known(field: &str, word: Option<&str>, words: &[&str]) -> Result<Option<String>, Problem> {
    match word {
        Some(word) if !words.contains(&word) => {
            Err(Problem::Unprocessable(format!("`{field}` is none of {}", words.join(", "))))
        }
        word => Ok(word.map(str::to_owned)),
    }
}

impl From<JobRow> for JobView {
    fn from(job: JobRow) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            state: job.state,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            run_at: job.run_at,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            lease_until: job.lease_until,
            last_error: job.last_error,
            invoice: job.invoice,
            notification_id: job.notification_id,
        }
    }
}

impl From<AttemptRow> for AttemptView {
    fn from(row: AttemptRow) -> Self {
        let AttemptRow { attempt, outcome, note, started_at, finished_at } = row;
        Self { attempt, outcome, note, started_at, finished_at }
    }
}
