//! Moves of many payments in one transaction. Only what every payment goes through is done here, and only when all of it
//! goes as it should: whatever else happens is done alone, as [`crate::payments::change`] does it.

use std::time::Duration;

use domain::{JobId, Learned, Payment, Rupiah, State, Time};

use crate::changing::{Change, change_alone, change_in};
use crate::history::Source;
use crate::journal;
use crate::ledger::Lease;
use crate::payments::sealed_instruction;
use crate::server::Begun;
use crate::time::{millis, opt_millis};
use crate::together::Batch;
use crate::tx::column;
use crate::{Db, StoreError, Tx, Written};

/// A change that is nothing but a move.
pub(crate) struct Move {
    payment: Payment,
    to: State,
    learned: Learned,
    event: String,
    source: Source,
    detail: String,
    checked: bool,
    next_check_at: Option<Time>,
    completes: Option<Lease>,
    now: Time,
}

impl Move {
    /// `None` for a change that wants more.
    pub(crate) fn of(change: &Change<'_>, now: Time) -> Option<Self> {
        let Change { payment, to, learned, source, checked, next_check_at, .. } = *change;
        let is_plain = to != payment.state
            && change.finding.is_none()
            && change.refunds.is_empty()
            && change.jobs.is_empty()
            && !payment.method.is_on_a_page();
        if !is_plain {
            return None;
        }
        let completes = change.completes.cloned();
        let (event, detail) = (change.event.to_owned(), change.detail.to_owned());
        let (payment, learned) = (payment.clone(), learned.clone());
        Some(Self { payment, to, learned, event, source, detail, checked, next_check_at, completes, now })
    }

    fn change(&self) -> Change<'_> {
        Change {
            payment: &self.payment,
            to: self.to,
            learned: &self.learned,
            event: &self.event,
            source: self.source,
            detail: &self.detail,
            finding: None,
            refunds: &[],
            checked: self.checked,
            next_check_at: self.next_check_at,
            jobs: &[],
            completes: self.completes.as_ref(),
        }
    }

    fn after(&self) -> Payment {
        Payment { state: self.to, version: self.payment.version + 1, ..self.payment.clone() }
    }
}

/// Many moves.
pub(crate) struct Moving;

impl Batch for Moving {
    const APART: Duration = Duration::from_millis(4);
    type Wish = Move;
    type Answer = (Written, Vec<JobId>);

    async fn grant(db: &Db, moves: &[Move]) -> Result<Vec<Self::Answer>, StoreError> {
        if let [alone] = moves {
            return change_alone(db, &alone.change(), alone.now).await.map(|changed| vec![changed]);
        }
        let mut tx = Tx::begin(db).await?;
        match &mut tx {
            Tx::Sqlite(_) => {
                for one in moves {
                    if change_in(&mut tx, &one.change(), one.now).await?.0 != Written::Done {
                        return Err(irregular());
                    }
                }
            }
            Tx::Postgres(begun) => move_all(begun, moves).await?,
        }
        tx.commit().await?;
        Ok(moves.iter().map(|_| (Written::Done, Vec::new())).collect())
    }
}

/// One of them does not go as it should: all are undone, and each is done alone.
pub(crate) fn irregular() -> StoreError {
    StoreError::Database(sqlx::Error::RowNotFound)
}

async fn move_all(tx: &mut Begun, moves: &[Move]) -> Result<(), StoreError> {
    let mut bills = column!(moves, one => one.payment.bill_id.0);
    bills.sort_unstable();
    bills.dedup();
    if bills.len() < moves.len() {
        // Two payments of one bill: what is right depends on who comes first.
        return Err(irregular());
    }
    lock_bills(tx, &bills).await?;
    end_jobs(tx, moves).await?;
    update(tx, moves).await?;
    append_history(tx, moves).await?;
    post(tx, moves).await?;
    let now = moves.iter().map(|one| one.now).max().unwrap_or_default();
    settle_bills(tx, &bills, now).await?;
    no_bill_is_paid_twice(tx, &bills).await
}

/// In their order, so that two transactions that lock the same ones do not wait for each other.
pub(crate) async fn lock_bills(tx: &mut Begun, bills: &[i64]) -> Result<Vec<String>, StoreError> {
    const SQL: &str = "SELECT status FROM bills WHERE id = ANY($1) ORDER BY id FOR UPDATE";
    Ok(sqlx::query_scalar(SQL).bind(bills).fetch_all(tx.connection()?).await?)
}

async fn end_jobs(tx: &mut Begun, moves: &[Move]) -> Result<(), StoreError> {
    const END: &str = "
        UPDATE jobs
        SET state = CASE WHEN again THEN 'ready' ELSE 'done' END, run_at = ended.at,
            attempts = CASE WHEN again THEN 0 ELSE attempts END,
            last_error = NULL, again = FALSE, pushed_at = NULL, lease_token = NULL, lease_until = NULL,
            finished_at = ended.at
        FROM UNNEST($1::bigint[], $2::text[], $3::bigint[]) AS ended (job, token, at)
        WHERE id = ended.job AND lease_token = ended.token AND state || '' = 'running'";
    const RECORD: &str = "
        INSERT INTO job_attempts (job_id, attempt, started_at, finished_at, outcome)
        SELECT ended.job, ended.attempt, started_at, ended.at, 'done'
        FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[]) AS ended (job, attempt, at)
        JOIN jobs ON id = ended.job";
    let ending: Vec<_> = moves.iter().filter_map(|one| Some((one.completes.as_ref()?, one.now))).collect();
    if ending.is_empty() {
        return Ok(());
    }
    let jobs = column!(ending, one => one.0.job_id.0);
    let at = column!(ending, one => millis(one.1));
    let ended = sqlx::query(END)
        .bind(&jobs)
        .bind(column!(ending, one => one.0.token.as_str()))
        .bind(&at)
        .execute(tx.connection()?)
        .await?
        .rows_affected();
    all(ended, ending.len())?;
    let attempts = column!(ending, one => one.0.attempt);
    sqlx::query(RECORD).bind(jobs).bind(attempts).bind(at).execute(tx.connection()?).await?;
    Ok(())
}

async fn update(tx: &mut Begun, moves: &[Move]) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE payments SET
            state = new.state, failure = new.failure, refunded = COALESCE(new.refunded, payments.refunded),
            transaction_id = COALESCE(new.transaction, transaction_id),
            instruction = COALESCE(new.instruction, payments.instruction),
            expires_at = COALESCE(new.expires_at, payments.expires_at),
            paid_at = COALESCE(payments.paid_at, new.paid_at), asked_at = COALESCE(payments.asked_at, new.asked_at),
            checked_at = COALESCE(new.checked_at, payments.checked_at), next_check_at = new.next_check_at,
            updated_at = new.at, version = payments.version + 1
        FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[],
                    $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
            AS new (payment, version, state, failure, refunded, transaction, instruction, expires_at, paid_at, asked_at,
                    checked_at, next_check_at, at)
        WHERE id = new.payment AND payments.version = new.version";
    let sets = column!(moves, one => one.change().sets(one.now));
    let instruction =
        |one: &Move| sealed_instruction(tx.keys(), &one.payment.invoice, one.learned.instruction.as_ref());
    let instructions = moves.iter().map(instruction).collect::<Result<Vec<_>, _>>()?;
    let updated = sqlx::query(SQL)
        .bind(column!(moves, one => one.payment.id.0))
        .bind(column!(moves, one => one.payment.version))
        .bind(column!(moves, one => one.to.as_str()))
        .bind(column!(moves, one => one.to.failure().map(domain::Failure::as_str)))
        .bind(column!(sets, set => set.refunded.map(Rupiah::get)))
        .bind(column!(moves, one => one.learned.transaction_id.as_ref().map(|id| id.as_str())))
        .bind(instructions)
        .bind(column!(moves, one => opt_millis(one.learned.expires_at)))
        .bind(column!(sets, set => opt_millis(set.paid_at)))
        .bind(column!(sets, set => opt_millis(set.asked_at)))
        .bind(column!(moves, one => opt_millis(one.checked.then_some(one.now))))
        .bind(column!(moves, one => opt_millis(one.next_check_at)))
        .bind(column!(moves, one => millis(one.now)))
        .execute(tx.connection()?)
        .await?
        .rows_affected();
    all(updated, moves.len())
}

async fn append_history(tx: &mut Begun, moves: &[Move]) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO payment_history (payment_id, version, from_state, to_state, event, source, detail, at)
        SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                             $8::bigint[])";
    sqlx::query(SQL)
        .bind(column!(moves, one => one.payment.id.0))
        .bind(column!(moves, one => one.payment.version + 1))
        .bind(column!(moves, one => one.payment.state.as_str()))
        .bind(column!(moves, one => one.to.as_str()))
        .bind(column!(moves, one => one.event.as_str()))
        .bind(column!(moves, one => one.source.as_str()))
        .bind(column!(moves, one => one.detail.as_str()))
        .bind(column!(moves, one => millis(one.now)))
        .execute(tx.connection()?)
        .await?;
    Ok(())
}

async fn post(tx: &mut Begun, moves: &[Move]) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO postings (kind, debit, credit, amount, payment_id, cause, at)
        SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[])
        ON CONFLICT (cause) DO NOTHING";
    let of = |one: &Move| {
        let (after, at) = (one.after(), millis(one.now));
        journal::of_move(one.payment.state, &after)
            .into_iter()
            .map(move |(transfer, cause)| (transfer, after.id.0, cause, at))
            .collect::<Vec<_>>()
    };
    let postings: Vec<_> = moves.iter().flat_map(of).collect();
    sqlx::query(SQL)
        .bind(column!(postings, one => one.0.kind.as_str()))
        .bind(column!(postings, one => one.0.debit.as_str()))
        .bind(column!(postings, one => one.0.credit.as_str()))
        .bind(column!(postings, one => one.0.amount.get()))
        .bind(column!(postings, one => one.1))
        .bind(column!(postings, one => one.2.as_str()))
        .bind(column!(postings, one => one.3))
        .execute(tx.connection()?)
        .await?;
    Ok(())
}

/// The states as in [`crate::payments::settle_bill`]. A bill that stands as it should is not written again.
pub(crate) async fn settle_bills(tx: &mut Begun, bills: &[i64], now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE bills SET updated_at = $2, status = settled.status
        FROM (SELECT id, CASE
                  WHEN EXISTS (SELECT 1 FROM payments
                               WHERE bill_id = b.id AND state || '' IN ('paid', 'partially_refunded'))
                      THEN 'paid'
                  WHEN EXISTS (SELECT 1 FROM payments
                               WHERE bill_id = b.id AND state || '' IN ('created', 'asked', 'pending', 'review'))
                      THEN 'pending'
                  ELSE 'unpaid' END AS status
              FROM bills b WHERE id = ANY($1)) AS settled
        WHERE bills.id = settled.id AND bills.status <> settled.status";
    sqlx::query(SQL).bind(bills).bind(millis(now)).execute(tx.connection()?).await?;
    Ok(())
}

async fn no_bill_is_paid_twice(tx: &mut Begun, bills: &[i64]) -> Result<(), StoreError> {
    const SQL: &str = "
        SELECT count(*) FROM payments WHERE bill_id = ANY($1) AND state || '' IN ('paid', 'partially_refunded')
        GROUP BY bill_id HAVING count(*) > 1 LIMIT 1";
    let twice: Option<i64> = sqlx::query_scalar(SQL).bind(bills).fetch_optional(tx.connection()?).await?;
    if twice.is_some() { Err(irregular()) } else { Ok(()) }
}

fn all(rows: u64, wanted: usize) -> Result<(), StoreError> {
    if usize::try_from(rows) == Ok(wanted) { Ok(()) } else { Err(irregular()) }
}
