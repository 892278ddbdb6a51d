//! What the books hold of a person: address, name and telephone number, sealed together where there are keys.

use std::sync::Arc;

use domain::{Email, Rank, Role, Secret, Time, UserId};
use serde::{Deserialize, Serialize};

use crate::sealing::Place;
use crate::time::millis;
use crate::{Keys, StoreError, Tx, in_tx};

/// What a person is called, and where to reach them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Personal {
    pub(crate) email: Email,
    pub(crate) name: String,
    pub(crate) phone: Option<String>,
}

/// The same as the columns hold it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Columns {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) phone: Option<String>,
    pub(crate) personal: Option<String>,
}

impl Columns {
    pub(crate) fn open(self, keys: &Keys, id: i64) -> Result<Personal, StoreError> {
        if let Some(sealed) = self.personal {
            return open(keys, id, sealed);
        }
        let email = Email::try_from(self.email).map_err(StoreError::corrupt("users", id))?;
        Ok(Personal { email, name: self.name, phone: self.phone })
    }
}

/// Opens the column `personal` alone.
pub(crate) fn open(keys: &Keys, id: i64, sealed: String) -> Result<Personal, StoreError> {
    let place = Place::person(id);
    let text = keys.open(&place, sealed)?;
    serde_json::from_str(&text).map_err(|_| place.damaged())
}

impl Personal {
    /// As it is kept in the row of this id.
    pub(crate) fn columns(&self, keys: &Keys, id: i64) -> Result<Columns, StoreError> {
        let Self { email, name, phone } = self;
        let address = keys.address(email)?;
        if keys.newest().is_none() {
            let (name, phone) = (name.clone(), phone.clone());
            return Ok(Columns { email: address, name, phone, personal: None });
        }
        let place = Place::person(id);
        let text = serde_json::to_string(self).map_err(|_| place.damaged())?;
        let personal = Some(keys.seal(&place, &text)?);
        Ok(Columns { email: address, name: String::new(), phone: None, personal })
    }
}

/// The two addresses under which a person may be looked for: rows that were not sealed yet have the plain one.
pub(crate) fn addresses(keys: &Keys, email: &Email) -> Result<(String, String), StoreError> {
    Ok((keys.address(email)?, email.as_str().to_owned()))
}

/// Writes a person down. `None` when the address is taken.
pub(crate) async fn insert_in(
    tx: &mut Tx,
    new: &Personal,
    (role, rank, password_hash): (Role, Rank, &Secret),
    now: Time,
) -> Result<Option<UserId>, StoreError> {
    const SQL: &str = "
        INSERT INTO users (email, name, phone, role, rank, password_hash, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id";
    let keys = Arc::clone(tx.keys());
    if keys.newest().is_some() && has_plain_in(tx, &new.email).await? {
        return Ok(None);
    }
    // The text is bound to the id, which is not known yet.
    let plain = keys.newest().is_none().then_some(new);
    let id: Option<i64> = in_tx!(&mut *tx, conn => sqlx::query_scalar(SQL)
        .bind(keys.address(&new.email)?)
        .bind(plain.map_or("", |new| new.name.as_str()))
        .bind(plain.and_then(|new| new.phone.as_deref()))
        .bind(role.as_str())
        .bind(rank.as_str())
        .bind(password_hash.expose())
        .bind(millis(now))
        .fetch_optional(conn)
        .await?);
    let Some(id) = id else { return Ok(None) };
    if plain.is_none() && !keep_in(tx, UserId(id), new).await? {
        return Ok(None);
    }
    Ok(Some(UserId(id)))
}

/// Keeps what is known of a person. False when the address is another's; then the transaction is over.
pub(crate) async fn keep_in(tx: &mut Tx, id: UserId, new: &Personal) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE users SET email = $2, name = $3, phone = $4, personal = $5 WHERE id = $1";
    let columns = new.columns(tx.keys(), id.0)?;
    let written = in_tx!(tx, conn => sqlx::query(SQL)
        .bind(id.0)
        .bind(&columns.email)
        .bind(&columns.name)
        .bind(&columns.phone)
        .bind(&columns.personal)
        .execute(conn)
        .await
        .map(drop));
    match written {
        Err(sqlx::Error::Database(cause)) if cause.is_unique_violation() => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}

/// Whether a row that is not sealed yet has this address.
pub(crate) async fn has_plain_in(tx: &mut Tx, email: &Email) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT count(*) FROM users WHERE email = $1 AND deleted_at IS NULL";
    let rows: i64 = in_tx!(tx, conn => sqlx::query_scalar(SQL).bind(email.as_str()).fetch_one(conn).await?);
    Ok(rows > 0)
}
