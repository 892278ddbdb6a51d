//! Payments that nobody wants any more: the tenant took another way to pay, or gave it up.

use domain::{BillId, JobId, Payment, PaymentId, Time};

use crate::audit::{self, By};
use crate::history::{Entry, Source};
use crate::ledger::NewJob;
use crate::time::millis;
use crate::{Db, StoreError, Tx, history, in_tx, ledger, payments};

/// A live payment that is to be given up.
#[derive(Debug, Clone)]
pub struct GivenUp<'a> {
    /// The payment as it was read; only this version is given up.
    pub payment: &'a Payment,
    /// Who no longer wants it.
    pub source: Source,
    /// What ends it.
    pub job: NewJob,
    /// On whose word, when it is somebody of the house.
    pub by: Option<&'a By<'a>>,
}

/// Marks the payment as unwanted and writes down the job that ends it, in one transaction. `None`: it has moved or was
/// unwanted already, and nothing was written.
///
/// Its state stays what it is: after the gateway was asked only the gateway's answer ends a payment (invariant 2), and
/// until then its bill is pending. But it no longer is the one payment of its bill that is wanted (invariant 3), so that
/// another may be written down; that one is not charged before this one has ended, see `payments::earlier_live`.
///
/// # Errors
/// When the database does.
pub async fn give_up(db: &Db, given_up: &GivenUp<'_>, now: Time) -> Result<Option<Vec<JobId>>, StoreError> {
    let GivenUp { payment, source, job, by } = given_up;
    let mut tx = Tx::begin(db).await?;
    tx.lock_bill(payment.bill_id.0).await?;
    let entry = Entry { from: Some(payment.state), event: "given_up", source: *source, detail: "" };
    if !payment.state.is_live() || !mark(&mut tx, payment, &entry, now).await? {
        return Ok(None);
    }
    let jobs = ledger::enqueue_all(&mut tx, std::slice::from_ref(job), now).await?;
    if let Some(by) = by {
        let subject = format!("payment:{}", payment.invoice);
        audit::write_in(&mut tx, &by.deed("payment.cancel", subject, (None, None)), now).await?;
    }
    tx.commit().await?;
    Ok(Some(jobs))
}

/// False when the payment has moved or was unwanted already.
pub(crate) async fn mark(
    tx: &mut Tx,
    payment: &Payment,
    entry: &Entry<'_>,
    now: Time,
) -> Result<bool, StoreError> {
    const SQL: &str = "
        UPDATE payments SET superseded_at = $3, updated_at = $3, version = version + 1
        WHERE id = $1 AND version = $2 AND superseded_at IS NULL";
    let rows = in_tx!(tx, conn => sqlx::query(SQL)
        .bind(payment.id.0).bind(payment.version).bind(millis(now)).execute(conn).await?.rows_affected());
    if rows == 0 {
        return Ok(false);
    }
    let unwanted = Payment { version: payment.version + 1, superseded_at: Some(now), ..payment.clone() };
    history::append(tx, &unwanted, entry, now).await?;
    Ok(true)
}

/// Marks every live payment of the bill as unwanted by the house, and writes down the job that ends each.
pub(crate) async fn give_up_all_in(
    tx: &mut Tx,
    bill: BillId,
    job: &(dyn Fn(PaymentId) -> NewJob + Sync),
    now: Time,
) -> Result<Vec<JobId>, StoreError> {
    let mut jobs = Vec::new();
    for payment in payments::live_in(tx, bill).await? {
        let entry =
            Entry { from: Some(payment.state), event: "given_up", source: Source::Operator, detail: "" };
        // Whether it was unwanted before or not, it is to end.
        mark(tx, &payment, &entry, now).await?;
        jobs.push(job(payment.id));
    }
    ledger::enqueue_all(tx, &jobs, now).await
}
