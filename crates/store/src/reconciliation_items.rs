//! What a reconciliation came to, payment by payment.

use domain::{PaymentId, Time};

use crate::time::{from_millis, millis};
use crate::{Db, Page, StoreError, read, write};

/// What a comparison of one payment came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Both say the same.
    Agreed,
    /// Our books were behind.
    Repaired,
    /// A person must look.
    Finding,
    /// The gateway gave no answer.
    Error,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Agreed, Self::Repaired, Self::Finding, Self::Error];

    /// As the database and the API write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agreed => "agreed",
            Self::Repaired => "repaired",
            Self::Finding => "finding",
            Self::Error => "error",
        }
    }
}

/// One payment of a comparison, to be written down.
#[derive(Debug, Clone)]
pub struct NewItem<'a> {
    /// Of this comparison.
    pub run: i64,
    /// The payment.
    pub payment: PaymentId,
    /// What it came to.
    pub verdict: Verdict,
    /// How our books had it.
    pub before: &'a str,
    /// How they have it now, or would have it.
    pub after: &'a str,
    /// More about it.
    pub detail: &'a str,
}

/// One payment of a comparison, as the books hold it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Item {
    /// Its row.
    pub id: i64,
    /// The payment.
    pub invoice: String,
    /// What it came to: a word of [`Verdict`].
    pub verdict: String,
    /// How our books had it.
    pub before: String,
    /// How they have it now, or would have it.
    pub after: String,
    /// More about it.
    pub detail: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

impl Item {
    /// When the gateway was asked.
    #[must_use]
    pub fn time(&self) -> Time {
        from_millis(self.at)
    }
}

/// Payments of a comparison that the gateway gave no answer about, and was not asked about `tries` times yet.
///
/// # Errors
/// When the database does.
pub async fn unanswered(db: &Db, run: i64, tries: i64, limit: i64) -> Result<Vec<PaymentId>, StoreError> {
    const SQL: &str = "
        SELECT payment_id FROM reconciliation_items
        WHERE reconciliation_id = $1 AND verdict = 'error' AND tries < $2 ORDER BY id LIMIT $3";
    let ids: Vec<i64> = read!(db, pool => sqlx::query_scalar(SQL)
        .bind(run).bind(tries).bind(limit).fetch_all(pool).await?);
    Ok(ids.into_iter().map(PaymentId).collect())
}

/// Writes down what became of a payment. Asked about again, the first answer counts: the second may already see what the
/// first has mended.
///
/// # Errors
/// When the database does.
pub async fn note(db: &Db, item: &NewItem<'_>, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO reconciliation_items (reconciliation_id, payment_id, verdict, before, after, detail, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (reconciliation_id, payment_id) DO UPDATE SET
            verdict = CASE WHEN reconciliation_items.verdict = 'error' THEN excluded.verdict
                           ELSE reconciliation_items.verdict END,
            tries = reconciliation_items.tries + 1, after = excluded.after,
            detail = excluded.detail, at = excluded.at";
    write!(db, pool => sqlx::query(SQL)
        .bind(item.run)
        .bind(item.payment.0)
        .bind(item.verdict.as_str())
        .bind(item.before)
        .bind(item.after)
        .bind(item.detail)
        .bind(millis(now))
        .execute(pool)
        .await
        .map(drop)?);
    Ok(())
}

/// A page of a comparison's payments, in the order in which they were asked about.
///
/// # Errors
/// When the database does.
pub async fn items(db: &Db, run: i64, verdict: Option<Verdict>, page: Page) -> Result<Vec<Item>, StoreError> {
    const SQL: &str = "
        SELECT i.id, p.invoice, i.verdict, i.before, i.after, i.detail, i.at
        FROM reconciliation_items i JOIN payments p ON p.id = i.payment_id
        WHERE i.reconciliation_id = $1 AND i.id > $2 AND ($3 IS NULL OR i.verdict = $3)
        ORDER BY i.id LIMIT $4";
    Ok(read!(db, pool => sqlx::query_as(SQL)
        .bind(run)
        .bind(page.above())
        .bind(verdict.map(Verdict::as_str))
        .bind(page.limit)
        .fetch_all(pool)
        .await?))
}

/// What comparisons came to for one payment, oldest first, at most a thousand.
///
/// # Errors
/// When the database does.
pub async fn of_payment(db: &Db, payment: PaymentId) -> Result<Vec<Item>, StoreError> {
    const SQL: &str = "
        SELECT i.id, p.invoice, i.verdict, i.before, i.after, i.detail, i.at
        FROM reconciliation_items i JOIN payments p ON p.id = i.payment_id
        WHERE i.payment_id = $1 ORDER BY i.id LIMIT 1000";
    Ok(read!(db, pool => sqlx::query_as(SQL).bind(payment.0).fetch_all(pool).await?))
}
