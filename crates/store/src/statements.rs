//! The gateway's statements: which files were imported, and what their lines say. No payment changes because of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use domain::{JobId, PaymentId, StatementKind, StatementLine, Time};
use serde_json::json;

use crate::audit::{self, Actor, By};
use crate::ledger::NewJob;
use crate::statement_lines::{self, Row};
use crate::time::{from_millis, millis, opt_from_millis, opt_millis};
use crate::{Db, StoreError, Tx, in_tx, journal, ledger, read};

/// A file that is to be imported.
#[derive(Debug, Clone)]
pub struct NewStatement<'a> {
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: &'a str,
    /// What it is called.
    pub name: &'a str,
    /// Which export it is.
    pub kind: StatementKind,
    /// How many lines it has.
    pub rows: u64,
    /// The times of its earliest and its latest line.
    pub span: Option<(Time, Time)>,
}

/// A file that was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its row.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// Which export it is.
    pub kind: StatementKind,
    /// How many lines it has.
    pub rows: i64,
    /// How many of them were new.
    pub new_rows: i64,
    /// The time of its earliest line.
    pub first_at: Option<Time>,
    /// The time of its latest line.
    pub last_at: Option<Time>,
    /// When it was imported.
    pub imported_at: Time,
    /// By whom.
    pub imported_by: String,
}

#[derive(sqlx::FromRow)]
struct StatementRow {
    id: i64,
    name: String,
    kind: String,
    rows: i64,
    new_rows: i64,
    first_at: Option<i64>,
    last_at: Option<i64>,
    imported_at: i64,
    imported_by: String,
}

impl TryFrom<StatementRow> for Statement {
    type Error = StoreError;

    fn try_from(row: StatementRow) -> Result<Self, StoreError> {
        let corrupt = StoreError::corrupt("statements", row.id);
        Ok(Self {
            id: row.id,
            kind: StatementKind::try_from(row.kind.as_str()).map_err(corrupt)?,
            name: row.name,
            rows: row.rows,
            new_rows: row.new_rows,
            first_at: opt_from_millis(row.first_at),
            last_at: opt_from_millis(row.last_at),
            imported_at: from_millis(row.imported_at),
            imported_by: row.imported_by,
        })
    }
}

/// What is to be done about a payment of which a statement says more than our books.
pub type Ask<'a> = &'a (dyn Fn(PaymentId) -> NewJob + Sync);

/// Files that are imported together: all of them, with all that follows from them, or nothing. Dropped without
/// [`Import::commit`], it leaves no trace.
pub struct Import {
    pub(crate) tx: Tx,
    pub(crate) now: Time,
    /// What the audit is told at the end.
    deeds: Vec<Imported>,
}

struct Imported {
    actor: Actor,
    reason: Option<String>,
    subject: String,
    after: String,
}

/// A file whose lines are being added.
#[derive(Debug)]
pub struct Opened {
    id: i64,
    new_rows: u64,
    /// How often each line was met in this file, by a hash of what it is. Two lines that are equal are two.
    met: HashMap<u64, u32>,
    jobs: Vec<JobId>,
}

impl Import {
    /// Begins. Imports come one after the other.
    ///
    /// # Errors
    /// When the database does.
    pub async fn begin(db: &Db, now: Time) -> Result<Self, StoreError> {
        const LOCK: &str = "UPDATE watermarks SET value = value WHERE name = 'statements'";
        let mut tx = Tx::begin(db).await?;
        in_tx!(&mut tx, conn => sqlx::query(LOCK).execute(conn).await.map(drop)?);
        Ok(Self { tx, now, deeds: Vec::new() })
    }

    /// Writes the file down. `None` when a file with these bytes was imported before: there is nothing new in it.
    ///
    /// # Errors
    /// When the database does.
    pub async fn open(&mut self, new: &NewStatement<'_>, by: &By<'_>) -> Result<Option<Opened>, StoreError> {
        const SQL: &str = "
            INSERT INTO statements (sha256, name, kind, rows, first_at, last_at, imported_at, imported_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (sha256) DO NOTHING RETURNING id";
        let id: Option<i64> = in_tx!(&mut self.tx, conn => sqlx::query_scalar(SQL)
            .bind(new.sha256)
            .bind(new.name)
            .bind(new.kind.as_str())
            .bind(i64::try_from(new.rows).unwrap_or(i64::MAX))
            .bind(opt_millis(new.span.map(|(first, _)| first)))
            .bind(opt_millis(new.span.map(|(_, last)| last)))
            .bind(millis(self.now))
            .bind(&by.actor.name)
            .fetch_optional(conn)
            .await?);
        Ok(id.map(|id| Opened { id, new_rows: 0, met: HashMap::new(), jobs: Vec::new() }))
    }

    /// Adds those of the lines that no file had before, and what follows from them: which payments they are about, the
    /// postings of fee, tax and payout, and a job for each payment of which they say more than our books.
    ///
    /// # Errors
    /// When the database does.
    pub async fn add(
        &mut self,
        opened: &mut Opened,
        lines: &[StatementLine],
        ask: Ask<'_>,
    ) -> Result<(), StoreError> {
        const LAST: &str = "SELECT COALESCE(max(id), 0) FROM statement_lines WHERE statement_id = $1";
        let last: i64 = in_tx!(&mut self.tx, conn => sqlx::query_scalar(LAST)
            .bind(opened.id).fetch_one(conn).await?);
        let named: Vec<(String, &StatementLine)> =
            lines.iter().map(|line| (opened.name_of(line), line)).collect();
        let new = statement_lines::insert_in(&mut self.tx, opened.id, &named).await?;
        opened.new_rows = opened.new_rows.saturating_add(new);
        if new == 0 {
            return Ok(());
        }
        statement_lines::link_in(&mut self.tx, (opened.id, last)).await?;
        journal::post_lines_in(&mut self.tx, (opened.id, last), self.now).await?;
        let behind = statement_lines::behind_in(&mut self.tx, (opened.id, last)).await?;
        let jobs: Vec<NewJob> = behind.into_iter().map(ask).collect();
        opened.jobs.extend(ledger::enqueue_all(&mut self.tx, &jobs, self.now).await?);
        Ok(())
    }

    /// Ends the file; its import stands in the audit when all is committed. Gives how many of its lines were new, and the new jobs.
    ///
    /// # Errors
    /// When the database does.
    pub async fn close(
        &mut self,
        opened: Opened,
        new: &NewStatement<'_>,
        by: &By<'_>,
    ) -> Result<(u64, Vec<JobId>), StoreError> {
        const SQL: &str = "UPDATE statements SET new_rows = $2 WHERE id = $1";
        let new_rows = i64::try_from(opened.new_rows).unwrap_or(i64::MAX);
        in_tx!(&mut self.tx, conn => sqlx::query(SQL)
            .bind(opened.id).bind(new_rows).execute(conn).await.map(drop)?);
        let after = json!({ "name": new.name, "kind": new.kind.as_str(), "rows": new.rows, "new": new_rows });
        let subject = format!("statement:{}", opened.id);
        let reason = by.reason.map(str::to_owned);
        self.deeds.push(Imported { actor: by.actor.clone(), reason, subject, after: after.to_string() });
        Ok((opened.new_rows, opened.jobs))
    }

    /// Commits all of it.
    ///
    /// # Errors
    /// When the database does; then nothing is written.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        for Imported { actor, reason, subject, after } in self.deeds {
            let by = By { actor: &actor, reason: reason.as_deref(), now: self.now };
            let deed = by.deed("statement.import", subject, (None, Some(after)));
            audit::write_in(&mut self.tx, &deed, self.now).await?;
        }
        self.tx.commit().await
    }
}

impl Opened {
    /// The key of a line: what it is, and which of its equals in this file.
    fn name_of(&mut self, line: &StatementLine) -> String {
        let identity = line.identity();
        let mut hasher = DefaultHasher::new();
        identity.hash(&mut hasher);
        let count = self.met.entry(hasher.finish()).or_insert(0);
        *count += 1;
        format!("{identity}|{count}")
    }
}

/// The statements that were imported, newest first, at most `limit`.
///
/// # Errors
/// When the database does.
pub async fn newest(db: &Db, limit: i64) -> Result<Vec<Statement>, StoreError> {
    const SQL: &str = "
        SELECT id, name, kind, rows, new_rows, first_at, last_at, imported_at, imported_by FROM statements
        ORDER BY id DESC LIMIT $1";
    let rows: Vec<StatementRow> = read!(db, pool => sqlx::query_as(SQL).bind(limit).fetch_all(pool).await?);
    rows.into_iter().map(Statement::try_from).collect()
}

/// What the statements say of a payment, in the order in which it was imported, at most a thousand lines.
///
/// # Errors
/// When the database does.
pub async fn of_payment(db: &Db, id: PaymentId) -> Result<Vec<StatementLine>, StoreError> {
    const SQL: &str = statement_lines::select!("WHERE l.payment_id = $1 ORDER BY l.id LIMIT 1000");
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await?);
    rows.into_iter().map(|row| Ok(row.told()?.line)).collect()
}
