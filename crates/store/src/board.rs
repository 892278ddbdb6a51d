//! The board: jobs as people look at them, found by how they stand and by what they are about.

mod orders;
mod pauses;
pub mod texts;

use domain::{BillId, JobId, NotificationId, PaymentId, Time, UserId};

use crate::time::{from_millis, opt_from_millis};
use crate::{Db, Page, StoreError, read};

pub use orders::{Bulk, cancel, cancel_all, retry, retry_all, run_now};
pub use pauses::{Paused, pause, paused, resume};

/// So many jobs of a kind and a state are counted; past that there are "more than".
const COUNTED_MAX: i64 = 1_000;

/// A job as a person looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Its row.
    pub id: JobId,
    /// What kind of work.
    pub kind: String,
    /// `ready`, `running`, `done`, `dead` or `cancelled`.
    pub state: String,
    /// Attempts so far.
    pub attempts: i64,
    /// After so many failed attempts it is dead.
    pub max_attempts: i64,
    /// Not before this.
    pub run_at: Time,
    /// When it was wanted.
    pub created_at: Time,
    /// When the last attempt began.
    pub started_at: Option<Time>,
    /// When the last attempt ended.
    pub finished_at: Option<Time>,
    /// Until when its worker has it.
    pub lease_until: Option<Time>,
    /// The last failure.
    pub last_error: Option<String>,
    /// What the work needs to know, as JSON.
    pub payload: String,
    /// The payment it is about.
    pub payment_id: Option<PaymentId>,
    /// The notification it is about.
    pub notification_id: Option<NotificationId>,
    /// The number of the payment that it, or its notification, is about.
    pub invoice: Option<String>,
}

/// Which jobs are wanted: all that fit everything that is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Those in this state.
    pub state: Option<String>,
    /// Those of this kind.
    pub kind: Option<String>,
    /// Those about this.
    pub about: Option<About>,
}

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The payment of this number, or with this name of the gateway's.
    Invoice(String),
    /// The payments of this bill.
    Bill(BillId),
    /// The payments of this tenant.
    Tenant(UserId),
    /// The payments of the bills of the room with this code.
    Room(String),
    /// The last failure says this somewhere, in small letters or capitals.
    Error(String),
}

/// Jobs that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The newest first.
    pub jobs: Vec<JobRow>,
    /// Only when failures were searched: jobs from here on were looked through, and older ones may fit too. Go on
    /// after it.
    pub searched_down_to: Option<JobId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    state: String,
    attempts: i64,
    max_attempts: i64,
    run_at: i64,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    lease_until: Option<i64>,
    last_error: Option<String>,
    payload: String,
    payment_id: Option<i64>,
    notification_id: Option<i64>,
    invoice: Option<String>,
}

impl From<Row> for JobRow {
    fn from(row: Row) -> Self {
        Self {
            id: JobId(row.id),
            kind: row.kind,
            state: row.state,
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            run_at: from_millis(row.run_at),
            created_at: from_millis(row.created_at),
            started_at: opt_from_millis(row.started_at),
            finished_at: opt_from_millis(row.finished_at),
            lease_until: opt_from_millis(row.lease_until),
            last_error: row.last_error,
            payload: row.payload,
            payment_id: row.payment_id.map(PaymentId),
            notification_id: row.notification_id.map(NotificationId),
            invoice: row.invoice,
        }
    }
}

/// Jobs whose last failure is compared with a text in one go; the rest is for the next page.
pub const SEARCHED_MAX: i64 = 10_000;

/// A page of jobs, newest first.
///
/// # Errors
/// When the database does.
pub async fn list(db: &Db, filter: &Filter, page: Page) -> Result<Found, StoreError> {
    let rows = match &filter.about {
        None => of_state_and_kind(db, filter, page).await?,
        Some(About::Invoice(name)) => about(db, (texts::ABOUT_INVOICE, name.as_str()), filter, page).await?,
        Some(About::Room(code)) => about(db, (texts::ABOUT_ROOM, code.as_str()), filter, page).await?,
        Some(About::Bill(id)) => about(db, (texts::ABOUT_BILL, id.0), filter, page).await?,
        Some(About::Tenant(id)) => about(db, (texts::ABOUT_TENANT, id.0), filter, page).await?,
        Some(About::Error(part)) => return search(db, (filter, part), page).await,
    };
    Ok(Found { jobs: rows.into_iter().map(JobRow::from).collect(), searched_down_to: None })
}

async fn of_state_and_kind(db: &Db, filter: &Filter, page: Page) -> Result<Vec<Row>, StoreError> {
    let (sql, words): (_, Vec<&String>) = match (&filter.state, &filter.kind) {
        (None, None) => (texts::ALL, vec![]),
        (Some(state), None) => (texts::OF_STATE, vec![state]),
        (None, Some(kind)) => (texts::OF_KIND, vec![kind]),
        (Some(state), Some(kind)) => (texts::OF_STATE_AND_KIND, vec![state, kind]),
    };
    Ok(read!(db, pool => {
        let query = sqlx::query_as(sql).bind(page.below()).bind(page.limit);
        words.into_iter().fold(query, |query, word| query.bind(word)).fetch_all(pool).await?
    }))
}

async fn about<'a, S>(
    db: &Db,
    (sql, subject): (&'static str, S),
    filter: &Filter,
    page: Page,
) -> Result<Vec<Row>, StoreError>
where
    S: Send
        + 'a
        + sqlx::Encode<'a, sqlx::Sqlite>
        + sqlx::Type<sqlx::Sqlite>
        + sqlx::Encode<'a, sqlx::Postgres>
        + sqlx::Type<sqlx::Postgres>,
{
    Ok(read!(db, pool => sqlx::query_as(sql)
        .bind(page.below())
        .bind(page.limit)
        .bind(filter.state.clone())
        .bind(filter.kind.clone())
        .bind(subject)
        .fetch_all(pool)
        .await?))
}

/// Compares the failures of so many jobs with a text, and says how far it came.
async fn search(db: &Db, (filter, part): (&Filter, &str), page: Page) -> Result<Found, StoreError> {
    const LAST: &str = "
        SELECT id FROM jobs WHERE last_error IS NOT NULL AND id < $1 ORDER BY id DESC LIMIT 1 OFFSET $2";
    const LAST_OF_STATE: &str = "
        SELECT id FROM jobs WHERE last_error IS NOT NULL AND state = $3 AND id > 0 AND id < $1
        ORDER BY id DESC LIMIT 1 OFFSET $2";
    let (sql, last) = match filter.state {
        Some(_) => (texts::OF_ERROR_AND_STATE, LAST_OF_STATE),
        None => (texts::OF_ERROR, LAST),
    };
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(sql)
        .bind(page.below())
        .bind(page.limit)
        .bind(&filter.state)
        .bind(&filter.kind)
        .bind(like(part))
        .bind(SEARCHED_MAX)
        .fetch_all(pool)
        .await?);
    let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= page.limit);
    let searched_down_to: Option<i64> = match rows.last() {
        Some(row) if is_full => Some(row.id),
        _ => read!(db, pool => {
            let query = sqlx::query_scalar(last).bind(page.below()).bind(SEARCHED_MAX - 1);
            filter.state.iter().fold(query, |query, state| query.bind(state)).fetch_optional(pool).await?
        }),
    };
    let jobs = rows.into_iter().map(JobRow::from).collect();
    Ok(Found { jobs, searched_down_to: searched_down_to.map(JobId) })
}

/// A pattern for what holds `part`, each sign of which stands for itself.
fn like(part: &str) -> String {
    let mut pattern = String::from("%");
    for sign in part.chars() {
        if matches!(sign, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(sign);
    }
    pattern.push('%');
    pattern
}

/// The job of this id.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: JobId) -> Result<Option<JobRow>, StoreError> {
    let row: Option<Row> =
        read!(db, pool => sqlx::query_as(texts::ONE).bind(id.0).fetch_optional(pool).await?);
    Ok(row.map(JobRow::from))
}

/// The newest job of this kind.
///
/// # Errors
/// When the database does.
pub async fn last_of_kind(db: &Db, kind: &str) -> Result<Option<JobRow>, StoreError> {
    let filter = Filter { kind: Some(kind.to_owned()), ..Filter::default() };
    Ok(list(db, &filter, Page { after: None, limit: 1 }).await?.jobs.pop())
}

/// One ended attempt at a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Which one, from 1; after a person had it tried again, from 1 anew.
    pub attempt: i64,
    /// `done`, `retry`, `later`, `dead` or `lost`.
    pub outcome: String,
    /// Why, where there is something to say.
    pub note: Option<String>,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Time,
}

/// The ended attempts at a job, oldest first, at most a thousand.
///
/// # Errors
/// When the database does.
pub async fn attempts(db: &Db, id: JobId) -> Result<Vec<AttemptRow>, StoreError> {
    const SQL: &str = "
        SELECT attempt, outcome, note, started_at, finished_at FROM job_attempts
        WHERE job_id = $1 ORDER BY id LIMIT 1000";
    type Columns = (i64, String, Option<String>, Option<i64>, i64);
    let rows: Vec<Columns> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await?);
    let attempt = |(attempt, outcome, note, started_at, finished_at): Columns| AttemptRow {
        attempt,
        outcome,
        note,
        started_at: opt_from_millis(started_at),
        finished_at: from_millis(finished_at),
    };
    Ok(rows.into_iter().map(attempt).collect())
}

/// How many jobs of a kind are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Of this kind.
    pub kind: String,
    /// In this state.
    pub state: String,
    /// So many, a thousand at most.
    pub count: i64,
    /// Whether there are more.
    pub is_capped: bool,
}

/// Counts the jobs of these kinds in each state, never more than a thousand of one.
///
/// # Errors
/// When the database does.
pub async fn counts(db: &Db, kinds: &[&'static str]) -> Result<Vec<Count>, StoreError> {
    const SQL: &str = "
        SELECT count(*) FROM (SELECT 1 FROM jobs WHERE kind = $1 AND state = $2 AND id > 0 LIMIT $3) AS counted";
    let mut counts = Vec::with_capacity(kinds.len() * STATES.len());
    for kind in kinds {
        for state in STATES {
            let count: i64 = read!(db, pool => sqlx::query_scalar(SQL)
                .bind(*kind).bind(state).bind(COUNTED_MAX + 1).fetch_one(pool).await?);
            let (kind, state) = ((*kind).to_owned(), state.to_owned());
            counts.push(Count { kind, state, count: count.min(COUNTED_MAX), is_capped: count > COUNTED_MAX });
        }
    }
    Ok(counts)
}

/// The states that a job can be in.
pub const STATES: [&str; 5] = ["ready", "running", "done", "dead", "cancelled"];
