//! Calls to the gateway: what was asked and what was answered, for whoever must prove it later.

use std::time::Duration;

use domain::Time;

use crate::sealing::Place;
use crate::time::{from_millis, millis, opt_from_millis};
use crate::together::Batch;
use crate::tx::{column, on_server, unflushed};
use crate::{Db, Keys, StoreError, read, write};

/// So many calls are listed at most.
const CALLS_MAX: usize = 1_000;

/// A call to the gateway as it is kept: without keys and tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayCall {
    /// The order id or transaction id that it is about, where the request tells.
    pub name: Option<String>,
    /// `GET` or `POST`.
    pub method: String,
    /// The path.
    pub path: String,
    /// The HTTP status of the answer.
    pub http: Option<u16>,
    /// The body of the answer.
    pub answer: String,
    /// Why there is no answer.
    pub error: Option<String>,
    /// When it ended.
    pub at: Time,
    /// How long it took, to the millisecond.
    pub took: Duration,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    name: Option<String>,
    method: String,
    path: String,
    http: Option<i64>,
    answer: String,
    error: Option<String>,
    at: i64,
    took_ms: i64,
}

impl Row {
    /// The database takes no status and no time that would not fit.
    fn open(self, keys: &Keys) -> Result<GatewayCall, StoreError> {
        let row = self;
        let answer = keys.open(&place(&self::row(&row.path, row.at)), row.answer)?;
        Ok(GatewayCall {
            name: row.name,
            method: row.method,
            path: row.path,
            http: row.http.and_then(|status| u16::try_from(status).ok()),
            answer,
            error: row.error,
            at: from_millis(row.at),
            took: Duration::from_millis(u64::try_from(row.took_ms).unwrap_or_default()),
        })
    }
}

/// Of one millisecond and one path all answers are of the same thing.
fn row(path: &str, at: i64) -> String {
    format!("{path} {at}")
}

pub(crate) fn place(row: &str) -> Place<'_> {
    Place::new("gateway_calls", "answer", row)
}

/// Keeps one call.
///
/// # Errors
/// When the database does.
pub async fn record(db: &Db, call: &GatewayCall) -> Result<(), StoreError> {
    let answer = db.keys().seal(&place(&row(&call.path, millis(call.at))), &call.answer)?;
    let sealed = GatewayCall { answer, ..call.clone() };
    match db.shared() {
        Some(turns) => turns.calls.ask(db, sealed).await,
        None => record_alone(db, &sealed).await,
    }
}

async fn record_alone(db: &Db, call: &GatewayCall) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO gateway_calls (name, method, path, http, answer, error, at, took_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let took_ms = i64::try_from(call.took.as_millis()).unwrap_or(i64::MAX);
    write!(db, pool => sqlx::query(SQL)
        .bind(&call.name)
        .bind(&call.method)
        .bind(&call.path)
        .bind(call.http.map(i64::from))
        .bind(&call.answer)
        .bind(&call.error)
        .bind(millis(call.at))
        .bind(took_ms)
        .execute(pool).await.map(drop)?);
    Ok(())
}

/// When the gateway last said how a transaction stands, or that there is none.
///
/// # Errors
/// When the database does.
pub async fn last_answer(db: &Db) -> Result<Option<Time>, StoreError> {
    const SQL: &str =
        "SELECT at FROM gateway_calls WHERE method = 'GET' AND http IN (200, 404) ORDER BY at DESC LIMIT 1";
    let at: Option<i64> = read!(db, pool => sqlx::query_scalar(SQL).fetch_optional(pool).await?);
    Ok(opt_from_millis(at))
}

/// Many calls by one statement. They are on the disk with the next thing that is flushed, at the latest after a moment.
pub(crate) struct Record;

impl Batch for Record {
    const APART: Duration = Duration::from_millis(2);
    type Wish = GatewayCall;
    type Answer = ();

    async fn grant(db: &Db, calls: &[GatewayCall]) -> Result<Vec<()>, StoreError> {
        const SQL: &str = unflushed!("
            INSERT INTO gateway_calls (name, method, path, http, answer, error, at, took_ms)
            SELECT call.* FROM unflushed, UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[],
                                                 $7::bigint[], $8::bigint[]) AS call");
        let query = sqlx::query(SQL)
            .bind(column!(calls, call => call.name.as_deref()))
            .bind(column!(calls, call => call.method.as_str()))
            .bind(column!(calls, call => call.path.as_str()))
            .bind(column!(calls, call => call.http.map(i64::from)))
            .bind(column!(calls, call => call.answer.as_str()))
            .bind(column!(calls, call => call.error.as_deref()))
            .bind(column!(calls, call => millis(call.at)))
            .bind(column!(calls, call => i64::try_from(call.took.as_millis()).unwrap_or(i64::MAX)));
        on_server!(db.server()?, conn => query.execute(conn).await.map(drop)?);
        Ok(vec![(); calls.len()])
    }
}

/// The calls about these order ids and transaction ids, the oldest first, at most a thousand.
///
/// # Errors
/// When the database does.
pub async fn of_names(db: &Db, names: &[&str]) -> Result<Vec<GatewayCall>, StoreError> {
    const SQL: &str = "
        SELECT id, name, method, path, http, answer, error, at, took_ms FROM gateway_calls
        WHERE name = $1 ORDER BY id LIMIT $2";
    let limit = i64::try_from(CALLS_MAX).unwrap_or(i64::MAX);
    let mut rows: Vec<Row> = Vec::new();
    for (place, name) in names.iter().enumerate() {
        // Named twice is named once.
        if !names[..place].contains(name) {
            let found: Vec<Row> =
                read!(db, pool => sqlx::query_as(SQL).bind(*name).bind(limit).fetch_all(pool).await?);
            rows.extend(found);
        }
    }
    rows.sort_by_key(|row| row.id);
    rows.truncate(CALLS_MAX);
    rows.into_iter().map(|row| row.open(db.keys())).collect()
}
