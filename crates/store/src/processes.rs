//! Processes: which of them live, by the sign of life that each writes down.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Time;

use crate::time::{from_millis, millis};
use crate::{Db, StoreError, read, write};

/// Between two signs of life.
pub const BEAT_EVERY: Duration = Duration::from_secs(10);
/// A process that was not heard of for so long is silent.
pub const SILENT_AFTER: TimeDelta = TimeDelta::seconds(35);
/// A process that was silent for so long is forgotten.
const FORGET_AFTER: TimeDelta = TimeDelta::hours(1);
/// So many processes are listed at most.
const PROCESSES_MAX: i64 = 1_000;

/// A process, and what it does.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Process {
    /// Drawn at its start.
    pub id: String,
    /// The machine, or the container, that it runs on.
    pub host: String,
    /// The version of the program.
    pub version: String,
    /// Whether it answers requests.
    pub is_api: bool,
    /// Whether it does jobs.
    pub is_worker: bool,
    /// Whether it puts scheduled jobs into the ledger.
    pub is_scheduler: bool,
}

/// A process, and when it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which one.
    pub process: Process,
    /// When it last gave a sign of life.
    pub at: Time,
}

impl Seen {
    /// Whether it was heard of lately.
    #[must_use]
    pub fn is_alive(&self, now: Time) -> bool {
        now - self.at < SILENT_AFTER
    }
}

/// Writes down a sign of life. Silent processes whose place this one has taken, and those of long ago, are forgotten.
///
/// # Errors
/// When the database does.
pub async fn beat(db: &Db, process: &Process, now: Time) -> Result<(), StoreError> {
    const FORGET: &str = "
        DELETE FROM processes
        WHERE seen_at < $1 OR (seen_at < $2 AND host = $3 AND is_api = $4 AND is_worker = $5 AND is_scheduler = $6)";
    const BEAT: &str = "
        INSERT INTO processes (id, host, version, is_api, is_worker, is_scheduler, started_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    let Process { id, host, version, is_api, is_worker, is_scheduler } = process;
    write!(db, pool => sqlx::query(FORGET)
        .bind(millis(now - FORGET_AFTER))
        .bind(millis(now - SILENT_AFTER))
        .bind(host)
        .bind(is_api)
        .bind(is_worker)
        .bind(is_scheduler)
        .execute(pool)
        .await
        .map(drop)?);
    write!(db, pool => sqlx::query(BEAT)
        .bind(id)
        .bind(host)
        .bind(version)
        .bind(is_api)
        .bind(is_worker)
        .bind(is_scheduler)
        .bind(millis(now))
        .execute(pool)
        .await
        .map(drop)?);
    Ok(())
}

/// The process ends as it was told to, and is missed by nobody.
///
/// # Errors
/// When the database does.
pub async fn leave(db: &Db, id: &str) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM processes WHERE id = $1";
    write!(db, pool => sqlx::query(SQL).bind(id).execute(pool).await.map(drop)?);
    Ok(())
}

/// The processes that were heard of in the last hour, the newest sign of life first, a thousand at most.
///
/// # Errors
/// When the database does.
pub async fn seen(db: &Db, now: Time) -> Result<Vec<Seen>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        process: Process,
        seen_at: i64,
    }
    const SQL: &str = "
        SELECT id, host, version, is_api, is_worker, is_scheduler, seen_at FROM processes
        WHERE seen_at >= $1 ORDER BY seen_at DESC, id LIMIT $2";
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL)
        .bind(millis(now - FORGET_AFTER))
        .bind(PROCESSES_MAX)
        .fetch_all(pool)
        .await?);
    Ok(rows.into_iter().map(|row| Seen { process: row.process, at: from_millis(row.seen_at) }).collect())
}
