//! Rotation: what is in plain text or under an older key is sealed under the newest, row by row, while everything runs.
//!
//! A row is written only if it is still as it was read. A rotation can be stopped anywhere and begun again.

use crate::audit::By;
use crate::personal::Columns;
use crate::sealing::Place;
use crate::{Db, Keys, StoreError, calls, keys, read, repeats, sealing, write};

/// Something that is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What people are called, and where to reach them.
    People,
    /// What the audit's words about people are sealed under.
    AuditKeys,
    /// What payers are to do.
    Instructions,
    /// The numbers of wallets that pay.
    Payers,
    /// Notifications as they came.
    Notifications,
    /// What the gateway answered.
    Calls,
    /// Answers to requests that may be repeated.
    Answers,
}

/// How far a rotation has come within a part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark(i64, String);

/// What became of a few rows.
#[derive(Debug, Default)]
pub struct Rotated {
    /// Rows that are sealed under the newest key now.
    pub sealed: u64,
    /// Rows that somebody else wrote meanwhile; whoever writes seals.
    pub raced: u64,
    /// Rows that stay as they are, and why.
    pub stuck: Vec<StoreError>,
    /// Where to go on; `None` at the end.
    pub next: Option<Mark>,
}

/// The statements about a part: what to seal anew behind a mark, how many rows that is, and how many are under a key.
struct Texts {
    find: &'static str,
    write: &'static str,
    pending: &'static str,
    under: &'static str,
}

macro_rules! texts {
    ($table:literal, $row:literal, $value:literal, $set:literal) => {
        Texts {
            find: concat!(
                "SELECT id, ",
                $row,
                " AS name, ",
                $value,
                " FROM ",
                $table,
                " WHERE id > $1 AND ",
                $value,
                " IS NOT NULL AND substr(",
                $value,
                ", 1, length($3)) <> $3 ORDER BY id LIMIT $2"
            ),
            write: concat!("UPDATE ", $table, " SET ", $set, " WHERE id = $1 AND ", $value, " = $2"),
            pending: concat!(
                "SELECT count(*) FROM ",
                $table,
                " WHERE ",
                $value,
                " IS NOT NULL AND substr(",
                $value,
                ", 1, length($1)) <> $1"
            ),
            under: under!($table, $value),
        }
    };
}

macro_rules! under {
    ($table:literal, $value:literal) => {
        concat!("SELECT count(*) FROM ", $table, " WHERE substr(", $value, ", 1, length($1)) = $1")
    };
}

const PEOPLE: Texts = Texts {
    find: "
        SELECT id, email, name, phone, personal FROM users
        WHERE id > $1 AND erased_at IS NULL AND (personal IS NULL OR substr(personal, 1, length($3)) <> $3)
        ORDER BY id LIMIT $2",
    write: "
        UPDATE users SET email = $2, name = $3, phone = $4, personal = $5
        WHERE id = $1 AND email = $6 AND name = $7 AND COALESCE(phone, '') = $8 AND COALESCE(personal, '') = $9
            AND erased_at IS NULL",
    pending: "
        SELECT count(*) FROM users
        WHERE erased_at IS NULL AND (personal IS NULL OR substr(personal, 1, length($1)) <> $1)",
    under: under!("users", "personal"),
};

const ANSWERS: Texts = Texts {
    find: "
        SELECT user_id, key, body FROM idempotency_keys
        WHERE (user_id, key) > ($1, $4) AND body IS NOT NULL AND substr(body, 1, length($3)) <> $3
        ORDER BY user_id, key LIMIT $2",
    write: "UPDATE idempotency_keys SET body = $3 WHERE user_id = $1 AND body = $2 AND key = $4",
    pending: "
        SELECT count(*) FROM idempotency_keys WHERE body IS NOT NULL AND substr(body, 1, length($1)) <> $1",
    under: under!("idempotency_keys", "body"),
};

impl Part {
    /// All of them, the dearest first.
    pub const ALL: [Self; 7] = [
        Self::People,
        Self::AuditKeys,
        Self::Instructions,
        Self::Payers,
        Self::Notifications,
        Self::Calls,
        Self::Answers,
    ];

    /// What a person calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::AuditKeys => "keys of the audit",
            Self::Instructions => "instructions",
            Self::Payers => "numbers of payers",
            Self::Notifications => "notifications",
            Self::Calls => "calls to the gateway",
            Self::Answers => "answers kept",
        }
    }

    fn texts(self) -> Texts {
        match self {
            Self::People => PEOPLE,
            Self::AuditKeys => texts!("users", "CAST(id AS TEXT)", "audit_key", "audit_key = $3"),
            Self::Instructions => texts!("payments", "invoice", "instruction", "instruction = $3"),
            Self::Payers => texts!(
                "payments",
                "invoice",
                "COALESCE(payer_sealed, payer_phone)",
                "payer_sealed = $3, payer_phone = NULL"
            ),
            Self::Notifications => texts!("notifications", "body_hash", "body", "body = $3"),
            Self::Calls => {
                texts!("gateway_calls", "path || ' ' || CAST(at AS TEXT)", "answer", "answer = $3")
            }
            Self::Answers => ANSWERS,
        }
    }

    fn place(self, id: i64, row: &str) -> Place<'_> {
        match self {
            Self::People => Place::person(id),
            Self::AuditKeys => Place::audit_key(id),
            Self::Instructions => Place::instruction(row),
            Self::Payers => Place::payer(row),
            Self::Notifications => Place::notification(row),
            Self::Calls => calls::place(row),
            Self::Answers => repeats::place(id, row),
        }
    }
}

fn beginning(keys: &Keys) -> Result<String, StoreError> {
    keys.beginning().ok_or(StoreError::Locked)
}

/// How many rows of a part are in plain text or under an older key.
///
/// # Errors
/// When there is no key, or the database fails.
pub async fn pending(db: &Db, part: Part) -> Result<i64, StoreError> {
    let newest = beginning(db.keys())?;
    Ok(read!(db, pool => sqlx::query_scalar(part.texts().pending).bind(&newest).fetch_one(pool).await?))
}

/// Seals at most so many rows of a part that come behind a mark.
///
/// # Errors
/// When there is no key, or the database fails. A row that does not open is no error: it stays as it is, and is told.
pub async fn rotate(db: &Db, part: Part, after: &Mark, limit: i64) -> Result<Rotated, StoreError> {
    match part {
        Part::People => rotate_people(db, after, limit).await,
        _ => rotate_texts(db, part, after, limit).await,
    }
}

async fn rotate_people(db: &Db, after: &Mark, limit: i64) -> Result<Rotated, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        id: i64,
        #[sqlx(flatten)]
        columns: Columns,
    }
    let keys = db.keys();
    let newest = beginning(keys)?;
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(PEOPLE.find)
        .bind(after.0).bind(limit).bind(&newest).fetch_all(pool).await?);
    let mut rotated =
        Rotated { next: rows.last().map(|row| Mark(row.id, String::new())), ..Rotated::default() };
    for Row { id, columns: old } in rows {
        let sealed = old.clone().open(keys, id).and_then(|personal| personal.columns(keys, id));
        match sealed {
            Ok(new) => rotated.count(write_person(db, id, (&old, &new)).await)?,
            Err(error) => rotated.stuck.push(error),
        }
    }
    Ok(rotated)
}

/// A person whose address another has by now is stuck: there were two before the addresses were sealed.
async fn write_person(db: &Db, id: i64, (old, new): (&Columns, &Columns)) -> Result<u64, StoreError> {
    Ok(write!(db, pool => sqlx::query(PEOPLE.write)
        .bind(id)
        .bind(&new.email)
        .bind(&new.name)
        .bind(&new.phone)
        .bind(&new.personal)
        .bind(&old.email)
        .bind(&old.name)
        .bind(old.phone.as_deref().unwrap_or_default())
        .bind(old.personal.as_deref().unwrap_or_default())
        .execute(pool)
        .await?
        .rows_affected()))
}

async fn rotate_texts(db: &Db, part: Part, after: &Mark, limit: i64) -> Result<Rotated, StoreError> {
    let (keys, texts) = (db.keys(), part.texts());
    let newest = beginning(keys)?;
    let rows: Vec<(i64, String, String)> = read!(db, pool => {
        let query = sqlx::query_as(texts.find).bind(after.0).bind(limit).bind(&newest);
        let query = if part == Part::Answers { query.bind(&after.1) } else { query };
        query.fetch_all(pool).await?
    });
    let mut rotated =
        Rotated { next: rows.last().map(|(id, row, _)| Mark(*id, row.clone())), ..Rotated::default() };
    for (id, row, old) in rows {
        let place = part.place(id, &row);
        let sealed = keys.open(&place, old.clone()).and_then(|text| keys.seal(&place, &text));
        match sealed {
            Ok(new) => rotated.count(write_text(db, part, (id, &row), (&old, &new)).await)?,
            Err(error) => rotated.stuck.push(error),
        }
    }
    Ok(rotated)
}

async fn write_text(
    db: &Db,
    part: Part,
    (id, row): (i64, &str),
    (old, new): (&str, &str),
) -> Result<u64, StoreError> {
    Ok(write!(db, pool => {
        let query = sqlx::query(part.texts().write).bind(id).bind(old).bind(new);
        let query = if part == Part::Answers { query.bind(row) } else { query };
        query.execute(pool).await?.rows_affected()
    }))
}

impl Rotated {
    fn count(&mut self, written: Result<u64, StoreError>) -> Result<(), StoreError> {
        match written {
            Ok(0) => self.raced += 1,
            Ok(_) => self.sealed += 1,
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => self.stuck.push(error),
        }
        Ok(())
    }
}

/// Strikes the older keys out under which nothing is sealed any more, and gives their ids. All processes must seal under the
/// newest by then.
///
/// # Errors
/// When there is no key, or the database fails.
pub async fn retire(db: &Db, by: &By<'_>) -> Result<Vec<String>, StoreError> {
    let Some(newest) = db.keys().newest() else { return Err(StoreError::Locked) };
    let mut retired = Vec::new();
    for id in keys::in_use(db).await? {
        if id != newest.id() && is_empty(db, &id).await? && keys::forget(db, &id, by).await? {
            retired.push(id);
        }
    }
    Ok(retired)
}

async fn is_empty(db: &Db, id: &str) -> Result<bool, StoreError> {
    let beginning = sealing::beginning(id);
    for part in Part::ALL {
        let rows: i64 = read!(db, pool => sqlx::query_scalar(part.texts().under)
            .bind(&beginning).fetch_one(pool).await?);
        if rows > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
