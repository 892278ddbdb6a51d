//! The lines of the gateway's statements: how they are kept, and which payment each is about.

use domain::{Entry, Flow, PaymentId, Rupiah, StatementKind, StatementLine, Told};

use crate::time::{from_millis, millis, opt_from_millis, opt_millis};
use crate::{StoreError, Tx, in_tx};

/// So many lines go into the database at once.
const LINES_AT_ONCE: usize = 100;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, l.statement_id, l.place, l.kind, l.order_id, l.transaction_id, l.payment_id, l.entry, ",
            "l.type_word, l.channel, l.status, l.amount, l.fee, l.vat, l.net, l.at, l.settled_at, l.reference, ",
            "COALESCE(s.last_at, 0) AS known_until ",
            "FROM statement_lines AS l JOIN statements AS s ON s.id = l.statement_id ",
            $rest
        )
    };
}

pub(crate) use select;

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    id: i64,
    statement_id: i64,
    place: i64,
    kind: String,
    order_id: Option<String>,
    transaction_id: Option<String>,
    pub(crate) payment_id: Option<i64>,
    entry: String,
    type_word: String,
    channel: String,
    status: String,
    amount: i64,
    fee: Option<i64>,
    vat: Option<i64>,
    net: Option<i64>,
    at: i64,
    settled_at: Option<i64>,
    reference: Option<String>,
    known_until: i64,
}

impl Row {
    pub(crate) fn told(self) -> Result<Told, StoreError> {
        let corrupt = StoreError::corrupt("statement_lines", self.id);
        let line = StatementLine {
            row: u64::try_from(self.place).unwrap_or_default(),
            kind: StatementKind::try_from(self.kind.as_str()).map_err(&corrupt)?,
            order_id: self.order_id,
            transaction_id: self.transaction_id,
            entry: Entry::try_from(self.entry.as_str()).map_err(&corrupt)?,
            type_word: self.type_word,
            channel: self.channel,
            status: self.status,
            amount: Flow::try_from(self.amount).map_err(&corrupt)?,
            fee: self.fee.map(Rupiah::try_from).transpose().map_err(&corrupt)?,
            vat: self.vat.map(Rupiah::try_from).transpose().map_err(&corrupt)?,
            net: self.net.map(Flow::try_from).transpose().map_err(&corrupt)?,
            at: from_millis(self.at),
            settled_at: opt_from_millis(self.settled_at),
            reference: self.reference,
        };
        Ok(Told { statement: self.statement_id, known_until: from_millis(self.known_until), line })
    }
}

/// Adds the lines whose keys are new. Gives how many those were.
pub(crate) async fn insert_in(
    tx: &mut Tx,
    statement: i64,
    lines: &[(String, &StatementLine)],
) -> Result<u64, StoreError> {
    const INTO: &str = "
        INSERT INTO statement_lines (statement_id, line_key, place, kind, order_id, transaction_id, entry,
                                     type_word, channel, status, is_money, amount, fee, vat, net, at, settled_at,
                                     reference) ";
    let mut new = 0;
    for chunk in lines.chunks(LINES_AT_ONCE) {
        new += in_tx!(&mut *tx, conn => {
            let mut insert = sqlx::QueryBuilder::new(INTO);
            insert.push_values(chunk, |mut row, (key, line)| {
                row.push_bind(statement)
                    .push_bind(key)
                    .push_bind(i64::try_from(line.row).unwrap_or(i64::MAX))
                    .push_bind(line.kind.as_str())
                    .push_bind(&line.order_id)
                    .push_bind(&line.transaction_id)
                    .push_bind(line.entry.as_str())
                    .push_bind(&line.type_word)
                    .push_bind(&line.channel)
                    .push_bind(&line.status)
                    .push_bind(line.is_money())
                    .push_bind(line.amount.get())
                    .push_bind(line.fee.map(Rupiah::get))
                    .push_bind(line.vat.map(Rupiah::get))
                    .push_bind(line.net.map(Flow::get))
                    .push_bind(millis(line.at))
                    .push_bind(opt_millis(line.settled_at))
                    .push_bind(&line.reference);
            });
            insert.push(" ON CONFLICT (line_key) DO NOTHING");
            insert.build().execute(conn).await?.rows_affected()
        });
    }
    Ok(new)
}

/// Finds the payment of each line above a row: by its invoice, or by the gateway's name for the transaction, which some
/// methods have in the place of the order (contract §3).
pub(crate) async fn link_in(tx: &mut Tx, (statement, above): (i64, i64)) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE statement_lines SET payment_id = COALESCE(
            (SELECT id FROM payments WHERE invoice = statement_lines.order_id),
            (SELECT max(id) FROM payments WHERE transaction_id = statement_lines.transaction_id),
            (SELECT max(id) FROM payments WHERE transaction_id = statement_lines.order_id),
            (SELECT max(payment_id) FROM payment_tries WHERE transaction_id = statement_lines.transaction_id))
        WHERE statement_id = $1 AND id > $2";
    in_tx!(tx, conn => sqlx::query(SQL).bind(statement).bind(above).execute(conn).await.map(drop)?);
    Ok(())
}

/// Payments of which the lines above a row say what our books do not: the gateway is to be asked about them. The sweep finds
/// those that it was never asked for.
pub(crate) async fn behind_in(
    tx: &mut Tx,
    (statement, above): (i64, i64),
) -> Result<Vec<PaymentId>, StoreError> {
    const SQL: &str = "
        SELECT DISTINCT p.id FROM statement_lines AS l JOIN payments AS p ON p.id = l.payment_id
        WHERE l.statement_id = $1 AND l.id > $2 AND p.method <> 'cash'
          AND ((p.state IN ('asked', 'pending', 'review') AND l.is_money)
               OR (p.state IN ('asked', 'pending') AND l.kind = 'transactions'
                   AND lower(l.status) IN ('deny', 'cancel', 'expire', 'failure'))
               OR (p.state = 'failed' AND p.failure <> 'reversed' AND l.is_money)
               OR (p.state = 'paid' AND (l.entry IN ('refund', 'chargeback', 'reversal')
                   OR (l.kind = 'transactions' AND lower(l.status) NOT IN ('settlement', 'capture', 'pending',
                                                                          'authorize'))))
               OR (p.state = 'partially_refunded' AND (l.entry IN ('chargeback', 'reversal')
                   OR (l.kind = 'transactions' AND lower(l.status) IN ('refund', 'chargeback')))))
        ORDER BY p.id";
    let ids: Vec<i64> = in_tx!(tx, conn => sqlx::query_scalar(SQL)
        .bind(statement).bind(above).fetch_all(conn).await?);
    Ok(ids.into_iter().map(PaymentId).collect())
}
