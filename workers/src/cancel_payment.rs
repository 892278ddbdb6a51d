//! Cancel a payment that nobody wants any more: at the gateway first, then in the books.

use std::time::Duration;

use domain::{Event, Instruction, Page, Payment, Report, State};
use midtrans::CallError;
use queue::{CancelPayment, Lease, Outcome};
use store::StoreError;
use store::history::Source;

use crate::Context;
use crate::books::{News, decision};
use crate::context::{Ended, Halt};
use crate::gateway::{name_of, outcome_of};

/// How long until the outcome of a charge that is under way may be known.
const CHARGE_PAUSE: Duration = Duration::from_secs(3);
/// How long a payer may be in the middle of a try on the hosted page before we look again.
const TRY_PAUSE: Duration = Duration::from_secs(10);

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
        State::Pending | State::Review if payment.method.is_on_a_page() => {
            leave_the_page(cx, payment, lease).await
        }
        State::Pending | State::Review => match cancelled(cx, &payment).await? {
            Ok(report) => cx.believe(payment, (report, Source::Cancel), lease).await,
            Err(CallError::NoSuchTransaction) => absent(cx, payment, (Page::Open, lease)).await,
            Err(error) => Ok(outcome_of(&error)),
        },
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

/// How the transaction stands after it was cancelled, or after it could not be.
async fn cancelled(cx: &Context, payment: &Payment) -> Result<Result<Report, CallError>, Halt> {
    match cx.midtrans.cancel(name_of(payment)).await {
        // It was a later one that was cancelled, it cannot be cancelled any more, or it is not there: how does it stand?
        Ok(report) if report.names_another_than(payment) => cx.stands(payment).await,
        Err(CallError::Unchangeable | CallError::NoSuchTransaction) => cx.stands(payment).await,
        answer => Ok(answer),
    }
}

async fn absent(cx: &Context, payment: Payment, (page, lease): (Page, &Lease)) -> Ended {
    let detail = "the gateway has no such transaction".to_owned();
    let report = Report { page, ..decision(Event::Absent) };
    cx.settle(payment, &News { report: &report, source: Source::Cancel, detail }, lease).await
}

/// First the page is closed, so that no new try begins; then every try that still waits is cancelled. The payment has
/// ended only when all of that is sure. A card that was captured could be cancelled too (contract §4), but then it is
/// paid.
async fn leave_the_page(cx: &Context, payment: Payment, lease: &Lease) -> Ended {
    let page = match close_page(cx, &payment).await {
        Ok(page) => page,
        Err(error) => return Ok(outcome_of(&error)),
    };
    if let Some(error) = cancel_waiting_tries(cx, &payment).await? {
        return Ok(outcome_of(&error));
    }
    let may_go_on = page == Page::Open && cx.now() < payment.page_end();
    match cx.stands(&payment).await? {
        Ok(report) if waits(&report.event) || (has_failed(&report.event) && may_go_on) => {
            Ok(Outcome::Await(TRY_PAUSE, "a try on the page is not over yet".to_owned()))
        }
        Ok(report) => cx.believe(payment, (Report { page, ..report }, Source::Cancel), lease).await,
        Err(CallError::NoSuchTransaction) if may_go_on => {
            Ok(Outcome::Await(TRY_PAUSE, "a payer may be in the middle of a try".to_owned()))
        }
        Err(CallError::NoSuchTransaction) => absent(cx, payment, (page, lease)).await,
        Err(error) => Ok(outcome_of(&error)),
    }
}

/// Cancels every try on the page that has not been decided yet; the error that kept it from doing so.
pub(crate) async fn cancel_waiting_tries(
    cx: &Context,
    payment: &Payment,
) -> Result<Option<CallError>, StoreError> {
    let tries = match cx.every_try(payment).await? {
        Ok(tries) => tries,
        Err(error) => return Ok(Some(error)),
    };
    for one in tries.iter().filter(|one| waits(&one.event)) {
        let id = one.transaction_id.as_ref().map_or(payment.invoice.as_str(), |id| id.as_str());
        match cx.midtrans.cancel(id).await {
            Ok(_) | Err(CallError::Unchangeable | CallError::NoSuchTransaction) => {}
            Err(error) => return Ok(Some(error)),
        }
    }
    Ok(None)
}

pub(crate) fn has_failed(event: &Event) -> bool {
    matches!(event, Event::Cancelled | Event::Denied | Event::Expired | Event::Errored)
}

/// Whether a transaction has not been decided yet.
pub(crate) fn waits(event: &Event) -> bool {
    matches!(event, Event::Accepted | Event::Challenged | Event::Authorized)
}

/// Whether nobody can begin a try any more.
pub(crate) async fn close_page(cx: &Context, payment: &Payment) -> Result<Page, CallError> {
    let Some(Instruction::Redirect { token: Some(token), .. }) = &payment.instruction else {
        // Which page it is we do not know; it has an end.
        return Ok(Page::Open);
    };
    match cx.midtrans.close_page(token).await {
        Ok(()) => Ok(Page::Closed),
        // There is no code for it. Where these words are not understood we wait for the end of the page instead.
        Err(CallError::Refused { details, .. })
            if details.iter().any(|said| said.to_lowercase().contains("already canceled")) =>
        {
            Ok(Page::Closed)
        }
        Err(CallError::Refused { .. }) => Ok(Page::Open),
        Err(error) => Err(error),
    }
}
