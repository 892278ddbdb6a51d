//! Look for payments whose check is due, and have each one checked.

use std::time::Duration;

use clock::delta;
use domain::{PaymentId, RefundId, Time};
use queue::{Job as _, NewJob, Outcome, Reason, RefundPayment, SubmitCharge, Sweep, SyncPayment};
use store::refunds::Lingering;
use store::{checks, ledger, refunds, repeats};

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
    let sweep = checks::Sweep { limit: BATCH, again_at: now + delta(AGAIN_AFTER) };
    let mut checked = 0;
    loop {
        let (taken, wake) = checks::take_due(
            &cx.db,
            &sweep,
            |payment_id, never_asked| {
                if never_asked {
                    SubmitCharge { payment_id }.new_job(now)
                } else {
                    SyncPayment { payment_id, reason: Reason::Poll }.new_job(now)
                }
            },
            now,
        )
        .await?;
        cx.queue.wake(wake);
        checked += taken;
        if taken == 0 {
            break;
        }
    }
    if checked > 0 {
        tracing::info!(payments = checked, "swept");
    }
    cx.queue.wake(refunds::take_lingering(&cx.db, &lingering(now), refund_again(now), now).await?);
    ledger::forget_slots(&cx.db, now - delta(KEEP_SLOTS)).await?;
    repeats::forget(&cx.db, now - delta(repeats::KEPT), FORGOTTEN_AT_ONCE).await?;
    Ok(Outcome::Done)
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
