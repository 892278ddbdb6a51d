//! Requests that may be repeated: the first answer to an `Idempotency-Key` is kept and given again.

use std::time::Duration;

use domain::{Time, UserId};

use crate::sealing::Place;
use crate::time::millis;
use crate::{Db, StoreError, Tx, in_tx, write};

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_secs(72 * 3600);

/// A request with a key, by one person.
#[derive(Debug, Clone)]
pub struct Keyed<'a> {
    /// Who asks.
    pub user: UserId,
    /// The key.
    pub key: &'a str,
    /// Names the request: method, path and body.
    pub request_hash: &'a str,
    /// When it came, or was last heard of. Who took the key anew, because the one before was not heard of any more, came at
    /// another time.
    pub at: Time,
}

impl Keyed<'_> {
    fn place(&self) -> Place<'static> {
        place(self.user.0, self.key)
    }
}

pub(crate) fn place(user: i64, key: &str) -> Place<'static> {
    Place::new("idempotency_keys", "body", format!("{user} {key}"))
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is new; whoever asked first goes on.
    First,
    /// The first request still runs.
    Running,
    /// The key was used for another request.
    Different,
    /// The first answer: status and body.
    Answered(u16, String),
}

/// How old a key may be.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Answers from before this are forgotten.
    pub since: Time,
    /// A request that was not heard of since this and did not answer is not awaited any longer.
    pub stuck: Time,
}

/// Takes the key, or says what is known of it. A key older than `since` counts as new, and so does one whose first
/// request was not heard of since `stuck` and never answered.
///
/// # Errors
/// When the database does.
pub async fn take(db: &Db, keyed: &Keyed<'_>, window: Window) -> Result<Standing, StoreError> {
    const SQL: &str = "
        INSERT INTO idempotency_keys (user_id, key, request_hash, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id, key) DO UPDATE SET
            request_hash = excluded.request_hash, created_at = excluded.created_at, status = NULL, body = NULL
        WHERE idempotency_keys.created_at < $5
           OR (idempotency_keys.status IS NULL AND idempotency_keys.created_at < $6)";
    const KNOWN: &str = "
        SELECT request_hash, status, body FROM idempotency_keys WHERE user_id = $1 AND key = $2";
    let mut tx = Tx::begin(db).await?;
    let taken = in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(keyed.user.0)
        .bind(keyed.key)
        .bind(keyed.request_hash)
        .bind(millis(keyed.at))
        .bind(millis(window.since))
        .bind(millis(window.stuck))
        .execute(conn)
        .await?
        .rows_affected());
    if taken == 1 {
        tx.commit().await?;
        return Ok(Standing::First);
    }
    let known: Option<(String, Option<i64>, Option<String>)> = in_tx!(&mut tx, conn => sqlx::query_as(KNOWN)
        .bind(keyed.user.0).bind(keyed.key).fetch_optional(conn).await?);
    Ok(match known {
        Some((hash, ..)) if hash != keyed.request_hash => Standing::Different,
        Some((_, Some(status), Some(body))) => {
            let body = db.keys().open(&keyed.place(), body)?;
            Standing::Answered(u16::try_from(status).unwrap_or(500), body)
        }
        // Given back at this moment: who asks again gets it.
        Some(_) | None => Standing::Running,
    })
}

/// Says that the first request of a key still runs; it is known by this time from now on. False when the key was taken anew
/// meanwhile.
///
/// # Errors
/// When the database does.
pub async fn still_runs(db: &Db, keyed: &Keyed<'_>, now: Time) -> Result<bool, StoreError> {
    const SQL: &str = "
        UPDATE idempotency_keys SET created_at = $4
        WHERE user_id = $1 AND key = $2 AND created_at = $3 AND status IS NULL";
    let rows = write!(db, pool => sqlx::query(SQL)
        .bind(keyed.user.0)
        .bind(keyed.key)
        .bind(millis(keyed.at))
        .bind(millis(now))
        .execute(pool)
        .await?
        .rows_affected());
    Ok(rows == 1)
}

/// Keeps the answer to the first request of a key. Nothing is kept when the key was taken anew meanwhile.
///
/// # Errors
/// When the database does.
pub async fn answer(db: &Db, keyed: &Keyed<'_>, status: u16, body: &str) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE idempotency_keys SET status = $4, body = $5
        WHERE user_id = $1 AND key = $2 AND created_at = $3 AND status IS NULL";
    let mut tx = Tx::begin(db).await?;
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(keyed.user.0)
        .bind(keyed.key)
        .bind(millis(keyed.at))
        .bind(i64::from(status))
        .bind(db.keys().seal(&keyed.place(), body)?)
        .execute(conn)
        .await
        .map(drop)?);
    tx.commit().await
}

/// Gives the key back: the request came to nothing and may be made again. Not when it was taken anew meanwhile.
///
/// # Errors
/// When the database does.
pub async fn give_back(db: &Db, keyed: &Keyed<'_>) -> Result<(), StoreError> {
    const SQL: &str = "
        DELETE FROM idempotency_keys WHERE user_id = $1 AND key = $2 AND created_at = $3 AND status IS NULL";
    let mut tx = Tx::begin(db).await?;
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(keyed.user.0).bind(keyed.key).bind(millis(keyed.at)).execute(conn).await.map(drop)?);
    tx.commit().await
}

/// Forgets keys from before this, the oldest first and at most so many, and says how many it were.
///
/// # Errors
/// When the database does.
pub async fn forget(db: &Db, before: Time, at_most: i64) -> Result<u64, StoreError> {
    const SQL: &str = "
        DELETE FROM idempotency_keys WHERE (user_id, key) IN (
            SELECT user_id, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    let mut tx = Tx::begin(db).await?;
    let forgotten = in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(millis(before)).bind(at_most).execute(conn).await?.rows_affected());
    tx.commit().await?;
    Ok(forgotten)
}
