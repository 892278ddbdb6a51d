//! Rows that many look up at the same moment, by one statement for all of them. Each sees what was committed before it asked.
//! On SQLite, where a statement is no round trip, everybody looks for themselves.

use std::collections::HashMap;
use std::hash::Hash;

use domain::Time;

use crate::ledger::Lease;
use crate::time::millis;
use crate::together::Batch;
use crate::tx::on_server;
use crate::{Db, StoreError, bills, methods, payments, people};

/// The payment of a row.
pub(crate) struct PaymentOfId;
/// A person who may log in.
pub(crate) struct PersonOfId;
/// The bill of a row.
pub(crate) struct BillOfId;
/// The payments of a bill that are live, wanted or not.
pub(crate) struct LiveOfBill;
/// Whether a lease holds.
pub(crate) struct Holding;
/// All methods.
pub(crate) struct MethodsOffered;

/// The rows of one statement.
macro_rules! rows {
    ($db:expr, $query:expr) => {
        on_server!($db.server()?, conn => $query.fetch_all(conn).await?)
    };
}

pub(crate) use rows;

/// For each key that was asked for, the row that has it.
pub(crate) fn each<K: Eq + Hash, R: Clone>(
    keys: &[K],
    rows: Vec<R>,
    key: impl Fn(&R) -> &K,
) -> Vec<Option<R>> {
    let mut answers: Vec<Option<R>> = keys.iter().map(|_| None).collect();
    let places: HashMap<&K, usize> = keys.iter().zip(0..).collect();
    for row in rows {
        if let Some(answer) = places.get(key(&row)).and_then(|place| answers.get_mut(*place)) {
            *answer = Some(row);
        }
    }
    if places.len() < keys.len() {
        // Some asked for the same row, and the last of them has it.
        return keys
            .iter()
            .map(|key| places.get(key).and_then(|place| answers.get(*place)?.clone()))
            .collect();
    }
    answers
}

/// For each key that was asked for, the rows that have it, in their order.
pub(crate) fn grouped<R: Clone>(keys: &[i64], rows: Vec<R>, key: impl Fn(&R) -> i64) -> Vec<Vec<R>> {
    let mut found: HashMap<i64, Vec<R>> = HashMap::new();
    for row in rows {
        found.entry(key(&row)).or_default().push(row);
    }
    let groups = each(keys, found.into_iter().collect(), |(key, _)| key);
    groups.into_iter().map(|group| group.map(|(_, rows)| rows).unwrap_or_default()).collect()
}

impl Batch for PaymentOfId {
    type Wish = i64;
    type Answer = Option<payments::Row>;

    async fn grant(db: &Db, ids: &[i64]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = payments::select!("WHERE id = ANY($1)");
        let rows: Vec<payments::Row> = rows!(db, sqlx::query_as(SQL).bind(ids));
        Ok(each(ids, rows, |row| &row.id))
    }
}

impl Batch for PersonOfId {
    type Wish = i64;
    type Answer = Option<people::Row>;

    async fn grant(db: &Db, ids: &[i64]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = people::select!("WHERE id = ANY($1) AND deleted_at IS NULL");
        let rows: Vec<people::Row> = rows!(db, sqlx::query_as(SQL).bind(ids));
        Ok(each(ids, rows, |row| &row.id))
    }
}

impl Batch for BillOfId {
    type Wish = i64;
    type Answer = Option<bills::Row>;

    async fn grant(db: &Db, ids: &[i64]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = bills::select!("WHERE id = ANY($1) AND voided_at IS NULL");
        let rows: Vec<bills::Row> = rows!(db, sqlx::query_as(SQL).bind(ids));
        Ok(each(ids, rows, |row| &row.id))
    }
}

impl Batch for LiveOfBill {
    type Wish = i64;
    type Answer = Vec<payments::Row>;

    async fn grant(db: &Db, bills: &[i64]) -> Result<Vec<Self::Answer>, StoreError> {
        const SQL: &str = payments::select!(
            "WHERE bill_id = ANY($1) AND state || '' IN ('created', 'asked', 'pending', 'review') ORDER BY id"
        );
        let rows: Vec<payments::Row> = rows!(db, sqlx::query_as(SQL).bind(bills));
        Ok(grouped(bills, rows, |row| row.bill_id))
    }
}

impl Batch for Holding {
    type Wish = (Lease, Time);
    type Answer = bool;

    async fn grant(db: &Db, leases: &[(Lease, Time)]) -> Result<Vec<bool>, StoreError> {
        const SQL: &str = "
            SELECT id, lease_token FROM jobs
            JOIN UNNEST($1::bigint[], $2::text[], $3::bigint[]) AS held (job, token, at) ON id = held.job
            WHERE lease_token = held.token AND state || '' = 'running' AND lease_until > held.at";
        let jobs: Vec<i64> = leases.iter().map(|(lease, _)| lease.job_id.0).collect();
        let tokens: Vec<&str> = leases.iter().map(|(lease, _)| lease.token.as_str()).collect();
        let at: Vec<i64> = leases.iter().map(|(_, now)| millis(*now)).collect();
        let rows: Vec<(i64, String)> = rows!(db, sqlx::query_as(SQL).bind(jobs).bind(tokens).bind(at));
        let held: HashMap<i64, String> = rows.into_iter().collect();
        let holds = |lease: &Lease| held.get(&lease.job_id.0).is_some_and(|token| *token == lease.token);
        Ok(leases.iter().map(|(lease, _)| holds(lease)).collect())
    }
}

impl Batch for MethodsOffered {
    type Wish = ();
    type Answer = Vec<methods::Row>;

    async fn grant(db: &Db, wishes: &[()]) -> Result<Vec<Self::Answer>, StoreError> {
        let rows: Vec<methods::Row> = rows!(db, sqlx::query_as(methods::ALL));
        Ok(vec![rows; wishes.len()])
    }
}
