//! What the books hold about one tenant, for that person: who they are, where they lived, what they owed. What is known of
//! their payments stands with those.

use domain::{BillId, Email, Role, Rupiah, Time, UserId};

use crate::personal::{Columns, Personal};
use crate::time::{from_millis, opt_from_millis};
use crate::{Db, StoreError, read};

/// Rows of each kind at most.
const ROWS_MAX: i64 = 10_000;

/// What is held about a tenant.
#[derive(Debug, Clone)]
pub struct Held {
    /// The row of the person.
    pub id: UserId,
    /// The name to log in with.
    pub email: Email,
    /// What people call them.
    pub name: String,
    /// The telephone number.
    pub phone: Option<String>,
    /// Their own language.
    pub language: Option<String>,
    /// Since when they want no reminders.
    pub reminders_off_at: Option<Time>,
    /// When they were written down.
    pub created_at: Time,
    /// When they left.
    pub deleted_at: Option<Time>,
    /// When they were forgotten.
    pub erased_at: Option<Time>,
    /// Where they lived, the oldest first.
    pub stays: Vec<HeldStay>,
    /// What they owed, the oldest first.
    pub bills: Vec<HeldBill>,
    /// When they logged in, the oldest first. Sessions that are over are forgotten after a while.
    pub sessions: Vec<Time>,
}

/// A room that a tenant lived in.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct HeldStay {
    /// The code of the room.
    pub room_code: String,
    /// The first day.
    pub since: String,
    /// The last day; `None`: they live there.
    pub until: Option<String>,
}

/// A bill, also one that is void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBill {
    /// Its row.
    pub id: BillId,
    /// The month it is for.
    pub period: String,
    /// What it is for, where it is not the rent.
    pub title: Option<String>,
    /// How much.
    pub amount: Rupiah,
    /// How it stands.
    pub status: String,
    /// Whether nobody owes it any more.
    pub is_void: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    #[sqlx(flatten)]
    columns: Columns,
    language: Option<String>,
    reminders_off_at: Option<i64>,
    created_at: i64,
    deleted_at: Option<i64>,
    erased_at: Option<i64>,
}

/// What is held about a tenant, also one who left or was forgotten; `None` for anybody else.
///
/// # Errors
/// When the database does.
pub async fn about(db: &Db, id: UserId) -> Result<Option<Held>, StoreError> {
    const SQL: &str = "
        SELECT id, email, name, phone, personal, language, reminders_off_at, created_at, deleted_at, erased_at
        FROM users WHERE id = $1 AND role = $2";
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL)
        .bind(id.0).bind(Role::Tenant.as_str()).fetch_optional(pool).await?);
    let Some(row) = row else { return Ok(None) };
    let Personal { email, name, phone } = row.columns.open(db.keys(), row.id)?;
    Ok(Some(Held {
        id,
        email,
        name,
        phone,
        language: row.language,
        reminders_off_at: opt_from_millis(row.reminders_off_at),
        created_at: from_millis(row.created_at),
        deleted_at: opt_from_millis(row.deleted_at),
        erased_at: opt_from_millis(row.erased_at),
        stays: stays(db, id).await?,
        bills: bills(db, id).await?,
        sessions: sessions(db, id).await?,
    }))
}

async fn stays(db: &Db, id: UserId) -> Result<Vec<HeldStay>, StoreError> {
    const SQL: &str = "
        SELECT rooms.code AS room_code, start_date AS since, end_date AS until
        FROM tenancies JOIN rooms ON rooms.id = tenancies.room_id
        WHERE tenant_id = $1 ORDER BY tenancies.id LIMIT $2";
    Ok(read!(db, pool => sqlx::query_as(SQL).bind(id.0).bind(ROWS_MAX).fetch_all(pool).await?))
}

async fn bills(db: &Db, id: UserId) -> Result<Vec<HeldBill>, StoreError> {
    type Columns = (i64, i64, i64, Option<String>, i64, String, Option<i64>);
    const SQL: &str = "
        SELECT id, year, month, title, amount, status, voided_at FROM bills
        WHERE tenant_id = $1 ORDER BY id LIMIT $2";
    let rows: Vec<Columns> =
        read!(db, pool => sqlx::query_as(SQL).bind(id.0).bind(ROWS_MAX).fetch_all(pool).await?);
    let bill = |(id, year, month, title, amount, status, voided_at): Columns| {
        let amount = Rupiah::try_from(amount).map_err(StoreError::corrupt("bills", id))?;
        let (period, is_void) = (format!("{year:04}-{month:02}"), voided_at.is_some());
        Ok(HeldBill { id: BillId(id), period, title, amount, status, is_void })
    };
    rows.into_iter().map(bill).collect()
}

async fn sessions(db: &Db, id: UserId) -> Result<Vec<Time>, StoreError> {
    const SQL: &str = "
        SELECT min(created_at) FROM refresh_tokens WHERE user_id = $1
        GROUP BY family ORDER BY min(created_at) LIMIT $2";
    let rows: Vec<i64> =
        read!(db, pool => sqlx::query_scalar(SQL).bind(id.0).bind(ROWS_MAX).fetch_all(pool).await?);
    Ok(rows.into_iter().map(from_millis).collect())
}
