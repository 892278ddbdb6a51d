//! Give money back, once: the refund's key makes it safe to ask again (contract §4).

use std::time::Duration;

use domain::{Event, FindingKind, Payment, Refund, RefundState, Report, ReportedRefund, Rupiah};
use midtrans::{CallError, RefundOrder, Refunding};
use queue::{Lease, Outcome, RefundPayment};
use store::Written;
use store::findings::{self, NewFinding};
use store::history::Source;
use store::refunds::{self, Ending};

use crate::Context;
use crate::books::News;
use crate::cancel_payment::{cancel_waiting_tries, close_page};
use crate::context::{Ended, Halt};
use crate::gateway::{name_of, outcome_of};

/// How long until the gateway lists a refund that it has taken on, at first; it grows with the refund's age.
const LISTED_PAUSE: Duration = Duration::from_secs(5);
/// After so long a person should know; the sweep goes on looking.
const LISTED_WITHIN: Duration = Duration::from_secs(15 * 60);
/// A captured card is settled the next day in the afternoon (contract §6); until then no part of it can be given back.
const SETTLED_PAUSE: Duration = Duration::from_secs(3600);

/// A refund, and the payment that it is of.
struct Wish {
    payment: Payment,
    refund: Refund,
}

/// Before the gateway was asked the refund may be undone. After, it may only be asked again, and GET status counts.
pub(crate) async fn perform(job: RefundPayment, cx: &Context, lease: &Lease) -> Ended {
    let payment = cx.payment(job.payment_id).await?;
    let Some(refund) = refunds::find(&cx.db, job.refund_id).await? else {
        return Ok(Outcome::GiveUp(format!("there is no refund {}", job.refund_id)));
    };
    let wish = Wish { payment, refund };
    match wish.refund.state {
        RefundState::Confirmed | RefundState::Refused => Ok(Outcome::Done),
        RefundState::Accepted => look(cx, wish, None, lease).await,
        RefundState::Wanted if !wish.payment.state.holds_money() => {
            end(cx, &wish.refund, (false, "the payment holds no money any more"), lease).await
        }
        RefundState::Wanted | RefundState::Asked => settle(cx, wish, lease).await,
    }
}

async fn settle(cx: &Context, wish: Wish, lease: &Lease) -> Ended {
    let before = match cx.midtrans.status(name_of(&wish.payment)).await {
        Ok(report) => report,
        Err(error) => return Ok(outcome_of(&error)),
    };
    if let Some(report) = explained(cx, &wish, &before).await? {
        return cx.believe(wish.payment, (report, Source::Operator), lease).await;
    }
    let whole = wish.refund.amount == wish.payment.amount;
    match before.event {
        Event::Captured if !whole => {
            let why = "a captured card gives back parts only once it is settled";
            Ok(Outcome::Later(SETTLED_PAUSE, why.to_owned()))
        }
        Event::Captured => {
            refunds::mark_asked(&cx.db, wish.refund.id, cx.now()).await?;
            void(cx, wish, lease).await
        }
        // It was voided, and we did not live to hear of it.
        Event::Cancelled if whole && wish.refund.state == RefundState::Asked => {
            voided(cx, wish, &before, lease).await
        }
        _ => {
            refunds::mark_asked(&cx.db, wish.refund.id, cx.now()).await?;
            ask(cx, wish, lease).await
        }
    }
}

async fn ask(cx: &Context, wish: Wish, lease: &Lease) -> Ended {
    let Wish { payment, refund } = &wish;
    let order = RefundOrder {
        key: refund.key.clone(),
        amount: refund.amount,
        reason: refund.reason.clone(),
        direct: cx.rules.of(payment.method).refunds.direct,
    };
    let refused = match cx.midtrans.refund(name_of(payment), &order).await {
        Ok(Refunding::Accepted) | Err(CallError::Duplicate) => {
            refunds::mark_accepted(&cx.db, refund.id, cx.now()).await?;
            None
        }
        Ok(Refunding::Denied(why)) => Some(why),
        Err(CallError::Refused { code, message, details }) => {
            Some(format!("the gateway refused with {code}: {message} {}", details.join("; ")))
        }
        Err(CallError::Unchangeable) => {
            Some("the gateway cannot give it back as the payment stands".to_owned())
        }
        Err(error) => return Ok(outcome_of(&error)),
    };
    look(cx, wish, refused, lease).await
}

/// GET status counts: a refund that it tells of was made, also where the answer was a refusal of the second asking.
async fn look(cx: &Context, wish: Wish, refused: Option<String>, lease: &Lease) -> Ended {
    let report = match cx.midtrans.status(name_of(&wish.payment)).await {
        Ok(report) => report,
        Err(error) => return Ok(outcome_of(&error)),
    };
    let accepted = refused.is_none();
    let told =
        if accepted { tells(cx, &wish, &report).await? } else { explained(cx, &wish, &report).await? };
    if let Some(report) = told {
        return cx.believe(wish.payment, (report, Source::Operator), lease).await;
    }
    // Whatever else it says of the payment is news too.
    let detail = "seen when money was to be given back".to_owned();
    cx.note(wish.payment.clone(), &News { report: &report, source: Source::Operator, detail }).await?;
    match refused {
        Some(why) => end(cx, &wish.refund, (false, &why), lease).await,
        None => wait_for_the_list(cx, &wish).await,
    }
}

async fn wait_for_the_list(cx: &Context, wish: &Wish) -> Ended {
    let age = (cx.now() - wish.refund.created_at).to_std().unwrap_or_default();
    if age < LISTED_WITHIN {
        let pause = (age / 2).max(LISTED_PAUSE);
        return Ok(Outcome::Later(pause, "the gateway does not list the refund yet".to_owned()));
    }
    let kind = FindingKind::StatusConflict;
    let cause = format!("{}:{}:refund:{}", kind.as_str(), wish.payment.invoice, wish.refund.key);
    let detail = format!("the gateway took on the refund {} and does not list it", wish.refund.key);
    let finding = NewFinding { kind, cause, payment_id: Some(wish.payment.id), detail: &detail };
    findings::open(&cx.db, &finding, cx.now()).await?;
    Ok(Outcome::Done)
}

/// The report, when it tells of this refund: by its key, or, once the gateway was asked before, by a total that only this
/// refund explains.
async fn explained(cx: &Context, wish: &Wish, report: &Report) -> Result<Option<Report>, Halt> {
    let was_asked = wish.refund.state == RefundState::Asked;
    if lists(report, &wish.refund) || was_asked { tells(cx, wish, report).await } else { Ok(None) }
}

/// The same, when the gateway has said yes. Some answers tell the total alone.
async fn tells(cx: &Context, wish: &Wish, report: &Report) -> Result<Option<Report>, Halt> {
    if lists(report, &wish.refund) {
        return Ok(Some(report.clone()));
    }
    let total = match report.event {
        Event::Refunded => wish.payment.amount,
        Event::PartiallyRefunded(total) => total,
        _ => return Ok(None),
    };
    let made = |other: &Refund| {
        let state = matches!(other.state, RefundState::Accepted | RefundState::Confirmed);
        state && other.id != wish.refund.id
    };
    let known = refunds::of_payment(&cx.db, wish.payment.id).await?;
    let others: Rupiah = known.iter().filter(|other| made(other)).map(|other| other.amount).sum();
    if !report.refunds.is_empty() || total < others + wish.refund.amount {
        return Ok(None);
    }
    let Refund { key, amount, reason, .. } = wish.refund.clone();
    let listed = ReportedRefund { key, amount, reason, confirmed_at: None };
    Ok(Some(Report { refunds: vec![listed], ..report.clone() }))
}

/// What is captured and not settled is cancelled instead of refunded (contract §4), and only as a whole. Nobody shall pay
/// again on its page meanwhile.
async fn void(cx: &Context, wish: Wish, lease: &Lease) -> Ended {
    if let Err(error) = close_page(cx, &wish.payment).await {
        return Ok(outcome_of(&error));
    }
    if let Some(error) = cancel_waiting_tries(cx, &wish.payment).await? {
        return Ok(outcome_of(&error));
    }
    match cx.midtrans.cancel(name_of(&wish.payment)).await {
        Ok(report) if report.event == Event::Cancelled => voided(cx, wish, &report, lease).await,
        // It was settled in between: now it can be given back.
        Ok(_) | Err(CallError::Unchangeable) => ask(cx, wish, lease).await,
        Err(error) => Ok(outcome_of(&error)),
    }
}

async fn voided(cx: &Context, wish: Wish, report: &Report, lease: &Lease) -> Ended {
    let detail = "a captured card was cancelled before it was settled".to_owned();
    if wish.payment.state.holds_money() {
        let news = News { report, source: Source::Operator, detail };
        cx.note(wish.payment, &news).await?;
    }
    end(cx, &wish.refund, (true, "cancelled before it was settled"), lease).await
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
