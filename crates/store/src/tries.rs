//! Tries: the transactions of a payment on the hosted page, each of which may be paid.

use domain::{PaymentId, Time, TransactionId};

use crate::time::millis;
use crate::{Db, StoreError, Tx, in_tx, read};

/// So many tries of one payment are looked at.
const TRIES_MAX: i64 = 20;

/// Remembers a transaction that the gateway or a notification has named.
pub(crate) async fn note_in(
    tx: &mut Tx,
    payment: PaymentId,
    id: &TransactionId,
    now: Time,
) -> Result<(), StoreError> {
    const SQL: &str = "
        INSERT INTO payment_tries (payment_id, transaction_id, seen_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    in_tx!(tx, conn => sqlx::query(SQL)
        .bind(payment.0).bind(id.as_str()).bind(millis(now)).execute(conn).await.map(drop)?);
    Ok(())
}

/// The same by itself, for a name that comes with no change of the payment.
///
/// # Errors
/// When the database does.
pub async fn note(db: &Db, payment: PaymentId, id: &TransactionId, now: Time) -> Result<(), StoreError> {
    let mut tx = Tx::begin(db).await?;
    note_in(&mut tx, payment, id, now).await?;
    tx.commit().await
}

/// The transactions of a payment that were ever named, newest first, at most twenty.
///
/// # Errors
/// When the database does.
pub async fn of_payment(db: &Db, payment: PaymentId) -> Result<Vec<TransactionId>, StoreError> {
    const SQL: &str = "
        SELECT transaction_id FROM payment_tries WHERE payment_id = $1
        ORDER BY seen_at DESC, transaction_id LIMIT $2";
    let names: Vec<String> =
        read!(db, pool => sqlx::query_scalar(SQL).bind(payment.0).bind(TRIES_MAX).fetch_all(pool).await?);
    let corrupt = StoreError::corrupt("payment_tries", payment.0);
    names.into_iter().map(|name| TransactionId::try_from(name).map_err(&corrupt)).collect()
}
