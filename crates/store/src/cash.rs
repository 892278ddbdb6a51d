//! Cash: money that the house takes by hand, and that the gateway never hears of.

use domain::{Account, BillId, BillStatus, Invoice, JobId, Method, PaymentId, PostingKind, State, Transfer};
use serde_json::json;

use crate::audit::{self, By};
use crate::history::Source;
use crate::journal::{self, NewPosting};
use crate::ledger::NewJob;
use crate::time::millis;
use crate::{Db, Refusal, StoreError, Tx, Undone, bills, in_tx, unwanted};

/// Cash that was taken for a bill. Why and by whom is said by [`By`].
#[derive(Debug, Clone)]
pub struct Cash {
    /// The bill.
    pub bill_id: BillId,
    /// The number of the payment.
    pub invoice: Invoice,
}

/// Writes down that a bill was paid in cash: the payment, its history, the journal, the bill, the audit. What else was under way to
/// pay the bill is to end by the jobs that `job` makes; the ids are those of the jobs that are new.
///
/// # Errors
/// When the bill is not there, is paid, or the database fails.
pub async fn take(
    db: &Db,
    cash: &Cash,
    job: &(dyn Fn(PaymentId) -> NewJob + Sync),
    by: &By<'_>,
) -> Result<Vec<JobId>, Undone> {
    const PAID: &str = "UPDATE bills SET status = 'paid' WHERE id = $1";
    let mut tx = Tx::begin(db).await?;
    let bill = bills::lock(&mut tx, cash.bill_id, by.now).await?;
    if bill.status == BillStatus::Paid {
        return Err(Refusal::BillPaid.into());
    }
    let jobs = unwanted::give_up_all_in(&mut tx, bill.id, job, by.now).await?;
    let payment = insert(&mut tx, cash, &bill, by).await?;
    in_tx!(&mut tx, conn => sqlx::query(PAID).bind(bill.id.0).execute(conn).await.map(drop)?);
    let before = json!({ "status": bill.status });
    let after = json!({ "status": BillStatus::Paid, "paymentId": payment, "invoice": cash.invoice });
    let states = (Some(before.to_string()), Some(after.to_string()));
    let subject = format!("bill:{}", bill.id);
    audit::write_in(&mut tx, &by.deed("bill.mark-paid", subject, states), by.now).await?;
    tx.commit().await?;
    Ok(jobs)
}

async fn insert(tx: &mut Tx, cash: &Cash, bill: &bills::Bill, by: &By<'_>) -> Result<i64, StoreError> {
    const SQL: &str = "
        INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, created_at, updated_at, paid_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $7) RETURNING id";
    const HISTORY: &str = "
        INSERT INTO payment_history (payment_id, version, from_state, to_state, event, source, detail, at)
        VALUES ($1, 1, NULL, $2, 'cash', $3, $4, $5)";
    let id: i64 = in_tx!(&mut *tx, conn => sqlx::query_scalar(SQL)
        .bind(cash.invoice.as_str())
        .bind(bill.id.0)
        .bind(bill.tenant_id.0)
        .bind(Method::Cash.code())
        .bind(bill.amount.get())
        .bind(State::Paid.as_str())
        .bind(millis(by.now))
        .fetch_one(conn)
        .await?);
    in_tx!(&mut *tx, conn => sqlx::query(HISTORY)
        .bind(id)
        .bind(State::Paid.as_str())
        .bind(Source::Operator.as_str())
        .bind(by.reason.unwrap_or_default())
        .bind(millis(by.now))
        .execute(conn)
        .await
        .map(drop)?);
    let transfer = Transfer {
        kind: PostingKind::Paid,
        debit: Account::Cash,
        credit: Account::Tenants,
        amount: bill.amount,
    };
    let cause = format!("{}:1:cash", cash.invoice);
    let new = NewPosting { transfer, payment: Some(PaymentId(id)), cause: &cause };
    journal::post_in(tx, &new, by.now).await?;
    Ok(id)
}
