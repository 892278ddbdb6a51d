//! Gaps: changes that the gateway told when it was asked, and that no notification has told of.

use chrono::TimeDelta;
use domain::{FindingKind, PaymentId, Time};

use crate::findings::{self, NewFinding};
use crate::time::{from_millis, millis};
use crate::{Db, StoreError, Tx, in_tx};

/// Rows of the history that are looked at in one transaction.
const BATCH: i64 = 500;
/// So long after a finding its transaction has ended.
const YOUNG: TimeDelta = TimeDelta::minutes(1);

/// Reads changes, and whether a notification has told of each; a test looks at how the databases carry it out.
pub const CHANGES: &str = "
    SELECT h.id, h.payment_id, p.invoice, h.version, h.event, h.source, h.at,
           COALESCE((SELECT 1 FROM notifications n
                     WHERE n.order_id = p.invoice AND n.event = h.event AND n.verified LIMIT 1),
                    (SELECT 1 FROM notifications n
                     WHERE n.payment_id = p.id AND n.event = h.event AND n.verified LIMIT 1), 0) = 1 AS is_told
    FROM (SELECT id, payment_id, version, event, source, at FROM payment_history
          WHERE id > $1 ORDER BY id LIMIT $2) AS h
    JOIN payments p ON p.id = h.payment_id
    ORDER BY h.id";

/// What a look for gaps came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looked {
    /// Changes that were looked at.
    pub changes: usize,
    /// Those among them that no notification has told of.
    pub missed: usize,
    /// True when there is more to look at.
    pub is_more: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    payment_id: i64,
    invoice: String,
    version: i64,
    event: String,
    source: String,
    at: i64,
    is_told: bool,
}

/// Looks at the changes since the last look, as far as they are older than `before`, and writes down a finding for each
/// that a notification should have told of and none has. Each change is looked at once, whoever looks.
///
/// # Errors
/// When the database does.
pub async fn tell_missed(db: &Db, before: Time, now: Time) -> Result<Looked, StoreError> {
    const SEEN: &str = "
        UPDATE watermarks SET value = value WHERE name = 'missed_notifications' RETURNING value";
    const SEE: &str = "UPDATE watermarks SET value = $1 WHERE name = 'missed_notifications'";
    let mut tx = Tx::begin(db).await?;
    // Whoever else looks waits here.
    let seen: i64 = in_tx!(&mut tx, conn => sqlx::query_scalar(SEEN).fetch_one(conn).await?);
    forgive_in(&mut tx, now).await?;
    let rows = changes_after(&mut tx, seen).await?;
    let batch = rows.len();
    let due: Vec<Row> = rows.into_iter().take_while(|row| row.at <= millis(before)).collect();
    let Some(last) = due.last().map(|row| row.id) else {
        tx.commit().await?;
        return Ok(Looked::default());
    };
    let mut missed = 0;
    for row in due.iter().filter(|row| !row.is_told && is_owed(&row.source, &row.event)) {
        missed += 1;
        tell_in(&mut tx, row, now).await?;
    }
    in_tx!(&mut tx, conn => sqlx::query(SEE).bind(last).execute(conn).await.map(drop)?);
    tx.commit().await?;
    let is_more = due.len() == batch && i64::try_from(batch).unwrap_or(i64::MAX) == BATCH;
    Ok(Looked { changes: due.len(), missed, is_more })
}

async fn changes_after(tx: &mut Tx, seen: i64) -> Result<Vec<Row>, StoreError> {
    Ok(in_tx!(tx, conn => sqlx::query_as(CHANGES).bind(seen).bind(BATCH).fetch_all(conn).await?))
}

/// The gateway tells of every change of a transaction (contract §7). What a call of ours brings about we know from its
/// answer, so that its notification is not missed.
fn is_owed(source: &str, event: &str) -> bool {
    match event {
        "settled" | "expired" | "charged_back" => true,
        "accepted" | "challenged" | "authorized" | "captured" | "denied" | "cancelled" | "errored"
        | "refunded" | "partially_refunded" => matches!(source, "notification" | "poll" | "read"),
        _ => false,
    }
}

async fn tell_in(tx: &mut Tx, row: &Row, now: Time) -> Result<(), StoreError> {
    let kind = FindingKind::MissedNotification;
    let Row { invoice, version, event, source, .. } = row;
    let cause = format!("{}:{invoice}:{version}:{event}", kind.as_str());
    let detail =
        format!("no notification told that it was {event}; found by {source} at {}", from_millis(row.at));
    let finding = NewFinding { kind, cause, payment_id: Some(PaymentId(row.payment_id)), detail: &detail };
    findings::open_in(tx, &finding, now).await
}

/// Resolves young findings whose notification came while they were written down, and found nothing to resolve yet.
async fn forgive_in(tx: &mut Tx, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE findings SET resolved_at = $1, resolution = 'the notification came late'
        WHERE kind = 'missed_notification' AND resolved_at IS NULL AND found_at >= $2
            AND EXISTS (SELECT 1 FROM notifications n WHERE n.payment_id = findings.payment_id AND n.verified
                        AND findings.cause LIKE '%:' || n.event)";
    in_tx!(tx, conn => sqlx::query(SQL)
        .bind(millis(now))
        .bind(millis(now - YOUNG))
        .execute(conn)
        .await
        .map(drop)?);
    Ok(())
}

/// A notification that was missed has come after all.
pub(crate) async fn came_late_in(
    tx: &mut Tx,
    payment: PaymentId,
    event: &str,
    now: Time,
) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE findings SET resolved_at = $3, resolution = 'the notification came late'
        WHERE payment_id = $1 AND kind = 'missed_notification' AND resolved_at IS NULL AND cause LIKE '%:' || $2";
    in_tx!(tx, conn => sqlx::query(SQL)
        .bind(payment.0)
        .bind(event)
        .bind(millis(now))
        .execute(conn)
        .await
        .map(drop)?);
    Ok(())
}

/// The same for many at once.
pub(crate) async fn many_came_late_in(
    tx: &mut Tx,
    told: &[(PaymentId, &str)],
    now: Time,
) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE findings SET resolved_at = $3, resolution = 'the notification came late'
        FROM UNNEST($1::bigint[], $2::text[]) AS told (payment, event)
        WHERE payment_id = told.payment AND kind = 'missed_notification' AND resolved_at IS NULL
            AND cause LIKE '%:' || told.event";
    match tx {
        Tx::Sqlite(_) => {
            for (payment, event) in told {
                came_late_in(tx, *payment, event, now).await?;
            }
        }
        Tx::Postgres(tx) => {
            let (payments, events): (Vec<i64>, Vec<&str>) =
                told.iter().map(|(payment, event)| (payment.0, *event)).unzip();
            let query = sqlx::query(SQL).bind(payments).bind(events).bind(millis(now));
            query.execute(tx.connection()?).await.map(drop)?;
        }
    }
    Ok(())
}
