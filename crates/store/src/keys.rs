//! The keys that are in use, held against the books: none may be missing unseen, and none may be another of the same name.

use domain::Time;

use crate::audit::By;
use crate::sealing::{DataKey, Place, key_bytes};
use crate::time::millis;
use crate::{Db, Keys, StoreError, Tx, audit, in_tx, read};

const ALL: &str = "SELECT id, index_key FROM data_keys ORDER BY made_at, id";

fn place() -> Place<'static> {
    // Every key holds the same, so that it belongs to no row.
    Place::new("data_keys", "index_key", "")
}

/// The ids of the keys under which something is, or may be, sealed, the oldest first.
///
/// # Errors
/// When the database does.
pub async fn in_use(db: &Db) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String, String)> = read!(db, pool => sqlx::query_as(ALL).fetch_all(pool).await?);
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

/// Holds the keys of `db` against the books, and writes nothing. Gives the ids of the keys that are in use and not here.
///
/// # Errors
/// As [`unlock`].
pub async fn check(db: &Db) -> Result<Vec<String>, StoreError> {
    Ok(look(db).await?.missing)
}

/// Holds the keys of `db` against the books, and writes the newest down when it is new. Comes before anything is sealed or
/// opened. Gives the ids of the keys that are in use and not here: what they sealed cannot be read.
///
/// # Errors
/// When there are sealed books and no key, or none of the keys in use; when a key is another than the one of this id; or when
/// the database fails.
pub async fn unlock(db: &Db, now: Time) -> Result<Vec<String>, StoreError> {
    let Some(newest) = db.keys().newest() else { return check(db).await };
    let Looked { index, has_newest, missing } = look(db).await?;
    let index = match index {
        Some(index) if has_newest => index,
        _ => write_down(db, newest, now).await?,
    };
    db.keys().unlock(index);
    Ok(missing)
}

/// What the books say about our keys.
struct Looked {
    /// The key of the hashes, once there is one.
    index: Option<[u8; 32]>,
    /// Whether the newest key is in use.
    has_newest: bool,
    /// Keys in use that are not here.
    missing: Vec<String>,
}

async fn look(db: &Db) -> Result<Looked, StoreError> {
    let keys = db.keys();
    let rows: Vec<(String, String)> = read!(db, pool => sqlx::query_as(ALL).fetch_all(pool).await?);
    if let (None, Some((id, _))) = (keys.newest(), rows.first()) {
        return Err(StoreError::Keyless(id.clone()));
    }
    let index = index_of(keys, &rows)?;
    let has_newest = rows.iter().any(|(id, _)| keys.ids().next() == Some(id));
    let is_here = |id: &str| keys.ids().any(|one| one == id);
    let missing = rows.into_iter().map(|(id, _)| id).filter(|id| !is_here(id)).collect();
    Ok(Looked { index, has_newest, missing })
}

/// Strikes a key out: nothing is sealed under it any more, or it is lost for good, and what it sealed with it. False when it
/// is not in use.
///
/// # Errors
/// When the database does.
pub async fn forget(db: &Db, id: &str, by: &By<'_>) -> Result<bool, StoreError> {
    const SQL: &str = "DELETE FROM data_keys WHERE id = $1";
    let mut tx = Tx::begin(db).await?;
    let rows = in_tx!(&mut tx, conn => sqlx::query(SQL).bind(id).execute(conn).await?.rows_affected());
    if rows == 0 {
        return Ok(false);
    }
    audit::write_in(&mut tx, &by.deed("key.forget", format!("key:{id}"), (None, None)), by.now).await?;
    tx.commit().await?;
    Ok(true)
}

/// The key of the hashes. Each key that is here must open it.
fn index_of(keys: &Keys, rows: &[(String, String)]) -> Result<Option<[u8; 32]>, StoreError> {
    let mut index = None;
    for (_, sealed) in rows.iter().filter(|(id, _)| keys.ids().any(|one| one == id)) {
        let text = keys.open(&place(), sealed.clone())?;
        let bytes = key_bytes(&text);
        index = Some(bytes.ok_or_else(|| StoreError::Sealed { place: "data_keys".to_owned() })?);
    }
    match (index, rows.first()) {
        (None, Some((id, _))) => {
            Err(StoreError::NoKey { place: "the index of addresses".to_owned(), key: id.clone() })
        }
        (index, _) => Ok(index),
    }
}

/// Writes the newest key down, with the key of the hashes, which is drawn once for all times.
async fn write_down(db: &Db, newest: &DataKey, now: Time) -> Result<[u8; 32], StoreError> {
    const TURN: &str = "UPDATE watermarks SET value = value WHERE name = 'data_keys'";
    const SQL: &str =
        "INSERT INTO data_keys (id, index_key, made_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let keys = db.keys();
    let mut tx = Tx::begin(db).await?;
    in_tx!(&mut tx, conn => sqlx::query(TURN).execute(conn).await.map(drop)?);
    let rows: Vec<(String, String)> = in_tx!(&mut tx, conn => sqlx::query_as(ALL).fetch_all(conn).await?);
    let index = index_of(keys, &rows)?.or_else(|| keys.draw()).ok_or(StoreError::Locked)?;
    let sealed = keys.seal(&place(), &hex::encode(index))?;
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(newest.id()).bind(sealed).bind(millis(now)).execute(conn).await.map(drop)?);
    tx.commit().await?;
    Ok(index)
}
