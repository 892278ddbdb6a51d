//! Ask the gateway how a payment stands, and believe it.

use domain::{Event, Failure, Method, Payment, State};
use midtrans::CallError;
use queue::{CancelPayment, Job as _, Lease, Outcome, SubmitCharge, SyncPayment};
use store::checks;

use crate::Context;
use crate::books::{News, decision};
use crate::context::Ended;
use crate::gateway::outcome_of;

/// Webhook, poll, page read and operator all end here.
pub(crate) async fn perform(job: SyncPayment, cx: &Context, lease: &Lease) -> Ended {
    let payment = cx.payment(job.payment_id).await?;
    if payment.method == Method::Cash {
        // The gateway has never heard of it.
        return Ok(Outcome::Done);
    }
    if payment.state == State::Created {
        return charge_first(cx, &payment).await;
    }
    if payment.superseded_at.is_some() && payment.state.is_live() {
        // Nobody wants it any more. Its cancellation is under way; should that have come to nothing, here it is again.
        cx.queue.enqueue(&[CancelPayment { payment_id: payment.id }.new_job(cx.now())]).await?;
    }
    match cx.stands(&payment).await? {
        Ok(report) => cx.believe(payment, (report, job.reason.into()), lease).await,
        Err(CallError::NoSuchTransaction) => match payment.state {
            // Nobody knows yet whether the charge arrived; the charge job finds out.
            State::Created | State::Asked => charge_first(cx, &payment).await,
            State::Failed(Failure::Withdrawn | Failure::Rejected) => Ok(Outcome::Done),
            State::Pending
            | State::Review
            | State::Paid
            | State::PartiallyRefunded { .. }
            | State::Refunded
            | State::ChargedBack
            | State::Failed(_) => {
                let detail = "the gateway has no such transaction".to_owned();
                let news = News { report: &decision(Event::Absent), source: job.reason.into(), detail };
                cx.settle(payment, &news, lease).await
            }
        },
        Err(error) => Ok(outcome_of(&error)),
    }
}

async fn charge_first(cx: &Context, payment: &Payment) -> Ended {
    let next_check_at = cx.schedule.next_check(payment, cx.now());
    checks::mark_checked(&cx.db, payment, next_check_at, cx.now()).await?;
    cx.queue.enqueue(&[SubmitCharge { payment_id: payment.id }.new_job(cx.now())]).await?;
    Ok(Outcome::Done)
}
