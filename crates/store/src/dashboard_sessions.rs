//! Sessions of the dashboard: a token in a cookie for each browser, of which only the hash is kept.

use domain::{Time, UserId};

use crate::people::{self, Person};
use crate::time::{from_millis, millis};
use crate::{Db, Keys, StoreError, Tx, in_tx, read, write};

/// A session that goes on.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose it is.
    pub person: Person,
    /// When it began.
    pub created_at: Time,
    /// When it was last used.
    pub seen_at: Time,
    /// When it ends, unless it is used again.
    pub expires_at: Time,
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    person: people::Row,
    began_at: i64,
    seen_at: i64,
    expires_at: i64,
}

impl Row {
    fn open(self, keys: &Keys) -> Result<Session, StoreError> {
        Ok(Session {
            person: self.person.open(keys)?,
            created_at: from_millis(self.began_at),
            seen_at: from_millis(self.seen_at),
            expires_at: from_millis(self.expires_at),
        })
    }
}

/// Begins a session.
///
/// # Errors
/// When the database does.
pub async fn begin(
    db: &Db,
    user: UserId,
    token_hash: &str,
    (now, expires_at): (Time, Time),
) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO dashboard_sessions (token_hash, user_id, created_at, seen_at, expires_at)
        VALUES ($1, $2, $3, $3, $4)";
    write!(db, pool => sqlx::query(SQL)
        .bind(token_hash)
        .bind(user.0)
        .bind(millis(now))
        .bind(millis(expires_at))
        .execute(pool)
        .await
        .map(drop)?);
    Ok(())
}

/// The session of this token, while it goes on and its person is an admin.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, token_hash: &str, now: Time) -> Result<Option<Session>, StoreError> {
    const SQL: &str = "
        SELECT u.id, u.email, u.name, u.phone, u.personal, u.role, u.rank, u.password_hash, u.second_factor_since,
               s.created_at AS began_at, s.seen_at, s.expires_at
        FROM dashboard_sessions s JOIN users u ON u.id = s.user_id
        WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2
            AND u.role = 'admin' AND u.deleted_at IS NULL";
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL)
        .bind(token_hash).bind(millis(now)).fetch_optional(pool).await?);
    row.map(|row| row.open(db.keys())).transpose()
}

/// Writes down that a session is used, and until when it goes on.
///
/// # Errors
/// When the database does.
pub async fn touch(db: &Db, token_hash: &str, (now, expires_at): (Time, Time)) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE dashboard_sessions SET seen_at = $2, expires_at = $3
        WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $2";
    write!(db, pool => sqlx::query(SQL)
        .bind(token_hash)
        .bind(millis(now))
        .bind(millis(expires_at))
        .execute(pool)
        .await
        .map(drop)?);
    Ok(())
}

/// Ends a session. Nothing happens when there is none.
///
/// # Errors
/// When the database does.
pub async fn end(db: &Db, token_hash: &str, now: Time) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE dashboard_sessions SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL";
    write!(db, pool => sqlx::query(SQL).bind(token_hash).bind(millis(now)).execute(pool).await.map(drop)?);
    Ok(())
}

/// Ends all sessions of a person.
///
/// # Errors
/// When the database does.
pub async fn end_all(db: &Db, user: UserId, now: Time) -> Result<(), StoreError> {
    let mut tx = Tx::begin(db).await?;
    end_all_in(&mut tx, user, now).await?;
    tx.commit().await
}

/// The same, with what else commits.
pub(crate) async fn end_all_in(tx: &mut Tx, user: UserId, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE dashboard_sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL";
    in_tx!(tx, conn => sqlx::query(SQL).bind(user.0).bind(millis(now)).execute(conn).await.map(drop)?);
    Ok(())
}
