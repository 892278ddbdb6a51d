//! Who admins are at the provider that logs them in: the provider's own name of a person, bound to one of ours.

use domain::{Email, Time, UserId};

use crate::audit::{self, Actor, By};
use crate::people::{self, Person};
use crate::personal::addresses;
use crate::{Db, Refusal, StoreError, Tx, Undone, in_tx, read};

/// A person as a provider names one.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// What it calls the person.
    pub subject: &'a str,
}

/// The person to whom this identity is bound.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, identity: Identity<'_>) -> Result<Option<Person>, StoreError> {
    const SQL: &str = people::select!("WHERE oidc_issuer = $1 AND oidc_subject = $2 AND deleted_at IS NULL");
    let row: Option<people::Row> = read!(db, pool => sqlx::query_as(SQL)
        .bind(identity.issuer).bind(identity.subject).fetch_optional(pool).await?);
    row.map(|row| row.open(db.keys())).transpose()
}

/// Binds an identity to the admin with this address.
///
/// # Errors
/// [`Refusal::NotThere`] when there is no such admin, when another identity is bound to them, or this one to somebody
/// else; or when the database fails.
pub async fn bind(db: &Db, email: &Email, identity: Identity<'_>, by: &By<'_>) -> Result<UserId, Undone> {
    const SQL: &str = "
        UPDATE users SET oidc_issuer = $2, oidc_subject = $3
        WHERE email IN ($1, $4) AND role = 'admin' AND deleted_at IS NULL AND oidc_subject IS NULL
            AND NOT EXISTS (SELECT 1 FROM users
                WHERE oidc_issuer = $2 AND oidc_subject = $3 AND deleted_at IS NULL)
        RETURNING id";
    let (address, plain) = addresses(db.keys(), email)?;
    let mut tx = Tx::begin(db).await?;
    let user: Option<i64> = in_tx!(&mut tx, conn => sqlx::query_scalar(SQL)
        .bind(address).bind(identity.issuer).bind(identity.subject).bind(plain)
        .fetch_optional(conn).await?);
    let user = UserId(user.ok_or(Refusal::NotThere)?);
    let state = serde_json::json!({ "issuer": identity.issuer, "subject": identity.subject });
    let deed = by.deed("identity.bind", format!("user:{user}"), (None, Some(state.to_string())));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(user)
}

/// Takes the identity from the admin with this address; another may be bound then.
///
/// # Errors
/// [`Refusal::NotThere`] when there is none, or when the database fails.
pub async fn unbind(db: &Db, email: &Email, by: &By<'_>) -> Result<(), Undone> {
    const SQL: &str = "
        UPDATE users SET oidc_issuer = NULL, oidc_subject = NULL
        WHERE email IN ($1, $2) AND deleted_at IS NULL AND oidc_subject IS NOT NULL RETURNING id";
    let (address, plain) = addresses(db.keys(), email)?;
    let mut tx = Tx::begin(db).await?;
    let user: Option<i64> = in_tx!(&mut tx, conn => sqlx::query_scalar(SQL)
        .bind(address).bind(plain).fetch_optional(conn).await?);
    let user = user.ok_or(Refusal::NotThere)?;
    let deed = by.deed("identity.unbind", format!("user:{user}"), (None, None));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes down that a provider has vouched for a person, who is let in by that.
///
/// # Errors
/// When the database does.
pub async fn vouched(db: &Db, person: &Person, issuer: &str, now: Time) -> Result<(), StoreError> {
    let actor = Actor { id: Some(person.id), name: person.email.as_str().to_owned() };
    let by = By { actor: &actor, reason: None, now };
    let state = serde_json::json!({ "issuer": issuer });
    let deed = by.deed("identity.vouch", format!("user:{}", person.id), (None, Some(state.to_string())));
    let mut tx = Tx::begin(db).await?;
    audit::write_in(&mut tx, &deed, now).await?;
    tx.commit().await
}
