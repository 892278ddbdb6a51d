//! The audit: who changed what, when and why. Append-only, and a chain: what somebody changes behind our back shows.

use domain::{JobId, PaymentId, Time, UserId};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::ledger::{self, NewJob};
use crate::time::millis;
use crate::{Db, Page, StoreError, Tx, in_tx, read, shredding};

/// Rows that are read at a time when the chain is verified.
const PAGE_ROWS: i64 = 1_000;

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

/// Writes the deed down as the next link of the chain. It is the last that a transaction does: it holds the end of the
/// chain from here on, and whoever waited for something else meanwhile might wait for ever.
pub(crate) async fn write_in(tx: &mut Tx, deed: &Deed<'_>, now: Time) -> Result<(), StoreError> {
    const HEAD: &str = "UPDATE audit_head SET hash = hash WHERE one = 1 RETURNING hash";
    const SQL: &str = "
        INSERT INTO audit (at, actor_id, actor, action, subject, before, after, reason, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
    const NEXT: &str = "UPDATE audit_head SET hash = $1, row_id = $2 WHERE one = 1";
    let head: String = in_tx!(tx, conn => sqlx::query_scalar(HEAD).fetch_one(conn).await?);
    let hash = Link::from_deed(deed, now).hash(&head);
    let id: i64 = in_tx!(tx, conn => sqlx::query_scalar(SQL)
        .bind(millis(now))
        .bind(deed.actor.id.map(|id| id.0))
        .bind(&deed.actor.name)
        .bind(deed.action)
        .bind(&deed.subject)
        .bind(&deed.before)
        .bind(&deed.after)
        .bind(deed.reason)
        .bind(&hash)
        .fetch_one(conn)
        .await?);
    in_tx!(tx, conn => sqlx::query(NEXT).bind(&hash).bind(id).execute(conn).await.map(drop)?);
    Ok(())
}

/// What a link of the chain vouches for.
struct Link<'a> {
    at: i64,
    actor_id: Option<i64>,
    actor: &'a str,
    action: &'a str,
    subject: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> Link<'a> {
    fn from_deed(deed: &'a Deed<'_>, now: Time) -> Self {
        Self {
            at: millis(now),
            actor_id: deed.actor.id.map(|id| id.0),
            actor: &deed.actor.name,
            action: deed.action,
            subject: &deed.subject,
            before: deed.before.as_deref(),
            after: deed.after.as_deref(),
            reason: deed.reason,
        }
    }

    fn from_row(row: &'a ChainRow) -> Self {
        let ChainRow { actor_id, row, .. } = row;
        Self {
            at: row.at,
            actor_id: *actor_id,
            actor: &row.actor,
            action: &row.action,
            subject: &row.subject,
            before: row.before.as_deref(),
            after: row.after.as_deref(),
            reason: row.reason.as_deref(),
        }
    }

    /// The SHA-256 of the hash before it and of the row, in hexadecimal digits.
    fn hash(&self, previous: &str) -> String {
        let Self { at, actor_id, actor, action, subject, before, after, reason } = self;
        // A list in JSON has one reading: no field can lend its end to the next.
        let row = json!([at, actor_id, actor, action, subject, before, after, reason]);
        hex::encode(Sha256::new().chain_update(previous).chain_update(row.to_string()).finalize())
    }
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
    let rows = read!(db, pool => sqlx::query_as(SQL).bind(before_id).bind(limit).fetch_all(pool).await?);
    shredding::open(db, rows).await
}

/// Which rows are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Those of this actor.
    pub actor: Option<String>,
    /// Those of this action.
    pub action: Option<String>,
    /// Those about this.
    pub subject: Option<String>,
}

/// A page of rows, newest first.
///
/// # Errors
/// When the database does.
pub async fn list(db: &Db, filter: &AuditFilter, page: Page) -> Result<Vec<Row>, StoreError> {
    const SQL: &str = "
        SELECT id, at, actor, action, subject, before, after, reason FROM audit
        WHERE id < $1 AND ($2 IS NULL OR actor = $2) AND ($3 IS NULL OR action = $3)
            AND ($4 IS NULL OR subject = $4)
        ORDER BY id DESC LIMIT $5";
    let rows = read!(db, pool => sqlx::query_as(SQL)
        .bind(page.below())
        .bind(&filter.actor)
        .bind(&filter.action)
        .bind(&filter.subject)
        .bind(page.limit)
        .fetch_all(pool)
        .await?);
    shredding::open(db, rows).await
}

/// What was done to `subject`, oldest first, at most a thousand rows.
///
/// # Errors
/// When the database does.
pub async fn of_subject(db: &Db, subject: &str) -> Result<Vec<Row>, StoreError> {
    const SQL: &str = "
        SELECT id, at, actor, action, subject, before, after, reason FROM audit
        WHERE subject = $1 ORDER BY id LIMIT 1000";
    let rows = read!(db, pool => sqlx::query_as(SQL).bind(subject).fetch_all(pool).await?);
    shredding::open(db, rows).await
}

/// What was done to jobs about a payment, oldest first, at most a thousand rows.
///
/// # Errors
/// When the database does.
pub async fn of_jobs(db: &Db, payment: PaymentId) -> Result<Vec<Row>, StoreError> {
    const SQL: &str = "
        SELECT id, at, actor, action, subject, before, after, reason FROM audit
        WHERE subject IN (
            SELECT 'job:' || id FROM jobs WHERE payment_id = $1
            UNION
            SELECT 'job:' || id FROM jobs WHERE notification_id IN (SELECT id FROM notifications WHERE payment_id = $1))
        ORDER BY id LIMIT 1000";
    Ok(read!(db, pool => sqlx::query_as(SQL).bind(payment.0).fetch_all(pool).await?))
}

/// What came of a look at the whole chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// So many rows of the chain are as they were written.
    pub rows: i64,
    /// So many rows are older than the chain; nothing vouches for them.
    pub unchained: i64,
    /// The hash at the end of the chain. Whoever keeps it elsewhere knows later whether the chain was made anew.
    pub head: String,
    /// The first row that is not as it was written, or that follows one which is gone.
    pub broken_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct ChainRow {
    #[sqlx(flatten)]
    row: Row,
    actor_id: Option<i64>,
    hash: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Head {
    hash: String,
    row_id: i64,
    after: i64,
}

/// Goes along the chain, from its first row to its head.
///
/// # Errors
/// When the database does.
pub async fn verify(db: &Db) -> Result<Verified, StoreError> {
    const UNCHAINED: &str =
        "SELECT count(*) FROM (SELECT 1 FROM audit WHERE id <= $1 LIMIT 1000000) AS before";
    const PAGE: &str = "
        SELECT id, at, actor_id, actor, action, subject, before, after, reason, hash FROM audit
        WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3";
    let head = head_of(db).await?;
    let unchained: i64 =
        read!(db, pool => sqlx::query_scalar(UNCHAINED).bind(head.after).fetch_one(pool).await?);
    let mut verified = Verified { rows: 0, unchained, head: head.hash.clone(), broken_at: None };
    let (mut last, mut hash) = (head.after, String::new());
    loop {
        let page: Vec<ChainRow> = read!(db, pool => sqlx::query_as(PAGE)
            .bind(last).bind(head.row_id).bind(PAGE_ROWS).fetch_all(pool).await?);
        if page.is_empty() {
            break;
        }
        for row in &page {
            last = row.row.id;
            hash = Link::from_row(row).hash(&hash);
            if row.hash.as_ref() != Some(&hash) {
                return Ok(Verified { broken_at: Some(last), ..verified });
            }
            verified.rows += 1;
        }
    }
    // Rows that were cut off at the end, and rows that were added without a link.
    let ends = last == head.row_id && hash == head.hash;
    verified.broken_at = if ends { stray(db, &head).await? } else { Some(head.row_id) };
    Ok(verified)
}

async fn head_of(db: &Db) -> Result<Head, StoreError> {
    const SQL: &str = "SELECT hash, row_id, after FROM audit_head WHERE one = 1";
    Ok(read!(db, pool => sqlx::query_as(SQL).fetch_one(pool).await?))
}

/// A row that the head does not know. Rows that are written meanwhile come with another head.
async fn stray(db: &Db, head: &Head) -> Result<Option<i64>, StoreError> {
    const SQL: &str = "SELECT id FROM audit WHERE id > $1 ORDER BY id LIMIT 1";
    let newer: Option<i64> =
        read!(db, pool => sqlx::query_scalar(SQL).bind(head.row_id).fetch_optional(pool).await?);
    let now = head_of(db).await?;
    Ok(newer.filter(|id| *id > now.row_id))
}
