//! Findings: what someone should know of, one row for each cause.

use domain::{FindingId, FindingKind, PaymentId, Time};

use crate::time::{from_millis, millis, opt_from_millis};
use crate::{Db, StoreError, Tx, in_tx, read};

/// A finding to be written down.
#[derive(Debug, Clone)]
pub struct NewFinding<'a> {
    /// Of what kind.
    pub kind: FindingKind,
    /// The same cause is found once.
    pub cause: String,
    /// The payment it is about.
    pub payment_id: Option<PaymentId>,
    /// What was seen.
    pub detail: &'a str,
}

/// A finding as the books hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its row.
    pub id: FindingId,
    /// Of what kind.
    pub kind: FindingKind,
    /// The payment it is about.
    pub payment_id: Option<PaymentId>,
    /// What was seen.
    pub detail: String,
    /// When.
    pub found_at: Time,
    /// When somebody dealt with it.
    pub resolved_at: Option<Time>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    payment_id: Option<i64>,
    detail: String,
    found_at: i64,
    resolved_at: Option<i64>,
}

impl TryFrom<Row> for Finding {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let kind =
            FindingKind::try_from(row.kind.as_str()).map_err(StoreError::corrupt("findings", row.id))?;
        Ok(Self {
            id: FindingId(row.id),
            kind,
            payment_id: row.payment_id.map(PaymentId),
            detail: row.detail,
            found_at: from_millis(row.found_at),
            resolved_at: opt_from_millis(row.resolved_at),
        })
    }
}

pub(crate) async fn open_in(tx: &mut Tx, new: &NewFinding<'_>, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO findings (kind, cause, payment_id, detail, found_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (cause) DO NOTHING";
    in_tx!(tx, conn => sqlx::query(SQL)
        .bind(new.kind.as_str())
        .bind(&new.cause)
        .bind(new.payment_id.map(|id| id.0))
        .bind(new.detail)
        .bind(millis(now))
        .execute(conn)
        .await.map(drop)?);
    Ok(())
}

/// Writes down a finding that comes with no change of a payment.
///
/// # Errors
/// When the database does.
pub async fn open(db: &Db, new: &NewFinding<'_>, now: Time) -> Result<(), StoreError> {
    let mut tx = Tx::begin(db).await?;
    open_in(&mut tx, new, now).await?;
    tx.commit().await
}

/// The newest findings, newest first, at most `limit`.
///
/// # Errors
/// When the database does.
pub async fn newest(db: &Db, limit: i64) -> Result<Vec<Finding>, StoreError> {
    const SQL: &str = "
        SELECT id, kind, payment_id, detail, found_at, resolved_at FROM findings ORDER BY id DESC LIMIT $1";
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(limit).fetch_all(pool).await?);
    rows.into_iter().map(Finding::try_from).collect()
}

/// The findings about a payment, oldest first, at most a hundred.
///
/// # Errors
/// When the database does.
pub async fn of_payment(db: &Db, id: PaymentId) -> Result<Vec<Finding>, StoreError> {
    const SQL: &str = "
        SELECT id, kind, payment_id, detail, found_at, resolved_at FROM findings
        WHERE payment_id = $1 ORDER BY id LIMIT 100";
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await?);
    rows.into_iter().map(Finding::try_from).collect()
}
