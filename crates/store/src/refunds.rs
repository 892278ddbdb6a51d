//! Refunds: money given back, by us or by somebody else, one row for each.

use domain::{
    FindingKind, Invoice, JobId, Payment, PaymentId, Refund, RefundId, RefundKey, RefundState, Refunds,
    ReportedRefund, Rupiah, State, Time,
};
use serde_json::json;

use crate::audit::{self, By};
use crate::findings::NewFinding;
use crate::ledger::{Finish, Lease, NewJob};
use crate::time::{from_millis, millis, opt_from_millis, opt_millis};
use crate::{Db, Refusal, StoreError, Tx, Undone, Written, findings, in_tx, ledger, payments, read, write};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, payment_id, refund_key, amount, reason, is_ours, state, answer, created_at, confirmed_at ",
            "FROM refunds ",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    payment_id: i64,
    refund_key: String,
    amount: i64,
    reason: String,
    is_ours: bool,
    state: String,
    answer: Option<String>,
    created_at: i64,
    confirmed_at: Option<i64>,
}

impl TryFrom<Row> for Refund {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = StoreError::corrupt("refunds", row.id);
        Ok(Self {
            id: RefundId(row.id),
            payment_id: PaymentId(row.payment_id),
            key: RefundKey::try_from(row.refund_key).map_err(&corrupt)?,
            amount: Rupiah::try_from(row.amount).map_err(&corrupt)?,
            reason: row.reason,
            is_ours: row.is_ours,
            state: RefundState::try_from(row.state.as_str()).map_err(&corrupt)?,
            answer: row.answer,
            created_at: from_millis(row.created_at),
            confirmed_at: opt_from_millis(row.confirmed_at),
        })
    }
}

/// The refund of this row.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: RefundId) -> Result<Option<Refund>, StoreError> {
    const SQL: &str = select!("WHERE id = $1");
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?);
    row.map(Refund::try_from).transpose()
}

/// The refunds of a payment, oldest first, at most two hundred.
///
/// # Errors
/// When the database does.
pub async fn of_payment(db: &Db, id: PaymentId) -> Result<Vec<Refund>, StoreError> {
    const SQL: &str = select!("WHERE payment_id = $1 ORDER BY id LIMIT 200");
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await?);
    rows.into_iter().map(Refund::try_from).collect()
}

/// A refund that somebody of the house wants. Why and by whom is said by [`By`].
#[derive(Debug, Clone)]
pub struct NewRefund<'a> {
    /// Of this payment.
    pub payment: &'a Payment,
    /// Its name.
    pub key: RefundKey,
    /// How much; all that is left where nothing is said.
    pub amount: Option<Rupiah>,
    /// What the method allows.
    pub rules: Refunds,
}

/// Writes down a refund, the job that makes it, and the audit, in one transaction.
///
/// What is wanted together never exceeds what was paid: the bill's lock puts such wishes one after the other.
///
/// # Errors
/// When the method does not allow it, or the database fails.
pub async fn want(
    db: &Db,
    new: &NewRefund<'_>,
    job: impl FnOnce(RefundId) -> NewJob,
    by: &By<'_>,
) -> Result<(Refund, Vec<JobId>), Undone> {
    const GIVEN: &str = "
        SELECT CAST(COALESCE(sum(amount), 0) AS BIGINT) FROM refunds
        WHERE payment_id = $1 AND state <> 'refused'";
    let mut tx = Tx::begin(db).await?;
    tx.lock_bill(new.payment.bill_id.0).await?;
    let payment = payments::find_in(&mut tx, new.payment.id).await?.ok_or(Refusal::NotThere)?;
    if let Some(known) = find_by_key_in(&mut tx, payment.id, &new.key).await? {
        // Asked again with the same key: the first time counts.
        return Ok((known, Vec::new()));
    }
    let given: i64 =
        in_tx!(&mut tx, conn => sqlx::query_scalar(GIVEN).bind(payment.id.0).fetch_one(conn).await?);
    let booked = match payment.state {
        State::PartiallyRefunded { total } => total,
        _ => Rupiah::ZERO,
    };
    let given_back = sum(&payment, given)?.max(booked);
    let amount = new.rules.allow(&payment, (given_back, new.amount), by.now).map_err(Refusal::NoRefund)?;
    let refund = insert(&mut tx, &Entry { payment: &payment, new, amount, by }).await?;
    let jobs = ledger::enqueue_all(&mut tx, &[job(refund.id)], by.now).await?;
    let after = json!({ "refundKey": refund.key, "amount": amount, "state": refund.state.as_str() });
    let subject = format!("payment:{}", payment.invoice);
    audit::write_in(&mut tx, &by.deed("payment.refund", subject, (None, Some(after.to_string()))), by.now)
        .await?;
    tx.commit().await?;
    Ok((refund, jobs))
}

async fn find_by_key_in(
    tx: &mut Tx,
    payment: PaymentId,
    key: &RefundKey,
) -> Result<Option<Refund>, StoreError> {
    const SQL: &str = select!("WHERE payment_id = $1 AND refund_key = $2");
    let row: Option<Row> = in_tx!(tx, conn => sqlx::query_as(SQL)
        .bind(payment.0).bind(key.as_str()).fetch_optional(conn).await?);
    row.map(Refund::try_from).transpose()
}

/// A sum of money out of a column that holds whole rupiah.
fn sum(payment: &Payment, amount: i64) -> Result<Rupiah, StoreError> {
    Rupiah::try_from(amount).map_err(StoreError::corrupt("payments", payment.id.0))
}

struct Entry<'a> {
    payment: &'a Payment,
    new: &'a NewRefund<'a>,
    amount: Rupiah,
    by: &'a By<'a>,
}

async fn insert(tx: &mut Tx, entry: &Entry<'_>) -> Result<Refund, StoreError> {
    const SQL: &str = "
        INSERT INTO refunds (payment_id, refund_key, amount, reason, is_ours, state, created_at, updated_at)
        VALUES ($1, $2, $3, $4, TRUE, 'wanted', $5, $5)
        RETURNING id, payment_id, refund_key, amount, reason, is_ours, state, answer, created_at, confirmed_at";
    let row: Row = in_tx!(tx, conn => sqlx::query_as(SQL)
        .bind(entry.payment.id.0)
        .bind(entry.new.key.as_str())
        .bind(entry.amount.get())
        .bind(entry.by.reason.unwrap_or_default())
        .bind(millis(entry.by.now))
        .fetch_one(conn)
        .await?);
    row.try_into()
}

/// Notes that the gateway is about to be asked: from here on it may only be asked again.
///
/// # Errors
/// When the database does.
pub async fn mark_asked(db: &Db, id: RefundId, now: Time) -> Result<bool, StoreError> {
    const SQL: &str =
        "UPDATE refunds SET state = 'asked', updated_at = $2 WHERE id = $1 AND state = 'wanted'";
    let rows = write!(db, pool => sqlx::query(SQL)
        .bind(id.0).bind(millis(now)).execute(pool).await?.rows_affected());
    Ok(rows == 1)
}

/// Notes that the gateway has taken a refund on, before it lists it.
///
/// # Errors
/// When the database does.
pub async fn mark_accepted(db: &Db, id: RefundId, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE refunds SET state = 'accepted', updated_at = $2 WHERE id = $1 AND state IN ('wanted', 'asked')";
    write!(db, pool => sqlx::query(SQL)
        .bind(id.0).bind(millis(now)).execute(pool).await.map(drop)?);
    Ok(())
}

/// Which refunds are to be looked at again.
#[derive(Debug, Clone, Copy)]
pub struct Lingering {
    /// Those that nobody knows the outcome of, when nothing happened since.
    pub open_since: Time,
    /// Those that the bank has not confirmed, when nothing happened since.
    pub accepted_since: Time,
    /// And not those that are older.
    pub made_after: Time,
    /// At most so many.
    pub limit: i64,
}

/// Takes refunds that have lingered; a test looks at how the databases carry it out.
pub const TAKE_LINGERING: &str = "
    UPDATE refunds SET updated_at = $1 WHERE id IN (
        SELECT id FROM refunds WHERE is_ours AND state IN ('wanted', 'asked', 'accepted') AND (
            (state IN ('wanted', 'asked') AND updated_at <= $2)
            OR (state = 'accepted' AND updated_at <= $3 AND created_at > $4))
        ORDER BY updated_at LIMIT $5)
    RETURNING payment_id, id";

/// Takes refunds of ours that have lingered, and writes down the job that `job` makes for each. They are not taken again
/// before they have lingered anew.
///
/// # Errors
/// When the database does.
pub async fn take_lingering(
    db: &Db,
    which: &Lingering,
    job: impl Fn(PaymentId, RefundId) -> NewJob,
    now: Time,
) -> Result<Vec<JobId>, StoreError> {
    let mut tx = Tx::begin(db).await?;
    let taken: Vec<(i64, i64)> = in_tx!(&mut tx, conn => sqlx::query_as(TAKE_LINGERING)
        .bind(millis(now))
        .bind(millis(which.open_since))
        .bind(millis(which.accepted_since))
        .bind(millis(which.made_after))
        .bind(which.limit)
        .fetch_all(conn)
        .await?);
    let jobs: Vec<NewJob> =
        taken.into_iter().map(|(payment, refund)| job(PaymentId(payment), RefundId(refund))).collect();
    let ids = ledger::enqueue_all(&mut tx, &jobs, now).await?;
    tx.commit().await?;
    Ok(ids)
}

/// How a refund of ours ended, other than by what the gateway lists of it.
#[derive(Debug, Clone)]
pub struct Ending<'a> {
    /// The refund.
    pub id: RefundId,
    /// True when the money went back.
    pub given_back: bool,
    /// What the gateway said.
    pub answer: &'a str,
    /// The job that is done with it.
    pub completes: &'a Lease,
}

/// Writes down how a refund ended, and completes its job in the same transaction.
///
/// # Errors
/// When the database does.
pub async fn end(db: &Db, ending: &Ending<'_>, now: Time) -> Result<Written, StoreError> {
    const SQL: &str = "
        UPDATE refunds SET state = $2, answer = $3, confirmed_at = $4, updated_at = $5
        WHERE id = $1 AND state IN ('wanted', 'asked')";
    let state = if ending.given_back { RefundState::Confirmed } else { RefundState::Refused };
    let mut tx = Tx::begin(db).await?;
    in_tx!(&mut tx, conn => sqlx::query(SQL)
        .bind(ending.id.0)
        .bind(state.as_str())
        .bind(ending.answer)
        .bind(opt_millis(ending.given_back.then_some(now)))
        .bind(millis(now))
        .execute(conn)
        .await
        .map(drop)?);
    if !ledger::finish_in(&mut tx, ending.completes, &Finish::Done, now).await? {
        return Ok(Written::LostLease);
    }
    tx.commit().await?;
    Ok(Written::Done)
}

/// Writes down what the gateway lists; a refund that is not ours, and money back that no refund accounts for, are
/// findings.
pub(crate) async fn note_in(
    tx: &mut Tx,
    payment: &Payment,
    listed: &[ReportedRefund],
    now: Time,
) -> Result<(), StoreError> {
    for refund in listed {
        if !note_one_in(tx, payment, refund, now).await? {
            let detail = format!("{} given back elsewhere: {}", refund.amount, refund.reason);
            tell_in(tx, payment, (refund.key.as_str(), &detail), now).await?;
        }
    }
    let total = match payment.state {
        State::PartiallyRefunded { total } => total,
        State::Refunded => payment.amount,
        _ => return Ok(()),
    };
    const KNOWN: &str = "
        SELECT CAST(COALESCE(sum(amount), 0) AS BIGINT) FROM refunds
        WHERE payment_id = $1 AND state IN ('asked', 'accepted', 'confirmed')";
    let known: i64 =
        in_tx!(&mut *tx, conn => sqlx::query_scalar(KNOWN).bind(payment.id.0).fetch_one(conn).await?);
    let known = sum(payment, known)?;
    if known < total {
        let (cause, detail) =
            (format!("up to {total}"), format!("{total} given back, and we know of {known}"));
        tell_in(tx, payment, (&cause, &detail), now).await?;
    }
    Ok(())
}

/// True when the refund is ours.
async fn note_one_in(
    tx: &mut Tx,
    payment: &Payment,
    refund: &ReportedRefund,
    now: Time,
) -> Result<bool, StoreError> {
    const SQL: &str = "
        INSERT INTO refunds
            (payment_id, refund_key, amount, reason, is_ours, state, created_at, updated_at, confirmed_at)
        VALUES ($1, $2, $3, $4, FALSE, $5, $6, $6, $7)
        ON CONFLICT (payment_id, refund_key) DO UPDATE SET
            state = excluded.state, amount = excluded.amount, updated_at = excluded.updated_at,
            confirmed_at = excluded.confirmed_at
        WHERE refunds.state <> 'confirmed'
        RETURNING is_ours";
    let ours: Option<bool> = in_tx!(tx, conn => sqlx::query_scalar(SQL)
        .bind(payment.id.0)
        .bind(refund.key.as_str())
        .bind(refund.amount.get())
        .bind(&refund.reason)
        .bind(refund.state().as_str())
        .bind(millis(now))
        .bind(opt_millis(refund.confirmed_at))
        .fetch_optional(conn)
        .await?);
    // No row: the bank's word was there before.
    Ok(ours.unwrap_or(true))
}

async fn tell_in(
    tx: &mut Tx,
    payment: &Payment,
    (cause, detail): (&str, &str),
    now: Time,
) -> Result<(), StoreError> {
    let kind = FindingKind::ExternalRefund;
    let invoice: &Invoice = &payment.invoice;
    let cause = format!("{}:{invoice}:{cause}", kind.as_str());
    findings::open_in(tx, &NewFinding { kind, cause, payment_id: Some(payment.id), detail }, now).await
}
