//! The inbox: every notification as it came in, before anybody believes it.

use domain::{JobId, NotificationId, PaymentId, Time, TransactionId};

pub use crate::intake::{About, NewNotification, record};

use crate::audit::{self, By};
use crate::findings::NewFinding;
use crate::ledger::{Finish, Lease, NewJob};
use crate::sealing::Place;
use crate::time::{from_millis, millis, opt_from_millis};
use crate::{Db, Page, Refusal, StoreError, Tx, Undone, Written, findings, gaps, in_tx, ledger, read, tries};

/// A notification as the inbox holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its row.
    pub id: NotificationId,
    /// What kind of message it is.
    pub kind: String,
    /// The order it speaks of.
    pub order_id: Option<String>,
    /// The transaction it speaks of.
    pub transaction_id: Option<String>,
    /// What it claims has happened, in the words of the history.
    pub event: Option<String>,
    /// Whether its signature was one of ours.
    pub verified: bool,
    /// When it first came.
    pub received_at: Time,
    /// How often it came.
    pub seen: i64,
    /// The payment it speaks of.
    pub payment_id: Option<PaymentId>,
    /// When it was dealt with.
    pub processed_at: Option<Time>,
    /// What became of it.
    pub outcome: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    order_id: Option<String>,
    transaction_id: Option<String>,
    event: Option<String>,
    verified: bool,
    received_at: i64,
    seen: i64,
    payment_id: Option<i64>,
    processed_at: Option<i64>,
    outcome: Option<String>,
}

impl From<Row> for Notification {
    fn from(row: Row) -> Self {
        Self {
            id: NotificationId(row.id),
            kind: row.kind,
            order_id: row.order_id,
            transaction_id: row.transaction_id,
            event: row.event,
            verified: row.verified,
            received_at: from_millis(row.received_at),
            seen: row.seen,
            payment_id: row.payment_id.map(PaymentId),
            processed_at: opt_from_millis(row.processed_at),
            outcome: row.outcome,
        }
    }
}

/// The notification of this row.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: NotificationId) -> Result<Option<Notification>, StoreError> {
    const SQL: &str = "
        SELECT id, kind, order_id, transaction_id, event, verified, received_at, seen, payment_id, processed_at, outcome
        FROM notifications WHERE id = $1";
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?);
    Ok(row.map(Notification::from))
}

/// The notification with this body, named as [`NewNotification::body_hash`] names it.
///
/// # Errors
/// When the database does.
pub async fn find_by_body(db: &Db, body_hash: &str) -> Result<Option<Notification>, StoreError> {
    const SQL: &str = "
        SELECT id, kind, order_id, transaction_id, event, verified, received_at, seen, payment_id, processed_at, outcome
        FROM notifications WHERE body_hash = $1";
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(body_hash).fetch_optional(pool).await?);
    Ok(row.map(Notification::from))
}

/// The newest notifications, newest first, at most `limit`.
///
/// # Errors
/// When the database does.
pub async fn newest(db: &Db, limit: i64) -> Result<Vec<Notification>, StoreError> {
    const SQL: &str = "
        SELECT id, kind, order_id, transaction_id, event, verified, received_at, seen, payment_id, processed_at, outcome
        FROM notifications ORDER BY id DESC LIMIT $1";
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(limit).fetch_all(pool).await?);
    Ok(rows.into_iter().map(Notification::from).collect())
}

/// A notification as the inbox shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its row.
    pub id: NotificationId,
    /// What kind of message it is.
    pub kind: String,
    /// The order it speaks of.
    pub order_id: Option<String>,
    /// The transaction it speaks of.
    pub transaction_id: Option<String>,
    /// Whether its signature was one of ours.
    pub verified: bool,
    /// When it first came.
    pub received_at: Time,
    /// How often it came.
    pub seen: i64,
    /// When it was dealt with.
    pub processed_at: Option<Time>,
    /// What became of it.
    pub outcome: Option<String>,
    /// The payment it speaks of.
    pub payment_id: Option<PaymentId>,
    /// That payment's invoice.
    pub invoice: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ReceivedRow {
    #[sqlx(flatten)]
    row: Row,
    invoice: Option<String>,
}

impl From<ReceivedRow> for Received {
    fn from(ReceivedRow { row, invoice }: ReceivedRow) -> Self {
        let one = Notification::from(row);
        Self {
            id: one.id,
            kind: one.kind,
            order_id: one.order_id,
            transaction_id: one.transaction_id,
            verified: one.verified,
            received_at: one.received_at,
            seen: one.seen,
            processed_at: one.processed_at,
            outcome: one.outcome,
            payment_id: one.payment_id,
            invoice,
        }
    }
}

/// Which notifications are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotificationFilter {
    /// Those that speak of this order, or of the payment of this invoice.
    pub order: Option<String>,
    /// Those that nobody has dealt with yet.
    pub pending: bool,
}

macro_rules! received {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT n.id, n.kind, n.order_id, n.transaction_id, n.event, n.verified, n.received_at, n.seen, ",
            "n.payment_id, n.processed_at, n.outcome, p.invoice",
            $more,
            " FROM notifications n LEFT JOIN payments p ON p.id = n.payment_id ",
            $rest
        )
    };
}

/// A page of notifications, newest first.
///
/// # Errors
/// When the database does.
pub async fn list(db: &Db, filter: &NotificationFilter, page: Page) -> Result<Vec<Received>, StoreError> {
    const ALL: &str = received!("", "WHERE n.id < $1 ORDER BY n.id DESC LIMIT $2");
    const PENDING: &str =
        received!("", "WHERE n.id < $1 AND n.processed_at IS NULL ORDER BY n.id DESC LIMIT $2");
    // Some methods write the gateway's own name of the transaction in the place of the invoice.
    const OF_ORDER: &str = received!(
        "",
        "WHERE n.id < $1 AND (NOT $4 OR n.processed_at IS NULL) AND n.id IN (
            SELECT id FROM notifications WHERE order_id = $3
            UNION SELECT m.id FROM notifications m JOIN payments q ON q.id = m.payment_id WHERE q.invoice = $3)
        ORDER BY n.id DESC LIMIT $2"
    );
    let sql = match (&filter.order, filter.pending) {
        (Some(_), _) => OF_ORDER,
        (None, true) => PENDING,
        (None, false) => ALL,
    };
    let rows: Vec<ReceivedRow> = read!(db, pool => {
        let query = sqlx::query_as(sql).bind(page.below()).bind(page.limit);
        let query = match &filter.order {
            Some(order) => query.bind(order).bind(filter.pending),
            None => query,
        };
        query.fetch_all(pool).await?
    });
    Ok(rows.into_iter().map(Received::from).collect())
}

#[derive(sqlx::FromRow)]
struct WholeRow {
    #[sqlx(flatten)]
    row: ReceivedRow,
    body: String,
    body_hash: String,
}

/// A notification and its body as it came. It may tell of the payer.
///
/// # Errors
/// When the database does.
pub async fn body_of(db: &Db, id: NotificationId) -> Result<Option<(Received, String)>, StoreError> {
    const SQL: &str = received!(", n.body, n.body_hash", "WHERE n.id = $1");
    let row: Option<WholeRow> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?);
    let Some(WholeRow { row, body, body_hash }) = row else { return Ok(None) };
    Ok(Some((row.into(), db.keys().open(&Place::notification(&body_hash), body)?)))
}

/// Wants a notification dealt with as if it had just come, by the job that does so. The ids are those of new jobs.
///
/// # Errors
/// [`Refusal::NotThere`] when there is none, or when the database fails.
pub async fn replay(db: &Db, id: NotificationId, job: NewJob, by: &By<'_>) -> Result<Vec<JobId>, Undone> {
    // Nobody forgets it meanwhile.
    const LOCK: &str = "UPDATE notifications SET seen = seen WHERE id = $1 RETURNING outcome";
    let mut tx = Tx::begin(db).await?;
    let outcome: Option<Option<String>> =
        in_tx!(&mut tx, conn => sqlx::query_scalar(LOCK).bind(id.0).fetch_optional(conn).await?);
    let outcome = outcome.ok_or(Refusal::NotThere)?;
    let jobs = ledger::enqueue_all(&mut tx, &[job], by.now).await?;
    let before = outcome.map(|outcome| serde_json::json!({ "outcome": outcome }).to_string());
    let deed = by.deed("notification.replay", format!("notification:{id}"), (before, None));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(jobs)
}

/// A notification about a payment, whole, for whoever must prove what the gateway said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When it first came, in milliseconds since 1970.
    pub received_at: i64,
    /// How often it came.
    pub seen: i64,
    /// What it claims has happened.
    pub event: Option<String>,
    /// Whether its signature was one of ours.
    pub verified: bool,
    /// What became of it.
    pub outcome: Option<String>,
    /// The body as it came.
    pub body: String,
}

impl Told {
    /// When it first came.
    #[must_use]
    pub fn time(&self) -> Time {
        from_millis(self.received_at)
    }
}

/// What notifications told of a payment, oldest first, at most a thousand.
///
/// # Errors
/// When the database does.
pub async fn told_of(db: &Db, payment: PaymentId) -> Result<Vec<Told>, StoreError> {
    type Columns = (i64, i64, Option<String>, bool, Option<String>, String, String);
    const SQL: &str = "
        SELECT received_at, seen, event, verified, outcome, body, body_hash FROM notifications
        WHERE payment_id = $1 ORDER BY id LIMIT 1000";
    let rows: Vec<Columns> = read!(db, pool => sqlx::query_as(SQL).bind(payment.0).fetch_all(pool).await?);
    let told = |(received_at, seen, event, verified, outcome, body, hash): Columns| {
        let body = db.keys().open(&Place::notification(&hash), body)?;
        Ok(Told { received_at, seen, event, verified, outcome, body })
    };
    rows.into_iter().map(told).collect()
}

/// What became of a notification, with all that must commit together with it.
#[derive(Debug, Clone)]
pub struct Conclusion<'a> {
    /// The notification.
    pub id: NotificationId,
    /// The payment it speaks of.
    pub payment_id: Option<PaymentId>,
    /// The transaction it speaks of, where that may be another try of the payment.
    pub attempt: Option<TransactionId>,
    /// What became of it, in a word or two.
    pub outcome: &'a str,
    /// What someone should know of.
    pub finding: Option<NewFinding<'a>>,
    /// What is to be done because of it.
    pub job: Option<NewJob>,
    /// The job that is done with it.
    pub completes: &'a Lease,
}

/// Commits the conclusion. The ids are those of the jobs that were enqueued.
///
/// # Errors
/// When the database does.
pub async fn conclude(
    db: &Db,
    conclusion: &Conclusion<'_>,
    now: Time,
) -> Result<(Written, Vec<JobId>), StoreError> {
    const SQL: &str = "
        UPDATE notifications SET processed_at = $2, outcome = $3, payment_id = $4 WHERE id = $1 RETURNING event";
    let mut tx = Tx::begin(db).await?;
    let event: Option<Option<String>> = in_tx!(&mut tx, conn => sqlx::query_scalar(SQL)
        .bind(conclusion.id.0)
        .bind(millis(now))
        .bind(conclusion.outcome)
        .bind(conclusion.payment_id.map(|id| id.0))
        .fetch_optional(conn)
        .await?);
    if let (Some(payment_id), Some(event)) = (conclusion.payment_id, event.flatten()) {
        gaps::came_late_in(&mut tx, payment_id, &event, now).await?;
    }
    if let (Some(payment_id), Some(id)) = (conclusion.payment_id, &conclusion.attempt) {
        tries::note_in(&mut tx, payment_id, id, now).await?;
    }
    if let Some(finding) = &conclusion.finding {
        findings::open_in(&mut tx, finding, now).await?;
    }
    let jobs = ledger::enqueue_all(&mut tx, conclusion.job.as_slice(), now).await?;
    if !ledger::finish_in(&mut tx, conclusion.completes, &Finish::Done, now).await? {
        return Ok((Written::LostLease, Vec::new()));
    }
    tx.commit().await?;
    Ok((Written::Done, jobs))
}
