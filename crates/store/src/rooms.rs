//! Rooms, and who lives in them.

use chrono::NaiveDate;
use domain::{RoomId, Rupiah, Time, UserId};
use serde_json::json;

use crate::audit::{self, By};
use crate::refusal::unless_taken;
use crate::time::millis;
use crate::{Db, Page, Refusal, StoreError, Tx, Undone, in_tx, read, write};

/// A room as the books hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its row.
    pub id: RoomId,
    /// What people call it.
    pub code: String,
    /// What it costs in a month.
    pub price: Rupiah,
    /// Whether nobody lives there.
    pub available: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    code: String,
    price: i64,
    available: bool,
}

impl TryFrom<Row> for Room {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let price = Rupiah::try_from(row.price).map_err(StoreError::corrupt("rooms", row.id))?;
        Ok(Self { id: RoomId(row.id), code: row.code, price, available: row.available })
    }
}

impl Room {
    fn subject(&self) -> String {
        format!("room:{}", self.id)
    }

    fn told(&self) -> String {
        json!({ "code": self.code, "price": self.price }).to_string()
    }
}

/// Writes a room down. `None` when the code is taken.
///
/// # Errors
/// When the database does.
pub async fn insert(db: &Db, code: &str, price: Rupiah, now: Time) -> Result<Option<RoomId>, StoreError> {
    const SQL: &str = "
        INSERT INTO rooms (code, price, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id";
    let id: Option<i64> = write!(db, pool => sqlx::query_scalar(SQL)
        .bind(code).bind(price.get()).bind(millis(now)).fetch_optional(pool).await?);
    Ok(id.map(RoomId))
}

/// Lets a tenant move in. False when the room is taken, or the tenant lives elsewhere.
///
/// # Errors
/// When the database does.
pub async fn move_in(db: &Db, tenant: UserId, room: RoomId, start: NaiveDate) -> Result<bool, StoreError> {
    let mut tx = Tx::begin(db).await?;
    let moved = move_in_by(&mut tx, tenant, room, start).await?;
    tx.commit().await?;
    Ok(moved)
}

pub(crate) async fn move_in_by(
    tx: &mut Tx,
    tenant: UserId,
    room: RoomId,
    start: NaiveDate,
) -> Result<bool, StoreError> {
    const SQL: &str = "
        INSERT INTO tenancies (tenant_id, room_id, start_date) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let rows = in_tx!(tx, conn => sqlx::query(SQL)
        .bind(tenant.0).bind(room.0).bind(start.to_string()).execute(conn).await?.rows_affected());
    Ok(rows == 1)
}

/// A page of the rooms, in the order in which they were written down.
///
/// # Errors
/// When the database does.
pub async fn list(db: &Db, page: Page) -> Result<Vec<Room>, StoreError> {
    const SQL: &str = "
        SELECT id, code, price,
            NOT EXISTS (SELECT 1 FROM tenancies WHERE room_id = rooms.id AND end_date IS NULL) AS available
        FROM rooms WHERE deleted_at IS NULL AND id > $1 ORDER BY id LIMIT $2";
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL)
        .bind(page.above()).bind(page.limit).fetch_all(pool).await?);
    rows.into_iter().map(Room::try_from).collect()
}

/// Writes down a room that somebody of the house wants.
///
/// # Errors
/// When the code is taken, or the database fails.
pub async fn add(db: &Db, code: &str, price: Rupiah, by: &By<'_>) -> Result<Room, Undone> {
    const SQL: &str = "
        INSERT INTO rooms (code, price, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id";
    let mut tx = Tx::begin(db).await?;
    let id: Option<i64> = in_tx!(&mut tx, conn => sqlx::query_scalar(SQL)
        .bind(code).bind(price.get()).bind(millis(by.now)).fetch_optional(conn).await?);
    let id = RoomId(id.ok_or(Refusal::CodeTaken)?);
    let room = Room { id, code: code.to_owned(), price, available: true };
    let after = Some(room.told());
    audit::write_in(&mut tx, &by.deed("room.create", room.subject(), (None, after)), by.now).await?;
    tx.commit().await?;
    Ok(room)
}

/// What is to become of a room.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoomChange<'a> {
    /// What people call it from now on.
    pub code: Option<&'a str>,
    /// What it costs from the next bill on.
    pub price: Option<Rupiah>,
}

/// Changes a room. Bills that are written keep their amount.
///
/// # Errors
/// When it is not there, the code is taken, or the database fails.
pub async fn change(db: &Db, id: RoomId, change: &RoomChange<'_>, by: &By<'_>) -> Result<Room, Undone> {
    const SQL: &str = "UPDATE rooms SET code = $2, price = $3 WHERE id = $1";
    let mut tx = Tx::begin(db).await?;
    let old = lock(&mut tx, id).await?.ok_or(Refusal::NotThere)?;
    let code = change.code.map_or_else(|| old.code.clone(), str::to_owned);
    let new = Room { code, price: change.price.unwrap_or(old.price), ..old.clone() };
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(id.0)
        .bind(&new.code)
        .bind(new.price.get())
        .execute(conn)
        .await
        .map_err(|error| unless_taken(error, Refusal::CodeTaken))
        .map(drop)?);
    let states = (Some(old.told()), Some(new.told()));
    audit::write_in(&mut tx, &by.deed("room.change", new.subject(), states), by.now).await?;
    tx.commit().await?;
    Ok(new)
}

/// Gives a room up. Its bills and its past stay.
///
/// # Errors
/// When it is not there, somebody lives there, or the database fails.
pub async fn remove(db: &Db, id: RoomId, by: &By<'_>) -> Result<(), Undone> {
    const SQL: &str = "UPDATE rooms SET deleted_at = $2 WHERE id = $1";
    let mut tx = Tx::begin(db).await?;
    let room = lock(&mut tx, id).await?.ok_or(Refusal::NotThere)?;
    if !room.available {
        return Err(Refusal::RoomOccupied.into());
    }
    in_tx!(&mut tx, conn => sqlx::query(SQL).bind(id.0).bind(millis(by.now)).execute(conn).await.map(drop)?);
    let states = (Some(room.told()), None);
    audit::write_in(&mut tx, &by.deed("room.delete", room.subject(), states), by.now).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes the room's row lock, so that nobody moves in while it is given up.
async fn lock(tx: &mut Tx, id: RoomId) -> Result<Option<Room>, StoreError> {
    const LOCK: &str = "
        UPDATE rooms SET code = code WHERE id = $1 AND deleted_at IS NULL RETURNING id, code, price, TRUE AS available";
    let row: Option<Row> =
        in_tx!(&mut *tx, conn => sqlx::query_as(LOCK).bind(id.0).fetch_optional(conn).await?);
    with_inhabitant(tx, row).await
}

/// The same for the room of this code.
pub(crate) async fn lock_code(tx: &mut Tx, code: &str) -> Result<Option<Room>, StoreError> {
    const LOCK: &str = "
        UPDATE rooms SET code = code WHERE code = $1 AND deleted_at IS NULL RETURNING id, code, price, TRUE AS available";
    let row: Option<Row> =
        in_tx!(&mut *tx, conn => sqlx::query_as(LOCK).bind(code).fetch_optional(conn).await?);
    with_inhabitant(tx, row).await
}

/// Looks who lives there only after the lock is held: what was seen before may be old.
async fn with_inhabitant(tx: &mut Tx, row: Option<Row>) -> Result<Option<Room>, StoreError> {
    const SQL: &str = "SELECT count(*) FROM tenancies WHERE room_id = $1 AND end_date IS NULL";
    let Some(row) = row else { return Ok(None) };
    let living: i64 = in_tx!(tx, conn => sqlx::query_scalar(SQL).bind(row.id).fetch_one(conn).await?);
    Room::try_from(Row { available: living == 0, ..row }).map(Some)
}
