//! What a person orders of jobs: to be tried again, at once, or not at all. Each order is audited.

use domain::JobId;
use serde_json::{Value, json};

use super::{About, Filter, list};
use crate::audit::{self, By};
use crate::refusal::unless_taken;
use crate::time::millis;
use crate::{Db, Page, Refusal, StoreError, Tx, Undone, in_tx};

/// Jobs that one order changes at most.
const CHANGED_MAX: usize = 1_000;
/// Pages of so many jobs that it looks through for them.
const PAGES: usize = 5;
const PAGE_ROWS: i64 = 1_000;
/// Somebody may want the same work while an order is carried out; then it is carried out anew, so often.
const TRIES: usize = 5;

/// Gives a dead job all its attempts back, from now on, unless the same work waits.
const RETRY: Order = Order {
    one: "job.retry",
    all: "jobs.retry",
    from: &["dead"],
    to: "ready",
    sql: "
        UPDATE jobs SET state = 'ready', attempts = 0, run_at = $2, pushed_at = NULL
        WHERE id = $1 AND state = 'dead' AND NOT EXISTS (
            SELECT 1 FROM jobs twin WHERE twin.dedupe_key = jobs.dedupe_key AND twin.state IN ('ready', 'running'))",
    not_so: Refusal::JobNotDead,
    otherwise: Refusal::JobWaits,
};

/// Ends a job that nobody does, where the same look or the same work is wanted again by somebody else: by the sweep, as
/// long as the payment is to be checked or the refund lingers, or by the next slot, as the job gives its own away. What a
/// notification says is known from nowhere else, and a comparison that has begun is ended by its job alone.
const CANCEL: Order = Order {
    one: "job.cancel",
    all: "jobs.cancel",
    from: &["ready", "dead"],
    to: "cancelled",
    sql: "
        UPDATE jobs SET state = 'cancelled', once_key = NULL, finished_at = $2
        WHERE id = $1 AND state IN ('ready', 'dead')
            AND NOT EXISTS (
                SELECT 1 FROM payments p WHERE p.id = jobs.payment_id AND p.next_check_at IS NULL
                    AND (jobs.kind = 'sync_payment' OR p.state IN ('created', 'asked', 'pending', 'review'))
                    AND jobs.kind IN ('submit_charge', 'sync_payment', 'cancel_payment'))
            AND NOT EXISTS (
                SELECT 1 FROM notifications n WHERE n.id = jobs.notification_id AND n.processed_at IS NULL)
            AND NOT EXISTS (
                SELECT 1 FROM reconciliations r
                WHERE jobs.dedupe_key = 'reconcile:' || r.slot AND r.state <> 'done')",
    not_so: Refusal::JobNotWaiting,
    otherwise: Refusal::JobNeeded,
};

/// Brings a waiting job forward. That its kind is paused still holds.
const RUN_NOW: Order = Order {
    one: "job.run_now",
    all: "jobs.run_now",
    from: &["ready"],
    to: "ready",
    sql: "
        UPDATE jobs SET run_at = CASE WHEN run_at < $2 THEN run_at ELSE $2 END, pushed_at = NULL
        WHERE id = $1 AND state = 'ready'",
    not_so: Refusal::JobNotWaiting,
    otherwise: Refusal::JobNotWaiting,
};

/// Something that can be ordered.
struct Order {
    /// What the audit calls it, for one job.
    one: &'static str,
    /// And for many.
    all: &'static str,
    /// Where a job stands that it can be ordered of.
    from: &'static [&'static str],
    /// Where the job stands afterwards.
    to: &'static str,
    /// Carries it out of the job `$1` at the time `$2`, where nothing stands against it.
    sql: &'static str,
    /// The job stands otherwise.
    not_so: Refusal,
    /// Something else stands against it.
    otherwise: Refusal,
}

impl Order {
    /// Carries it out of one job. False when something stands against it.
    async fn carry_out(&self, tx: &mut Tx, id: JobId, by: &By<'_>) -> Result<bool, Undone> {
        let done = in_tx!(tx, conn => sqlx::query(self.sql)
            .bind(id.0).bind(millis(by.now)).execute(conn).await.map(|done| done.rows_affected()));
        Ok(done.map_err(|error| unless_taken(error, Refusal::JobWaits))? == 1)
    }
}

/// How a job stood before an order.
#[derive(sqlx::FromRow)]
struct Before {
    kind: String,
    state: String,
    attempts: i64,
    invoice: Option<String>,
}

async fn before_in(tx: &mut Tx, id: JobId) -> Result<Option<Before>, StoreError> {
    const SQL: &str = "
        SELECT j.kind, j.state, j.attempts, p.invoice
        FROM jobs j LEFT JOIN notifications n ON n.id = j.notification_id
        LEFT JOIN payments p ON p.id = COALESCE(j.payment_id, n.payment_id) WHERE j.id = $1";
    Ok(in_tx!(tx, conn => sqlx::query_as(SQL).bind(id.0).fetch_optional(conn).await?))
}

async fn order(db: &Db, order: &Order, id: JobId, by: &By<'_>) -> Result<(), Undone> {
    let mut tx = Tx::begin(db).await?;
    let before = before_in(&mut tx, id).await?.ok_or(Refusal::NotThere)?;
    if !order.carry_out(&mut tx, id, by).await? {
        let is_so = order.from.contains(&before.state.as_str());
        return Err(if is_so { order.otherwise } else { order.not_so }.into());
    }
    let after = json!({ "kind": before.kind, "state": order.to, "invoice": before.invoice });
    let before = json!({ "state": before.state, "attempts": before.attempts });
    let states = (Some(before.to_string()), Some(after.to_string()));
    audit::write_in(&mut tx, &by.deed(order.one, format!("job:{id}"), states), by.now).await?;
    tx.commit().await?;
    Ok(())
}

/// Has a dead job tried again, with all its attempts. Gives the job to wake.
///
/// # Errors
/// When it is not dead, or the same work waits already, or the database fails.
pub async fn retry(db: &Db, id: JobId, by: &By<'_>) -> Result<Vec<JobId>, Undone> {
    order(db, &RETRY, id, by).await?;
    Ok(vec![id])
}

/// Ends a job that waits or is dead. Of money nothing is lost by it: where nothing else would do the work, it is refused.
///
/// # Errors
/// When it runs or has ended, or nothing else would do its work, or the database fails.
pub async fn cancel(db: &Db, id: JobId, by: &By<'_>) -> Result<(), Undone> {
    order(db, &CANCEL, id, by).await
}

/// Has a waiting job done at once. Gives the job to wake.
///
/// # Errors
/// When it does not wait, or the database fails.
pub async fn run_now(db: &Db, id: JobId, by: &By<'_>) -> Result<Vec<JobId>, Undone> {
    order(db, &RUN_NOW, id, by).await?;
    Ok(vec![id])
}

/// What an order of many jobs came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bulk {
    /// So many were changed, a thousand at most.
    pub changed: i64,
    /// So many that fit stand as before, as far as a thousand are counted: more than one order changes, or something
    /// stands against it.
    pub left: i64,
    /// Jobs to wake.
    pub wake: Vec<JobId>,
}

/// Has the newest dead jobs that fit tried again. One row of the audit tells of all.
///
/// # Errors
/// When the database does.
pub async fn retry_all(db: &Db, filter: &Filter, by: &By<'_>) -> Result<Bulk, StoreError> {
    order_all(db, &RETRY, filter, by).await
}

/// Ends the newest jobs that fit and wait or are dead. One row of the audit tells of all.
///
/// # Errors
/// When the database does.
pub async fn cancel_all(db: &Db, filter: &Filter, by: &By<'_>) -> Result<Bulk, StoreError> {
    let bulk = order_all(db, &CANCEL, filter, by).await?;
    Ok(Bulk { wake: Vec::new(), ..bulk })
}

async fn order_all(db: &Db, order: &Order, filter: &Filter, by: &By<'_>) -> Result<Bulk, StoreError> {
    for _ in 0..TRIES {
        let fitting = fitting(db, order, filter, PAGES).await?;
        match change_all(db, order, (filter, &fitting), by).await {
            Ok(wake) => {
                let left = fitting_now(db, order, filter).await?;
                return Ok(Bulk { changed: i64::try_from(wake.len()).unwrap_or(i64::MAX), left, wake });
            }
            // The same work was wanted at this moment.
            Err(Undone::Refused(_)) => {}
            Err(Undone::Store(error)) => return Err(error),
        }
    }
    Ok(Bulk { left: fitting_now(db, order, filter).await?, ..Bulk::default() })
}

async fn fitting_now(db: &Db, order: &Order, filter: &Filter) -> Result<i64, StoreError> {
    let fitting = fitting(db, order, filter, 1).await?.len();
    Ok(i64::try_from(fitting).unwrap_or(PAGE_ROWS).min(PAGE_ROWS))
}

/// The newest jobs that fit the filter and the order, so many pages of each state.
async fn fitting(db: &Db, order: &Order, filter: &Filter, pages: usize) -> Result<Vec<JobId>, StoreError> {
    let mut ids = Vec::new();
    for state in order.from {
        if filter.state.as_deref().is_some_and(|wanted| wanted != *state) {
            continue;
        }
        let filter = Filter { state: Some((*state).to_owned()), ..filter.clone() };
        let mut after = None;
        for _ in 0..pages {
            let found = list(db, &filter, Page { after, limit: PAGE_ROWS }).await?;
            let last = found.jobs.last().map(|job| job.id);
            ids.extend(found.jobs.into_iter().map(|job| job.id));
            let Some(JobId(next)) = found.searched_down_to.or(last) else { break };
            after = Some(next);
        }
    }
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(id.0));
    Ok(ids)
}

/// Gives the jobs that were changed.
async fn change_all(
    db: &Db,
    order: &Order,
    (filter, fitting): (&Filter, &[JobId]),
    by: &By<'_>,
) -> Result<Vec<JobId>, Undone> {
    let mut tx = Tx::begin(db).await?;
    let mut changed = Vec::new();
    for id in fitting {
        if changed.len() == CHANGED_MAX {
            break;
        }
        if order.carry_out(&mut tx, *id, by).await? {
            changed.push(*id);
        }
    }
    if changed.is_empty() {
        return Ok(changed);
    }
    let subject = format!("jobs:{}", filter.kind.as_deref().unwrap_or("all"));
    let after = json!({ "state": order.to, "changed": changed.len(), "filter": words(filter) });
    let deed = by.deed(order.all, subject, (None, Some(after.to_string())));
    audit::write_in(&mut tx, &deed, by.now).await?;
    tx.commit().await?;
    Ok(changed)
}

/// What the filter says, for the audit.
fn words(filter: &Filter) -> Value {
    let about = match &filter.about {
        None => Value::Null,
        Some(About::Invoice(name)) => json!({ "invoice": name }),
        Some(About::Bill(id)) => json!({ "bill": id.0 }),
        Some(About::Tenant(id)) => json!({ "tenant": id.0 }),
        Some(About::Room(code)) => json!({ "room": code }),
        Some(About::Error(part)) => json!({ "error": part }),
    };
    json!({ "state": filter.state, "kind": filter.kind, "about": about })
}
