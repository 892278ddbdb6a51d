//! The double-entry journal: every movement of money, append-only. A row has both its sides, so nothing can be written
//! that does not sum to zero.

use std::collections::BTreeMap;

use domain::{Account, Payment, PaymentId, PostingKind, Rupiah, Standing, State, Time, Transfer};

use crate::time::{from_millis, millis};
use crate::{Db, StoreError, Tx, in_tx, read};

/// A movement of money as the journal holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Its row.
    pub id: i64,
    /// What was moved, from where to where.
    pub transfer: Transfer,
    /// When it was written down.
    pub at: Time,
}

/// What was posted on one account, in whole rupiah.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The account.
    pub account: Account,
    /// What came to it.
    pub debit: i64,
    /// What went from it.
    pub credit: i64,
}

impl Balance {
    /// What lies on the account: what came less what went.
    #[must_use]
    pub fn net(&self) -> i64 {
        self.debit.saturating_sub(self.credit)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    debit: String,
    credit: String,
    amount: i64,
    at: i64,
}

impl TryFrom<Row> for Posting {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = StoreError::corrupt("postings", row.id);
        let transfer = Transfer {
            kind: PostingKind::try_from(row.kind.as_str()).map_err(&corrupt)?,
            debit: Account::try_from(row.debit.as_str()).map_err(&corrupt)?,
            credit: Account::try_from(row.credit.as_str()).map_err(&corrupt)?,
            amount: Rupiah::try_from(row.amount).map_err(&corrupt)?,
        };
        Ok(Self { id: row.id, transfer, at: from_millis(row.at) })
    }
}

/// A movement to be written down in the transaction of what causes it.
pub(crate) struct NewPosting<'a> {
    pub(crate) transfer: Transfer,
    pub(crate) payment: Option<PaymentId>,
    /// The same cause is posted once.
    pub(crate) cause: &'a str,
}

/// False when its cause was posted before; then nothing was written.
pub(crate) async fn post_in(tx: &mut Tx, new: &NewPosting<'_>, now: Time) -> Result<bool, StoreError> {
    const SQL: &str = "
        INSERT INTO postings (kind, debit, credit, amount, payment_id, cause, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (cause) DO NOTHING";
    let Transfer { kind, debit, credit, amount } = new.transfer;
    let rows = in_tx!(tx, conn => sqlx::query(SQL)
        .bind(kind.as_str())
        .bind(debit.as_str())
        .bind(credit.as_str())
        .bind(amount.get())
        .bind(new.payment.map(|id| id.0))
        .bind(new.cause)
        .bind(millis(now))
        .execute(conn)
        .await?
        .rows_affected());
    Ok(rows == 1)
}

/// What the move of a payment posts, and under which causes.
pub(crate) fn of_move(before: State, after: &Payment) -> Vec<(Transfer, String)> {
    let refunded = match before {
        State::PartiallyRefunded { total } => total,
        State::Refunded => after.amount,
        _ => Rupiah::ZERO,
    };
    let is_cash = after.method == domain::Method::Cash;
    let standing = |state| Standing { amount: after.amount, state, refunded, is_cash };
    let transfers = standing(before).transfers_to(&standing(after.state)).into_iter();
    let cause = |transfer: &Transfer| {
        let (credit, debit) = (transfer.credit.as_str(), transfer.debit.as_str());
        format!("{}:{}:{credit}-{debit}", after.invoice, after.version)
    };
    transfers.map(|transfer| (transfer, cause(&transfer))).collect()
}

/// Posts what the move of a payment means, as part of that move.
pub(crate) async fn post_move_in(
    tx: &mut Tx,
    before: State,
    after: &Payment,
    now: Time,
) -> Result<(), StoreError> {
    for (transfer, cause) in of_move(before, after) {
        let new = NewPosting { transfer, payment: Some(after.id), cause: &cause };
        post_in(tx, &new, now).await?;
    }
    Ok(())
}

/// Posts what the lines of a statement above a row say of our payments: fee, tax and payout. Each has the payment for its
/// cause, so it is posted once, in whichever file it comes and however often; what goes back in a payout has its line.
pub(crate) async fn post_lines_in(
    tx: &mut Tx,
    (statement, above): (i64, i64),
    now: Time,
) -> Result<(), StoreError> {
    const FEES: &str = "
        INSERT INTO postings (kind, debit, credit, amount, payment_id, cause, at)
        SELECT 'fee', 'fees', 'gateway', l.fee, p.id, 'fee:' || p.invoice, $3
        FROM statement_lines AS l JOIN payments AS p ON p.id = l.payment_id
        WHERE l.statement_id = $1 AND l.id > $2 AND l.kind <> 'transactions' AND l.entry = 'payment' AND l.is_money
          AND l.fee > 0 AND p.method <> 'cash'
        ORDER BY l.id ON CONFLICT (cause) DO NOTHING";
    const VAT: &str = "
        INSERT INTO postings (kind, debit, credit, amount, payment_id, cause, at)
        SELECT 'vat', 'vat', 'gateway', l.vat, p.id, 'vat:' || p.invoice, $3
        FROM statement_lines AS l JOIN payments AS p ON p.id = l.payment_id
        WHERE l.statement_id = $1 AND l.id > $2 AND l.kind <> 'transactions' AND l.entry = 'payment' AND l.is_money
          AND l.vat > 0 AND p.method <> 'cash'
        ORDER BY l.id ON CONFLICT (cause) DO NOTHING";
    const PAYOUTS: &str = "
        INSERT INTO postings (kind, debit, credit, amount, payment_id, cause, at)
        SELECT 'payout', CASE WHEN l.net > 0 THEN 'bank' ELSE 'gateway' END,
               CASE WHEN l.net > 0 THEN 'gateway' ELSE 'bank' END, abs(l.net), p.id,
               'payout:' || CASE WHEN l.entry = 'payment' THEN p.invoice ELSE l.line_key END, $3
        FROM statement_lines AS l JOIN payments AS p ON p.id = l.payment_id
        WHERE l.statement_id = $1 AND l.id > $2 AND l.kind = 'payout' AND l.is_money AND l.net <> 0
          AND l.entry IN ('payment', 'refund', 'chargeback', 'reversal') AND p.method <> 'cash'
        ORDER BY l.id ON CONFLICT (cause) DO NOTHING";
    for sql in [FEES, VAT, PAYOUTS] {
        in_tx!(&mut *tx, conn => sqlx::query(sql)
            .bind(statement).bind(above).bind(millis(now)).execute(conn).await.map(drop)?);
    }
    Ok(())
}

/// What was posted for a payment, oldest first, at most a thousand rows.
///
/// # Errors
/// When the database does.
pub async fn of_payment(db: &Db, id: PaymentId) -> Result<Vec<Posting>, StoreError> {
    const SQL: &str = "
        SELECT id, kind, debit, credit, amount, at FROM postings WHERE payment_id = $1 ORDER BY id LIMIT 1000";
    let rows: Vec<Row> = read!(db, pool => sqlx::query_as(SQL).bind(id.0).fetch_all(pool).await?);
    rows.into_iter().map(Posting::try_from).collect()
}

/// Postings that one statement sums up.
const STEP: i64 = 50_000;
/// Payments that one statement compares with their postings.
pub const COMPARED_MAX: i64 = 10_000;

/// Every account with what was posted on it, in the order of [`Account::ALL`]. Together they sum to zero. The journal is
/// read in steps; since it is append-only and a row has both its sides, each step sums to zero too.
///
/// # Errors
/// When the database does.
pub async fn trial_balance(db: &Db) -> Result<Vec<Balance>, StoreError> {
    // One row for each pair of accounts, so that both sides are of the same moment.
    const SQL: &str = "
        SELECT debit, credit, CAST(sum(amount) AS BIGINT) FROM (
            SELECT debit, credit, amount FROM postings WHERE id > $1 AND id <= $2 LIMIT $3) AS step
        GROUP BY debit, credit";
    let mut balances: BTreeMap<Account, Balance> = Account::ALL
        .iter()
        .map(|account| (*account, Balance { account: *account, debit: 0, credit: 0 }))
        .collect();
    let (mut above, last) = (0, last_of(db, LAST_POSTING).await?);
    while above < last {
        let through = last.min(above.saturating_add(STEP));
        let sums: Vec<(String, String, i64)> = read!(db, pool => sqlx::query_as(SQL)
            .bind(above).bind(through).bind(STEP).fetch_all(pool).await?);
        add_up(&mut balances, sums)?;
        above = through;
    }
    Ok(Account::ALL.iter().filter_map(|account| balances.get(account).copied()).collect())
}

fn add_up(
    balances: &mut BTreeMap<Account, Balance>,
    sums: Vec<(String, String, i64)>,
) -> Result<(), StoreError> {
    let corrupt = StoreError::corrupt("postings", 0);
    for (debit, credit, amount) in sums {
        let (debit, credit) = (Account::try_from(debit.as_str()), Account::try_from(credit.as_str()));
        let (debit, credit) = (debit.map_err(&corrupt)?, credit.map_err(&corrupt)?);
        for (account, came, went) in [(debit, amount, 0), (credit, 0, amount)] {
            if let Some(balance) = balances.get_mut(&account) {
                balance.debit = balance.debit.saturating_add(came);
                balance.credit = balance.credit.saturating_add(went);
            }
        }
    }
    Ok(())
}

const LAST_POSTING: &str = "SELECT id FROM postings ORDER BY id DESC LIMIT 1";
const LAST_PAYMENT: &str = "SELECT id FROM payments ORDER BY id DESC LIMIT 1";

async fn last_of(db: &Db, sql: &'static str) -> Result<i64, StoreError> {
    let last: Option<i64> = read!(db, pool => sqlx::query_scalar(sql).fetch_optional(pool).await?);
    Ok(last.unwrap_or(0))
}

/// Payments whose postings do not say what the payment says, at most `limit`. There is none, ever. All payments are
/// compared, [`COMPARED_MAX`] at a time.
///
/// # Errors
/// When the database does.
pub async fn drifted(db: &Db, limit: i64) -> Result<Vec<PaymentId>, StoreError> {
    let (mut above, last) = (0, last_of(db, LAST_PAYMENT).await?);
    let mut found = Vec::new();
    while above < last && found.len() < usize::try_from(limit).unwrap_or(0) {
        let through = last.min(above.saturating_add(COMPARED_MAX));
        found.extend(drifted_among(db, (above, through), limit).await?);
        above = through;
    }
    found.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(found)
}

/// The same of the newest [`COMPARED_MAX`] payments.
///
/// # Errors
/// When the database does.
pub async fn drifted_of_newest(db: &Db, limit: i64) -> Result<Vec<PaymentId>, StoreError> {
    let last = last_of(db, LAST_PAYMENT).await?;
    drifted_among(db, (last.saturating_sub(COMPARED_MAX), last), limit).await
}

/// Of the payments above one number, up to another.
async fn drifted_among(
    db: &Db,
    (above, through): (i64, i64),
    limit: i64,
) -> Result<Vec<PaymentId>, StoreError> {
    const SQL: &str = "
        SELECT DISTINCT payment_id FROM (
            SELECT payment_id, account, sum(part) AS difference FROM (
                SELECT id AS payment_id, 'pending' AS account, amount AS part
                FROM payments WHERE id > $2 AND id <= $3 AND state IN ('pending', 'review')
                UNION ALL
                SELECT id, CASE WHEN method = 'cash' THEN 'cash' ELSE 'gateway' END,
                       amount - CASE WHEN state = 'paid' THEN 0 ELSE refunded END
                FROM payments WHERE id > $2 AND id <= $3 AND state IN ('paid', 'partially_refunded')
                UNION ALL
                SELECT id, 'refunded', CASE WHEN state = 'refunded' THEN amount ELSE refunded END
                FROM payments
                WHERE id > $2 AND id <= $3 AND state IN ('partially_refunded', 'refunded', 'charged_back')
                UNION ALL
                SELECT id, 'charged_back', amount - refunded
                FROM payments WHERE id > $2 AND id <= $3 AND state = 'charged_back'
                UNION ALL
                SELECT id, 'reversed', amount
                FROM payments WHERE id > $2 AND id <= $3 AND state = 'failed' AND failure = 'reversed'
                UNION ALL
                SELECT payment_id, debit, -amount FROM postings
                WHERE payment_id > $2 AND payment_id <= $3 AND kind NOT IN ('fee', 'vat', 'payout')
                UNION ALL
                SELECT payment_id, credit, amount FROM postings
                WHERE payment_id > $2 AND payment_id <= $3 AND kind NOT IN ('fee', 'vat', 'payout')
            ) AS sides WHERE account <> 'tenants'
            GROUP BY payment_id, account
        ) AS sums WHERE difference <> 0 ORDER BY payment_id LIMIT $1";
    let ids: Vec<i64> = read!(db, pool => sqlx::query_scalar(SQL)
        .bind(limit).bind(above).bind(through).fetch_all(pool).await?);
    Ok(ids.into_iter().map(PaymentId).collect())
}
