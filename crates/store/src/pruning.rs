//! Pruning: what is older than it has to be kept is forgotten. Of money nothing ever is: not payments, their history,
//! the journal, refunds, bills, findings or the audit.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Time;

use crate::time::millis;
use crate::{Db, StoreError, Tx, in_tx, read};

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Jobs that are done, with their attempts. Dead ones stay.
    pub jobs: Duration,
    /// Notifications that were dealt with.
    pub notifications: Duration,
    /// What reconciliations came to, payment by payment; their sums stay.
    pub items: Duration,
    /// Calls to the gateway and their answers.
    pub calls: Duration,
}

/// What was forgotten, or what would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Jobs.
    pub jobs: u64,
    /// Notifications.
    pub notifications: u64,
    /// Payments of reconciliations.
    pub items: u64,
    /// Calls to the gateway.
    pub calls: u64,
    /// Sessions whose time is over.
    pub sessions: u64,
}

impl Pruned {
    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.jobs + self.notifications + self.items + self.calls + self.sessions
    }
}

impl std::ops::AddAssign for Pruned {
    fn add_assign(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.notifications += other.notifications;
        self.items += other.items;
        self.calls += other.calls;
        self.sessions += other.sessions;
    }
}

/// The times before which things may be forgotten.
struct Before {
    jobs: i64,
    notifications: i64,
    items: i64,
    calls: i64,
}

impl Before {
    fn at(retention: &Retention, now: Time) -> Self {
        let back = |by: Duration| {
            let by = TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
            now.checked_sub_signed(by).map_or(i64::MIN, millis)
        };
        Self {
            jobs: back(retention.jobs),
            notifications: back(retention.notifications),
            items: back(retention.items),
            calls: back(retention.calls),
        }
    }
}

/// Forgets jobs; a test looks at how the databases carry it out.
pub const FORGET_JOBS: &str = "
    DELETE FROM jobs WHERE id IN (
        SELECT id FROM jobs WHERE state IN ('done', 'cancelled') AND finished_at < $1
        ORDER BY finished_at, id LIMIT $2)";

/// Forgets at most `limit` of each; when nothing was, nothing is left to forget.
///
/// # Errors
/// When the database does.
pub async fn prune(db: &Db, retention: &Retention, limit: i64, now: Time) -> Result<Pruned, StoreError> {
    const ATTEMPTS: &str = "
        DELETE FROM job_attempts WHERE job_id IN (
            SELECT id FROM jobs WHERE state IN ('done', 'cancelled') AND finished_at < $1
            ORDER BY finished_at, id LIMIT $2)";
    // One that a job still speaks of waits for that job to be forgotten.
    const NOTIFICATIONS: &str = "
        DELETE FROM notifications WHERE id IN (
            SELECT id FROM notifications n
            WHERE received_at < $1 AND processed_at IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM jobs WHERE notification_id = n.id)
            ORDER BY received_at, id LIMIT $2)";
    const ITEMS: &str = "
        DELETE FROM reconciliation_items WHERE id IN (
            SELECT i.id FROM reconciliation_items i JOIN reconciliations r ON r.id = i.reconciliation_id
            WHERE i.at < $1 AND r.state = 'done' ORDER BY i.at, i.id LIMIT $2)";
    const CALLS: &str = "
        DELETE FROM gateway_calls WHERE id IN (SELECT id FROM gateway_calls WHERE at < $1 ORDER BY at, id LIMIT $2)";
    // A token that was spent tells who has a copy of it, but not after its time.
    const TOKENS: &str = "
        DELETE FROM refresh_tokens WHERE id IN (
            SELECT id FROM refresh_tokens WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2)";
    const SESSIONS: &str = "
        DELETE FROM dashboard_sessions WHERE id IN (
            SELECT id FROM dashboard_sessions WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2)";
    // Two at once would choose other jobs than those whose attempts they have forgotten.
    const TURN: &str = "UPDATE watermarks SET value = value WHERE name = 'pruning'";
    let before = Before::at(retention, now);
    let mut tx = Tx::begin(db).await?;
    in_tx!(&mut tx, conn => sqlx::query(TURN).execute(conn).await.map(drop)?);
    delete(&mut tx, ATTEMPTS, (before.jobs, limit)).await?;
    let jobs = delete(&mut tx, FORGET_JOBS, (before.jobs, limit)).await?;
    let notifications = delete(&mut tx, NOTIFICATIONS, (before.notifications, limit)).await?;
    let items = delete(&mut tx, ITEMS, (before.items, limit)).await?;
    let calls = delete(&mut tx, CALLS, (before.calls, limit)).await?;
    let tokens = delete(&mut tx, TOKENS, (millis(now), limit)).await?;
    let sessions = tokens + delete(&mut tx, SESSIONS, (millis(now), limit)).await?;
    tx.commit().await?;
    Ok(Pruned { jobs, notifications, items, calls, sessions })
}

async fn delete(tx: &mut Tx, sql: &'static str, (before, limit): (i64, i64)) -> Result<u64, StoreError> {
    Ok(in_tx!(tx, conn => sqlx::query(sql).bind(before).bind(limit).execute(conn).await?.rows_affected()))
}

/// How much would be forgotten.
///
/// # Errors
/// When the database does.
pub async fn prunable(db: &Db, retention: &Retention, now: Time) -> Result<Pruned, StoreError> {
    const SQL: &str = "
        SELECT (SELECT count(*) FROM jobs WHERE state IN ('done', 'cancelled') AND finished_at < $1),
               (SELECT count(*) FROM notifications n WHERE received_at < $2 AND processed_at IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE notification_id = n.id
                                    AND (state NOT IN ('done', 'cancelled') OR finished_at >= $1))),
               (SELECT count(*) FROM reconciliation_items i JOIN reconciliations r ON r.id = i.reconciliation_id
                    WHERE i.at < $3 AND r.state = 'done'),
               (SELECT count(*) FROM gateway_calls WHERE at < $4),
               (SELECT count(*) FROM refresh_tokens WHERE expires_at < $5)
                   + (SELECT count(*) FROM dashboard_sessions WHERE expires_at < $5)";
    let before = Before::at(retention, now);
    let counts: (i64, i64, i64, i64, i64) = read!(db, pool => sqlx::query_as(SQL)
        .bind(before.jobs)
        .bind(before.notifications)
        .bind(before.items)
        .bind(before.calls)
        .bind(millis(now))
        .fetch_one(pool)
        .await?);
    let [jobs, notifications, items, calls, sessions] =
        <[i64; 5]>::from(counts).map(|count| u64::try_from(count).unwrap_or_default());
    Ok(Pruned { jobs, notifications, items, calls, sessions })
}
