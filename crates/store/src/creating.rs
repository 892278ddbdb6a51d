//! New payments of many bills in one transaction. As with moves, only what goes as it should is done here; whoever is
//! refused, or wants another payment replaced, is heard alone.

use std::sync::Arc;
use std::time::Duration;

use domain::{Invoice, Method, Payment, PaymentId, Rupiah, State, Time};

use crate::creation::{Creation, NewPayment, create_alone};
use crate::enqueueing::enqueue_many;
use crate::ledger::NewJob;
use crate::moves::{irregular, lock_bills, settle_bills};
use crate::payments::{Row, payer_columns};
use crate::server::Begun;
use crate::time::millis;
use crate::together::Batch;
use crate::tx::column;
use crate::{Db, StoreError, Tx};

/// The jobs of a new payment.
pub(crate) type JobsFor = Box<dyn Fn(PaymentId) -> Vec<NewJob> + Send + Sync>;

/// A payment that takes no other's place.
pub(crate) struct Wanted {
    new: NewPayment<'static>,
    phone: Option<String>,
    jobs: JobsFor,
    now: Time,
}

impl Wanted {
    /// `new` must supersede nothing.
    pub(crate) fn of(new: &NewPayment<'_>, jobs: JobsFor, now: Time) -> Self {
        let NewPayment { ref invoice, bill_id, tenant_id, method, amount, next_check_at, .. } = *new;
        let invoice = invoice.clone();
        let phone = new.payer_phone.map(str::to_owned);
        let (payer_phone, supersedes) = (None, None);
        let new = NewPayment {
            invoice,
            bill_id,
            tenant_id,
            method,
            amount,
            payer_phone,
            supersedes,
            next_check_at,
        };
        Self { new, phone, jobs, now }
    }
}

/// Many new payments.
pub(crate) struct Creating;

impl Batch for Creating {
    const APART: Duration = Duration::from_millis(2);
    type Wish = Wanted;
    type Answer = Creation;

    async fn grant(db: &Db, wishes: &[Wanted]) -> Result<Vec<Creation>, StoreError> {
        if let [alone] = wishes {
            let new = NewPayment { payer_phone: alone.phone.as_deref(), ..alone.new.clone() };
            return create_alone(db, &new, &alone.jobs, alone.now).await.map(|made| vec![made]);
        }
        let mut bills: Vec<i64> = wishes.iter().map(|one| one.new.bill_id.0).collect();
        bills.sort_unstable();
        bills.dedup();
        if bills.len() < wishes.len() {
            return Err(irregular());
        }
        let now = wishes.iter().map(|one| one.now).max().unwrap_or_default();
        let mut tx = Tx::begin(db).await?;
        let Tx::Postgres(begun) = &mut tx else { return Err(StoreError::NoServer) };
        let statuses = lock_bills(begun, &bills).await?;
        if statuses.len() < bills.len() || statuses.iter().any(|status| status == "paid") {
            return Err(irregular());
        }
        none_is_closed(begun, &bills).await?;
        let made = insert(begun, wishes).await?;
        append_history(begun, &made, now).await?;
        settle_bills(begun, &bills, now).await?;
        let jobs: Vec<Vec<NewJob>> =
            made.iter().zip(wishes).map(|(payment, one)| (one.jobs)(payment.id)).collect();
        let counts: Vec<usize> = jobs.iter().map(Vec::len).collect();
        let jobs: Vec<NewJob> = jobs.into_iter().flatten().collect();
        let mut ids = enqueue_many(&mut tx, &jobs, now).await?.into_iter();
        tx.commit().await?;
        let answers = made.into_iter().zip(counts).map(|(payment, count)| {
            Creation::Made(Box::new(payment), ids.by_ref().take(count).flatten().collect())
        });
        Ok(answers.collect())
    }
}

async fn none_is_closed(tx: &mut Begun, bills: &[i64]) -> Result<(), StoreError> {
    const SQL: &str = "
        SELECT count(*) FROM bills JOIN users ON users.id = bills.tenant_id
        WHERE bills.id = ANY($1) AND (bills.voided_at IS NOT NULL OR users.deleted_at IS NOT NULL)";
    let closed: i64 = sqlx::query_scalar(SQL).bind(bills).fetch_one(tx.connection()?).await?;
    if closed > 0 { Err(irregular()) } else { Ok(()) }
}

/// The payments in the order of the wishes.
async fn insert(tx: &mut Begun, wishes: &[Wanted]) -> Result<Vec<Payment>, StoreError> {
    const SQL: &str = "
        INSERT INTO payments (invoice, bill_id, tenant_id, method, amount, state, created_at, updated_at,
                              next_check_at, payer_phone, payer_sealed)
        SELECT invoice, bill, tenant, method, amount, 'created', at, at, next_check, phone, sealed
        FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
                    $8::text[], $9::text[])
            AS new (invoice, bill, tenant, method, amount, at, next_check, phone, sealed)
        ON CONFLICT DO NOTHING
        RETURNING id, invoice, bill_id, tenant_id, method, amount, state, failure, refunded, transaction_id,
                  instruction, created_at, asked_at, expires_at, paid_at, checked_at, superseded_at, supersedes_id,
                  payer_phone, payer_sealed, version";
    let keys = Arc::clone(tx.keys());
    let phone = |one: &Wanted| payer_columns(&keys, &one.new.invoice, one.phone.as_deref());
    let phones = wishes.iter().map(phone).collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<Row> = sqlx::query_as(SQL)
        .bind(column!(wishes, one => Invoice::as_str(&one.new.invoice)))
        .bind(column!(wishes, one => one.new.bill_id.0))
        .bind(column!(wishes, one => one.new.tenant_id.0))
        .bind(column!(wishes, one => Method::code(one.new.method)))
        .bind(column!(wishes, one => Rupiah::get(one.new.amount)))
        .bind(column!(wishes, one => millis(one.now)))
        .bind(column!(wishes, one => millis(one.new.next_check_at)))
        .bind(column!(phones, one => one.0.as_deref()))
        .bind(column!(phones, one => one.1.as_deref()))
        .fetch_all(tx.connection()?)
        .await?;
    let mut made = rows.into_iter().map(|row| row.open(&keys)).collect::<Result<Vec<_>, _>>()?;
    if made.len() < wishes.len() {
        return Err(irregular());
    }
    let place = |payment: &Payment| wishes.iter().position(|one| one.new.bill_id == payment.bill_id);
    made.sort_by_key(place);
    Ok(made)
}

async fn append_history(tx: &mut Begun, made: &[Payment], now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO payment_history (payment_id, version, to_state, event, source, detail, at)
        SELECT payment, 1, $2, 'created', 'tenant', '', $3 FROM UNNEST($1::bigint[]) AS payment";
    let ids: Vec<i64> = made.iter().map(|payment| payment.id.0).collect();
    let query = sqlx::query(SQL).bind(ids).bind(State::Created.as_str()).bind(millis(now));
    query.execute(tx.connection()?).await?;
    Ok(())
}
