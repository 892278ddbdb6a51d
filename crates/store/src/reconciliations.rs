//! Reconciliations: each comparison of our payments with the gateway's is a row.

use domain::{JobId, PaymentId, Time};
use serde_json::json;

use crate::audit::{self, By};
use crate::ledger::{self, NewJob};
use crate::time::{from_millis, millis, opt_from_millis};
use crate::{Db, Page, StoreError, Tx, in_tx, read, write};

/// A comparison that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun<'a> {
    /// Names it: the same slot is compared once.
    pub slot: &'a str,
    /// `nightly` or `manual`.
    pub kind: &'static str,
    /// Whether nothing is to be changed.
    pub is_dry: bool,
    /// Who wants it.
    pub wanted_by: &'a str,
    /// Payments that lived at this time or later.
    pub from: Time,
    /// And began before this.
    pub to: Time,
}

/// A comparison as the books hold it, with what came of it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its row.
    pub id: i64,
    /// Names it.
    pub slot: String,
    /// `nightly` or `manual`.
    pub kind: String,
    /// Whether nothing is changed.
    pub is_dry: bool,
    /// Who wanted it.
    pub wanted_by: String,
    /// Payments that lived at this time or later.
    pub from: Time,
    /// And began before this.
    pub to: Time,
    /// `waiting`, `running` or `done`.
    pub state: String,
    /// Payments that it is about, as counted when it began.
    pub total: i64,
    /// When it was wanted.
    pub created_at: Time,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// What came of the payments that were asked about.
    pub tally: Tally,
    /// The last payment of those that were all asked about.
    pub place: Place,
}

/// A place in the list of payments, which is sorted by when they last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    updated_at: i64,
    id: i64,
}

/// How many payments came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The gateway was asked about so many.
    pub asked: i64,
    /// Both said the same.
    pub agreed: i64,
    /// Our books were behind, and are not any more; in a dry run they still are.
    pub repaired: i64,
    /// A person must look.
    pub findings: i64,
    /// The gateway gave no answer.
    pub errors: i64,
}

// While a run goes on, what it has found is counted up to a hundred thousand of each.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, slot, kind, dry_run, wanted_by, window_from, window_to, state, total, created_at, started_at, ",
            "finished_at, cursor_at, cursor_id, ",
            "CASE WHEN state = 'done' THEN agreed ELSE (SELECT count(*) FROM (SELECT 1 FROM reconciliation_items i ",
            "WHERE i.reconciliation_id = r.id AND verdict = 'agreed' LIMIT 100000) AS told) END AS agreed, ",
            "CASE WHEN state = 'done' THEN repaired ELSE (SELECT count(*) FROM (SELECT 1 FROM reconciliation_items i ",
            "WHERE i.reconciliation_id = r.id AND verdict = 'repaired' LIMIT 100000) AS told) END AS repaired, ",
            "CASE WHEN state = 'done' THEN findings ELSE (SELECT count(*) FROM (SELECT 1 FROM reconciliation_items i ",
            "WHERE i.reconciliation_id = r.id AND verdict = 'finding' LIMIT 100000) AS told) END AS findings, ",
            "CASE WHEN state = 'done' THEN errors ELSE (SELECT count(*) FROM (SELECT 1 FROM reconciliation_items i ",
            "WHERE i.reconciliation_id = r.id AND verdict = 'error' LIMIT 100000) AS told) END AS errors ",
            "FROM reconciliations r ",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    slot: String,
    kind: String,
    dry_run: bool,
    wanted_by: String,
    window_from: i64,
    window_to: i64,
    state: String,
    total: i64,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    cursor_at: i64,
    cursor_id: i64,
    agreed: i64,
    repaired: i64,
    findings: i64,
    errors: i64,
}

impl From<Row> for Run {
    fn from(row: Row) -> Self {
        let Row { agreed, repaired, findings, errors, .. } = row;
        Self {
            id: row.id,
            slot: row.slot,
            kind: row.kind,
            is_dry: row.dry_run,
            wanted_by: row.wanted_by,
            from: from_millis(row.window_from),
            to: from_millis(row.window_to),
            state: row.state,
            total: row.total,
            created_at: from_millis(row.created_at),
            started_at: opt_from_millis(row.started_at),
            finished_at: opt_from_millis(row.finished_at),
            tally: Tally { asked: agreed + repaired + findings + errors, agreed, repaired, findings, errors },
            place: Place { updated_at: row.cursor_at, id: row.cursor_id },
        }
    }
}

async fn insert_in(tx: &mut Tx, new: &NewRun<'_>, now: Time) -> Result<Option<i64>, StoreError> {
    const SQL: &str = "
        INSERT INTO reconciliations (slot, kind, dry_run, wanted_by, window_from, window_to, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (slot) DO NOTHING RETURNING id";
    Ok(in_tx!(tx, conn => sqlx::query_scalar(SQL)
        .bind(new.slot)
        .bind(new.kind)
        .bind(new.is_dry)
        .bind(new.wanted_by)
        .bind(millis(new.from))
        .bind(millis(new.to))
        .bind(millis(now))
        .fetch_optional(conn)
        .await?))
}

/// Writes down a comparison that somebody wants, the job that makes it, and the audit, in one transaction. `None` when
/// there is one of this slot already.
///
/// # Errors
/// When the database does.
pub async fn want(
    db: &Db,
    new: &NewRun<'_>,
    job: &NewJob,
    by: &By<'_>,
) -> Result<Option<(i64, Vec<JobId>)>, StoreError> {
    let mut tx = Tx::begin(db).await?;
    let Some(id) = insert_in(&mut tx, new, by.now).await? else { return Ok(None) };
    let jobs = ledger::enqueue_all(&mut tx, std::slice::from_ref(job), by.now).await?;
    let after = json!({ "from": new.from, "to": new.to, "dryRun": new.is_dry });
    let deed =
        by.deed("reconciliation.start", format!("reconciliation:{id}"), (None, Some(after.to_string())));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(Some((id, jobs)))
}

/// Begins the comparison of this slot, which is written down first where `new` is given and nobody has. `None` when there
/// is none. Begun again, it goes on where it was.
///
/// # Errors
/// When the database does.
pub async fn begin(
    db: &Db,
    slot: &str,
    new: Option<&NewRun<'_>>,
    now: Time,
) -> Result<Option<Run>, StoreError> {
    const COUNT: &str = "
        UPDATE reconciliations SET state = 'running', started_at = $2, total = (
            SELECT count(*) FROM payments
            WHERE updated_at >= window_from AND created_at < window_to AND method <> 'cash' AND state <> 'created')
        WHERE slot = $1 AND state = 'waiting'";
    let mut tx = Tx::begin(db).await?;
    if let Some(new) = new {
        insert_in(&mut tx, new, now).await?;
    }
    in_tx!(&mut tx, conn => sqlx::query(COUNT).bind(slot).bind(millis(now)).execute(conn).await.map(drop)?);
    tx.commit().await?;
    find_by_slot(db, slot).await
}

/// The comparison of this slot.
///
/// # Errors
/// When the database does.
pub async fn find_by_slot(db: &Db, slot: &str) -> Result<Option<Run>, StoreError> {
    const SQL: &str = select!("WHERE slot = $1");
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(slot).fetch_optional(pool).await?);
    Ok(row.map(Run::from))
}

/// The comparison of this row.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: i64) -> Result<Option<Run>, StoreError> {
    const SQL: &str = select!("WHERE r.id = $1");
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id).fetch_optional(pool).await?);
    Ok(row.map(Run::from))
}

/// A page of comparisons, newest first.
///
/// # Errors
/// When the database does.
pub async fn list(db: &Db, page: Page) -> Result<Vec<Run>, StoreError> {
    const SQL: &str = select!("WHERE r.id < $1 ORDER BY r.id DESC LIMIT $2");
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL)
        .bind(page.below()).bind(page.limit).fetch_all(pool).await?);
    Ok(rows.into_iter().map(Run::from).collect())
}

/// Reads the next payments of a comparison; a test looks at how the databases carry it out. A
/// payment that the comparison itself repairs changes and comes again, and was asked about already.
pub const NEXT: &str = "
    SELECT updated_at, id FROM payments
    WHERE updated_at >= $1 AND (updated_at, id) > ($2, $3) AND created_at < $4
        AND method <> 'cash' AND state <> 'created'
        AND NOT EXISTS (SELECT 1 FROM reconciliation_items i
                        WHERE i.reconciliation_id = $5 AND i.payment_id = payments.id)
    ORDER BY updated_at, id LIMIT $6";

/// The next payments of a comparison after `place` that the gateway was not asked about, at most `limit`, and the place
/// of the last; `None` when all were.
///
/// # Errors
/// When the database does.
pub async fn next_payments(
    db: &Db,
    run: &Run,
    place: Place,
    limit: i64,
) -> Result<Option<(Vec<PaymentId>, Place)>, StoreError> {
    let rows: Vec<(i64, i64)> = read!(db, pool => sqlx::query_as(NEXT)
        .bind(millis(run.from))
        .bind(place.updated_at)
        .bind(place.id)
        .bind(millis(run.to))
        .bind(run.id)
        .bind(limit)
        .fetch_all(pool)
        .await?);
    let last = rows.last().map(|(updated_at, id)| Place { updated_at: *updated_at, id: *id });
    Ok(last.map(|last| (rows.into_iter().map(|(_, id)| PaymentId(id)).collect(), last)))
}

/// Notes that all payments up to this place were asked about.
///
/// # Errors
/// When the database does.
pub async fn advance(db: &Db, run: i64, place: Place) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE reconciliations SET cursor_at = $2, cursor_id = $3 WHERE id = $1";
    write!(db, pool => sqlx::query(SQL)
        .bind(run).bind(place.updated_at).bind(place.id).execute(pool).await.map(drop)?);
    Ok(())
}

/// Ends a comparison. Its sums stay when its items are forgotten.
///
/// # Errors
/// When the database does.
pub async fn finish(db: &Db, run: i64, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE reconciliations SET state = 'done', finished_at = $2, agreed = sums.agreed, repaired = sums.repaired,
            findings = sums.findings, errors = sums.errors
        FROM (SELECT count(CASE WHEN verdict = 'agreed' THEN 1 END) AS agreed,
                     count(CASE WHEN verdict = 'repaired' THEN 1 END) AS repaired,
                     count(CASE WHEN verdict = 'finding' THEN 1 END) AS findings,
                     count(CASE WHEN verdict = 'error' THEN 1 END) AS errors
              FROM reconciliation_items WHERE reconciliation_id = $1) AS sums
        WHERE id = $1 AND state = 'running'";
    write!(db, pool => sqlx::query(SQL).bind(run).bind(millis(now)).execute(pool).await.map(drop)?);
    Ok(())
}
