//! What a tenant wants of reminders: whether there are to be any, and in which language.

use domain::{Language, UserId};
use serde_json::json;

use crate::audit::{self, By};
use crate::time::millis;
use crate::{Db, Refusal, StoreError, Tx, Undone, in_tx, read};

/// What a tenant wants of reminders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// Whether there are to be any.
    pub reminders: bool,
    /// In which language; `None`: in the house's.
    pub language: Option<Language>,
}

impl Wishes {
    fn told(self) -> String {
        json!({ "reminders": self.reminders, "language": self.language }).to_string()
    }
}

fn wishes_of(id: UserId, (off, language): (Option<i64>, Option<String>)) -> Result<Wishes, StoreError> {
    let language = language.as_deref().map(Language::try_from).transpose();
    Ok(Wishes { reminders: off.is_none(), language: language.map_err(StoreError::corrupt("users", id.0))? })
}

/// What a tenant who lives here wants of reminders.
///
/// # Errors
/// When the database does.
pub async fn wishes(db: &Db, tenant: UserId) -> Result<Option<Wishes>, StoreError> {
    const SQL: &str = "
        SELECT reminders_off_at, language FROM users WHERE id = $1 AND role = 'tenant' AND deleted_at IS NULL";
    let row = read!(db, pool => sqlx::query_as(SQL).bind(tenant.0).fetch_optional(pool).await?);
    row.map(|row| wishes_of(tenant, row)).transpose()
}

/// What is to become of a tenant's wishes; what is `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WishesChange {
    /// Whether there are to be any.
    pub reminders: Option<bool>,
    /// In which language; `Some(None)`: in the house's.
    pub language: Option<Option<Language>>,
}

/// Changes what a tenant wants of reminders. Where nothing changes, nothing is written.
///
/// # Errors
/// [`Refusal::NotThere`] when no such tenant lives here, or when the database fails.
pub async fn change_wishes(
    db: &Db,
    tenant: UserId,
    change: WishesChange,
    by: &By<'_>,
) -> Result<Wishes, Undone> {
    const LOCK: &str = "
        UPDATE users SET name = name WHERE id = $1 AND role = 'tenant' AND deleted_at IS NULL
        RETURNING reminders_off_at, language";
    const SQL: &str = "UPDATE users SET reminders_off_at = $2, language = $3 WHERE id = $1";
    let mut tx = Tx::begin(db).await?;
    let row: Option<(Option<i64>, Option<String>)> =
        in_tx!(&mut tx, conn => sqlx::query_as(LOCK).bind(tenant.0).fetch_optional(conn).await?);
    let row = row.ok_or(Refusal::NotThere)?;
    let off_since = row.0;
    let old = wishes_of(tenant, row)?;
    let new = Wishes {
        reminders: change.reminders.unwrap_or(old.reminders),
        language: change.language.unwrap_or(old.language),
    };
    if new == old {
        return Ok(old);
    }
    let off_at = if new.reminders { None } else { Some(off_since.unwrap_or(millis(by.now))) };
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(tenant.0)
        .bind(off_at)
        .bind(new.language.map(Language::as_str))
        .execute(conn)
        .await
        .map(drop)?);
    let states = (Some(old.told()), Some(new.told()));
    audit::write_in(&mut tx, &by.deed("tenant.reminders", format!("tenant:{tenant}"), states), by.now)
        .await?;
    tx.commit().await?;
    Ok(new)
}
