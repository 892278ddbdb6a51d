//! Changes of payments, with all that must commit together with them.

use domain::{FindingKind, JobId, Learned, Payment, ReportedRefund, Rupiah, State, Time};

use crate::findings::NewFinding;
use crate::history::{Entry, Source};
use crate::ledger::{Finish, Lease, NewJob};
use crate::moves::Move;
use crate::payments::{sealed_instruction, settle_bill};
use crate::time::{millis, opt_millis};
use crate::{
    Db, StoreError, Tx, Written, effects, findings, history, in_tx, journal, ledger, refunds, tries,
};

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
    if let Some(wish) = Move::of(change, now).filter(|_| !effects::is_watched()) {
        return db.turns().moves.ask(db, wish).await;
    }
    change_alone(db, change, now).await
}

pub(crate) async fn change_alone(
    db: &Db,
    change: &Change<'_>,
    now: Time,
) -> Result<(Written, Vec<JobId>), StoreError> {
    let mut tx = Tx::begin(db).await?;
    let changed = change_in(&mut tx, change, now).await?;
    if changed.0 == Written::Done {
        tx.commit().await?;
    }
    Ok(changed)
}

/// Must be rolled back unless it is [`Written::Done`].
pub(crate) async fn change_in(
    tx: &mut Tx,
    change: &Change<'_>,
    now: Time,
) -> Result<(Written, Vec<JobId>), StoreError> {
    let payment = change.payment;
    let moves = change.to != payment.state;
    tx.lock_bill(payment.bill_id.0).await?;
    let after = Payment { state: change.to, version: payment.version + 1, ..payment.clone() };
    let applied = if moves || !change.learned.is_empty() {
        update(tx, change, now).await?
    } else {
        look(tx, change, now).await?
    };
    if !applied {
        return Ok((Written::Stale, Vec::new()));
    }
    if moves {
        let detail = change.detail;
        let entry = Entry { from: Some(payment.state), event: change.event, source: change.source, detail };
        history::append(tx, &after, &entry, now).await?;
        journal::post_move_in(tx, payment.state, &after, now).await?;
        settle_bill(tx, payment.bill_id, now).await?;
        if change.to.holds_money() && !payment.state.holds_money() {
            report_double_payment(tx, payment, now).await?;
        }
    }
    refunds::note_in(tx, &after, change.refunds, now).await?;
    if let Some(id) = change.learned.transaction_id.as_ref().filter(|_| payment.method.is_on_a_page()) {
        tries::note_in(tx, payment.id, id, now).await?;
    }
    if let Some(kind) = change.finding {
        // The same difference seen at the next poll is the same finding.
        let cause =
            format!("{}:{}:{}:{}", kind.as_str(), payment.invoice, change.event, after.state.as_str());
        let finding = NewFinding { kind, cause, payment_id: Some(payment.id), detail: change.detail };
        findings::open_in(tx, &finding, now).await?;
    }
    let jobs = ledger::enqueue_all(tx, change.jobs, now).await?;
    if let Some(lease) = change.completes
        && !ledger::finish_in(tx, lease, &Finish::Done, now).await?
    {
        return Ok((Written::LostLease, Vec::new()));
    }
    Ok((Written::Done, jobs))
}

/// What follows from where a payment moves.
pub(crate) struct Sets {
    pub(crate) refunded: Option<Rupiah>,
    pub(crate) paid_at: Option<Time>,
    pub(crate) asked_at: Option<Time>,
}

impl Change<'_> {
    pub(crate) fn sets(&self, now: Time) -> Sets {
        let refunded = match self.to {
            State::PartiallyRefunded { total } => Some(total),
            State::Refunded => Some(self.payment.amount),
            // What was given back stays given back, whatever happens to the rest.
            _ => None,
        };
        let paid_at = self.to.holds_money().then(|| self.learned.settled_at.unwrap_or(now));
        Sets { refunded, paid_at, asked_at: (self.to == State::Asked).then_some(now) }
    }
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
    let Sets { refunded, paid_at, asked_at } = change.sets(now);
    let instruction = sealed_instruction(tx.keys(), &payment.invoice, learned.instruction.as_ref())?;
    let rows = in_tx!(tx, conn => sqlx::query(SQL)
        .bind(payment.id.0)
        .bind(payment.version)
        .bind(to.as_str())
        .bind(to.failure().map(domain::Failure::as_str))
        .bind(refunded.map(Rupiah::get))
        .bind(learned.transaction_id.as_ref().map(|id| id.as_str()))
        .bind(instruction)
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

async fn report_double_payment(tx: &mut Tx, payment: &Payment, now: Time) -> Result<(), StoreError> {
    const SQL: &str = "
        SELECT count(*) FROM payments WHERE bill_id = $1 AND state || '' IN ('paid', 'partially_refunded')";
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
