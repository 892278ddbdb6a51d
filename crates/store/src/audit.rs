//! The audit: who changed what, when and why. Append-only.

use domain::{JobId, Time, UserId};

use crate::ledger::{self, NewJob};
use crate::time::millis;
use crate::{Db, StoreError, Tx, in_tx, read};

/// Who does something that is audited.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The person, when it is one of ours.
    pub id: Option<UserId>,
    /// The name as it reads in the audit: an address, or the name of a program.
    pub name: String,
}

/// Something that was done, to be written down in the transaction that does it.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    /// Who did it.
    pub actor: &'a Actor,
    /// What was done, as `noun.verb`: `room.create`.
    pub action: &'static str,
    /// To what, as `noun:id`.
    pub subject: String,
    /// How it stood before, as JSON, without secrets.
    pub before: Option<String>,
    /// How it stands now, as JSON, without secrets.
    pub after: Option<String>,
    /// Why, in the actor's words.
    pub reason: Option<&'a str>,
}

/// On whose word a change is made, why, and when.
#[derive(Debug, Clone)]
pub struct By<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// Why, in the actor's words.
    pub reason: Option<&'a str>,
    /// When.
    pub now: Time,
}

impl By<'_> {
    /// What was done to `subject`, which stood as the first of `states` and stands as the second.
    pub(crate) fn deed(
        &self,
        action: &'static str,
        subject: String,
        states: (Option<String>, Option<String>),
    ) -> Deed<'_> {
        let (before, after) = states;
        Deed { actor: self.actor, action, subject, before, after, reason: self.reason }
    }
}

/// A row of the audit.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Row {
    /// Its row.
    pub id: i64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// How it stood before, as JSON.
    pub before: Option<String>,
    /// How it stood after, as JSON.
    pub after: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

pub(crate) async fn write_in(tx: &mut Tx, deed: &Deed<'_>, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO audit (at, actor_id, actor, action, subject, before, after, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    in_tx!(tx, conn => sqlx::query(SQL)
        .bind(millis(now))
        .bind(deed.actor.id.map(|id| id.0))
        .bind(&deed.actor.name)
        .bind(deed.action)
        .bind(&deed.subject)
        .bind(&deed.before)
        .bind(&deed.after)
        .bind(deed.reason)
        .execute(conn)
        .await
        .map(drop)?);
    Ok(())
}

/// Writes down that somebody did what changes nothing, such as looking at what is otherwise hidden.
///
/// # Errors
/// When the database does.
pub async fn note(db: &Db, (action, subject): (&'static str, String), by: &By<'_>) -> Result<(), StoreError> {
    let mut tx = Tx::begin(db).await?;
    write_in(&mut tx, &by.deed(action, subject, (None, None)), by.now).await?;
    tx.commit().await
}

/// Writes down that somebody wants work done on `subject`, and the work, in one transaction.
///
/// # Errors
/// When the database does.
pub async fn order(
    db: &Db,
    (action, subject): (&'static str, String),
    job: NewJob,
    by: &By<'_>,
) -> Result<Vec<JobId>, StoreError> {
    let mut tx = Tx::begin(db).await?;
    let jobs = ledger::enqueue_all(&mut tx, &[job], by.now).await?;
    write_in(&mut tx, &by.deed(action, subject, (None, None)), by.now).await?;
    tx.commit().await?;
    Ok(jobs)
}

/// The same for work whose contrary may be waiting to be done; then nothing is written, and it is `None`.
///
/// # Errors
/// When the database does.
pub async fn decide(
    db: &Db,
    (action, subject): (&'static str, String),
    job: NewJob,
    by: &By<'_>,
) -> Result<Option<Vec<JobId>>, StoreError> {
    const CONTRARY: &str = "
        SELECT count(*) FROM jobs WHERE dedupe_key = $1 AND state IN ('ready', 'running') AND payload <> $2";
    let mut tx = Tx::begin(db).await?;
    let jobs = ledger::enqueue_all(&mut tx, std::slice::from_ref(&job), by.now).await?;
    // Looked at afterwards: whoever was first has its row by now.
    let contrary: i64 = in_tx!(&mut tx, conn => sqlx::query_scalar(CONTRARY)
        .bind(&job.dedupe_key).bind(&job.payload).fetch_one(conn).await?);
    if contrary > 0 {
        return Ok(None);
    }
    write_in(&mut tx, &by.deed(action, subject, (None, None)), by.now).await?;
    tx.commit().await?;
    Ok(Some(jobs))
}

/// The newest rows, newest first, older than `before_id` where it is given, at most `limit`.
///
/// # Errors
/// When the database does.
pub async fn newest(db: &Db, before_id: Option<i64>, limit: i64) -> Result<Vec<Row>, StoreError> {
    const SQL: &str = "
        SELECT id, at, actor, action, subject, before, after, reason FROM audit
        WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let before_id = before_id.unwrap_or(i64::MAX);
    Ok(read!(db, pool => sqlx::query_as(SQL).bind(before_id).bind(limit).fetch_all(pool).await?))
}

/// What was done to `subject`, oldest first, at most a thousand rows.
///
/// # Errors
/// When the database does.
pub async fn of_subject(db: &Db, subject: &str) -> Result<Vec<Row>, StoreError> {
    const SQL: &str = "
        SELECT id, at, actor, action, subject, before, after, reason FROM audit
        WHERE subject = $1 ORDER BY id LIMIT 1000";
    Ok(read!(db, pool => sqlx::query_as(SQL).bind(subject).fetch_all(pool).await?))
}
