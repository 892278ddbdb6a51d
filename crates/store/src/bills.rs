//! Bills: one tenant's rent for one month, and what is billed besides.

use domain::{BillId, BillStatus, Period, RoomId, Rupiah, Time, UserId};
use serde_json::json;

use crate::audit::{self, By};
use crate::personal::Columns;
use crate::rows::in_order;
use crate::since::read_bills;
use crate::time::{millis, opt_from_millis, opt_millis};
use crate::{Db, Keys, Page, Refusal, StoreError, Tx, Undone, in_tx, read, write};

macro_rules! columns {
    () => {
        "id, tenant_id, year, month, amount, status, title, due_at"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", $crate::bills::columns!(), " FROM bills ", $rest)
    };
}

pub(crate) use {columns, select};

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
    /// What it is for, where it is not the rent.
    pub title: Option<String>,
    /// Until when it is to be paid.
    pub due_at: Option<Time>,
}

in_order! {
    #[derive(Clone)]
    pub(crate) struct Row {
        pub(crate) id: i64,
        pub(crate) tenant_id: i64,
        year: i64,
        month: i64,
        amount: i64,
        status: String,
        title: Option<String>,
        due_at: Option<i64>,
    }
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
            title: row.title,
            due_at: opt_from_millis(row.due_at),
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

/// The bill of this row, unless it is void.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: BillId) -> Result<Option<Bill>, StoreError> {
    const SQL: &str = select!("WHERE id = $1 AND voided_at IS NULL");
    let row: Option<Row> = match db.shared() {
        Some(turns) => turns.bill.ask(db, id.0).await?,
        None => read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?),
    };
    row.map(Bill::try_from).transpose()
}

/// A page of a tenant's bills, newest month first.
///
/// # Errors
/// When the database does.
pub async fn of_tenant(db: &Db, tenant: UserId, limit: i64) -> Result<Vec<Bill>, StoreError> {
    Ok(read_bills(db, tenant, limit).await?.0)
}

/// What a tenant still has to pay, all bills together.
///
/// # Errors
/// When the database does.
pub async fn owed_by(db: &Db, tenant: UserId) -> Result<Rupiah, StoreError> {
    // PostgreSQL sums BIGINT into NUMERIC; the cast keeps one type on both.
    const SQL: &str = "
        SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM bills
        WHERE tenant_id = $1 AND status <> 'paid' AND voided_at IS NULL";
    let total: i64 = read!(db, pool => sqlx::query_scalar(SQL).bind(tenant.0).fetch_one(pool).await?);
    Rupiah::try_from(total).map_err(StoreError::corrupt("users", tenant.0))
}

/// How many bills of the house are still to be paid.
///
/// # Errors
/// When the database does.
pub async fn count_open(db: &Db) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT count(*) FROM bills WHERE status <> 'paid' AND voided_at IS NULL";
    Ok(read!(db, pool => sqlx::query_scalar(SQL).fetch_one(pool).await?))
}

/// A bill, with whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bill.
    pub bill: Bill,
    /// The code of the room it is for.
    pub room_code: String,
    /// Who owes it.
    pub tenant_name: String,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    #[sqlx(flatten)]
    bill: Row,
    room_code: String,
    #[sqlx(flatten)]
    tenant: Columns,
}

macro_rules! select_entries {
    ($rest:literal) => {
        concat!(
            "SELECT bills.id, bills.tenant_id, bills.year, bills.month, bills.amount, bills.status, bills.title, ",
            "bills.due_at, rooms.code AS room_code, users.email, users.name, users.phone, users.personal ",
            "FROM bills JOIN rooms ON rooms.id = bills.room_id JOIN users ON users.id = bills.tenant_id ",
            "WHERE bills.voided_at IS NULL ",
            $rest
        )
    };
}

impl EntryRow {
    fn open(self, keys: &Keys) -> Result<Entry, StoreError> {
        let Self { bill, room_code, tenant } = self;
        let tenant_name = tenant.open(keys, bill.tenant_id)?.name;
        Ok(Entry { bill: bill.try_into()?, room_code, tenant_name })
    }
}

/// The bill of this id, with whose it is; none when it is void.
///
/// # Errors
/// When the database does.
pub async fn entry(db: &Db, id: BillId) -> Result<Option<Entry>, StoreError> {
    const SQL: &str = select_entries!("AND bills.id = $1");
    let row: Option<EntryRow> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?);
    row.map(|row| row.open(db.keys())).transpose()
}

/// A page of the bills of the house, newest first; void ones are left out.
///
/// # Errors
/// When the database does.
pub async fn of_house(db: &Db, page: Page) -> Result<Vec<Entry>, StoreError> {
    const SQL: &str = select_entries!("AND bills.id < $1 ORDER BY bills.id DESC LIMIT $2");
    let rows: Vec<EntryRow> = read!(db, pool => sqlx::query_as(SQL)
        .bind(page.below()).bind(page.limit).fetch_all(pool).await?);
    rows.into_iter().map(|row| row.open(db.keys())).collect()
}

/// A bill for something else than the rent.
#[derive(Debug, Clone)]
pub struct Extra<'a> {
    /// Who owes it.
    pub tenant_id: UserId,
    /// What it is for.
    pub title: &'a str,
    /// How much.
    pub amount: Rupiah,
    /// The month under which it is listed.
    pub period: Period,
    /// Until when it is to be paid.
    pub due_at: Option<Time>,
}

/// Bills a tenant for something else than the rent.
///
/// # Errors
/// When there is no such tenant, or the database fails.
pub async fn add_extra(db: &Db, extra: &Extra<'_>, by: &By<'_>) -> Result<BillId, Undone> {
    const ROOM: &str = "
        SELECT room_id FROM tenancies JOIN users ON users.id = tenancies.tenant_id
        WHERE tenant_id = $1 AND end_date IS NULL AND deleted_at IS NULL";
    const SQL: &str = "
        INSERT INTO bills (tenant_id, room_id, year, month, amount, kind, title, due_at, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, 'extra', $6, $7, $8, $8) RETURNING id";
    let Extra { tenant_id, title, amount, period, due_at } = extra;
    let mut tx = Tx::begin(db).await?;
    let room: Option<i64> =
        in_tx!(&mut tx, conn => sqlx::query_scalar(ROOM).bind(tenant_id.0).fetch_optional(conn).await?);
    let room = room.ok_or(Refusal::NotThere)?;
    let id: i64 = in_tx!(&mut tx, conn => sqlx::query_scalar(SQL)
        .bind(tenant_id.0)
        .bind(room)
        .bind(i64::from(period.year()))
        .bind(i64::from(period.month()))
        .bind(amount.get())
        .bind(title)
        .bind(opt_millis(*due_at))
        .bind(millis(by.now))
        .fetch_one(conn)
        .await?);
    let after = json!({
        "tenantId": tenant_id, "title": title, "amount": amount, "period": period.to_string(), "dueAt": due_at,
    });
    let states = (None, Some(after.to_string()));
    audit::write_in(&mut tx, &by.deed("bill.create", format!("bill:{id}"), states), by.now).await?;
    tx.commit().await?;
    Ok(BillId(id))
}

/// Makes a bill void: nobody owes it, and its month is not billed again.
///
/// # Errors
/// When it is not there, is paid, is being paid, or the database fails.
pub async fn void(db: &Db, id: BillId, by: &By<'_>) -> Result<(), Undone> {
    const SQL: &str = "UPDATE bills SET voided_at = $2 WHERE id = $1";
    let mut tx = Tx::begin(db).await?;
    let bill = lock(&mut tx, id, by.now).await?;
    match bill.status {
        BillStatus::Paid => return Err(Refusal::BillPaid.into()),
        BillStatus::Pending => return Err(Refusal::BillBeingPaid.into()),
        BillStatus::Unpaid => {}
    }
    in_tx!(&mut tx, conn => sqlx::query(SQL).bind(id.0).bind(millis(by.now)).execute(conn).await.map(drop)?);
    let before = json!({ "tenantId": bill.tenant_id, "amount": bill.amount, "status": bill.status });
    let after = json!({ "voidedAt": by.now });
    let states = (Some(before.to_string()), Some(after.to_string()));
    audit::write_in(&mut tx, &by.deed("bill.void", format!("bill:{id}"), states), by.now).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes the bill's row lock and gives it as it is then.
pub(crate) async fn lock(tx: &mut Tx, id: BillId, now: Time) -> Result<Bill, Undone> {
    const SQL: &str = "
        UPDATE bills SET updated_at = $2 WHERE id = $1 AND voided_at IS NULL
        RETURNING id, tenant_id, year, month, amount, status, title, due_at";
    let row: Option<Row> =
        in_tx!(tx, conn => sqlx::query_as(SQL).bind(id.0).bind(millis(now)).fetch_optional(conn).await?);
    Ok(row.ok_or(Refusal::NotThere)?.try_into()?)
}
