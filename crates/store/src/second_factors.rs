//! Second factors: the secret behind a person's one-time codes, encrypted by whoever hands it in, and recovery codes, of
//! which only the hashes are kept. A code is taken once, however many present it at once.

use domain::{Email, Secret, Time, UserId};

use crate::audit::{self, Actor, By};
use crate::personal::addresses;
use crate::time::{millis, opt_from_millis};
use crate::{Db, Refusal, StoreError, Tx, Undone, dashboard_sessions, in_tx, read, sessions, write};

/// The second factor of a person.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    /// What the codes are made from, encrypted.
    pub sealed: Secret,
    /// Since when a code is needed; `None`: nobody has shown yet that the codes are right.
    pub since: Option<Time>,
    /// Wrong codes since the last right one.
    pub failures: i64,
    /// When the last wrong code was given.
    pub failed_at: Option<Time>,
    /// Recovery codes that are left.
    pub codes_left: i64,
}

/// The second factor of a person, also one that is not needed yet.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, user: UserId) -> Result<Option<SecondFactor>, StoreError> {
    type Columns = (String, Option<i64>, i64, Option<i64>, i64);
    const SQL: &str = "
        SELECT sealed, second_factor_since, failures, failed_at,
               (SELECT count(*) FROM recovery_codes WHERE recovery_codes.user_id = second_factors.user_id)
        FROM second_factors JOIN users ON users.id = second_factors.user_id WHERE second_factors.user_id = $1";
    let row: Option<Columns> =
        read!(db, pool => sqlx::query_as(SQL).bind(user.0).fetch_optional(pool).await?);
    Ok(row.map(|(sealed, since, failures, failed_at, codes_left)| SecondFactor {
        sealed: Secret::from(sealed),
        since: opt_from_millis(since),
        failures,
        failed_at: opt_from_millis(failed_at),
        codes_left,
    }))
}

/// Keeps a new secret, in the place of one that is not needed yet. False when a code is needed already.
///
/// # Errors
/// When the database does.
pub async fn offer(db: &Db, user: UserId, sealed: &Secret, now: Time) -> Result<bool, StoreError> {
    const SQL: &str = "
        INSERT INTO second_factors (user_id, sealed, made_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET
            sealed = excluded.sealed, made_at = excluded.made_at, last_step = 0, failures = 0, failed_at = NULL
        WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = excluded.user_id AND second_factor_since IS NOT NULL)";
    let rows = write!(db, pool => sqlx::query(SQL)
        .bind(user.0).bind(sealed.expose()).bind(millis(now)).execute(pool).await?.rows_affected());
    Ok(rows == 1)
}

/// What is written down when a person has shown a right code for the first time.
#[derive(Debug, Clone, Copy)]
pub struct Confirmation<'a> {
    /// Who.
    pub user: UserId,
    /// The thirty seconds of the code.
    pub step: i64,
    /// The hashes of the recovery codes.
    pub code_hashes: &'a [String],
}

/// Makes a code needed from now on, and ends all sessions, which began without one. False when it is needed already.
///
/// # Errors
/// When the database does.
pub async fn confirm(db: &Db, new: Confirmation<'_>, by: &By<'_>) -> Result<bool, StoreError> {
    const SINCE: &str = "
        UPDATE users SET second_factor_since = $2 WHERE id = $1 AND second_factor_since IS NULL
            AND EXISTS (SELECT 1 FROM second_factors WHERE user_id = $1)";
    const STEP: &str = "
        UPDATE second_factors SET last_step = $2, failures = 0, failed_at = NULL WHERE user_id = $1";
    const CODE: &str = "INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)";
    let Confirmation { user, step, code_hashes } = new;
    let mut tx = Tx::begin(db).await?;
    let rows = in_tx!(&mut tx, conn => sqlx::query(SINCE)
        .bind(user.0).bind(millis(by.now)).execute(conn).await?.rows_affected());
    if rows != 1 {
        return Ok(false);
    }
    in_tx!(&mut tx, conn => sqlx::query(STEP).bind(user.0).bind(step).execute(conn).await.map(drop)?);
    for hash in code_hashes {
        in_tx!(&mut tx, conn => sqlx::query(CODE).bind(user.0).bind(hash).execute(conn).await.map(drop)?);
    }
    sessions::end_all_in(&mut tx, user, by.now).await?;
    dashboard_sessions::end_all_in(&mut tx, user, by.now).await?;
    let deed = by.deed("second-factor.enable", format!("user:{user}"), (None, None));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes the code of these thirty seconds. False when it, or a later one, was taken before.
///
/// # Errors
/// When the database does.
pub async fn take_step(db: &Db, user: UserId, step: i64) -> Result<bool, StoreError> {
    const SQL: &str = "
        UPDATE second_factors SET last_step = $2, failures = 0, failed_at = NULL
        WHERE user_id = $1 AND last_step < $2";
    let rows =
        write!(db, pool => sqlx::query(SQL).bind(user.0).bind(step).execute(pool).await?.rows_affected());
    Ok(rows == 1)
}

/// Takes a recovery code. False when there is none such, or no longer.
///
/// # Errors
/// When the database does.
pub async fn take_code(db: &Db, user: UserId, code_hash: &str, now: Time) -> Result<bool, StoreError> {
    const TAKE: &str = "DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2";
    const FORGIVE: &str = "
        UPDATE second_factors SET failures = 0, failed_at = NULL WHERE user_id = $1";
    let mut tx = Tx::begin(db).await?;
    let rows = in_tx!(&mut tx, conn => sqlx::query(TAKE)
        .bind(user.0).bind(code_hash).execute(conn).await?.rows_affected());
    if rows != 1 {
        return Ok(false);
    }
    in_tx!(&mut tx, conn => sqlx::query(FORGIVE).bind(user.0).execute(conn).await.map(drop)?);
    let actor = Actor { id: Some(user), name: format!("user:{user}") };
    let by = By { actor: &actor, reason: None, now };
    let deed = by.deed("second-factor.recover", format!("user:{user}"), (None, None));
    audit::write_in(&mut tx, &deed, now).await?;
    tx.commit().await?;
    Ok(true)
}

/// Writes down that a wrong code was given.
///
/// # Errors
/// When the database does.
pub async fn count_failure(db: &Db, user: UserId, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE second_factors SET failures = failures + 1, failed_at = $2 WHERE user_id = $1";
    write!(db, pool => sqlx::query(SQL).bind(user.0).bind(millis(now)).execute(pool).await.map(drop)?);
    Ok(())
}

/// Makes the password enough again.
///
/// # Errors
/// [`Refusal::NotThere`] when it is enough, or there is no such person, or when the database fails.
pub async fn remove(db: &Db, email: &Email, by: &By<'_>) -> Result<(), Undone> {
    const SINCE: &str = "
        UPDATE users SET second_factor_since = NULL
        WHERE email IN ($1, $2) AND deleted_at IS NULL AND second_factor_since IS NOT NULL RETURNING id";
    const SECRET: &str = "DELETE FROM second_factors WHERE user_id = $1";
    const CODES: &str = "DELETE FROM recovery_codes WHERE user_id = $1";
    let mut tx = Tx::begin(db).await?;
    let (address, plain) = addresses(db.keys(), email)?;
    let user: Option<i64> = in_tx!(&mut tx, conn => sqlx::query_scalar(SINCE)
        .bind(address).bind(plain).fetch_optional(conn).await?);
    let user = user.ok_or(Refusal::NotThere)?;
    for sql in [SECRET, CODES] {
        in_tx!(&mut tx, conn => sqlx::query(sql).bind(user).execute(conn).await.map(drop)?);
    }
    let deed = by.deed("second-factor.disable", format!("user:{user}"), (None, None));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(())
}
