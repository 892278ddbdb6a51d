//! How the house and the service stand: sums of the bills, and what happened lately, in stretches of time.

use chrono::TimeDelta;
use domain::{Period, Time};

use crate::time::{from_millis, millis};
use crate::{Db, StoreError, calls, read};

/// Findings are counted up to this many.
pub const FINDINGS_MAX: i64 = 1_000;
/// Bills of one state are counted and summed up to this many.
pub const BILLS_MAX: i64 = 100_000;
/// So many of the jobs that were done last are measured, and so many of the payments that were found.
pub const MEASURED_MAX: i64 = 100_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A day in Jakarta begins so long before one in Greenwich.
const WIB_MS: i64 = 7 * HOUR_MS;
const HOURS: i64 = 24;
const DAYS: i64 = 30;

/// Bills, and what they come to in rupiah.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// How many.
    pub count: i64,
    /// How much.
    pub amount: i64,
}

impl Sum {
    /// Whether there may be more than were counted.
    #[must_use]
    pub fn is_capped(&self) -> bool {
        self.count >= BILLS_MAX
    }
}

/// How the house and the service stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overview {
    /// Bills of the month that are paid.
    pub paid: Sum,
    /// Bills of the month that somebody is paying.
    pub pending: Sum,
    /// Bills of any month whose time is over, and that are not paid.
    pub overdue: Sum,
    /// Bills of the month that nobody is paying yet.
    pub due: Sum,
    /// When the gateway last said how a transaction stands.
    pub last_poll: Option<Time>,
    /// Findings that nobody has dealt with, a thousand at most.
    pub findings_open: i64,
    /// Changes of the last 30 days that no notification has told of to this day, a thousand at most.
    pub gaps: i64,
}

/// A stretch of time, and what was measured in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// It begins here.
    pub from: Time,
    /// What was measured.
    pub value: i64,
    /// In how many cases.
    pub count: i64,
}

/// How the bills of the month stand, and what someone should look at.
///
/// # Errors
/// When the database does.
pub async fn overview(db: &Db, month: Period, now: Time) -> Result<Overview, StoreError> {
    const OVERDUE: &str = "
        SELECT count(*), CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM (
            SELECT amount FROM bills WHERE status <> 'paid' AND voided_at IS NULL AND due_at < $1 LIMIT $2) AS late";
    let (count, amount): (i64, i64) = read!(db, pool => sqlx::query_as(OVERDUE)
        .bind(millis(now)).bind(BILLS_MAX).fetch_one(pool).await?);
    let (last_poll, findings_open, gaps) = watch(db, now).await?;
    Ok(Overview {
        paid: of_month(db, month, "paid").await?,
        pending: of_month(db, month, "pending").await?,
        overdue: Sum { count, amount },
        due: of_month(db, month, "unpaid").await?,
        last_poll,
        findings_open,
        gaps,
    })
}

async fn of_month(db: &Db, month: Period, status: &str) -> Result<Sum, StoreError> {
    const SQL: &str = "
        SELECT count(*), CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM (
            SELECT amount FROM bills
            WHERE year = $1 AND month = $2 AND voided_at IS NULL AND status = $3 LIMIT $4) AS of_month";
    let (count, amount): (i64, i64) = read!(db, pool => sqlx::query_as(SQL)
        .bind(i64::from(month.year()))
        .bind(i64::from(month.month()))
        .bind(status)
        .bind(BILLS_MAX)
        .fetch_one(pool)
        .await?);
    Ok(Sum { count, amount })
}

async fn watch(db: &Db, now: Time) -> Result<(Option<Time>, i64, i64), StoreError> {
    // A gap that closed because its notification came late was resolved by nobody.
    const SQL: &str = "
        SELECT (SELECT count(*) FROM (SELECT 1 FROM findings WHERE resolved_at IS NULL LIMIT $1) AS open),
               (SELECT count(*) FROM (SELECT 1 FROM findings
                WHERE kind = 'missed_notification' AND found_at >= $2
                    AND (resolved_at IS NULL OR resolved_by IS NOT NULL) LIMIT $1) AS missed)";
    let since = now - TimeDelta::milliseconds(DAYS * DAY_MS);
    let (open, gaps): (i64, i64) = read!(db, pool => sqlx::query_as(SQL)
        .bind(FINDINGS_MAX).bind(millis(since)).fetch_one(pool).await?);
    Ok((calls::last_answer(db).await?, open, gaps))
}

/// How many jobs were done in each of the hours that [`latency`] tells of.
#[must_use]
pub fn throughput(hours: &[Bucket]) -> Vec<Bucket> {
    hours.iter().map(|hour| Bucket { value: hour.count, ..*hour }).collect()
}

/// The mean of the milliseconds from when a job was written down until it was done, for each of the last 24 hours, the
/// oldest first. The newest [`MEASURED_MAX`] jobs are measured.
///
/// # Errors
/// When the database does.
pub async fn latency(db: &Db, now: Time) -> Result<Vec<Bucket>, StoreError> {
    // Both states, so that the index of those that have ended is of use.
    const SQL: &str = "
        SELECT finished_at / 3600000, count(*), CAST(SUM(finished_at - created_at) AS BIGINT) FROM (
            SELECT finished_at, created_at FROM jobs
            WHERE state IN ('done', 'cancelled') AND state = 'done' AND finished_at >= $1
            ORDER BY finished_at DESC LIMIT $2) AS measured
        GROUP BY finished_at / 3600000 LIMIT 25";
    let slots = Slots { length_ms: HOUR_MS, shift_ms: 0, count: HOURS };
    let first = slots.first(now);
    let sums: Vec<(i64, i64, i64)> = read!(db, pool => sqlx::query_as(SQL)
        .bind(slots.begin_ms(first)).bind(MEASURED_MAX).fetch_all(pool).await?);
    Ok(slots.fill(first, &sums))
}

/// The mean of the milliseconds from when a payment was paid at the gateway until a poll found it, for each of the last 30
/// days in Jakarta, the oldest first. The newest [`MEASURED_MAX`] are measured.
///
/// # Errors
/// When the database does.
pub async fn recoveries(db: &Db, now: Time) -> Result<Vec<Bucket>, StoreError> {
    // The gateway's clock may be before ours.
    const SQL: &str = "
        SELECT (at + 25200000) / 86400000, count(*),
               CAST(SUM(CASE WHEN at > paid_at THEN at - paid_at ELSE 0 END) AS BIGINT)
        FROM (
            SELECT h.at AS at, p.paid_at AS paid_at FROM payment_history h JOIN payments p ON p.id = h.payment_id
            WHERE h.source = 'poll' AND h.to_state = 'paid' AND h.at >= $1
            ORDER BY h.at DESC LIMIT $2) AS found
        GROUP BY (at + 25200000) / 86400000 LIMIT 31";
    let slots = Slots { length_ms: DAY_MS, shift_ms: WIB_MS, count: DAYS };
    let first = slots.first(now);
    let sums: Vec<(i64, i64, i64)> = read!(db, pool => sqlx::query_as(SQL)
        .bind(slots.begin_ms(first)).bind(MEASURED_MAX).fetch_all(pool).await?);
    Ok(slots.fill(first, &sums))
}

/// Stretches of equal length, numbered since 1970.
#[derive(Clone, Copy)]
struct Slots {
    length_ms: i64,
    /// How much earlier than in Greenwich they begin.
    shift_ms: i64,
    count: i64,
}

impl Slots {
    /// The number of the first, where the last is the one of `now`.
    fn first(self, now: Time) -> i64 {
        (millis(now) + self.shift_ms) / self.length_ms - (self.count - 1)
    }

    fn begin_ms(self, number: i64) -> i64 {
        number * self.length_ms - self.shift_ms
    }

    /// All of them in order, each with the mean of what was measured in it.
    fn fill(self, first: i64, sums: &[(i64, i64, i64)]) -> Vec<Bucket> {
        let bucket = |number: i64| {
            let sum = sums.iter().find(|(slot, ..)| *slot == number);
            let (count, total) = sum.map_or((0, 0), |(_, count, total)| (*count, *total));
            Bucket { from: from_millis(self.begin_ms(number)), value: total / count.max(1), count }
        };
        (first..first + self.count).map(bucket).collect()
    }
}
