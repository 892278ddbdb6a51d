//! Cancel a payment that nobody wants any more: at the gateway first, then in the books.

use std::time::Duration;

use domain::{Event, State};
use midtrans::CallError;
use queue::{CancelPayment, Lease, Outcome};
use store::history::Source;

use crate::Context;
use crate::books::{News, decision};
use crate::context::Ended;
use crate::gateway::outcome_of;

/// How long until the outcome of a charge that is under way may be known.
const CHARGE_PAUSE: Duration = Duration::from_secs(3);

/// Whatever the gateway says counts: should the payment turn out to be paid, then it is paid.
pub(crate) async fn perform(job: CancelPayment, cx: &Context, lease: &Lease) -> Ended {
    let payment = cx.payment(job.payment_id).await?;
    match payment.state {
        State::Created => {
            let detail = "cancelled before the gateway was asked".to_owned();
            let news = News { report: &decision(Event::Withdrawn), source: Source::Tenant, detail };
            let payment = cx.note(payment, &news).await?;
            // The charge may have been sent at this very moment; then it cannot simply be undone any more.
            if payment.state.is_live() { wait_for_the_charge() } else { Ok(Outcome::Done) }
        }
        State::Asked => wait_for_the_charge(),
        State::Pending | State::Review => {
            let id = payment.invoice.as_str();
            let answer = match cx.midtrans.cancel(id).await {
                // It cannot be cancelled any more, or it is not there: how does it stand?
                Err(CallError::Unchangeable | CallError::NoSuchTransaction) => cx.midtrans.status(id).await,
                answer => answer,
            };
            match answer {
                Ok(report) => cx.believe(payment, (report, Source::Cancel), lease).await,
                Err(CallError::NoSuchTransaction) => {
                    let detail = "the gateway has no such transaction".to_owned();
                    let news = News { report: &decision(Event::Absent), source: Source::Cancel, detail };
                    cx.settle(payment, &news, lease).await
                }
                Err(error) => Ok(outcome_of(&error)),
            }
        }
        State::Paid
        | State::PartiallyRefunded { .. }
        | State::Refunded
        | State::ChargedBack
        | State::Failed(_) => Ok(Outcome::Done),
    }
}

fn wait_for_the_charge() -> Ended {
    Ok(Outcome::Await(CHARGE_PAUSE, "the outcome of the charge is not known yet".to_owned()))
}
