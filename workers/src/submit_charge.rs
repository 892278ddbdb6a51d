//! Make the transaction at the gateway, once.

use std::time::Duration;

use chrono::TimeDelta;
use clock::delta;
use domain::{AskedBy, BillStatus, Event, FindingKind, Payment, Report, State};
use midtrans::CallError;
use queue::{Lease, Outcome, SubmitCharge};
use store::findings::{self, NewFinding};
use store::history::Source;
use store::{bills, ledger, payments};

use crate::Context;
use crate::books::{News, decision, since};
use crate::context::{Ended, Halt};
use crate::gateway::outcome_of;

/// How long to wait for an earlier payment of the same bill to end; it also wakes us when it does.
const PREDECESSOR_PAUSE: Duration = Duration::from_secs(5);
/// A charge that was sent may arrive at the gateway so much later; until then "no such transaction" proves nothing.
const STILL_ON_ITS_WAY: TimeDelta = TimeDelta::seconds(90);
/// After so long a person should know that nobody knows.
const STUCK_AFTER: TimeDelta = TimeDelta::minutes(15);

/// Before the gateway was asked, the payment may be undone. After, it may only be asked again (contract §2).
pub(crate) async fn perform(job: SubmitCharge, cx: &Context, lease: &Lease) -> Ended {
    let payment = cx.payment(job.payment_id).await?;
    match payment.state {
        State::Created => match still_wanted(cx, &payment).await? {
            Wanted::Yes => {
                let sent =
                    News { report: &decision(Event::Asked), source: Source::Charge, detail: String::new() };
                let payment = cx.note(payment, &sent).await?;
                if payment.state != State::Asked || !payment.is_wanted() {
                    return Ok(Outcome::Later(Duration::ZERO, "somebody else was first".to_owned()));
                }
                charge(cx, payment, lease).await
            }
            Wanted::Wait => Ok(Outcome::Await(
                PREDECESSOR_PAUSE,
                "waits for the earlier payment of the bill to end".to_owned(),
            )),
            Wanted::No(why) => {
                let news = News {
                    report: &decision(Event::Withdrawn),
                    source: Source::Tenant,
                    detail: why.to_owned(),
                };
                cx.settle(payment, &news, lease).await
            }
        },
        State::Asked => ask_again(cx, payment, lease).await,
        State::Pending
        | State::Review
        | State::Paid
        | State::PartiallyRefunded { .. }
        | State::Refunded
        | State::ChargedBack
        | State::Failed(_) => Ok(Outcome::Done),
    }
}

enum Wanted {
    Yes,
    Wait,
    No(&'static str),
}

async fn still_wanted(cx: &Context, payment: &Payment) -> Result<Wanted, Halt> {
    if payment.superseded_at.is_some() {
        return Ok(Wanted::No("nobody wants it any more"));
    }
    // Not only the one it replaced: that may have ended while one before it is still being cancelled.
    if payments::earlier_live(&cx.db, payment).await?.is_some() {
        return Ok(Wanted::Wait);
    }
    let bill = bills::find(&cx.db, payment.bill_id).await?;
    match bill.map(|bill| bill.status) {
        Some(BillStatus::Paid) => Ok(Wanted::No("the bill is paid")),
        Some(BillStatus::Unpaid | BillStatus::Pending) => Ok(Wanted::Yes),
        None => Ok(Wanted::No("the bill is gone")),
    }
}

async fn charge(cx: &Context, payment: Payment, lease: &Lease) -> Ended {
    let request = cx.charge_for(&payment).await?;
    // Whoever stood still until another worker had charged, and that transaction had ended, would make a second: the
    // gateway takes an order id again that is free (contract §2).
    if !ledger::holds(&cx.db, lease, cx.now()).await? {
        return Ok(Outcome::Lost);
    }
    match cx.midtrans.charge(&request).await {
        Ok(report) => {
            let report = with_end_of_page(cx, &payment, report);
            cx.believe(payment, (report, Source::Charge), lease).await
        }
        // The order id is taken: an earlier attempt of ours arrived after all.
        Err(CallError::Duplicate) => adopt(cx, payment, lease).await,
        Err(CallError::Refused { code, message, details }) => {
            if payment.method.is_on_a_page() {
                // The page has no code for an order id that is taken: the payer may have been quicker than our second try.
                match cx.stands(&payment).await? {
                    Ok(report) => return cx.believe(payment, (report, Source::Charge), lease).await,
                    Err(CallError::NoSuchTransaction) => {}
                    Err(error) => return unsettled(cx, &payment, &error).await,
                }
            }
            let detail = format!("the gateway refused with {code}: {message} {}", details.join("; "));
            let news = News { report: &decision(Event::Rejected), source: Source::Charge, detail };
            cx.settle(payment, &news, lease).await
        }
        Err(error) => unsettled(cx, &payment, &error).await,
    }
}

/// The page says nothing of its end, so it is counted from the answer: the gateway has counted from a little before.
fn with_end_of_page(cx: &Context, payment: &Payment, report: Report) -> Report {
    if !payment.method.is_on_a_page() {
        return report;
    }
    let ends = cx.now() + delta(cx.rules.of(payment.method).valid_for);
    Report { expires_at: report.expires_at.or(Some(ends)), ..report }
}

/// The outcome of an earlier charge is not known: ask how it stands before anything else.
async fn ask_again(cx: &Context, payment: Payment, lease: &Lease) -> Ended {
    match cx.stands(&payment).await? {
        Err(CallError::NoSuchTransaction) if payment.superseded_at.is_some() => {
            forget(cx, payment, lease).await
        }
        Err(CallError::NoSuchTransaction) => charge(cx, payment, lease).await,
        Err(error) => unsettled(cx, &payment, &error).await,
        Ok(report) => cx.believe(payment, (report, Source::Charge), lease).await,
    }
}

async fn adopt(cx: &Context, payment: Payment, lease: &Lease) -> Ended {
    match cx.stands(&payment).await? {
        Ok(report) => cx.believe(payment, (report, Source::Charge), lease).await,
        Err(error) => unsettled(cx, &payment, &error).await,
    }
}

/// Nobody wants the payment any more and the gateway has never heard of it. It is over once nothing can be on its way.
async fn forget(cx: &Context, payment: Payment, lease: &Lease) -> Ended {
    let sure_after = match payment.method.profile().asked_by {
        AskedBy::Invoice => STILL_ON_ITS_WAY,
        // The gateway never knows these by our invoice; only its own time-out makes sure.
        AskedBy::Transaction => STILL_ON_ITS_WAY + delta(cx.rules.of(payment.method).valid_for),
    };
    // Until nobody wanted it any more, it may have been sent again and again.
    let wait = sure_after - since(payment.asked_at.max(payment.superseded_at), cx.now());
    if let Ok(wait) = wait.to_std()
        && !wait.is_zero()
    {
        return Ok(Outcome::Later(wait, "the charge may still be on its way".to_owned()));
    }
    let detail = "nobody wants it any more, and the gateway has no such transaction".to_owned();
    let news = News { report: &decision(Event::Absent), source: Source::Charge, detail };
    cx.settle(payment, &news, lease).await
}

async fn unsettled(cx: &Context, payment: &Payment, error: &CallError) -> Ended {
    if since(payment.asked_at, cx.now()) > STUCK_AFTER {
        let kind = FindingKind::StuckCharge;
        let cause = format!("{}:{}", kind.as_str(), payment.invoice);
        let detail = format!("the outcome of the charge is not known: {error}");
        let finding = NewFinding { kind, cause, payment_id: Some(payment.id), detail: &detail };
        findings::open(&cx.db, &finding, cx.now()).await?;
    }
    // A payment that a sync has settled meanwhile needs no further charge.
    let now = payments::find(&cx.db, payment.id).await?;
    if now.is_some_and(|now| now.state != State::Asked) {
        return Ok(Outcome::Done);
    }
    Ok(outcome_of(error))
}
