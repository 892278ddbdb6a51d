//! Keys of front ends: several at once, kept as hashes, revocable.

use domain::Time;

use crate::time::{from_millis, millis, opt_from_millis};
use crate::{Db, StoreError, Tx, in_tx, read};

/// A front end's key as the books hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What the front end is called.
    pub name: String,
    /// When the key was made.
    pub created_at: Time,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

/// Writes a key down. False when a key of that name is in use.
///
/// # Errors
/// When the database does.
pub async fn create(db: &Db, name: &str, key_hash: &str, now: Time) -> Result<bool, StoreError> {
    const SQL: &str = "
        INSERT INTO api_keys (name, key_hash, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let mut tx = Tx::begin(db).await?;
    let rows = in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(name).bind(key_hash).bind(millis(now)).execute(conn).await?.rows_affected());
    tx.commit().await?;
    Ok(rows == 1)
}

/// Revokes the key of this name. False when there is none in use.
///
/// # Errors
/// When the database does.
pub async fn revoke(db: &Db, name: &str, now: Time) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE api_keys SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL";
    let mut tx = Tx::begin(db).await?;
    let rows = in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(name).bind(millis(now)).execute(conn).await?.rows_affected());
    tx.commit().await?;
    Ok(rows == 1)
}

/// Whether a key of this hash is in use.
///
/// # Errors
/// When the database does.
pub async fn is_known(db: &Db, key_hash: &str) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT count(*) FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL";
    let count: i64 = read!(db, pool => sqlx::query_scalar(SQL).bind(key_hash).fetch_one(pool).await?);
    Ok(count == 1)
}

/// All keys, newest first, at most a thousand.
///
/// # Errors
/// When the database does.
pub async fn all(db: &Db) -> Result<Vec<ApiKey>, StoreError> {
    const SQL: &str = "SELECT name, created_at, revoked_at FROM api_keys ORDER BY id DESC LIMIT 1000";
    let rows: Vec<(String, i64, Option<i64>)> = read!(db, pool => sqlx::query_as(SQL).fetch_all(pool).await?);
    let key = |(name, created_at, revoked_at)| ApiKey {
        name,
        created_at: from_millis(created_at),
        revoked_at: opt_from_millis(revoked_at),
    };
    Ok(rows.into_iter().map(key).collect())
}
