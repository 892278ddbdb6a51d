//! Sessions: refresh tokens, each used once, in families that fall together.

use domain::{Time, UserId};

use crate::time::millis;
use crate::{Db, StoreError, Tx, in_tx};

/// A refresh token to be written down. Only its hash is kept.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// The hash of the token.
    pub token_hash: &'a str,
    /// When it ends.
    pub expires_at: Time,
}

/// What became of a refresh token that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was good. It is spent now, and the new one is written down in its family.
    Rotated(UserId),
    /// It was spent before: somebody has a copy. The whole family is revoked.
    Reused(UserId),
    /// It is not known, has ended, or was revoked.
    Refused,
}

/// A session to be begun: a family of tokens, with its first.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// Whose it is.
    pub user: UserId,
    /// Names the family.
    pub family: &'a str,
    /// Its first token.
    pub token: NewToken<'a>,
}

/// Begins a session.
///
/// # Errors
/// When the database does.
pub async fn begin(db: &Db, session: &NewSession<'_>, now: Time) -> Result<(), StoreError> {
    let mut tx = Tx::begin(db).await?;
    insert(&mut tx, session, now).await?;
    tx.commit().await
}

async fn insert(tx: &mut Tx, session: &NewSession<'_>, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO refresh_tokens (token_hash, family, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    in_tx!(tx, conn => sqlx::query(SQL)
        .bind(session.token.token_hash)
        .bind(session.family)
        .bind(session.user.0)
        .bind(millis(now))
        .bind(millis(session.token.expires_at))
        .execute(conn)
        .await
        .map(drop)?);
    Ok(())
}

/// Spends the token of `old_hash` and writes `new` down in its family. A token that was spent before takes its family
/// with it.
///
/// # Errors
/// When the database does.
pub async fn rotate(db: &Db, old_hash: &str, new: &NewToken<'_>, now: Time) -> Result<Rotation, StoreError> {
    const SPEND: &str = "
        UPDATE refresh_tokens SET spent_at = $2
        WHERE token_hash = $1 AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > $2
        RETURNING user_id, family";
    const SPENT: &str = "
        SELECT user_id, family FROM refresh_tokens
        WHERE token_hash = $1 AND spent_at IS NOT NULL AND revoked_at IS NULL";
    let mut tx = Tx::begin(db).await?;
    let good: Option<(i64, String)> = in_tx!(&mut tx, conn => sqlx::query_as(SPEND).bind(old_hash).bind(millis(now)).fetch_optional(conn).await?);
    if let Some((user, family)) = good {
        let session = NewSession { user: UserId(user), family: &family, token: new.clone() };
        insert(&mut tx, &session, now).await?;
        tx.commit().await?;
        return Ok(Rotation::Rotated(UserId(user)));
    }
    let spent: Option<(i64, String)> =
        in_tx!(&mut tx, conn => sqlx::query_as(SPENT).bind(old_hash).fetch_optional(conn).await?);
    let Some((user, family)) = spent else { return Ok(Rotation::Refused) };
    revoke_family(&mut tx, &family, now).await?;
    tx.commit().await?;
    Ok(Rotation::Reused(UserId(user)))
}

async fn revoke_family(tx: &mut Tx, family: &str, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE refresh_tokens SET revoked_at = $2 WHERE family = $1 AND revoked_at IS NULL";
    in_tx!(tx, conn => sqlx::query(SQL).bind(family).bind(millis(now)).execute(conn).await.map(drop)?);
    Ok(())
}

/// Ends the session that the token belongs to. Nothing happens when there is none.
///
/// # Errors
/// When the database does.
pub async fn end(db: &Db, token_hash: &str, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "SELECT family FROM refresh_tokens WHERE token_hash = $1";
    let mut tx = Tx::begin(db).await?;
    let family: Option<String> =
        in_tx!(&mut tx, conn => sqlx::query_scalar(SQL).bind(token_hash).fetch_optional(conn).await?);
    if let Some(family) = family {
        revoke_family(&mut tx, &family, now).await?;
    }
    tx.commit().await
}

/// Ends all sessions of a person.
pub(crate) async fn end_all_in(tx: &mut Tx, user: UserId, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE refresh_tokens SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL";
    in_tx!(tx, conn => sqlx::query(SQL).bind(user.0).bind(millis(now)).execute(conn).await.map(drop)?);
    Ok(())
}
