//! Many jobs of one transaction, written down by one statement where the database is a server.

use std::collections::HashMap;

use domain::{JobId, Time};

use crate::StoreError;
use crate::ledger::{NewJob, enqueue};
use crate::time::millis;
use crate::tx::{Tx, column};

/// Writes the jobs down as [`enqueue`] does, one after the other. Gives for each its id where a worker is to be woken.
pub(crate) async fn enqueue_many(
    tx: &mut Tx,
    jobs: &[NewJob],
    now: Time,
) -> Result<Vec<Option<JobId>>, StoreError> {
    if matches!(tx, Tx::Sqlite(_)) || jobs.len() < 2 || jobs.iter().any(|job| job.once_key.is_some()) {
        let mut ids = Vec::with_capacity(jobs.len());
        for job in jobs {
            ids.push(enqueue(tx, job, now).await?);
        }
        return Ok(ids);
    }
    let mut ids = HashMap::new();
    for is_news in [true, false] {
        ids.extend(enqueue_distinct(tx, (&distinct(jobs, is_news), is_news), now).await?);
    }
    // Of several that are the same, the first one wakes.
    Ok(jobs.iter().map(|job| ids.remove(job.dedupe_key.as_str()).map(JobId)).collect())
}

/// The jobs that are news, or those that are none, each once and as early as any of its kind is wanted. They are in the
/// order of their keys, so that two transactions that want the same do not wait for each other.
fn distinct(jobs: &[NewJob], is_news: bool) -> Vec<(&NewJob, Time)> {
    let mut found: HashMap<&str, (&NewJob, Time)> = HashMap::new();
    for job in jobs.iter().filter(|job| job.is_news == is_news) {
        let (_, run_at) = found.entry(&job.dedupe_key).or_insert((job, job.run_at));
        *run_at = job.run_at.min(*run_at);
    }
    let mut distinct: Vec<_> = found.into_values().collect();
    distinct.sort_unstable_by(|(one, _), (other, _)| one.dedupe_key.cmp(&other.dedupe_key));
    distinct
}

async fn enqueue_distinct(
    tx: &mut Tx,
    (jobs, is_news): (&[(&NewJob, Time)], bool),
    now: Time,
) -> Result<HashMap<String, i64>, StoreError> {
    const SQL: &str = "
        INSERT INTO jobs (kind, dedupe_key, payload, payment_id, notification_id, run_at, max_attempts, trace,
                          created_at)
        SELECT w.*, $8 FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
                                   $7::bigint[], $10::text[]) AS w
        ON CONFLICT (dedupe_key) WHERE state IN ('ready', 'running') DO UPDATE SET
            again = jobs.state = 'running',
            run_at = CASE WHEN jobs.state = 'ready' THEN excluded.run_at ELSE jobs.run_at END,
            pushed_at = CASE WHEN jobs.state = 'ready' THEN NULL ELSE jobs.pushed_at END
        WHERE $9 AND (jobs.state = 'running' OR excluded.run_at < jobs.run_at)
        RETURNING dedupe_key, id, state";
    let Tx::Postgres(tx) = tx else { return Ok(HashMap::new()) };
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, i64, String)> = sqlx::query_as(SQL)
        .bind(column!(jobs, (job, _at) => job.kind))
        .bind(column!(jobs, (job, _at) => job.dedupe_key.as_str()))
        .bind(column!(jobs, (job, _at) => job.payload.as_str()))
        .bind(column!(jobs, (job, _at) => job.payment_id.map(|id| id.0)))
        .bind(column!(jobs, (job, _at) => job.notification_id.map(|id| id.0)))
        .bind(column!(jobs, (_job, run_at) => millis(*run_at)))
        .bind(column!(jobs, (job, _at) => job.max_attempts))
        .bind(millis(now))
        .bind(is_news)
        .bind(column!(jobs, (job, _at) => job.trace.as_deref()))
        .fetch_all(tx.connection()?)
        .await?;
    let woken = rows.into_iter().filter(|(_, _, state)| state == "ready");
    Ok(woken.map(|(key, id, _)| (key, id)).collect())
}
