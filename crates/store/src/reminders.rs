//! Reminders: what a tenant was told of a bill, or is about to be, each thing once in each way.

mod wishes;

use domain::{
    BillId, BillStatus, Channel, Email, JobId, Language, Period, ReminderId, ReminderKind, Rupiah, Time,
    UserId, Window,
};

use crate::ledger::{self, Finish, Lease, NewJob};
use crate::personal::{Columns, Personal};
use crate::time::{from_millis, millis, opt_from_millis};
use crate::{Db, Keys, StoreError, Tx, Written, in_tx, read};

pub use wishes::{Wishes, WishesChange, change_wishes, wishes};

/// Bills that are to be told of.
pub struct Search<'a> {
    /// What is to be told.
    pub kind: ReminderKind,
    /// In which way.
    pub channel: Channel,
    /// When it must have happened, or must happen.
    pub window: Window,
    /// At most so many.
    pub limit: i64,
    /// What the message is called, the same each time it is sent.
    pub name: &'a (dyn Fn(BillId) -> String + Sync),
    /// The job that sends it.
    pub job: &'a (dyn Fn(ReminderId, BillId) -> NewJob + Sync),
}

macro_rules! select_untold {
    ($from:literal) => {
        concat!(
            "SELECT DISTINCT bills.id, bills.tenant_id FROM ",
            $from,
            " AND bills.created_at < $3 AND bills.voided_at IS NULL ",
            "AND users.deleted_at IS NULL AND users.reminders_off_at IS NULL ",
            "AND NOT EXISTS (SELECT 1 FROM reminders r WHERE r.bill_id = bills.id AND r.kind = $4 AND r.channel = $5) ",
            "ORDER BY bills.id LIMIT $6"
        )
    };
}

fn untold(kind: ReminderKind) -> &'static str {
    match kind {
        ReminderKind::NewBill => select_untold!(
            "bills JOIN users ON users.id = bills.tenant_id
             WHERE bills.created_at >= $1 AND bills.created_at < $2 AND bills.status <> 'paid'"
        ),
        ReminderKind::DueSoon | ReminderKind::DueToday | ReminderKind::Overdue => select_untold!(
            "bills JOIN users ON users.id = bills.tenant_id
             WHERE bills.due_at >= $1 AND bills.due_at < $2 AND bills.status <> 'paid'"
        ),
        ReminderKind::Paid => select_untold!(
            "payments JOIN bills ON bills.id = payments.bill_id JOIN users ON users.id = bills.tenant_id
             WHERE payments.state = 'paid' AND payments.paid_at >= $1 AND payments.paid_at < $2
                AND bills.status = 'paid'"
        ),
    }
}

/// Writes down the reminders that nobody has thought of yet, each with the job that sends it. Gives the jobs.
///
/// # Errors
/// When the database does.
pub async fn find_due(db: &Db, search: &Search<'_>, now: Time) -> Result<Vec<JobId>, StoreError> {
    const SQL: &str = "
        INSERT INTO reminders (bill_id, tenant_id, kind, channel, message_id, found_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id";
    let Search { kind, channel, window, limit, .. } = search;
    let mut tx = Tx::begin(db).await?;
    let rows: Vec<(i64, i64)> = in_tx!(&mut tx, conn => sqlx::query_as(untold(*kind))
        .bind(millis(window.from))
        .bind(millis(window.until))
        .bind(millis(window.made_before))
        .bind(kind.as_str())
        .bind(channel.as_str())
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let mut jobs = Vec::new();
    for (bill, tenant) in rows {
        let bill = BillId(bill);
        let id: Option<i64> = in_tx!(&mut tx, conn => sqlx::query_scalar(SQL)
            .bind(bill.0)
            .bind(tenant)
            .bind(kind.as_str())
            .bind(channel.as_str())
            .bind((search.name)(bill))
            .bind(millis(now))
            .fetch_optional(conn)
            .await?);
        if let Some(id) = id {
            jobs.extend(ledger::enqueue(&mut tx, &(search.job)(ReminderId(id), bill), now).await?);
        }
    }
    tx.commit().await?;
    Ok(jobs)
}

/// How many jobs of a kind wait or run.
///
/// # Errors
/// When the database does.
pub async fn waiting(db: &Db, job_kind: &str) -> Result<i64, StoreError> {
    const SQL: &str =
        "SELECT count(*) FROM jobs WHERE kind = $1 AND state IN ('ready', 'running') AND id > 0";
    Ok(read!(db, pool => sqlx::query_scalar(SQL).bind(job_kind).fetch_one(pool).await?))
}

/// A reminder with all that it is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its row.
    pub id: ReminderId,
    /// What it tells.
    pub kind: ReminderKind,
    /// In which way.
    pub channel: Channel,
    /// What the message is called.
    pub message_id: String,
    /// When it was sent, or will never be.
    pub ended_at: Option<Time>,
    /// Whose bill it is.
    pub tenant_id: UserId,
    /// What they are called.
    pub name: String,
    /// Their address.
    pub email: Email,
    /// Their telephone number.
    pub phone: Option<String>,
    /// Their own language.
    pub language: Option<Language>,
    /// Whether they live here and want to be reminded.
    pub is_wanted: bool,
    /// The bill.
    pub bill_id: BillId,
    /// The month it is for.
    pub period: Period,
    /// What it is for, where it is not the rent.
    pub title: Option<String>,
    /// How much.
    pub amount: Rupiah,
    /// How it stands.
    pub status: BillStatus,
    /// Whether nobody owes it any more.
    pub is_void: bool,
    /// Until when it is to be paid.
    pub due_at: Option<Time>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    channel: String,
    message_id: String,
    ended_at: Option<i64>,
    tenant_id: i64,
    #[sqlx(flatten)]
    tenant: Columns,
    language: Option<String>,
    reminders_off_at: Option<i64>,
    deleted_at: Option<i64>,
    bill_id: i64,
    year: i64,
    month: i64,
    title: Option<String>,
    amount: i64,
    status: String,
    voided_at: Option<i64>,
    due_at: Option<i64>,
}

impl Row {
    fn open(self, keys: &Keys) -> Result<Letter, StoreError> {
        let row = self;
        let corrupt = StoreError::corrupt("reminders", row.id);
        let year = i32::try_from(row.year).unwrap_or_default();
        let month = u32::try_from(row.month).unwrap_or_default();
        let Personal { email, name, phone } = row.tenant.open(keys, row.tenant_id)?;
        Ok(Letter {
            id: ReminderId(row.id),
            kind: ReminderKind::try_from(row.kind.as_str()).map_err(&corrupt)?,
            channel: Channel::try_from(row.channel.as_str()).map_err(&corrupt)?,
            message_id: row.message_id,
            ended_at: opt_from_millis(row.ended_at),
            tenant_id: UserId(row.tenant_id),
            name,
            email,
            phone,
            language: row.language.as_deref().map(Language::try_from).transpose().map_err(&corrupt)?,
            is_wanted: row.reminders_off_at.is_none() && row.deleted_at.is_none(),
            bill_id: BillId(row.bill_id),
            period: Period::new(year, month).map_err(&corrupt)?,
            title: row.title,
            amount: Rupiah::try_from(row.amount).map_err(&corrupt)?,
            status: BillStatus::try_from(row.status.as_str()).map_err(&corrupt)?,
            is_void: row.voided_at.is_some(),
            due_at: opt_from_millis(row.due_at),
        })
    }
}

/// The reminder of this row, with its bill and tenant as they are now.
///
/// # Errors
/// When the database does.
pub async fn letter(db: &Db, id: ReminderId) -> Result<Option<Letter>, StoreError> {
    const SQL: &str = "
        SELECT r.id, r.kind, r.channel, r.message_id, r.ended_at, r.tenant_id, u.name, u.email, u.phone, u.personal,
               u.language, u.reminders_off_at, u.deleted_at, r.bill_id, b.year, b.month, b.title, b.amount, b.status,
               b.voided_at, b.due_at
        FROM reminders r JOIN bills b ON b.id = r.bill_id JOIN users u ON u.id = r.tenant_id WHERE r.id = $1";
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?);
    row.map(|row| row.open(db.keys())).transpose()
}

/// Writes down that a reminder is about to be sent. False when the lease was lost, or it has ended: then nothing is sent.
///
/// # Errors
/// When the database does.
pub async fn begin(db: &Db, id: ReminderId, lease: &Lease, now: Time) -> Result<bool, StoreError> {
    const SQL: &str = "
        UPDATE reminders SET tries = tries + 1, tried_at = $2
        WHERE id = $1 AND ended_at IS NULL
            AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = $3 AND lease_token = $4 AND state = 'running')";
    let mut tx = Tx::begin(db).await?;
    let rows = in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(id.0)
        .bind(millis(now))
        .bind(lease.job_id.0)
        .bind(&lease.token)
        .execute(conn)
        .await?
        .rows_affected());
    tx.commit().await?;
    Ok(rows == 1)
}

/// What became of a reminder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Whoever carries it on has taken it.
    Sent,
    /// It will never be taken.
    Refused,
    /// There was nothing left to tell, or nobody who wants to hear it.
    Lapsed,
}

impl Ending {
    /// As the database writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Lapsed => "lapsed",
        }
    }
}

/// Ends a reminder together with its job.
///
/// # Errors
/// When the database does.
pub async fn end(
    db: &Db,
    id: ReminderId,
    (ending, detail, lease): (Ending, &str, &Lease),
    now: Time,
) -> Result<Written, StoreError> {
    const SQL: &str = "
        UPDATE reminders SET ended_at = $2, outcome = $3, detail = $4 WHERE id = $1 AND ended_at IS NULL";
    let mut tx = Tx::begin(db).await?;
    if !ledger::finish_in(&mut tx, lease, &Finish::Done, now).await? {
        return Ok(Written::LostLease);
    }
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(id.0)
        .bind(millis(now))
        .bind(ending.as_str())
        .bind(detail)
        .execute(conn)
        .await
        .map(drop)?);
    tx.commit().await?;
    Ok(Written::Done)
}

/// A reminder as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Of which bill.
    pub bill_id: BillId,
    /// What, by its word.
    pub kind: String,
    /// In which way, by its word.
    pub channel: String,
    /// Since when it waits, or waited.
    pub found_at: Time,
    /// What became of it, by its word.
    pub outcome: Option<String>,
    /// When that was.
    pub ended_at: Option<Time>,
}

/// The newest reminders of a tenant.
///
/// # Errors
/// When the database does.
pub async fn of_tenant(db: &Db, tenant: UserId, limit: i64) -> Result<Vec<Told>, StoreError> {
    type Columns = (i64, String, String, i64, Option<String>, Option<i64>);
    const SQL: &str = "
        SELECT bill_id, kind, channel, found_at, outcome, ended_at FROM reminders
        WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2";
    let rows: Vec<Columns> =
        read!(db, pool => sqlx::query_as(SQL).bind(tenant.0).bind(limit).fetch_all(pool).await?);
    let told = |(bill, kind, channel, found_at, outcome, ended_at): Columns| Told {
        bill_id: BillId(bill),
        kind,
        channel,
        found_at: from_millis(found_at),
        outcome,
        ended_at: opt_from_millis(ended_at),
    };
    Ok(rows.into_iter().map(told).collect())
}
