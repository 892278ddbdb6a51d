//! Payments: attempts to pay a bill, and every change of one.

use domain::{
    BillId, FindingKind, Instruction, Invoice, JobId, Learned, Method, Payment, PaymentId, ReportedRefund,
    Rupiah, State, Time, TransactionId, UserId,
};

use crate::findings::NewFinding;
use crate::history::{Entry, Source};
use crate::ledger::{Finish, Lease, NewJob};
use crate::time::{from_millis, millis, opt_from_millis, opt_millis};
use crate::{
    Db, Page, StoreError, Tx, Written, findings, history, in_tx, journal, ledger, read, refunds, searching,
    tries,
};

pub use crate::searching::PaymentFilter;

macro_rules! select {
    ($($rest:literal),+ $(,)?) => {
        concat!(
            "SELECT id, invoice, bill_id, tenant_id, method, amount, state, failure, refunded, transaction_id, ",
            "instruction, created_at, asked_at, expires_at, paid_at, checked_at, superseded_at, supersedes_id, payer_phone, ",
            "version ",
            "FROM payments ",
            $($rest),+
        )
    };
}

pub(crate) use select;

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: i64,
    invoice: String,
    bill_id: i64,
    tenant_id: i64,
    method: String,
    amount: i64,
    state: String,
    failure: Option<String>,
    refunded: i64,
    transaction_id: Option<String>,
    instruction: Option<String>,
    created_at: i64,
    asked_at: Option<i64>,
    expires_at: Option<i64>,
    paid_at: Option<i64>,
    checked_at: Option<i64>,
    superseded_at: Option<i64>,
    supersedes_id: Option<i64>,
    payer_phone: Option<String>,
    version: i64,
}

impl TryFrom<Row> for Payment {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = StoreError::corrupt("payments", row.id);
        let refunded = Rupiah::try_from(row.refunded).map_err(&corrupt)?;
        Ok(Self {
            id: PaymentId(row.id),
            invoice: Invoice::try_from(row.invoice).map_err(&corrupt)?,
            bill_id: BillId(row.bill_id),
            tenant_id: UserId(row.tenant_id),
            method: Method::try_from(row.method.as_str()).map_err(&corrupt)?,
            amount: Rupiah::try_from(row.amount).map_err(&corrupt)?,
            payer_phone: row.payer_phone,
            state: State::from_parts(&row.state, row.failure.as_deref(), refunded).map_err(&corrupt)?,
            transaction_id: row.transaction_id.map(TryFrom::try_from).transpose().map_err(&corrupt)?,
            // An instruction of a later Kasir is shown as none, and asked for again.
            instruction: row.instruction.and_then(|json| serde_json::from_str(&json).ok()),
            created_at: from_millis(row.created_at),
            asked_at: opt_from_millis(row.asked_at),
            expires_at: opt_from_millis(row.expires_at),
            paid_at: opt_from_millis(row.paid_at),
            checked_at: opt_from_millis(row.checked_at),
            superseded_at: opt_from_millis(row.superseded_at),
            supersedes: row.supersedes_id.map(PaymentId),
            version: row.version,
        })
    }
}

/// The payment of this row.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: PaymentId) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!("WHERE id = $1");
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?);
    row.map(Payment::try_from).transpose()
}

/// The payment of this invoice.
///
/// # Errors
/// When the database does.
pub async fn find_by_invoice(db: &Db, invoice: &Invoice) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!("WHERE invoice = $1");
    let row: Option<Row> =
        read!(db, pool => sqlx::query_as(SQL).bind(invoice.as_str()).fetch_optional(pool).await?);
    row.map(Payment::try_from).transpose()
}

/// The payment of this transaction of the gateway.
///
/// # Errors
/// When the database does.
pub async fn find_by_transaction(db: &Db, id: &TransactionId) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!("WHERE transaction_id = $1 ORDER BY id DESC LIMIT 1");
    let row: Option<Row> =
        read!(db, pool => sqlx::query_as(SQL).bind(id.as_str()).fetch_optional(pool).await?);
    row.map(Payment::try_from).transpose()
}

/// The version of the payment of this row: another one than before means that something changed.
///
/// # Errors
/// When the database does.
pub async fn version_of(db: &Db, id: PaymentId) -> Result<Option<i64>, StoreError> {
    const SQL: &str = "SELECT version FROM payments WHERE id = $1";
    Ok(read!(db, pool => sqlx::query_scalar(SQL).bind(id.0).fetch_optional(pool).await?))
}

/// The payment of the bill that is live and wanted; there is at most one.
///
/// # Errors
/// When the database does.
pub async fn live_of_bill(db: &Db, bill: BillId) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!(
        "WHERE bill_id = $1 AND state IN ('created', 'asked', 'pending', 'review') AND superseded_at IS NULL"
    );
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL).bind(bill.0).fetch_optional(pool).await?);
    row.map(Payment::try_from).transpose()
}

/// An earlier payment of the same bill that is still live, wanted or not: while there is one, no other is charged.
///
/// # Errors
/// When the database does.
pub async fn earlier_live(db: &Db, payment: &Payment) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!(
        "WHERE bill_id = $1 AND id < $2 AND state IN ('created', 'asked', 'pending', 'review') ORDER BY id LIMIT 1"
    );
    let row: Option<Row> = read!(db, pool => sqlx::query_as(SQL)
        .bind(payment.bill_id.0)
        .bind(payment.id.0)
        .fetch_optional(pool)
        .await?);
    row.map(Payment::try_from).transpose()
}

/// The payments of the bill that are live, wanted or not.
///
/// # Errors
/// When the database does.
pub async fn all_live_of_bill(db: &Db, bill: BillId) -> Result<Vec<Payment>, StoreError> {
    const SQL: &str = select!(
        "WHERE bill_id = $1 AND state IN ('created', 'asked', 'pending', 'review') ORDER BY id LIMIT 100"
    );
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(bill.0).fetch_all(pool).await?);
    rows.into_iter().map(Payment::try_from).collect()
}

/// All payments of the bill, oldest first, at most a hundred.
///
/// # Errors
/// When the database does.
pub async fn of_bill(db: &Db, bill: BillId) -> Result<Vec<Payment>, StoreError> {
    const SQL: &str = select!("WHERE bill_id = $1 ORDER BY id LIMIT 100");
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(bill.0).fetch_all(pool).await?);
    rows.into_iter().map(Payment::try_from).collect()
}

/// A page of the payments that the filter lets through, newest first.
///
/// # Errors
/// When the database does.
pub async fn search(db: &Db, filter: &PaymentFilter, page: Page) -> Result<Vec<Payment>, StoreError> {
    searching::search(db, filter, page).await
}

pub(crate) async fn find_in(tx: &mut Tx, id: PaymentId) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!("WHERE id = $1");
    let row: Option<Row> = in_tx!(tx, conn => sqlx::query_as(SQL).bind(id.0).fetch_optional(conn).await?);
    row.map(Payment::try_from).transpose()
}

pub(crate) async fn live_in(tx: &mut Tx, bill: BillId) -> Result<Vec<Payment>, StoreError> {
    const SQL: &str = select!("WHERE bill_id = $1 AND state IN ('created', 'asked', 'pending', 'review')");
    let rows: Vec<Row> = in_tx!(tx, conn => sqlx::query_as(SQL).bind(bill.0).fetch_all(conn).await?);
    rows.into_iter().map(Payment::try_from).collect()
}

/// A change of a payment, with all that must commit together with it.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The payment as it was read; the change applies to this version only.
    pub payment: &'a Payment,
    /// Where it moves; the state it is in when only something was learned.
    pub to: State,
    /// What was learned.
    pub learned: &'a Learned,
    /// What happened, in a word, for the history.
    pub event: &'a str,
    /// Who told us.
    pub source: Source,
    /// More about it, for the history: codes and messages, no secrets.
    pub detail: &'a str,
    /// What someone should know of.
    pub finding: Option<FindingKind>,
    /// What the gateway says of refunds and the books do not know.
    pub refunds: &'a [ReportedRefund],
    /// Whether the gateway was asked just now how the payment stands.
    pub checked: bool,
    /// When to ask again.
    pub next_check_at: Option<Time>,
    /// What is to be done because of it.
    pub jobs: &'a [NewJob],
    /// The job that is done with it.
    pub completes: Option<&'a Lease>,
}

/// Commits the change: payment, history, journal, bill, finding, jobs, and the end of the job that wanted it.
///
/// The ids are those of the jobs that were enqueued.
///
/// # Errors
/// When the database does.
pub async fn change(db: &Db, change: &Change<'_>, now: Time) -> Result<(Written, Vec<JobId>), StoreError> {
    let payment = change.payment;
    let moves = change.to != payment.state;
    let mut tx = Tx::begin(db).await?;
    tx.lock_bill(payment.bill_id.0, now).await?;
    let after = Payment { state: change.to, version: payment.version + 1, ..payment.clone() };
    let applied = if moves || !change.learned.is_empty() {
        update(&mut tx, change, now).await?
    } else {
        look(&mut tx, change, now).await?
    };
    if !applied {
        return Ok((Written::Stale, Vec::new()));
    }
    if moves {
        let detail = change.detail;
        let entry = Entry { from: Some(payment.state), event: change.event, source: change.source, detail };
        history::append(&mut tx, &after, &entry, now).await?;
        journal::post_move_in(&mut tx, payment.state, &after, now).await?;
        settle_bill(&mut tx, payment.bill_id, now).await?;
        if change.to.holds_money() && !payment.state.holds_money() {
            report_double_payment(&mut tx, payment, now).await?;
        }
    }
    refunds::note_in(&mut tx, &after, change.refunds, now).await?;
    if let Some(id) = change.learned.transaction_id.as_ref().filter(|_| payment.method.is_on_a_page()) {
        tries::note_in(&mut tx, payment.id, id, now).await?;
    }
    if let Some(kind) = change.finding {
        // The same difference seen at the next poll is the same finding.
        let cause =
            format!("{}:{}:{}:{}", kind.as_str(), payment.invoice, change.event, after.state.as_str());
        let finding = NewFinding { kind, cause, payment_id: Some(payment.id), detail: change.detail };
        findings::open_in(&mut tx, &finding, now).await?;
    }
    let jobs = ledger::enqueue_all(&mut tx, change.jobs, now).await?;
    if let Some(lease) = change.completes
        && !ledger::finish_in(&mut tx, lease, &Finish::Done, now).await?
    {
        return Ok((Written::LostLease, Vec::new()));
    }
    tx.commit().await?;
    Ok((Written::Done, jobs))
}

async fn update(tx: &mut Tx, change: &Change<'_>, now: Time) -> Result<bool, StoreError> {
    const SQL: &str = "
        UPDATE payments SET
            state = $3, failure = $4, refunded = COALESCE($5, refunded),
            transaction_id = COALESCE($6, transaction_id), instruction = COALESCE($7, instruction),
            expires_at = COALESCE($8, expires_at), paid_at = COALESCE(paid_at, $9), asked_at = COALESCE(asked_at, $10),
            checked_at = COALESCE($11, checked_at), next_check_at = $12,
            updated_at = $13, version = version + 1
        WHERE id = $1 AND version = $2";
    let Change { payment, to, learned, .. } = change;
    let refunded = match to {
        State::PartiallyRefunded { total } => Some(*total),
        State::Refunded => Some(payment.amount),
        // What was given back stays given back, whatever happens to the rest.
        _ => None,
    };
    let paid_at = to.holds_money().then(|| learned.settled_at.unwrap_or(now));
    let asked_at = (*to == State::Asked).then_some(now);
    let rows = in_tx!(tx, conn => sqlx::query(SQL)
        .bind(payment.id.0)
        .bind(payment.version)
        .bind(to.as_str())
        .bind(to.failure().map(domain::Failure::as_str))
        .bind(refunded.map(Rupiah::get))
        .bind(learned.transaction_id.as_ref().map(|id| id.as_str()))
        .bind(learned.instruction.as_ref().and_then(instruction_json))
        .bind(opt_millis(learned.expires_at))
        .bind(opt_millis(paid_at))
        .bind(opt_millis(asked_at))
        .bind(opt_millis(change.checked.then_some(now)))
        .bind(opt_millis(change.next_check_at))
        .bind(millis(now))
        .execute(conn)
        .await?
        .rows_affected());
    Ok(rows == 1)
}

/// Notes a look that found nothing but a difference. The version stays; false when it is another.
async fn look(tx: &mut Tx, change: &Change<'_>, now: Time) -> Result<bool, StoreError> {
    const SQL: &str = "
        UPDATE payments SET checked_at = COALESCE($3, checked_at),
            next_check_at = CASE WHEN $3 IS NULL THEN next_check_at ELSE $4 END
        WHERE id = $1 AND version = $2";
    let rows = in_tx!(tx, conn => sqlx::query(SQL)
        .bind(change.payment.id.0)
        .bind(change.payment.version)
        .bind(opt_millis(change.checked.then_some(now)))
        .bind(opt_millis(change.next_check_at))
        .execute(conn)
        .await?
        .rows_affected());
    Ok(rows == 1)
}

fn instruction_json(instruction: &Instruction) -> Option<String> {
    serde_json::to_string(instruction).ok()
}

/// A bill's status follows from its payments.
pub(crate) async fn settle_bill(tx: &mut Tx, bill: BillId, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE bills SET updated_at = $2, status = CASE
            WHEN EXISTS (SELECT 1 FROM payments WHERE bill_id = $1 AND state IN ('paid', 'partially_refunded'))
                THEN 'paid'
            WHEN EXISTS (SELECT 1 FROM payments
                         WHERE bill_id = $1 AND state IN ('created', 'asked', 'pending', 'review'))
                THEN 'pending'
            ELSE 'unpaid' END
        WHERE id = $1";
    in_tx!(tx, conn => sqlx::query(SQL).bind(bill.0).bind(millis(now)).execute(conn).await.map(drop)?);
    Ok(())
}

async fn report_double_payment(tx: &mut Tx, payment: &Payment, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        SELECT count(*) FROM payments WHERE bill_id = $1 AND state IN ('paid', 'partially_refunded')";
    let paid: i64 =
        in_tx!(tx, conn => sqlx::query_scalar(SQL).bind(payment.bill_id.0).fetch_one(conn).await?);
    if paid < 2 {
        return Ok(());
    }
    let kind = FindingKind::DoublePayment;
    let cause = format!("{}:{}", kind.as_str(), payment.invoice);
    let detail = format!("bill {} is paid by {paid} payments; give one back", payment.bill_id);
    let finding = NewFinding { kind, cause, payment_id: Some(payment.id), detail: &detail };
    findings::open_in(tx, &finding, now).await
}
