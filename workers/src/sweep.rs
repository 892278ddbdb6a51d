//! Look for payments whose check is due, and have each one checked.

use std::time::Duration;

use clock::delta;
use domain::{PaymentId, RefundId, Time};
use queue::{Job as _, NewJob, Outcome, Reason, RefundPayment, SubmitCharge, Sweep, SyncPayment};
use store::refunds::Lingering;
use store::{StoreError, checks, gaps, ledger, refunds, repeats};

use crate::Context;
use crate::context::Ended;

/// Payments taken in one transaction.
const BATCH: i64 = 500;
/// When to take a payment again whose check came to nothing.
const AGAIN_AFTER: Duration = Duration::from_secs(300);
/// When a refund is looked at again whose outcome nobody knows, should its job have come to nothing.
const OPEN_FOR: Duration = Duration::from_secs(600);
/// And one that the bank has not confirmed.
const ACCEPTED_FOR: Duration = Duration::from_secs(6 * 3600);
/// Not for longer than its key means the same refund (contract §4).
const REFUNDS_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the rows of ended sweeps are kept.
const KEEP_SLOTS: Duration = Duration::from_secs(24 * 3600);
/// Idempotency keys forgotten in one transaction; there is a sweep every few seconds.
const FORGOTTEN_AT_ONCE: i64 = 1_000;

pub(crate) async fn perform(_job: &Sweep, cx: &Context) -> Ended {
    let now = cx.now();
    take_due(cx, now).await?;
    cx.queue.wake(refunds::take_lingering(&cx.db, &lingering(now), refund_again(now), now).await?);
    while gaps::tell_missed(&cx.db, now - delta(cx.notification_grace), now).await?.is_more {}
    ledger::forget_slots(&cx.db, now - delta(KEEP_SLOTS)).await?;
    repeats::forget(&cx.db, now - delta(repeats::KEPT), FORGOTTEN_AT_ONCE).await?;
    Ok(Outcome::Done)
}

/// Takes as many as the gateway can be asked about before the next sweep. After an outage the backlog stays where it is
/// sorted, in the payments, so that whoever wants to pay meanwhile does not wait behind it.
async fn take_due(cx: &Context, now: Time) -> Result<(), StoreError> {
    let before = checks::backlog(&cx.db, now).await?;
    let mut room = cx.polls_at_once - before.waiting;
    let mut taken_in_all = 0;
    while room > 0 {
        let sweep = checks::Sweep { limit: room.min(BATCH), again_at: now + delta(AGAIN_AFTER) };
        let (taken, wake) = checks::take_due(&cx.db, &sweep, |id, new| check(id, new, now), now).await?;
        cx.queue.wake(wake);
        taken_in_all += taken;
        room -= i64::try_from(taken).unwrap_or(room);
        if taken == 0 {
            break;
        }
    }
    if before.overdue > 0 {
        let left = before.overdue - i64::try_from(taken_in_all).unwrap_or_default();
        tracing::info!(payments = taken_in_all, left, waiting = before.waiting, "swept");
    }
    Ok(())
}

fn check(payment_id: PaymentId, never_asked: bool, now: Time) -> NewJob {
    if never_asked {
        SubmitCharge { payment_id }.new_job(now)
    } else {
        SyncPayment { payment_id, reason: Reason::Poll }.new_job(now)
    }
}

fn lingering(now: Time) -> Lingering {
    Lingering {
        open_since: now - delta(OPEN_FOR),
        accepted_since: now - delta(ACCEPTED_FOR),
        made_after: now - delta(REFUNDS_FOR),
        limit: BATCH,
    }
}

fn refund_again(now: Time) -> impl Fn(PaymentId, RefundId) -> NewJob {
    // A pause that the refund's job has taken is not cut short.
    move |payment_id, refund_id| NewJob {
        is_news: false,
        ..RefundPayment { payment_id, refund_id }.new_job(now)
    }
}
