//! Money that the gateway told us of, and that is not in the books yet.

use chrono::TimeDelta;
use domain::Time;

use crate::time::{millis, opt_from_millis};
use crate::{Db, StoreError, read};

/// So many of the newest notifications of money are looked at.
pub const LOOKED_AT_MAX: i64 = 1_000;
/// What is older than this is for the reconciliation of the night.
const LOOK_BACK: TimeDelta = TimeDelta::hours(24);

/// Looks for money that is not booked; a test looks at how the databases carry it out.
pub const UNBOOKED: &str = "
    SELECT count(*), min(told.received_at)
    FROM (SELECT order_id, received_at FROM notifications
          WHERE verified AND event IN ('settled', 'captured') AND received_at >= $1
          ORDER BY received_at DESC LIMIT $2) AS told
    JOIN payments p ON p.invoice = told.order_id
    WHERE p.paid_at IS NULL AND (p.checked_at IS NULL OR p.checked_at <= told.received_at)";

/// Money that is not booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unbooked {
    /// How many notifications told of it.
    pub count: i64,
    /// When the first of them came.
    pub oldest: Option<Time>,
}

/// The signed notifications of the last day that say that money came, whose payment the books do not hold as paid, and
/// about which the gateway was not asked since. What it answers counts more than a notification.
///
/// # Errors
/// When the database does.
pub async fn count(db: &Db, now: Time) -> Result<Unbooked, StoreError> {
    let (count, oldest): (i64, Option<i64>) = read!(db, pool => sqlx::query_as(UNBOOKED)
        .bind(millis(now - LOOK_BACK))
        .bind(LOOKED_AT_MAX)
        .fetch_one(pool)
        .await?);
    Ok(Unbooked { count, oldest: opt_from_millis(oldest) })
}
