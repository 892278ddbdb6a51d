//! New payments: the row, its history, its jobs and what it takes the place of, in one transaction.

use std::sync::Arc;

use domain::{BillId, Invoice, JobId, Method, Payment, PaymentId, Rupiah, Time, UserId};

use crate::creating::Wanted;
use crate::history::{self, Entry, Source};
use crate::ledger::{self, NewJob};
use crate::payments::{self, Row};
use crate::time::millis;
use crate::{Db, StoreError, Tx, in_tx, unwanted};

/// A payment to be written down.
#[derive(Debug, Clone)]
pub struct NewPayment<'a> {
    /// Its number at the gateway.
    pub invoice: Invoice,
    /// The bill it is for.
    pub bill_id: BillId,
    /// Who pays.
    pub tenant_id: UserId,
    /// How.
    pub method: Method,
    /// How much.
    pub amount: Rupiah,
    /// The telephone number of the wallet that pays, for the methods that ask for one.
    pub payer_phone: Option<&'a str>,
    /// The live payment whose place it takes.
    pub supersedes: Option<&'a Payment>,
    /// When to look whether it got anywhere.
    pub next_check_at: Time,
}

/// What became of a new payment.
#[derive(Debug, Clone)]
pub enum Creation {
    /// It is written down, and so are its jobs.
    Made(Box<Payment>, Vec<JobId>),
    /// The bill is paid; nothing was written.
    AlreadyPaid,
    /// Another payment came first, the one to be replaced has moved, or the bill is closed; nothing was written.
    Raced,
}

/// Writes down a payment and the jobs that `jobs` wants for it, in one transaction.
///
/// # Errors
/// When the database does.
pub async fn create(
    db: &Db,
    new: &NewPayment<'_>,
    jobs: impl Fn(PaymentId) -> Vec<NewJob> + Send + Sync + 'static,
    now: Time,
) -> Result<Creation, StoreError> {
    match db.shared() {
        Some(turns) if new.supersedes.is_none() => {
            turns.creations.ask(db, Wanted::of(new, Box::new(jobs), now)).await
        }
        _ => create_alone(db, new, &jobs, now).await,
    }
}

pub(crate) async fn create_alone(
    db: &Db,
    new: &NewPayment<'_>,
    jobs: &(dyn Fn(PaymentId) -> Vec<NewJob> + Send + Sync),
    now: Time,
) -> Result<Creation, StoreError> {
    let mut tx = Tx::begin(db).await?;
    if tx.lock_bill(new.bill_id.0).await?.as_deref() == Some("paid") {
        return Ok(Creation::AlreadyPaid);
    }
    if tx.is_closed(new.bill_id.0).await? {
        return Ok(Creation::Raced);
    }
    if let Some(old) = new.supersedes {
        let entry = Entry { from: Some(old.state), event: "superseded", source: Source::Tenant, detail: "" };
        if !unwanted::mark(&mut tx, old, &entry, now).await? {
            return Ok(Creation::Raced);
        }
    }
    let Some(payment) = insert(&mut tx, new, now).await? else {
        return Ok(Creation::Raced);
    };
    let entry = Entry { from: None, event: "created", source: Source::Tenant, detail: "" };
    history::append(&mut tx, &payment, &entry, now).await?;
    payments::settle_bill(&mut tx, new.bill_id, now).await?;
    let jobs = ledger::enqueue_all(&mut tx, &jobs(payment.id), now).await?;
    tx.commit().await?;
    Ok(Creation::Made(Box::new(payment), jobs))
}

async fn insert(tx: &mut Tx, new: &NewPayment<'_>, now: Time) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = "
        INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, created_at, updated_at,
                              next_check_at, supersedes_id, payer_phone, payer_sealed)
        VALUES ($1, $2, $3, $4, $5, 'created', $6, $6, $7, $8, $9, $10)
        ON CONFLICT DO NOTHING
        RETURNING id, invoice, bill_id, tenant_id, method, amount, state, failure, refunded, transaction_id,
                  instruction, created_at, asked_at, expires_at, paid_at, checked_at, superseded_at, supersedes_id,
                  payer_phone, payer_sealed, version";
    let keys = Arc::clone(tx.keys());
    let (phone, sealed) = payments::payer_columns(&keys, &new.invoice, new.payer_phone)?;
    let row: Option<Row> = in_tx!(tx, conn => sqlx::query_as(SQL)
        .bind(new.invoice.as_str())
        .bind(new.bill_id.0)
        .bind(new.tenant_id.0)
        .bind(new.method.code())
        .bind(new.amount.get())
        .bind(millis(now))
        .bind(millis(new.next_check_at))
        .bind(new.supersedes.map(|old| old.id.0))
        .bind(phone)
        .bind(sealed)
        .fetch_optional(conn)
        .await?);
    row.map(|row| row.open(&keys)).transpose()
}
