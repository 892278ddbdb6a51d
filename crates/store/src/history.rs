//! The history of payments: append-only, one row for each change.

use domain::{Payment, PaymentId, State, Time};

use crate::time::{from_millis, millis};
use crate::{Db, StoreError, Tx, in_tx, read};

/// Who brought a change about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The tenant, who wants to pay or no longer does.
    Tenant,
    /// The answer to a charge.
    Charge,
    /// A look at the gateway after a notification.
    Notification,
    /// A look at the gateway because it was time.
    Poll,
    /// A look at the gateway because somebody looked at the payment.
    Read,
    /// The answer to a cancellation.
    Cancel,
    /// A person of the house.
    Operator,
}

impl Source {
    /// As the database writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Charge => "charge",
            Self::Notification => "notification",
            Self::Poll => "poll",
            Self::Read => "read",
            Self::Cancel => "cancel",
            Self::Operator => "operator",
        }
    }
}

/// One change of a payment, as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Row {
    /// Where it came from; `None` for its beginning.
    pub from_state: Option<String>,
    /// Where it went.
    pub to_state: String,
    /// What happened.
    pub event: String,
    /// Who told us.
    pub source: String,
    /// More about it.
    pub detail: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

impl Row {
    /// When it happened.
    #[must_use]
    pub fn time(&self) -> Time {
        from_millis(self.at)
    }
}

pub(crate) struct Entry<'a> {
    pub(crate) from: Option<State>,
    pub(crate) event: &'a str,
    pub(crate) source: Source,
    pub(crate) detail: &'a str,
}

pub(crate) async fn append(
    tx: &mut Tx,
    after: &Payment,
    entry: &Entry<'_>,
    now: Time,
) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO payment_history (payment_id, version, from_state, to_state, event, source, detail, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    in_tx!(tx, conn => sqlx::query(SQL)
        .bind(after.id.0)
        .bind(after.version)
        .bind(entry.from.map(State::as_str))
        .bind(after.state.as_str())
        .bind(entry.event)
        .bind(entry.source.as_str())
        .bind(entry.detail)
        .bind(millis(now))
        .execute(conn)
        .await.map(drop)?);
    Ok(())
}

/// The history of a payment, oldest first, at most a thousand rows.
///
/// # Errors
/// When the database does.
pub async fn of_payment(db: &Db, id: PaymentId) -> Result<Vec<Row>, StoreError> {
    const SQL: &str = "
        SELECT from_state, to_state, event, source, detail, at FROM payment_history
        WHERE payment_id = $1 ORDER BY version LIMIT 1000";
    Ok(read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await?))
}
