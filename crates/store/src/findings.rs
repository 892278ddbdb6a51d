//! Findings: what someone should know of, one row for each cause.

use domain::{FindingId, FindingKind, PaymentId, Time};
use serde_json::json;

use crate::audit::{self, By};
use crate::time::{from_millis, millis, opt_from_millis};
use crate::{Db, Keys, Page, Refusal, StoreError, Tx, Undone, in_tx, personal, read};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT f.id, f.kind, f.payment_id, p.invoice, f.detail, f.found_at, f.resolved_at, f.resolution, f.resolved_by, ",
            "u.email, u.personal ",
            "FROM findings f LEFT JOIN payments p ON p.id = f.payment_id LEFT JOIN users u ON u.id = f.resolved_by ",
            $rest
        )
    };
}

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
    /// The number of that payment.
    pub invoice: Option<String>,
    /// When somebody dealt with it.
    pub resolved_at: Option<Time>,
    /// What was done about it.
    pub resolution: Option<String>,
    /// Who dealt with it; `None` where it resolved itself.
    pub resolved_by: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    payment_id: Option<i64>,
    invoice: Option<String>,
    detail: String,
    found_at: i64,
    resolved_at: Option<i64>,
    resolution: Option<String>,
    resolved_by: Option<i64>,
    email: Option<String>,
    personal: Option<String>,
}

impl Row {
    fn open(self, keys: &Keys) -> Result<Finding, StoreError> {
        let row = self;
        let kind =
            FindingKind::try_from(row.kind.as_str()).map_err(StoreError::corrupt("findings", row.id))?;
        let resolved_by = match row.resolved_by.zip(row.personal) {
            Some((id, sealed)) => Some(personal::open(keys, id, sealed)?.email.as_str().to_owned()),
            None => row.email,
        };
        Ok(Finding {
            id: FindingId(row.id),
            kind,
            payment_id: row.payment_id.map(PaymentId),
            detail: row.detail,
            invoice: row.invoice,
            found_at: from_millis(row.found_at),
            resolved_at: opt_from_millis(row.resolved_at),
            resolution: row.resolution,
            resolved_by,
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

/// Which findings are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Which {
    /// Those that nobody has dealt with, or those that somebody has; all where nothing is said.
    pub resolved: Option<bool>,
    /// Those of this kind.
    pub kind: Option<FindingKind>,
}

/// A page of findings, newest first.
///
/// # Errors
/// When the database does.
pub async fn list(db: &Db, which: &Which, page: Page) -> Result<Vec<Finding>, StoreError> {
    const SQL: &str = select!(
        "WHERE f.id < $1 AND ($2 IS NULL OR f.kind = $2) AND ($3 IS NULL OR $3 = (f.resolved_at IS NOT NULL))
        ORDER BY f.id DESC LIMIT $4"
    );
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL)
        .bind(page.below())
        .bind(which.kind.map(FindingKind::as_str))
        .bind(which.resolved)
        .bind(page.limit)
        .fetch_all(pool)
        .await?);
    rows.into_iter().map(|row| row.open(db.keys())).collect()
}

/// The newest findings, newest first, at most `limit`.
///
/// # Errors
/// When the database does.
pub async fn newest(db: &Db, limit: i64) -> Result<Vec<Finding>, StoreError> {
    list(db, &Which::default(), Page { after: None, limit }).await
}

/// The findings about a payment, oldest first, at most a hundred.
///
/// # Errors
/// When the database does.
pub async fn of_payment(db: &Db, id: PaymentId) -> Result<Vec<Finding>, StoreError> {
    const SQL: &str = select!("WHERE f.payment_id = $1 ORDER BY f.id LIMIT 100");
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await?);
    rows.into_iter().map(|row| row.open(db.keys())).collect()
}

/// Counts the findings that wait; a test looks at how the databases carry it out.
pub const COUNT_OPEN: &str = "
    SELECT kind, count(*) FROM (SELECT kind FROM findings WHERE resolved_at IS NULL LIMIT $1) AS waiting
    GROUP BY kind ORDER BY kind";
/// Findings that wait are counted up to this many.
pub const COUNTED_MAX: i64 = 10_000;

/// How many findings of each kind wait for somebody, [`COUNTED_MAX`] of all at most. A kind that none waits of is not
/// there.
///
/// # Errors
/// When the database does.
pub async fn count_open(db: &Db) -> Result<Vec<(FindingKind, i64)>, StoreError> {
    let rows: Vec<(String, i64)> =
        read!(db, pool => sqlx::query_as(COUNT_OPEN).bind(COUNTED_MAX).fetch_all(pool).await?);
    let corrupt = StoreError::corrupt("findings", 0);
    rows.into_iter()
        .map(|(kind, count)| Ok((FindingKind::try_from(kind.as_str()).map_err(&corrupt)?, count)))
        .collect()
}

/// Writes down that somebody dealt with a finding and how, which [`By::reason`] says, and the audit of it.
///
/// # Errors
/// When the finding is not there or somebody was first, or the database fails.
pub async fn resolve(db: &Db, id: FindingId, by: &By<'_>) -> Result<Finding, Undone> {
    const SQL: &str = "
        UPDATE findings SET resolved_at = $2, resolved_by = $3, resolution = $4
        WHERE id = $1 AND resolved_at IS NULL RETURNING kind";
    const FIND: &str = select!("WHERE f.id = $1");
    let resolution = by.reason.unwrap_or_default();
    let mut tx = Tx::begin(db).await?;
    let resolved: Option<String> = in_tx!(&mut tx, conn => sqlx::query_scalar(SQL)
        .bind(id.0)
        .bind(millis(by.now))
        .bind(by.actor.id.map(|user| user.0))
        .bind(resolution)
        .fetch_optional(conn)
        .await?);
    let found: Option<Row> =
        in_tx!(&mut tx, conn => sqlx::query_as(FIND).bind(id.0).fetch_optional(conn).await?);
    let finding = found.ok_or(Refusal::NotThere)?.open(db.keys())?;
    let Some(kind) = resolved else { return Err(Refusal::FindingResolved.into()) };
    let after = json!({ "kind": kind, "resolution": resolution });
    let deed = by.deed("finding.resolve", format!("finding:{id}"), (None, Some(after.to_string())));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(finding)
}
