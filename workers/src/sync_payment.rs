//! Ask the gateway how a payment stands, and believe it.

use domain::{Event, Failure, Method, Payment, Report, State};
use midtrans::CallError;
use queue::{CancelPayment, Job as _, Lease, Outcome, SubmitCharge, SyncPayment};
use store::checks;

use crate::Context;
use crate::books::decision;
use crate::context::{Ended, Halt};
use crate::gateway::outcome_of;
use crate::stray::Seen;

/// Webhook, poll, page read and operator all end here.
pub(crate) async fn perform(job: SyncPayment, cx: &Context, lease: &Lease) -> Ended {
    let payment = cx.payment(job.payment_id).await?;
    if payment.method == Method::Cash {
        // The gateway has never heard of it.
        return Ok(Outcome::Done);
    }
    if payment.superseded_at.is_some() && payment.state.is_live() && payment.state != State::Created {
        // Nobody wants it any more. Its cancellation is under way; should that have come to nothing, here it is again.
        cx.queue.enqueue(&[CancelPayment { payment_id: payment.id }.new_job(cx.now())]).await?;
    }
    match standing((cx, &payment), Look::AndMend).await? {
        Ok(Standing::Said(report)) => cx.believe(payment, (*report, job.reason.into()), lease).await,
        Ok(Standing::NotCharged) => charge_first(cx, &payment).await,
        Ok(Standing::NeverMade) => Ok(Outcome::Done),
        Err(error) => Ok(outcome_of(&error)),
    }
}

/// How a payment stands at the gateway, and what that means before it is folded in.
pub(crate) enum Standing {
    /// The gateway says this of it.
    Said(Box<Report>),
    /// Nobody knows yet whether the charge arrived; the charge job finds out.
    NotCharged,
    /// There never was a transaction, and none is wanted.
    NeverMade,
}

/// What may be done about that which is seen at the gateway.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing.
    Only,
    /// What nobody asked for is cancelled and told.
    AndMend,
}

/// Asks how the payment stands. That the gateway has no such transaction is an answer.
pub(crate) async fn standing(
    (cx, payment): (&Context, &Payment),
    look: Look,
) -> Result<Result<Standing, CallError>, Halt> {
    if payment.state == State::Created {
        return Ok(Ok(Standing::NotCharged));
    }
    let said = match look {
        Look::Only => cx.see(payment).await?.map(Seen::report),
        Look::AndMend => cx.stands(payment).await?,
    };
    Ok(match said {
        Ok(report) => Ok(Standing::Said(Box::new(report))),
        Err(CallError::NoSuchTransaction) => Ok(match payment.state {
            State::Created | State::Asked => Standing::NotCharged,
            State::Failed(Failure::Withdrawn | Failure::Rejected) => Standing::NeverMade,
            State::Pending
            | State::Review
            | State::Paid
            | State::PartiallyRefunded { .. }
            | State::Refunded
            | State::ChargedBack
            | State::Failed(_) => Standing::Said(Box::new(decision(Event::Absent))),
        }),
        Err(error) => Err(error),
    })
}

async fn charge_first(cx: &Context, payment: &Payment) -> Ended {
    let next_check_at = cx.schedule.next_check(payment, cx.now());
    checks::mark_checked(&cx.db, payment, next_check_at, cx.now()).await?;
    cx.queue.enqueue(&[SubmitCharge { payment_id: payment.id }.new_job(cx.now())]).await?;
    Ok(Outcome::Done)
}
