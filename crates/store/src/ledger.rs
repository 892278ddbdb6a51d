//! The job ledger: what is to be done, who does it, and what became of it. Redis only ever carries its ids.
//!
//! Where a row is named by its id, its state is compared as `state || ''`, which no index holds: a planner whose numbers
//! are from a quieter hour would look through all that is ready or running instead.

use std::time::Duration;

use domain::{JobId, NotificationId, PaymentId, Time};

use crate::enqueueing::enqueue_many;
use crate::time::{CLOCKS_DIFFER_BY, millis};
use crate::{Db, StoreError, Tx, in_tx, read, write};

pub use crate::claims::{Claim, claim};

/// Work to be written down, in the same transaction as the change that wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What kind of work.
    pub kind: &'static str,
    /// The same work has the same key: while it waits, it is not written down again.
    pub dedupe_key: String,
    /// Work of this key is done once, ever: for the slots of a schedule.
    pub once_key: Option<String>,
    /// What the work needs to know, as JSON: ids, no money, no names.
    pub payload: String,
    /// The payment it is about.
    pub payment_id: Option<PaymentId>,
    /// The notification it is about.
    pub notification_id: Option<NotificationId>,
    /// Not before this.
    pub run_at: Time,
    /// News: the same work that waits is brought forward, and if it runs it runs once more. Otherwise what waits, waits;
    /// a pause that a failure or the gateway asked for is not cut short.
    pub is_news: bool,
    /// After so many failed attempts it is dead.
    pub max_attempts: i64,
    /// The place in a trace where it was wanted (`traceparent` of W3C), when traces are kept. The first to want it counts.
    pub trace: Option<String>,
}

/// The right to do a job: whoever holds its token, until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job_id: JobId,
    /// Drawn afresh for each claim.
    pub token: String,
    /// Which attempt this is, from 1.
    pub attempt: i64,
}

/// A job that was claimed.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The right to do it.
    pub lease: Lease,
    /// What kind of work.
    pub kind: String,
    /// What the work needs to know.
    pub payload: String,
    /// How many attempts there may be.
    pub max_attempts: i64,
    /// The place in a trace where it was wanted.
    pub trace: Option<String>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The work is done.
    Done,
    /// It failed; again at this time. Counts as an attempt.
    Retry {
        /// When.
        at: Time,
        /// Why.
        error: String,
    },
    /// It could not be tried; again at this time. Does not count.
    Later {
        /// When.
        at: Time,
        /// Why.
        reason: String,
    },
    /// It waits for news, which may have come meanwhile; again at this time at the latest. Does not count.
    Await {
        /// When.
        at: Time,
        /// For what.
        reason: String,
    },
    /// It failed for good: a person must look.
    GiveUp {
        /// Why.
        error: String,
    },
}

impl Finish {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry { .. } => "retry",
            Self::Later { .. } | Self::Await { .. } => "later",
            Self::GiveUp { .. } => "dead",
        }
    }
}

/// Writes the job down. `None` when the same work already waits, or was done in its slot.
///
/// When the same work is being done at this moment, it is marked to be done once more: what the running attempt has
/// already read may be older than the news that wants the job.
pub(crate) async fn enqueue(tx: &mut Tx, job: &NewJob, now: Time) -> Result<Option<JobId>, StoreError> {
    const SQL: &str = "
        INSERT INTO jobs (kind, dedupe_key, payload, payment_id, notification_id, run_at, max_attempts, created_at, trace)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $10)
        ON CONFLICT (dedupe_key) WHERE state IN ('ready', 'running') DO UPDATE SET
            again = jobs.state = 'running',
            run_at = CASE WHEN jobs.state = 'ready' THEN excluded.run_at ELSE jobs.run_at END,
            pushed_at = CASE WHEN jobs.state = 'ready' THEN NULL ELSE jobs.pushed_at END
        WHERE $9 AND (jobs.state = 'running' OR excluded.run_at < jobs.run_at)
        RETURNING id, state";
    if job.once_key.is_some() {
        return enqueue_once(tx, job, now).await;
    }
    let row: Option<(i64, String)> = in_tx!(tx, conn => sqlx::query_as(SQL)
        .bind(job.kind)
        .bind(&job.dedupe_key)
        .bind(&job.payload)
        .bind(job.payment_id.map(|id| id.0))
        .bind(job.notification_id.map(|id| id.0))
        .bind(millis(job.run_at))
        .bind(job.max_attempts)
        .bind(millis(now))
        .bind(job.is_news)
        .bind(&job.trace)
        .fetch_optional(conn)
        .await?);
    Ok(row.filter(|(_, state)| state == "ready").map(|(id, _)| JobId(id)))
}

async fn enqueue_once(tx: &mut Tx, job: &NewJob, now: Time) -> Result<Option<JobId>, StoreError> {
    const SQL: &str = "
        INSERT INTO jobs (kind, dedupe_key, once_key, payload, payment_id, notification_id, run_at, max_attempts,
                          created_at, trace)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT DO NOTHING
        RETURNING id";
    let id: Option<i64> = in_tx!(tx, conn => sqlx::query_scalar(SQL)
        .bind(job.kind)
        .bind(&job.dedupe_key)
        .bind(&job.once_key)
        .bind(&job.payload)
        .bind(job.payment_id.map(|id| id.0))
        .bind(job.notification_id.map(|id| id.0))
        .bind(millis(job.run_at))
        .bind(job.max_attempts)
        .bind(millis(now))
        .bind(&job.trace)
        .fetch_optional(conn)
        .await?);
    Ok(id.map(JobId))
}

pub(crate) async fn enqueue_all(tx: &mut Tx, jobs: &[NewJob], now: Time) -> Result<Vec<JobId>, StoreError> {
    Ok(enqueue_many(tx, jobs, now).await?.into_iter().flatten().collect())
}

/// Writes down jobs that no other change wants. Gives the ids of those that are new or were brought forward.
///
/// # Errors
/// When the database does.
pub async fn add(db: &Db, jobs: &[NewJob], now: Time) -> Result<Vec<JobId>, StoreError> {
    let mut tx = Tx::begin(db).await?;
    let ids = enqueue_all(&mut tx, jobs, now).await?;
    tx.commit().await?;
    Ok(ids)
}

/// Keeps a lease for another `length`. False when it was lost.
///
/// # Errors
/// When the database does.
pub async fn renew(db: &Db, lease: &Lease, now: Time, length: Duration) -> Result<bool, StoreError> {
    const SQL: &str =
        "UPDATE jobs SET lease_until = $3 WHERE id = $1 AND lease_token = $2 AND state || '' = 'running'";
    let until = millis(now).saturating_add(millis_of(length));
    let rows = write!(db, pool => sqlx::query(SQL)
        .bind(lease.job_id.0).bind(&lease.token).bind(until).execute(pool).await?.rows_affected());
    Ok(rows == 1)
}

/// Whether a lease still holds. Whoever is about to do what cannot be fenced asks first: it may have stood still for long.
///
/// # Errors
/// When the database does.
pub async fn holds(db: &Db, lease: &Lease, now: Time) -> Result<bool, StoreError> {
    const SQL: &str = "
        SELECT id FROM jobs WHERE id = $1 AND lease_token = $2 AND state || '' = 'running' AND lease_until > $3";
    if let Some(turns) = db.shared() {
        return turns.leases.ask(db, (lease.clone(), now)).await;
    }
    let row: Option<i64> = read!(db, pool => sqlx::query_scalar(SQL)
        .bind(lease.job_id.0).bind(&lease.token).bind(millis(now)).fetch_optional(pool).await?);
    Ok(row.is_some())
}

/// Ends an attempt. False when the lease was lost: somebody else has the job, and nothing was written.
///
/// # Errors
/// When the database does.
pub async fn finish(db: &Db, lease: &Lease, finish: &Finish, now: Time) -> Result<bool, StoreError> {
    let mut tx = Tx::begin(db).await?;
    let kept = finish_in(&mut tx, lease, finish, now).await?;
    if kept {
        tx.commit().await?;
    }
    Ok(kept)
}

/// Ends an attempt inside the transaction of its effect.
pub(crate) async fn finish_in(
    tx: &mut Tx,
    lease: &Lease,
    finish: &Finish,
    now: Time,
) -> Result<bool, StoreError> {
    const SQL: &str = "
        UPDATE jobs
        SET state = CASE WHEN $3 = 'ready' OR again THEN 'ready' ELSE $3 END,
            run_at = CASE WHEN again AND $8 THEN $7 ELSE $4 END,
            attempts = CASE WHEN again THEN 0 ELSE attempts - $5 END,
            last_error = $6, again = FALSE, pushed_at = NULL, lease_token = NULL, lease_until = NULL, finished_at = $7
        WHERE id = $1 AND lease_token = $2 AND state || '' = 'running'
        RETURNING started_at";
    let (state, at, uncounted, note) = match finish {
        Finish::Done => ("done", now, 0_i64, None),
        Finish::Retry { at, error } => ("ready", *at, 0, Some(error)),
        Finish::Later { at, reason } | Finish::Await { at, reason } => ("ready", *at, 1, Some(reason)),
        Finish::GiveUp { error } => ("dead", now, 0, Some(error)),
    };
    let row: Option<Option<i64>> = in_tx!(tx, conn => sqlx::query_scalar(SQL)
        .bind(lease.job_id.0)
        .bind(&lease.token)
        .bind(state)
        .bind(millis(at))
        .bind(uncounted)
        .bind(note)
        .bind(millis(now))
        .bind(matches!(finish, Finish::Await { .. }))
        .fetch_optional(conn)
        .await?);
    let Some(started_at) = row else { return Ok(false) };
    let Lease { job_id, attempt, .. } = *lease;
    let record = Attempt { job_id, attempt, started_at, outcome: finish.outcome(), note };
    record_attempt(tx, &record, now).await?;
    Ok(true)
}

struct Attempt<'a> {
    job_id: JobId,
    attempt: i64,
    started_at: Option<i64>,
    outcome: &'static str,
    note: Option<&'a String>,
}

async fn record_attempt(tx: &mut Tx, attempt: &Attempt<'_>, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO job_attempts (job_id, attempt, started_at, finished_at, outcome, note)
        VALUES ($1, $2, $3, $4, $5, $6)";
    in_tx!(tx, conn => sqlx::query(SQL)
        .bind(attempt.job_id.0)
        .bind(attempt.attempt)
        .bind(attempt.started_at)
        .bind(millis(now))
        .bind(attempt.outcome)
        .bind(attempt.note)
        .execute(conn)
        .await.map(drop)?);
    Ok(())
}

/// Takes back the jobs whose worker was not heard of until its lease ended. Gives how many there were. They keep the time
/// at which they were due, so that they are the next to be taken.
///
/// A lease that ends after `latest` was given by a clock that is ahead. It is taken back as well: nobody could wait for its
/// end, and the worker, should it live, writes nothing any more.
///
/// # Errors
/// When the database does.
pub async fn reap(db: &Db, now: Time, latest: Time) -> Result<usize, StoreError> {
    const SQL: &str = "
        UPDATE jobs
        SET state = CASE WHEN attempts >= max_attempts AND NOT again THEN 'dead' ELSE 'ready' END,
            last_error = 'its worker stopped', again = FALSE, pushed_at = NULL,
            lease_token = NULL, lease_until = NULL, finished_at = $1
        WHERE state = 'running' AND (lease_until <= $1 OR lease_until > $2)
        RETURNING id, attempts, started_at";
    let mut tx = Tx::begin(db).await?;
    let lost: Vec<(i64, i64, Option<i64>)> = in_tx!(&mut tx, conn => sqlx::query_as(SQL)
        .bind(millis(now)).bind(millis(latest)).fetch_all(conn).await?);
    for (id, attempt, started_at) in &lost {
        let (attempt, started_at) = (*attempt, *started_at);
        let record = Attempt { job_id: JobId(*id), attempt, started_at, outcome: "lost", note: None };
        record_attempt(&mut tx, &record, now).await?;
    }
    tx.commit().await?;
    Ok(lost.len())
}

/// What the relay takes in one go.
#[derive(Debug, Clone, Copy)]
pub struct Take {
    /// Due at this time.
    pub due: Time,
    /// A job that was pushed before this is pushed again.
    pub pushed_before: Time,
    /// At most so many.
    pub limit: i64,
}

/// Takes due jobs; a test looks at how the databases carry it out.
pub const TAKE_DUE: &str = "
    UPDATE jobs SET pushed_at = $4
    WHERE state = 'ready' AND (pushed_at IS NULL OR pushed_at <= $2 OR pushed_at > $5) AND id IN (
        SELECT id FROM jobs
        WHERE state = 'ready' AND run_at <= $1 AND (pushed_at IS NULL OR pushed_at <= $2 OR pushed_at > $5)
            AND kind NOT IN (SELECT kind FROM paused_kinds)
        ORDER BY run_at, id LIMIT $3)
    RETURNING id";

/// Takes due jobs that were never pushed, or long ago, or by a clock that is ahead by [`CLOCKS_DIFFER_BY`], and marks them
/// as pushed. Two relays never take the same. Those of a paused kind wait.
///
/// # Errors
/// When the database does.
pub async fn take_due(db: &Db, take: Take, now: Time) -> Result<Vec<JobId>, StoreError> {
    let mut ids: Vec<i64> = write!(db, pool => sqlx::query_scalar(TAKE_DUE)
        .bind(millis(take.due)).bind(millis(take.pushed_before)).bind(take.limit)
        .bind(millis(now)).bind(millis(now).saturating_add(millis_of(CLOCKS_DIFFER_BY)))
        .fetch_all(pool)
        .await?);
    ids.sort_unstable();
    Ok(ids.into_iter().map(JobId).collect())
}

/// Forgets jobs of slots; a test looks at how the databases carry it out.
pub const FORGET_SLOTS: &str = "
    DELETE FROM jobs WHERE id IN (
        SELECT id FROM jobs WHERE once_key IS NOT NULL AND state = 'done' AND created_at < $1
        ORDER BY id LIMIT 1000)";

/// Forgets ended jobs that were made for a slot before `before`, a thousand at a time.
///
/// # Errors
/// When the database does.
pub async fn forget_slots(db: &Db, before: Time) -> Result<(), StoreError> {
    const OLD: &str = "
        DELETE FROM job_attempts WHERE job_id IN (
            SELECT id FROM jobs WHERE once_key IS NOT NULL AND state = 'done' AND created_at < $1
            ORDER BY id LIMIT 1000)";
    let mut tx = Tx::begin(db).await?;
    in_tx!(&mut tx, conn => sqlx::query(OLD).bind(millis(before)).execute(conn).await.map(drop)?);
    in_tx!(&mut tx, conn => sqlx::query(FORGET_SLOTS).bind(millis(before)).execute(conn).await.map(drop)?);
    tx.commit().await
}

pub(crate) fn millis_of(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
