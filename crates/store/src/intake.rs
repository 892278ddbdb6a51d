//! What comes in: all notifications that arrive while others are written down are written down in one transaction.

use std::collections::HashMap;
use std::time::Duration;

use domain::{AskedBy, JobId, Method, NotificationId, PaymentId, Time};

use crate::enqueueing::enqueue_many;
use crate::ledger::NewJob;
use crate::sealing::Place;
use crate::time::millis;
use crate::together::Batch;
use crate::tx::{Tx, column};
use crate::{Db, StoreError, effects, gaps};

/// A notification to be kept.
#[derive(Debug, Clone)]
pub struct NewNotification<'a> {
    /// Names the body: the same body is the same notification.
    pub body_hash: String,
    /// The body as it came.
    pub body: &'a str,
    /// What kind of message it is.
    pub kind: &'static str,
    /// The order it speaks of.
    pub order_id: Option<&'a str>,
    /// The transaction it speaks of.
    pub transaction_id: Option<&'a str>,
    /// What it claims has happened, in the words of the history.
    pub event: Option<&'a str>,
    /// Whether its signature is one of ours.
    pub verified: bool,
}

/// What a new notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Its row.
    pub notification: NotificationId,
    /// The payment whose invoice it names, where that has no other name at the gateway. Otherwise somebody must find out
    /// what it is about.
    pub payment: Option<PaymentId>,
}

/// The job that deals with it.
type JobFor = Box<dyn Fn(About) -> NewJob + Send + Sync>;

/// Keeps the notification, and writes down the job that deals with it when it is new. Gives that job.
///
/// It is kept when this ends well, and on the disk. Those that come at the same time are kept together.
///
/// # Errors
/// When the database does.
pub async fn record(
    db: &Db,
    new: &NewNotification<'_>,
    job: impl Fn(About) -> NewJob + Send + Sync + 'static,
    now: Time,
) -> Result<Option<JobId>, StoreError> {
    let wish = Incoming {
        body_hash: new.body_hash.clone(),
        body: db.keys().seal(&Place::notification(&new.body_hash), new.body)?,
        kind: new.kind,
        order_id: new.order_id.map(str::to_owned),
        transaction_id: new.transaction_id.map(str::to_owned),
        event: new.event.map(str::to_owned),
        verified: new.verified,
        job: Box::new(job),
        now,
    };
    if effects::is_watched() {
        return Ok(Intake::grant(db, &[wish]).await?.pop().flatten());
    }
    db.turns().intake.ask(db, wish).await
}

pub(crate) struct Incoming {
    body_hash: String,
    body: String,
    kind: &'static str,
    order_id: Option<String>,
    transaction_id: Option<String>,
    event: Option<String>,
    verified: bool,
    job: JobFor,
    now: Time,
}

pub(crate) struct Intake;

impl Batch for Intake {
    const APART: Duration = Duration::from_millis(2);
    type Wish = Incoming;
    type Answer = Option<JobId>;

    async fn grant(db: &Db, wishes: &[Incoming]) -> Result<Vec<Option<JobId>>, StoreError> {
        let distinct = distinct(wishes);
        let mut tx = Tx::begin(db).await?;
        let payments = payments_named(&mut tx, &distinct).await?;
        let kept = keep(&mut tx, &distinct, &payments).await?;
        let new = distinct.iter().zip(kept).filter_map(|(one, id)| Some((one, id?)));
        let (mut firsts, mut jobs, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for (one, id) in new {
            let payment = payments.get(&one.first).copied();
            told.extend(payment.zip(one.wish.event.as_deref()));
            firsts.push(one.first);
            jobs.push((one.wish.job)(About { notification: id, payment }));
        }
        let now = wishes.iter().map(|wish| wish.now).max().unwrap_or_default();
        if !told.is_empty() {
            gaps::many_came_late_in(&mut tx, &told, now).await?;
        }
        let queued = enqueue_many(&mut tx, &jobs, now).await?;
        tx.commit().await?;
        let mut answers = vec![None; wishes.len()];
        for (first, job) in firsts.into_iter().zip(queued) {
            answers[first] = job;
        }
        Ok(answers)
    }
}

/// A notification that came once or several times in one turn.
struct Distinct<'a> {
    /// Where it is first.
    first: usize,
    wish: &'a Incoming,
    times: i64,
    last: Time,
}

/// In the order of their names, so that two processes that keep the same ones do not wait for each other.
fn distinct(wishes: &[Incoming]) -> Vec<Distinct<'_>> {
    let mut found: HashMap<&str, Distinct<'_>> = HashMap::new();
    for (first, wish) in wishes.iter().enumerate() {
        let one = Distinct { first, wish, times: 0, last: wish.now };
        let one = found.entry(&wish.body_hash).or_insert(one);
        one.times += 1;
        one.last = one.last.max(wish.now);
    }
    let mut distinct: Vec<_> = found.into_values().collect();
    distinct.sort_unstable_by(|one, other| one.wish.body_hash.cmp(&other.wish.body_hash));
    distinct
}

/// The payments that are named by their invoice, under the places of the notifications that do so. A payment that may have
/// another transaction than the one we know of is left to the job, which notes the name.
async fn payments_named(
    tx: &mut Tx,
    distinct: &[Distinct<'_>],
) -> Result<HashMap<usize, PaymentId>, StoreError> {
    const ONE: &str = "SELECT id, invoice, method FROM payments WHERE invoice = $1";
    const MANY: &str = "SELECT id, invoice, method FROM payments WHERE invoice = ANY($1)";
    let speaks = |one: &&Distinct<'_>| one.wish.kind == "payment" && one.wish.verified;
    let orders: Vec<&str> =
        distinct.iter().filter(speaks).filter_map(|one| one.wish.order_id.as_deref()).collect();
    let rows: Vec<(i64, String, String)> = match tx {
        Tx::Sqlite(tx) => {
            let mut rows = Vec::new();
            for order in orders {
                rows.extend(sqlx::query_as(ONE).bind(order).fetch_optional(&mut **tx).await?);
            }
            rows
        }
        Tx::Postgres(tx) => sqlx::query_as(MANY).bind(orders).fetch_all(tx.connection()?).await?,
    };
    let plain = rows.iter().filter(|(_, _, method)| has_one_name(method));
    let by_invoice: HashMap<&str, i64> = plain.map(|(id, invoice, _)| (invoice.as_str(), *id)).collect();
    let named = distinct.iter().filter(speaks).filter_map(|one| {
        let id = by_invoice.get(one.wish.order_id.as_deref()?)?;
        Some((one.first, PaymentId(*id)))
    });
    Ok(named.collect())
}

fn has_one_name(method: &str) -> bool {
    Method::try_from(method)
        .is_ok_and(|method| !method.is_on_a_page() && method.profile().asked_by == AskedBy::Invoice)
}

/// Keeps them. Gives the row of each that is new.
async fn keep(
    tx: &mut Tx,
    distinct: &[Distinct<'_>],
    payments: &HashMap<usize, PaymentId>,
) -> Result<Vec<Option<NotificationId>>, StoreError> {
    let mut ids = HashMap::new();
    match tx {
        Tx::Sqlite(_) => {
            for one in distinct {
                ids.extend(keep_many(tx, std::slice::from_ref(one), payments).await?);
            }
        }
        Tx::Postgres(_) => ids = keep_many(tx, distinct, payments).await?,
    }
    Ok(distinct.iter().map(|one| ids.get(&one.wish.body_hash).copied().flatten()).collect())
}

/// One statement. What came before has been seen more often than it came now.
async fn keep_many(
    tx: &mut Tx,
    distinct: &[Distinct<'_>],
    payments: &HashMap<usize, PaymentId>,
) -> Result<HashMap<String, Option<NotificationId>>, StoreError> {
    const ONE: &str = concat!(
        "INSERT INTO notifications (body_hash, body, kind, order_id, verified, received_at, seen_at, transaction_id, ",
        "event, seen, payment_id, processed_at, outcome) ",
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ",
        "ON CONFLICT (body_hash) DO UPDATE SET seen = notifications.seen + excluded.seen, seen_at = excluded.seen_at ",
        "RETURNING body_hash, id, seen"
    );
    const MANY: &str = concat!(
        "INSERT INTO notifications (body_hash, body, kind, order_id, verified, received_at, seen_at, transaction_id, ",
        "event, seen, payment_id, processed_at, outcome) ",
        "SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], ",
        "$7::bigint[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[]) ",
        "ON CONFLICT (body_hash) DO UPDATE SET seen = notifications.seen + excluded.seen, seen_at = excluded.seen_at ",
        "RETURNING body_hash, id, seen"
    );
    let known = |one: &Distinct<'_>| payments.get(&one.first);
    let hashes = column!(distinct, one => one.wish.body_hash.as_str());
    let bodies = column!(distinct, one => one.wish.body.as_str());
    let kinds = column!(distinct, one => one.wish.kind);
    let orders = column!(distinct, one => one.wish.order_id.as_deref());
    let verified = column!(distinct, one => one.wish.verified);
    let received = column!(distinct, one => millis(one.wish.now));
    let seen_at = column!(distinct, one => millis(one.last));
    let transactions = column!(distinct, one => one.wish.transaction_id.as_deref());
    let events = column!(distinct, one => one.wish.event.as_deref());
    let times = column!(distinct, one => one.times);
    let payment = column!(distinct, one => known(one).map(|id| id.0));
    let processed = column!(distinct, one => known(one).map(|_| millis(one.wish.now)));
    let outcomes = column!(distinct, one => known(one).map(|_| "sync"));
    let rows: Vec<(String, i64, i64)> = match tx {
        Tx::Sqlite(tx) => {
            let query = sqlx::query_as(ONE).bind(hashes[0]).bind(bodies[0]).bind(kinds[0]).bind(orders[0]);
            let query = query.bind(verified[0]).bind(received[0]).bind(seen_at[0]).bind(transactions[0]);
            let query = query.bind(events[0]).bind(times[0]).bind(payment[0]).bind(processed[0]);
            query.bind(outcomes[0]).fetch_all(&mut **tx).await?
        }
        Tx::Postgres(tx) => {
            let query = sqlx::query_as(MANY).bind(hashes).bind(bodies).bind(kinds).bind(orders);
            let query = query.bind(verified).bind(received).bind(seen_at).bind(transactions);
            let query = query.bind(events).bind(times).bind(payment).bind(processed);
            query.bind(outcomes).fetch_all(tx.connection()?).await?
        }
    };
    let came: HashMap<&str, i64> =
        distinct.iter().map(|one| (one.wish.body_hash.as_str(), one.times)).collect();
    let is_new = |hash: &str, seen: i64| came.get(hash) == Some(&seen);
    Ok(rows
        .into_iter()
        .map(|(hash, id, seen)| {
            let new = is_new(&hash, seen).then_some(NotificationId(id));
            (hash, new)
        })
        .collect())
}
