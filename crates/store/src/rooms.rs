//! Rooms, and who lives in them.

use chrono::NaiveDate;
use domain::{RoomId, Rupiah, Time, UserId};

use crate::time::millis;
use crate::{Db, StoreError, write};

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
    const SQL: &str = "
        INSERT INTO tenancies (tenant_id, room_id, start_date) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let rows = write!(db, pool => sqlx::query(SQL)
        .bind(tenant.0).bind(room.0).bind(start.to_string()).execute(pool).await?.rows_affected());
    Ok(rows == 1)
}
