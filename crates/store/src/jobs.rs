//! Looking at jobs: what the ledger holds, for people and for tests.

use domain::{JobId, PaymentId, Time};

use crate::time::{from_millis, millis, opt_from_millis};
use crate::{Db, StoreError, read};

/// A job as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its row.
    pub id: JobId,
    /// What kind of work.
    pub kind: String,
    /// `ready`, `running`, `done`, `dead` or `cancelled`.
    pub state: String,
    /// Attempts so far.
    pub attempts: i64,
    /// Not before this.
    pub run_at: Time,
    /// The last failure.
    pub last_error: Option<String>,
    /// When the last attempt ended.
    pub finished_at: Option<Time>,
    /// The payment it is about.
    pub payment_id: Option<PaymentId>,
}

/// One ended attempt at a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which one, from 1.
    pub attempt: i64,
    /// `done`, `retry`, `later`, `dead` or `lost`.
    pub outcome: String,
    /// Why, where there is something to say.
    pub note: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    state: String,
    attempts: i64,
    run_at: i64,
    last_error: Option<String>,
    finished_at: Option<i64>,
    payment_id: Option<i64>,
}

impl From<Row> for Job {
    fn from(row: Row) -> Self {
        Self {
            id: JobId(row.id),
            kind: row.kind,
            state: row.state,
            attempts: row.attempts,
            run_at: from_millis(row.run_at),
            last_error: row.last_error,
            finished_at: opt_from_millis(row.finished_at),
            payment_id: row.payment_id.map(PaymentId),
        }
    }
}

/// The job of this id.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: JobId) -> Result<Option<Job>, StoreError> {
    const SQL: &str = "
        SELECT id, kind, state, attempts, run_at, last_error, finished_at, payment_id FROM jobs WHERE id = $1";
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?);
    Ok(row.map(Job::from))
}

/// The newest jobs in `state`, newest first, at most `limit`.
///
/// # Errors
/// When the database does.
pub async fn in_state(db: &Db, state: &str, limit: i64) -> Result<Vec<Job>, StoreError> {
    const SQL: &str = "
        SELECT id, kind, state, attempts, run_at, last_error, finished_at, payment_id
        FROM jobs WHERE state = $1 AND id > 0 ORDER BY id DESC LIMIT $2";
    let rows: Vec<Row> =
        read!(db, pool => sqlx::query_as(SQL).bind(state).bind(limit).fetch_all(pool).await?);
    Ok(rows.into_iter().map(Job::from).collect())
}

/// The ended attempts at a job, oldest first.
///
/// # Errors
/// When the database does.
pub async fn attempts_of(db: &Db, id: JobId) -> Result<Vec<Attempt>, StoreError> {
    const SQL: &str =
        "SELECT attempt, outcome, note FROM job_attempts WHERE job_id = $1 ORDER BY id LIMIT 1000";
    let rows: Vec<(i64, String, Option<String>)> =
        read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await?);
    Ok(rows.into_iter().map(|(attempt, outcome, note)| Attempt { attempt, outcome, note }).collect())
}

/// One ended attempt at a job about a payment.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Trace {
    /// What kind of work.
    pub kind: String,
    /// Which attempt, from 1.
    pub attempt: i64,
    /// `done`, `retry`, `later`, `dead` or `lost`.
    pub outcome: String,
    /// Why, where there is something to say.
    pub note: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub started_at: Option<i64>,
    /// When it ended, in milliseconds since 1970.
    pub finished_at: i64,
}

impl Trace {
    /// When it ended.
    #[must_use]
    pub fn time(&self) -> Time {
        from_millis(self.finished_at)
    }
}

/// The ended attempts at jobs about a payment, oldest first, at most a thousand.
///
/// # Errors
/// When the database does.
pub async fn traces_of(db: &Db, id: PaymentId) -> Result<Vec<Trace>, StoreError> {
    const SQL: &str = "
        SELECT j.kind, a.attempt, a.outcome, a.note, a.started_at, a.finished_at
        FROM jobs j JOIN job_attempts a ON a.job_id = j.id WHERE j.payment_id = $1 ORDER BY a.id LIMIT 1000";
    Ok(read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await?))
}

/// How the ledger stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Due and not claimed.
    pub due: i64,
    /// Being done.
    pub running: i64,
    /// Given up.
    pub dead: i64,
    /// Since when the oldest due job waits.
    pub oldest_due: Option<Time>,
}

/// Jobs of one state are counted up to this many.
pub const COUNTED_MAX: i64 = 10_000;

/// Counts jobs; a test looks at how the databases carry it out.
pub const DEPTH: &str = "
    SELECT (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'ready' AND run_at <= $1
                AND kind NOT IN (SELECT kind FROM paused_kinds) LIMIT $2) AS due),
           (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'running' LIMIT $2) AS running),
           (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'dead' AND id > 0 LIMIT $2) AS dead),
           (SELECT run_at FROM jobs WHERE state = 'ready' AND run_at <= $1
                AND kind NOT IN (SELECT kind FROM paused_kinds) ORDER BY run_at, id LIMIT 1)";

/// Counts the jobs that are due, running and dead, each up to [`COUNTED_MAX`]. One whose kind is paused is not due.
///
/// # Errors
/// When the database does.
pub async fn depth(db: &Db, now: Time) -> Result<Depth, StoreError> {
    let (due, running, dead, oldest): (i64, i64, i64, Option<i64>) =
        read!(db, pool => sqlx::query_as(DEPTH).bind(millis(now)).bind(COUNTED_MAX).fetch_one(pool).await?);
    Ok(Depth { due, running, dead, oldest_due: opt_from_millis(oldest) })
}
