//! People who can log in.

use domain::{Email, Rank, Role, Secret, Time, UserId};

use crate::audit::{By, Deed};
use crate::personal::{self, Columns, Personal, addresses};
use crate::{Db, Keys, Refusal, StoreError, Tx, Undone, audit, dashboard_sessions, in_tx, read, sessions};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, name, phone, personal, role, rank, password_hash, second_factor_since FROM users ",
            $rest
        )
    };
}

pub(crate) use select;

/// A person as the books hold one.
#[derive(Debug, Clone)]
pub struct Person {
    /// The row.
    pub id: UserId,
    /// The name to log in with.
    pub email: Email,
    /// What people call them.
    pub name: String,
    /// The telephone number.
    pub phone: Option<String>,
    /// What they may do.
    pub role: Role,
    /// How much, where it is an admin.
    pub rank: Rank,
    /// The hash of the password, in PHC form.
    pub password_hash: Secret,
    /// Whether the password is not enough to come in.
    pub has_second_factor: bool,
}

#[derive(Clone, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) id: i64,
    #[sqlx(flatten)]
    columns: Columns,
    role: String,
    rank: String,
    password_hash: String,
    second_factor_since: Option<i64>,
}

impl Row {
    /// The person, with what is sealed of them opened.
    pub(crate) fn open(self, keys: &Keys) -> Result<Person, StoreError> {
        let row = self;
        let corrupt = StoreError::corrupt("users", row.id);
        let Personal { email, name, phone } = row.columns.open(keys, row.id)?;
        Ok(Person {
            id: UserId(row.id),
            email,
            name,
            phone,
            role: Role::try_from(row.role.as_str()).map_err(&corrupt)?,
            rank: Rank::try_from(row.rank.as_str()).map_err(&corrupt)?,
            password_hash: Secret::from(row.password_hash),
            has_second_factor: row.second_factor_since.is_some(),
        })
    }
}

/// A person to be written down.
#[derive(Debug, Clone)]
pub struct NewPerson<'a> {
    /// The name to log in with.
    pub email: &'a Email,
    /// What people call them.
    pub name: &'a str,
    /// What they may do.
    pub role: Role,
    /// How much, where it is an admin.
    pub rank: Rank,
    /// The hash of the password, in PHC form.
    pub password_hash: &'a Secret,
}

/// Writes a person down. `None` when the address is taken.
///
/// # Errors
/// When the database does.
pub async fn insert(db: &Db, new: &NewPerson<'_>, now: Time) -> Result<Option<UserId>, StoreError> {
    let personal = Personal { email: new.email.clone(), name: new.name.to_owned(), phone: None };
    let mut tx = Tx::begin(db).await?;
    let id = personal::insert_in(&mut tx, &personal, (new.role, new.rank, new.password_hash), now).await?;
    if id.is_some() {
        tx.commit().await?;
    }
    Ok(id)
}

/// The person with this address.
///
/// # Errors
/// When the database does.
pub async fn find_by_email(db: &Db, email: &Email) -> Result<Option<Person>, StoreError> {
    const SQL: &str = select!("WHERE email IN ($1, $2) AND deleted_at IS NULL");
    let (address, plain) = addresses(db.keys(), email)?;
    let row: Option<Row> =
        read!(db, pool => sqlx::query_as(SQL).bind(address).bind(plain).fetch_optional(pool).await?);
    row.map(|row| row.open(db.keys())).transpose()
}

/// The person of this row.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: UserId) -> Result<Option<Person>, StoreError> {
    const SQL: &str = select!("WHERE id = $1");
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?);
    row.map(|row| row.open(db.keys())).transpose()
}

/// The person of this row, unless deleted.
///
/// # Errors
/// When the database does.
pub async fn find_active(db: &Db, id: UserId) -> Result<Option<Person>, StoreError> {
    const SQL: &str = select!("WHERE id = $1 AND deleted_at IS NULL");
    let row: Option<Row> = match db.shared() {
        Some(turns) => turns.people.ask(db, id.0).await?,
        None => read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?),
    };
    row.map(|row| row.open(db.keys())).transpose()
}

/// Those who run the house, the first who came first, at most `limit`.
///
/// # Errors
/// When the database does.
pub async fn admins(db: &Db, limit: i64) -> Result<Vec<Person>, StoreError> {
    const SQL: &str = select!("WHERE role = 'admin' AND deleted_at IS NULL ORDER BY id LIMIT $1");
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(limit).fetch_all(pool).await?);
    rows.into_iter().map(|row| row.open(db.keys())).collect()
}

/// Another password for a person.
#[derive(Debug, Clone)]
pub struct NewPassword<'a> {
    /// Whose.
    pub person: UserId,
    /// Its hash, in PHC form.
    pub hash: &'a Secret,
    /// Who changes it, for the audit.
    pub deed: Deed<'a>,
}

/// Gives a person another password, ends all sessions, and writes the deed into the audit.
///
/// # Errors
/// When the database does.
pub async fn change_password(db: &Db, new: &NewPassword<'_>, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE users SET password_hash = $2 WHERE id = $1";
    let mut tx = Tx::begin(db).await?;
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(new.person.0).bind(new.hash.expose()).execute(conn).await.map(drop)?);
    sessions::end_all_in(&mut tx, new.person, now).await?;
    dashboard_sessions::end_all_in(&mut tx, new.person, now).await?;
    audit::write_in(&mut tx, &new.deed, now).await?;
    tx.commit().await
}

/// Gives an admin another rank.
///
/// # Errors
/// [`Refusal::NotThere`] when there is no such admin, or when the database fails.
pub async fn change_rank(db: &Db, email: &Email, rank: Rank, by: &By<'_>) -> Result<(), Undone> {
    const FIND: &str = "
        UPDATE users SET rank = rank WHERE email IN ($1, $2) AND role = 'admin' AND deleted_at IS NULL
        RETURNING id, email, name, phone, personal, role, rank, password_hash, second_factor_since";
    const SQL: &str = "UPDATE users SET rank = $2 WHERE id = $1";
    let mut tx = Tx::begin(db).await?;
    let (address, plain) = addresses(db.keys(), email)?;
    let row: Option<Row> = in_tx!(&mut tx, conn => sqlx::query_as(FIND)
        .bind(address).bind(plain).fetch_optional(conn).await?);
    let person = row.map(|row| row.open(db.keys())).transpose()?.ok_or(Refusal::NotThere)?;
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(person.id.0).bind(rank.as_str()).execute(conn).await.map(drop)?);
    let states = [person.rank, rank].map(|rank| Some(format!("{{\"rank\":\"{}\"}}", rank.as_str())));
    let deed = by.deed("user.rank", format!("user:{}", person.id), states.into());
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(())
}

/// How many people there are.
///
/// # Errors
/// When the database does.
pub async fn count(db: &Db) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT count(*) FROM users WHERE deleted_at IS NULL";
    Ok(read!(db, pool => sqlx::query_scalar(SQL).fetch_one(pool).await?))
}
