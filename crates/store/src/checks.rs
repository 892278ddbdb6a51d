//! Checks: when the gateway is to be asked how a payment stands, and when it was.

use domain::{JobId, Payment, PaymentId, Time};

use crate::ledger::NewJob;
use crate::time::{millis, opt_from_millis, opt_millis};
use crate::{Db, StoreError, Tx, in_tx, ledger, read, write};

/// Takes due checks; a test looks at how the databases carry it out.
pub const TAKE_DUE: &str = "
    UPDATE payments SET next_check_at = $2
    WHERE next_check_at <= $1 AND id IN (
        SELECT id FROM payments WHERE next_check_at <= $1 ORDER BY next_check_at LIMIT $3)
    RETURNING id, state = 'created'";

/// Counts due checks; a test looks at how the databases carry it out.
pub const BACKLOG: &str = "
    SELECT (SELECT count(*) FROM payments WHERE next_check_at <= $1),
           (SELECT min(next_check_at) FROM payments WHERE next_check_at <= $1),
           (SELECT count(*) FROM (SELECT 1 FROM jobs
                WHERE state = 'ready' AND kind = 'sync_payment' AND run_at <= $1 LIMIT 1000) AS polls)";

/// Notes that the gateway was asked and had no news. The version stays: nothing changed.
///
/// # Errors
/// When the database does.
pub async fn mark_checked(
    db: &Db,
    payment: &Payment,
    next_check_at: Option<Time>,
    now: Time,
) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE payments SET checked_at = $3, next_check_at = $4 WHERE id = $1 AND version = $2";
    write!(db, pool => sqlx::query(SQL)
        .bind(payment.id.0)
        .bind(payment.version)
        .bind(millis(now))
        .bind(opt_millis(next_check_at))
        .execute(pool)
        .await.map(drop)?);
    Ok(())
}

/// Takes payments whose check is due, the longest overdue first, and writes down the job that `job` makes for each.
///
/// Their next check moves to `again_at`, which counts should the job come to nothing. Gives how many were taken, and
/// the jobs that are new.
///
/// # Errors
/// When the database does.
pub async fn take_due(
    db: &Db,
    sweep: &Sweep,
    job: impl Fn(PaymentId, bool) -> NewJob,
    now: Time,
) -> Result<(usize, Vec<JobId>), StoreError> {
    let mut tx = Tx::begin(db).await?;
    let due: Vec<(i64, bool)> = in_tx!(&mut tx, conn => sqlx::query_as(TAKE_DUE)
        .bind(millis(now))
        .bind(millis(sweep.again_at))
        .bind(sweep.limit)
        .fetch_all(conn)
        .await?);
    let jobs: Vec<NewJob> = due.iter().map(|(id, never_asked)| job(PaymentId(*id), *never_asked)).collect();
    let ids = ledger::enqueue_all(&mut tx, &jobs, now).await?;
    tx.commit().await?;
    Ok((due.len(), ids))
}

/// How much a sweep takes in one go.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// At most so many payments.
    pub limit: i64,
    /// When to take them again, should their jobs come to nothing.
    pub again_at: Time,
}

/// The checks that are due and not taken yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many.
    pub overdue: i64,
    /// Since when the oldest is due.
    pub oldest: Option<Time>,
    /// Polls that were taken and are due, a thousand at most; those that rest after a failure do not count.
    pub waiting: i64,
}

/// How far the checks are behind.
///
/// # Errors
/// When the database does.
pub async fn backlog(db: &Db, now: Time) -> Result<Backlog, StoreError> {
    let (overdue, oldest, waiting): (i64, Option<i64>, i64) =
        read!(db, pool => sqlx::query_as(BACKLOG).bind(millis(now)).fetch_one(pool).await?);
    Ok(Backlog { overdue, oldest: opt_from_millis(oldest), waiting })
}
