//! Claims: how a worker comes by the right to do a job. Those that are wanted at the same time are one statement.

use std::collections::HashMap;
use std::time::Duration;

use domain::{JobId, Time};

use crate::ledger::{Claimed, Lease, millis_of};
use crate::time::millis;
use crate::together::Batch;
use crate::tx::{column, on_server, unflushed};
use crate::{Db, StoreError, write};

/// What a worker wants to claim.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The job.
    pub job_id: JobId,
    /// The token that will prove the lease.
    pub token: String,
    /// How long the lease lasts unless it is renewed.
    pub length: Duration,
}

/// Claims a job that is due. `None` when somebody has it, or it is not due, or done, or its kind is
/// paused: all fine.
///
/// # Errors
/// When the database does.
pub async fn claim(db: &Db, claim: Claim, now: Time) -> Result<Option<Claimed>, StoreError> {
    match db.shared() {
        Some(turns) => turns.claims.ask(db, (claim, now)).await,
        None => claim_alone(db, &claim, now).await,
    }
}

async fn claim_alone(db: &Db, claim: &Claim, now: Time) -> Result<Option<Claimed>, StoreError> {
    // By its id: a planner with old numbers would read all that is ready by `state` as it stands (see `ledger`).
    const SQL: &str = "
        UPDATE jobs
        SET state = 'running', attempts = attempts + 1, lease_token = $2, lease_until = $3, started_at = $4
        WHERE id = $1 AND state || '' = 'ready' AND run_at <= $4 AND kind NOT IN (SELECT kind FROM paused_kinds)
        RETURNING kind, payload, attempts, max_attempts, trace";
    let until = millis(now).saturating_add(millis_of(claim.length));
    let row: Option<(String, String, i64, i64, Option<String>)> = write!(db, pool => sqlx::query_as(SQL)
        .bind(claim.job_id.0)
        .bind(&claim.token)
        .bind(until)
        .bind(millis(now))
        .fetch_optional(pool)
        .await?);
    Ok(row.map(|(kind, payload, attempt, max_attempts, trace)| {
        let lease = Lease { job_id: claim.job_id, token: claim.token.clone(), attempt };
        Claimed { lease, kind, payload, max_attempts, trace }
    }))
}

/// Many claims. They are not flushed: with the machine of the database a claim may be lost, and the job is free again, as
/// after the end of its worker.
pub(crate) struct Claiming;

impl Batch for Claiming {
    const APART: Duration = Duration::from_millis(2);
    type Wish = (Claim, Time);
    type Answer = Option<Claimed>;

    async fn grant(db: &Db, wishes: &[(Claim, Time)]) -> Result<Vec<Option<Claimed>>, StoreError> {
        // The paused kinds as a list that is made once: the price of a sub-select would stand on each look-up of a job, and
        // make reading all jobs look cheap.
        const SQL: &str = unflushed!("
            UPDATE jobs
            SET state = 'running', attempts = attempts + 1, lease_token = claim.token, lease_until = claim.until,
                started_at = claim.at
            FROM unflushed, UNNEST($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS claim (job, token, until, at)
            WHERE id = claim.job AND state || '' = 'ready' AND run_at <= claim.at
                AND kind <> ALL (ARRAY(SELECT kind FROM paused_kinds))
            RETURNING lease_token, kind, payload, attempts, max_attempts, trace");
        let mut sorted: Vec<&(Claim, Time)> = wishes.iter().collect();
        // In the order of their ids, so that two that claim the same ones do not wait for each other.
        sorted.sort_unstable_by_key(|(claim, _)| claim.job_id.0);
        let query = sqlx::query_as(SQL)
            .bind(column!(sorted, (claim, _now) => claim.job_id.0))
            .bind(column!(sorted, (claim, _now) => claim.token.as_str()))
            .bind(column!(sorted, (claim, now) => millis(*now).saturating_add(millis_of(claim.length))))
            .bind(column!(sorted, (_claim, now) => millis(*now)));
        let rows: Vec<(String, String, String, i64, i64, Option<String>)> =
            on_server!(db.server()?, conn => query.fetch_all(conn).await?);
        // Of several who want the same job, the one has it whose token it carries.
        let mut claimed: HashMap<String, _> = rows.into_iter().map(|row| (row.0.clone(), row)).collect();
        let mut answer = |claim: &Claim| {
            let (token, kind, payload, attempt, max_attempts, trace) = claimed.remove(&claim.token)?;
            let lease = Lease { job_id: claim.job_id, token, attempt };
            Some(Claimed { lease, kind, payload, max_attempts, trace })
        };
        Ok(wishes.iter().map(|(claim, _)| answer(claim)).collect())
    }
}
