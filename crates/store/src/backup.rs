//! Copies of a SQLite file: made while it is in use, and looked over before anybody relies on them.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::db::known_migrations;
use crate::{Db, StoreError};

/// What a file holds that was found whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Bills, of all times.
    pub bills: i64,
    /// Payments, of all times.
    pub payments: i64,
    /// How many migrations it lacks.
    pub missing_migrations: usize,
}

/// Copies the books, as they are at one moment, into a file that is empty or not there. Who reads or writes meanwhile
/// does not wait. The copy is not flushed to the disk yet.
///
/// # Errors
/// When the books are in no file, the target holds something, or the disk is full.
pub async fn copy_into(db: &Db, target: &Path) -> Result<(), StoreError> {
    let Db::Sqlite { readers, .. } = db else { return Err(StoreError::NoFile) };
    let target = target.to_string_lossy().into_owned();
    sqlx::query("VACUUM INTO $1").bind(target).execute(readers).await?;
    Ok(())
}

/// Reads a copy from its first page to its last. Nothing may write to it meanwhile; it is not changed, and no file is made
/// beside it.
///
/// # Errors
/// When it is damaged, was made by a newer Kasir, or is no Kasir's.
pub async fn look_over(file: &Path) -> Result<Contents, StoreError> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
    let mut copy = options.disable_statement_logging().connect().await?;
    let looked = look(&mut copy).await;
    copy.close().await?;
    looked
}

async fn look(copy: &mut SqliteConnection) -> Result<Contents, StoreError> {
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(5)").fetch_all(&mut *copy).await?;
    if found != ["ok"] {
        return Err(StoreError::Damaged(found.join("; ")));
    }
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *copy).await?;
    if !orphans.is_empty() {
        return Err(StoreError::Damaged(format!("{} rows belong to nothing", orphans.len())));
    }
    const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
    let applied: Vec<i64> = sqlx::query_scalar(APPLIED).fetch_all(&mut *copy).await?;
    let known = known_migrations();
    if applied.iter().any(|version| !known.contains(version)) {
        return Err(StoreError::Damaged("it was written by a newer Kasir".to_owned()));
    }
    let (bills, payments): (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM bills), (SELECT count(*) FROM payments)")
            .fetch_one(&mut *copy)
            .await?;
    Ok(Contents { bills, payments, missing_migrations: known.len().saturating_sub(applied.len()) })
}
