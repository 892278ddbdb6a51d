//! Kinds of work that rest because a person said so.

use domain::Time;

use crate::audit::{self, By};
use crate::time::{from_millis, millis};
use crate::{Db, StoreError, Tx, in_tx, read};

/// A kind of work that rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Which.
    pub kind: String,
    /// Since when.
    pub paused_at: Time,
    /// Who said so.
    pub paused_by: String,
    /// Why.
    pub reason: String,
}

/// Lets no job of this kind begin from now on; those that run end as ever. Where it rests already, nothing is written.
///
/// # Errors
/// When the database does.
pub async fn pause(db: &Db, kind: &str, by: &By<'_>) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO paused_kinds (kind, paused_at, paused_by, reason) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    let mut tx = Tx::begin(db).await?;
    let rows = in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(kind)
        .bind(millis(by.now))
        .bind(&by.actor.name)
        .bind(by.reason.unwrap_or_default())
        .execute(conn)
        .await?
        .rows_affected());
    if rows == 0 {
        return Ok(());
    }
    let deed = by.deed("queue.pause", format!("queue:{kind}"), (None, None));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await
}

/// Lets jobs of this kind begin again. Where it does not rest, nothing is written.
///
/// # Errors
/// When the database does.
pub async fn resume(db: &Db, kind: &str, by: &By<'_>) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM paused_kinds WHERE kind = $1";
    // A worker that was handed one of them during the pause has let it go.
    const PUSH: &str = "
        UPDATE jobs SET pushed_at = NULL
        WHERE kind = $1 AND state = 'ready' AND id > 0 AND pushed_at IS NOT NULL";
    let mut tx = Tx::begin(db).await?;
    let rows = in_tx!(&mut tx, conn => sqlx::query(SQL).bind(kind).execute(conn).await?.rows_affected());
    if rows == 0 {
        return Ok(());
    }
    in_tx!(&mut tx, conn => sqlx::query(PUSH).bind(kind).execute(conn).await.map(drop)?);
    let deed = by.deed("queue.resume", format!("queue:{kind}"), (None, None));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await
}

/// The kinds that rest, by name, at most a hundred.
///
/// # Errors
/// When the database does.
pub async fn paused(db: &Db) -> Result<Vec<Paused>, StoreError> {
    const SQL: &str = "SELECT kind, paused_at, paused_by, reason FROM paused_kinds ORDER BY kind LIMIT 100";
    let rows: Vec<(String, i64, String, String)> =
        read!(db, pool => sqlx::query_as(SQL).fetch_all(pool).await?);
    let paused = |(kind, paused_at, paused_by, reason)| Paused {
        kind,
        paused_at: from_millis(paused_at),
        paused_by,
        reason,
    };
    Ok(rows.into_iter().map(paused).collect())
}
