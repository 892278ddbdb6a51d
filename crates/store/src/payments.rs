//! Payments: attempts to pay a bill, and every change of one.

use domain::{
    BillId, Instruction, Invoice, Method, Payment, PaymentId, Rupiah, State, Time, TransactionId, UserId,
};

use crate::rows::in_order;
use crate::sealing::Place;
use crate::time::{from_millis, millis, opt_from_millis};
use crate::{Db, Keys, Page, StoreError, Tx, in_tx, read, searching};

pub use crate::changing::{Change, change};
pub use crate::searching::PaymentFilter;

macro_rules! columns {
    () => {
        "id, invoice, bill_id, tenant_id, method, amount, state, failure, refunded, transaction_id, instruction, \
         created_at, asked_at, expires_at, paid_at, checked_at, superseded_at, supersedes_id, payer_phone, payer_sealed, \
         version"
    };
}

macro_rules! select {
    ($($rest:literal),+ $(,)?) => {
        concat!("SELECT ", $crate::payments::columns!(), " FROM payments ", $($rest),+)
    };
}

pub(crate) use {columns, select};

in_order! {
    #[derive(Clone)]
    pub(crate) struct Row {
        pub(crate) id: i64,
        pub(crate) invoice: String,
        pub(crate) bill_id: i64,
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
        pub(crate) superseded_at: Option<i64>,
        supersedes_id: Option<i64>,
        payer_phone: Option<String>,
        payer_sealed: Option<String>,
        version: i64,
    }
}

impl Row {
    /// The payment, with what is sealed of it opened.
    pub(crate) fn open(self, keys: &Keys) -> Result<Payment, StoreError> {
        let mut row = self;
        let corrupt = StoreError::corrupt("payments", row.id);
        let refunded = Rupiah::try_from(row.refunded).map_err(&corrupt)?;
        let (instruction, payer_phone) = (row.instruction(keys), row.payer(keys)?);
        Ok(Payment {
            id: PaymentId(row.id),
            invoice: Invoice::try_from(row.invoice).map_err(&corrupt)?,
            bill_id: BillId(row.bill_id),
            tenant_id: UserId(row.tenant_id),
            method: Method::try_from(row.method.as_str()).map_err(&corrupt)?,
            amount: Rupiah::try_from(row.amount).map_err(&corrupt)?,
            payer_phone,
            state: State::from_parts(&row.state, row.failure.as_deref(), refunded).map_err(&corrupt)?,
            transaction_id: row.transaction_id.map(TryFrom::try_from).transpose().map_err(&corrupt)?,
            // An instruction of a later Kasir is shown as none, and asked for again.
            instruction: instruction.and_then(|json| serde_json::from_str(&json).ok()),
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

    /// One that does not open is none, so that the payment is still asked about: how it stands is in no sealed column.
    fn instruction(&mut self, keys: &Keys) -> Option<String> {
        let opened = keys.open(&Place::instruction(&self.invoice), self.instruction.take()?);
        opened.inspect_err(|error| tracing::error!(%error, "an instruction cannot be shown")).ok()
    }

    /// Without the payer's number nothing is charged that needs it. Afterwards nobody needs it.
    fn payer(&mut self, keys: &Keys) -> Result<Option<String>, StoreError> {
        let Some(sealed) = self.payer_sealed.take() else { return Ok(self.payer_phone.take()) };
        match keys.open(&Place::payer(&self.invoice), sealed) {
            Ok(phone) => Ok(Some(phone)),
            Err(error) if matches!(self.state.as_str(), "created" | "asked") => Err(error),
            Err(_) => Ok(None),
        }
    }
}

/// The two columns that hold a payer's number: plain, and sealed.
pub(crate) fn payer_columns(
    keys: &Keys,
    invoice: &Invoice,
    phone: Option<&str>,
) -> Result<(Option<String>, Option<String>), StoreError> {
    let Some(phone) = phone else { return Ok((None, None)) };
    if keys.newest().is_none() {
        return Ok((Some(phone.to_owned()), None));
    }
    Ok((None, Some(keys.seal(&Place::payer(invoice.as_str()), phone)?)))
}

/// An instruction as it is kept.
pub(crate) fn sealed_instruction(
    keys: &Keys,
    invoice: &Invoice,
    instruction: Option<&Instruction>,
) -> Result<Option<String>, StoreError> {
    let json = instruction.and_then(|instruction| serde_json::to_string(instruction).ok());
    json.map(|json| keys.seal(&Place::instruction(invoice.as_str()), &json)).transpose()
}

/// The payment of this row.
///
/// # Errors
/// When the database does.
pub async fn find(db: &Db, id: PaymentId) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!("WHERE id = $1");
    let row: Option<Row> = match db.shared() {
        Some(turns) => turns.payments.ask(db, id.0).await?,
        None => read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_optional(pool).await?),
    };
    row.map(|row| row.open(db.keys())).transpose()
}

/// The payment of this invoice.
///
/// # Errors
/// When the database does.
pub async fn find_by_invoice(db: &Db, invoice: &Invoice) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!("WHERE invoice = $1");
    let row: Option<Row> = match db.shared() {
        Some(turns) => turns.invoices.ask(db, invoice.as_str().to_owned()).await?.map(|stamped| stamped.row),
        None => read!(db, pool => sqlx::query_as(SQL).bind(invoice.as_str()).fetch_optional(pool).await?),
    };
    row.map(|row| row.open(db.keys())).transpose()
}

/// The payment of this transaction of the gateway.
///
/// # Errors
/// When the database does.
pub async fn find_by_transaction(db: &Db, id: &TransactionId) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!("WHERE transaction_id = $1 ORDER BY id DESC LIMIT 1");
    let row: Option<Row> =
        read!(db, pool => sqlx::query_as(SQL).bind(id.as_str()).fetch_optional(pool).await?);
    row.map(|row| row.open(db.keys())).transpose()
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
    let row: Option<Row> = match db.shared() {
        Some(turns) => turns.live.ask(db, bill.0).await?.into_iter().find(|row| row.superseded_at.is_none()),
        None => read!(db, pool => sqlx::query_as(SQL).bind(bill.0).fetch_optional(pool).await?),
    };
    row.map(|row| row.open(db.keys())).transpose()
}

/// An earlier payment of the same bill that is still live, wanted or not: while there is one, no other is charged.
///
/// # Errors
/// When the database does.
pub async fn earlier_live(db: &Db, payment: &Payment) -> Result<Option<Payment>, StoreError> {
    const SQL: &str = select!(
        "WHERE bill_id = $1 AND id < $2 AND state IN ('created', 'asked', 'pending', 'review') ORDER BY id LIMIT 1"
    );
    let row: Option<Row> = match db.shared() {
        Some(turns) => {
            let live = turns.live.ask(db, payment.bill_id.0).await?;
            live.into_iter().next().filter(|row| row.id < payment.id.0)
        }
        None => read!(db, pool => sqlx::query_as(SQL)
            .bind(payment.bill_id.0)
            .bind(payment.id.0)
            .fetch_optional(pool)
            .await?),
    };
    row.map(|row| row.open(db.keys())).transpose()
}

/// The payments of the bill that are live, wanted or not.
///
/// # Errors
/// When the database does.
pub async fn all_live_of_bill(db: &Db, bill: BillId) -> Result<Vec<Payment>, StoreError> {
    const SQL: &str = select!(
        "WHERE bill_id = $1 AND state IN ('created', 'asked', 'pending', 'review') ORDER BY id LIMIT 100"
    );
    let rows: Vec<Row> = match db.shared() {
        Some(turns) => turns.live.ask(db, bill.0).await?,
        None => read!(db, pool => sqlx::query_as(SQL).bind(bill.0).fetch_all(pool).await?),
    };
    rows.into_iter().map(|row| row.open(db.keys())).collect()
}

/// All payments of the bill, oldest first, at most a hundred.
///
/// # Errors
/// When the database does.
pub async fn of_bill(db: &Db, bill: BillId) -> Result<Vec<Payment>, StoreError> {
    const SQL: &str = select!("WHERE bill_id = $1 ORDER BY id LIMIT 100");
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(bill.0).fetch_all(pool).await?);
    rows.into_iter().map(|row| row.open(db.keys())).collect()
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
    let row: Option<Row> =
        in_tx!(&mut *tx, conn => sqlx::query_as(SQL).bind(id.0).fetch_optional(conn).await?);
    row.map(|row| row.open(tx.keys())).transpose()
}

pub(crate) async fn live_in(tx: &mut Tx, bill: BillId) -> Result<Vec<Payment>, StoreError> {
    const SQL: &str = select!("WHERE bill_id = $1 AND state IN ('created', 'asked', 'pending', 'review')");
    let rows: Vec<Row> = in_tx!(&mut *tx, conn => sqlx::query_as(SQL).bind(bill.0).fetch_all(conn).await?);
    rows.into_iter().map(|row| row.open(tx.keys())).collect()
}

/// A bill's status follows from its payments. Those are found by the bill: `state || ''` is in no index.
pub(crate) async fn settle_bill(tx: &mut Tx, bill: BillId, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE bills SET updated_at = $2, status = settled.status
        FROM (SELECT CASE
                  WHEN EXISTS (SELECT 1 FROM payments
                               WHERE bill_id = $1 AND state || '' IN ('paid', 'partially_refunded'))
                      THEN 'paid'
                  WHEN EXISTS (SELECT 1 FROM payments
                               WHERE bill_id = $1 AND state || '' IN ('created', 'asked', 'pending', 'review'))
                      THEN 'pending'
                  ELSE 'unpaid' END AS status) AS settled
        WHERE id = $1 AND bills.status <> settled.status";
    in_tx!(tx, conn => sqlx::query(SQL).bind(bill.0).bind(millis(now)).execute(conn).await.map(drop)?);
    Ok(())
}
