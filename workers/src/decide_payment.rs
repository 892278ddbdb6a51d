//! Carry out what a person decided of a card payment that waits for it (contract §4, §6).

use domain::{Event, FindingKind, Page, Payment, Report, State};
use midtrans::CallError;
use queue::{DecidePayment, Lease, Outcome, Verdict};
use store::findings::{self, NewFinding};
use store::history::Source;

use crate::Context;
use crate::cancel_payment::close_page;
use crate::context::{Ended, Halt};
use crate::gateway::{name_of, outcome_of};

/// What the gateway says afterwards counts, whatever was decided.
pub(crate) async fn perform(job: DecidePayment, cx: &Context, lease: &Lease) -> Ended {
    let payment = cx.payment(job.payment_id).await?;
    if payment.state != State::Review {
        return Ok(Outcome::Done);
    }
    let before = match cx.stands(&payment).await? {
        Ok(report) => report,
        Err(error) => return Ok(outcome_of(&error)),
    };
    match tell(cx, &payment, (&before, job.verdict)).await {
        // It stands otherwise by now.
        Ok(()) | Err(CallError::Unchangeable) => {}
        Err(error) => return Ok(outcome_of(&error)),
    }
    // The answer to an action is not the last word: a capture that was denied leaves the amount reserved (contract §4).
    let after = match cx.stands(&payment).await? {
        Ok(report) => report,
        Err(error) => return Ok(outcome_of(&error)),
    };
    if job.verdict == Verdict::Accept && after.event == Event::Authorized {
        tell_of_denial(cx, &payment).await?;
    }
    let page = match job.verdict {
        Verdict::Refuse => match close_page(cx, &payment).await {
            Ok(page) => page,
            // Nothing was sent, so it is not known whether the page can be closed.
            Err(error @ CallError::Held { .. }) => return Ok(outcome_of(&error)),
            Err(_) => Page::Open,
        },
        Verdict::Accept => Page::Open,
    };
    cx.believe(payment, (Report { page, ..after }, Source::Operator), lease).await
}

async fn tell(
    cx: &Context,
    payment: &Payment,
    (before, verdict): (&Report, Verdict),
) -> Result<(), CallError> {
    // The try that was seen, and no other.
    let id = before.transaction_id.as_ref().map_or_else(|| name_of(payment), |id| id.as_str());
    let answer = match (&before.event, verdict, &before.transaction_id) {
        (Event::Challenged, Verdict::Accept, _) => cx.midtrans.approve(id).await,
        (Event::Challenged, Verdict::Refuse, _) => cx.midtrans.deny(id).await,
        (Event::Authorized, Verdict::Accept, Some(transaction)) => {
            cx.midtrans.capture(transaction, payment.amount).await
        }
        (Event::Authorized, Verdict::Refuse, _) => cx.midtrans.cancel(id).await,
        // Nothing waits for a decision any more.
        (_, _, _) => return Ok(()),
    };
    answer.map(drop)
}

async fn tell_of_denial(cx: &Context, payment: &Payment) -> Result<(), Halt> {
    let kind = FindingKind::StatusConflict;
    let cause = format!("{}:{}:capture-denied", kind.as_str(), payment.invoice);
    let detail = "the bank did not let the reserved amount be taken; it is still reserved";
    let finding = NewFinding { kind, cause, payment_id: Some(payment.id), detail };
    Ok(findings::open(&cx.db, &finding, cx.now()).await?)
}
