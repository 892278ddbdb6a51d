//! Give money back, once: the refund's key makes it safe to ask again (contract §4).

use std::time::Duration;

use domain::{Event, Payment, Refund, RefundState, Report, ReportedRefund};
use midtrans::{CallError, RefundOrder, Refunding};
use queue::{Lease, Outcome, RefundPayment};
use store::Written;
use store::history::Source;
use store::refunds::{self, Ending};

use crate::Context;
use crate::context::Ended;
use crate::gateway::{name_of, outcome_of};

/// How long until the gateway lists a refund that it has taken on.
const LISTED_PAUSE: Duration = Duration::from_secs(5);
/// A captured card is settled the next day in the afternoon (contract §6); until then no part of it can be given back.
const SETTLED_PAUSE: Duration = Duration::from_secs(3600);

/// Before the gateway was asked the refund may be undone. After, it may only be asked again, and GET status counts.
pub(crate) async fn perform(job: RefundPayment, cx: &Context, lease: &Lease) -> Ended {
    let payment = cx.payment(job.payment_id).await?;
    let Some(refund) = refunds::find(&cx.db, job.refund_id).await? else {
        return Ok(Outcome::GiveUp(format!("there is no refund {}", job.refund_id)));
    };
    if !refund.state.is_open() {
        return Ok(Outcome::Done);
    }
    if refund.state == RefundState::Wanted && !payment.state.holds_money() {
        return end(cx, &refund, (false, "the payment holds no money any more"), lease).await;
    }
    let before = match cx.midtrans.status(name_of(&payment)).await {
        Ok(report) => report,
        Err(error) => return Ok(outcome_of(&error)),
    };
    if lists(&before, &refund) {
        return cx.believe(payment, (before, Source::Operator), lease).await;
    }
    refunds::mark_asked(&cx.db, refund.id, cx.now()).await?;
    match before.event {
        Event::Captured => void(cx, (payment, refund), lease).await,
        // It was voided, and we did not live to hear of it.
        Event::Cancelled if refund.state == RefundState::Asked => {
            booked_void(cx, (payment, refund), before, lease).await
        }
        _ => ask(cx, (payment, refund), lease).await,
    }
}

async fn ask(cx: &Context, (payment, refund): (Payment, Refund), lease: &Lease) -> Ended {
    let order = RefundOrder {
        key: refund.key.clone(),
        amount: refund.amount,
        reason: refund.reason.clone(),
        direct: cx.rules.of(payment.method).refunds.direct,
    };
    match cx.midtrans.refund(name_of(&payment), &order).await {
        Ok(Refunding::Accepted) | Err(CallError::Duplicate) => look(cx, (payment, refund), None, lease).await,
        Ok(Refunding::Denied(why)) => end(cx, &refund, (false, &why), lease).await,
        Err(CallError::Refused { code, message, details }) => {
            let why = format!("the gateway refused with {code}: {message} {}", details.join("; "));
            look(cx, (payment, refund), Some(why), lease).await
        }
        Err(CallError::Unchangeable) => {
            let why = "the gateway cannot give it back as the payment stands".to_owned();
            look(cx, (payment, refund), Some(why), lease).await
        }
        Err(error) => Ok(outcome_of(&error)),
    }
}

/// GET status counts: a refund that it lists was made, also where the answer was a refusal of the second asking.
async fn look(
    cx: &Context,
    (payment, refund): (Payment, Refund),
    refused: Option<String>,
    lease: &Lease,
) -> Ended {
    let report = match cx.midtrans.status(name_of(&payment)).await {
        Ok(report) => report,
        Err(error) => return Ok(outcome_of(&error)),
    };
    if lists(&report, &refund) {
        return cx.believe(payment, (report, Source::Operator), lease).await;
    }
    if let Some(why) = refused {
        return end(cx, &refund, (false, &why), lease).await;
    }
    if report.refunds.is_empty() && matches!(report.event, Event::Refunded | Event::PartiallyRefunded(_)) {
        // Some answers tell the sum alone.
        let listed = ReportedRefund {
            key: refund.key,
            amount: refund.amount,
            reason: refund.reason,
            confirmed_at: None,
        };
        let report = Report { refunds: vec![listed], ..report };
        return cx.believe(payment, (report, Source::Operator), lease).await;
    }
    Ok(Outcome::Later(LISTED_PAUSE, "the gateway does not list the refund yet".to_owned()))
}

/// What is captured and not settled is cancelled instead of refunded (contract §4), and only as a whole.
async fn void(cx: &Context, (payment, refund): (Payment, Refund), lease: &Lease) -> Ended {
    if refund.amount != payment.amount {
        let why = "a captured card gives back parts only once it is settled";
        return Ok(Outcome::Later(SETTLED_PAUSE, why.to_owned()));
    }
    match cx.midtrans.cancel(name_of(&payment)).await {
        Ok(report) if report.event == Event::Cancelled => {
            booked_void(cx, (payment, refund), report, lease).await
        }
        // It was settled in between: now it can be given back.
        Ok(_) | Err(CallError::Unchangeable) => ask(cx, (payment, refund), lease).await,
        Err(error) => Ok(outcome_of(&error)),
    }
}

async fn booked_void(
    cx: &Context,
    (payment, refund): (Payment, Refund),
    report: Report,
    lease: &Lease,
) -> Ended {
    let news = crate::books::News {
        report: &report,
        source: Source::Operator,
        detail: "a captured card was cancelled before it was settled".to_owned(),
    };
    if payment.state.holds_money() {
        cx.note(payment, &news).await?;
    }
    end(cx, &refund, (true, "cancelled before it was settled"), lease).await
}

fn lists(report: &Report, refund: &Refund) -> bool {
    report.refunds.iter().any(|listed| listed.key == refund.key)
}

async fn end(cx: &Context, refund: &Refund, (given_back, answer): (bool, &str), lease: &Lease) -> Ended {
    let (key, amount) = (refund.key.as_str(), refund.amount.get());
    if given_back {
        tracing::info!(refund.key = key, amount, answer, "money given back");
    } else {
        tracing::warn!(refund.key = key, amount, answer, "a refund was refused");
    }
    let ending = Ending { id: refund.id, given_back, answer, completes: lease };
    match refunds::end(&cx.db, &ending, cx.now()).await? {
        Written::Done => Ok(Outcome::Completed { wake: Vec::new() }),
        Written::LostLease | Written::Stale => Ok(Outcome::Lost),
    }
}
