//! Bills: one tenant's rent for one month.

use domain::{BillId, BillStatus, Period, RoomId, Rupiah, Time, UserId};

use crate::time::millis;
use crate::{Db, StoreError, read, write};

/// A bill as the books hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Its row.
    pub id: BillId,
    /// Who owes it.
    pub tenant_id: UserId,
    /// The month it is for.
    pub period: Period,
    /// How much.
    pub amount: Rupiah,
    /// How it stands.
    pub status: BillStatus,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    tenant_id: i64,
    year: i64,
    month: i64,
    amount: i64,
    status: String,
}

impl TryFrom<Row> for Bill {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = StoreError::corrupt("bills", row.id);
        let year = i32::try_from(row.year).unwrap_or_default();
        let month = u32::try_from(row.month).unwrap_or_default();
        Ok(Self {
            id: BillId(row.id),
            tenant_id: UserId(row.tenant_id),
            period: Period::new(year, month).map_err(&corrupt)?,
            amount: Rupiah::try_from(row.amount).map_err(&corrupt)?,
            status: BillStatus::try_from(row.status.as_str()).map_err(&corrupt)?,
        })
    }
}

/// A bill to be written down.
#[derive(Debug, Clone, Copy)]
pub struct NewBill {
    /// Who owes it.
    pub tenant_id: UserId,
    /// The room it is for.
    pub room_id: RoomId,
    /// The month it is for.
    pub period: Period,
    /// How much.
    pub amount: Rupiah,
}

/// Writes a bill down. `None` when the tenant has one for that month.
///
/// # Errors
/// When the database does.
pub async fn insert(db: &Db, new: &NewBill, now: Time) -> Result<Option<BillId>, StoreError> {
    const SQL: &str = "
        INSERT INTO bills (tenant_id, room_id, year, month, amount, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING RETURNING id";
    let id: Option<i64> = write!(db, pool => sqlx::query_scalar(SQL)
        .bind(new.tenant_id.0)
        .bind(new.room_id.0)
        .bind(i64::from(new.period.year()))
        .bind(i64::from(new.period.month()))
        .bind(new.amount.get())
        .bind(millis(now))
        .fetch_optional(pool)
        .await?);
    Ok(id.map(BillId))
}

/// The bill of this row.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: BillId) -> Result<Option<Bill>, StoreError> {
    const SQL: &str = "SELECT id, tenant_id, year, month, amount, status FROM bills WHERE id = $1";
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?);
    row.map(Bill::try_from).transpose()
}

/// A page of a tenant's bills, newest month first.
///
/// # Errors
/// When the database does.
pub async fn of_tenant(db: &Db, tenant: UserId, limit: i64) -> Result<Vec<Bill>, StoreError> {
    const SQL: &str = "
        SELECT id, tenant_id, year, month, amount, status FROM bills
        WHERE tenant_id = $1 ORDER BY year DESC, month DESC, id DESC LIMIT $2";
    let rows: Vec<Row> =
        read!(db, pool => sqlx::query_as(SQL).bind(tenant.0).bind(limit).fetch_all(pool).await?);
    rows.into_iter().map(Bill::try_from).collect()
}

/// What a tenant still has to pay, all bills together.
///
/// # Errors
/// When the database does.
pub async fn owed_by(db: &Db, tenant: UserId) -> Result<Rupiah, StoreError> {
    // PostgreSQL sums BIGINT into NUMERIC; the cast keeps one type on both.
    const SQL: &str = "
        SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM bills WHERE tenant_id = $1 AND status <> 'paid'";
    let total: i64 = read!(db, pool => sqlx::query_scalar(SQL).bind(tenant.0).fetch_one(pool).await?);
    Rupiah::try_from(total).map_err(StoreError::corrupt("users", tenant.0))
}
