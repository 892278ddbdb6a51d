//! Compare a window of our payments with the gateway's: the same look that a poll takes, for each, with a report.

use std::time::Duration;

use chrono::TimeDelta;
use domain::{FindingKind, Payment, PaymentId, Step, fold};
use futures::future::join_all;
use midtrans::CallError;
use queue::{NIGHTLY, Outcome, Reconcile};
use store::findings;
use store::history::Source;
use store::reconciliation_items::{self, NewItem, Verdict};
use store::reconciliations::{self, NewRun, Run};
use tokio::time::Instant;

use crate::Context;
use crate::context::{Ended, Halt};
use crate::gateway::outcome_of;
use crate::sync_payment::{Look, Standing, standing};

/// How long one attempt goes on before it lets other jobs have its place.
const SLICE: Duration = Duration::from_secs(10);
/// How often the gateway is asked about a payment that it gives no answer about.
const TRIES: i64 = 3;

/// Goes on where the last attempt was, for a while; what is left is the next attempt's.
pub(crate) async fn perform(job: &Reconcile, cx: &Context) -> Ended {
    let now = cx.now();
    let nightly = job.slot.starts_with(NIGHTLY).then(|| NewRun {
        slot: &job.slot,
        kind: "nightly",
        is_dry: false,
        wanted_by: "schedule",
        from: now - TimeDelta::from_std(cx.reconcile_back).unwrap_or(TimeDelta::zero()),
        to: now,
    });
    let Some(run) = reconciliations::begin(&cx.db, &job.slot, nightly.as_ref(), now).await? else {
        return Ok(Outcome::GiveUp(format!("there is no reconciliation {:?}", job.slot)));
    };
    if run.state == "done" {
        return Ok(Outcome::Done);
    }
    let begun = Instant::now();
    let mut place = run.place;
    while let Some((payments, last)) =
        reconciliations::next_payments(&cx.db, &run, place, cx.compared_at_once).await?
    {
        compare_all(cx, &run, payments).await?;
        place = last;
        reconciliations::advance(&cx.db, run.id, place).await?;
        if begun.elapsed() > SLICE {
            return go_on(cx, &run).await;
        }
    }
    loop {
        let again = reconciliation_items::unanswered(&cx.db, run.id, TRIES, cx.compared_at_once).await?;
        if again.is_empty() {
            break;
        }
        compare_all(cx, &run, again).await?;
        if begun.elapsed() > SLICE {
            return go_on(cx, &run).await;
        }
    }
    reconciliations::finish(&cx.db, run.id, cx.now()).await?;
    tell(cx, &run).await?;
    Ok(Outcome::Done)
}

async fn go_on(cx: &Context, run: &Run) -> Ended {
    let asked = reconciliations::find(&cx.db, run.id).await?.map_or(0, |run| run.tally.asked);
    Ok(Outcome::Later(Duration::ZERO, format!("asked about {asked} of {}", run.total)))
}

async fn tell(cx: &Context, run: &Run) -> Result<(), Halt> {
    if let Some(Run { tally, slot, from, to, .. }) = reconciliations::find(&cx.db, run.id).await? {
        let (asked, agreed, repaired) = (tally.asked, tally.agreed, tally.repaired);
        let (findings, errors) = (tally.findings, tally.errors);
        tracing::info!(slot, %from, %to, asked, agreed, repaired, findings, errors, "reconciled");
    }
    Ok(())
}

/// Asks about these, several at once. A gateway that cannot be asked at all stops it; what was asked is noted.
async fn compare_all(cx: &Context, run: &Run, payments: Vec<PaymentId>) -> Result<(), Halt> {
    let asked = payments.into_iter().map(|id| compare(cx, run, id));
    join_all(asked).await.into_iter().collect()
}

/// What a comparison of one payment came to.
struct Compared {
    verdict: Verdict,
    after: &'static str,
    detail: String,
}

async fn compare(cx: &Context, run: &Run, id: PaymentId) -> Result<(), Halt> {
    let payment = cx.payment(id).await?;
    let before = words(&payment);
    let look = if run.is_dry { Look::Only } else { Look::AndMend };
    let compared = match standing((cx, &payment), look).await? {
        Ok(Standing::Said(report)) => {
            let step = fold(&payment, &report, cx.now()).step;
            let detail = report.event.as_str().to_owned();
            match run.is_dry {
                true => foreseen(&payment, step, detail),
                false => {
                    let known = findings::of_payment(&cx.db, id).await?.len();
                    let after = cx.hear(payment.clone(), (*report, Source::Poll)).await?;
                    let is_told = findings::of_payment(&cx.db, id).await?.len() > known;
                    came_to((&payment, &after), (step, is_told), detail)
                }
            }
        }
        Ok(Standing::NotCharged) => agreed(before, "the charge is under way"),
        Ok(Standing::NeverMade) => agreed(before, "the gateway never made it"),
        Err(error) if is_about_one(&error) => {
            Compared { verdict: Verdict::Error, after: before, detail: error.to_string() }
        }
        Err(error) => return Err(outcome_of(&error).into()),
    };
    let Compared { verdict, after, detail } = compared;
    let item = NewItem { run: run.id, payment: id, verdict, before, after, detail: &detail };
    Ok(reconciliation_items::note(&cx.db, &item, cx.now()).await?)
}

/// Whether the error says something of this payment; the others say that the gateway cannot be asked.
fn is_about_one(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Unknown(_)
            | CallError::Refused { .. }
            | CallError::Duplicate
            | CallError::Unchangeable
            | CallError::NoSuchTransaction
    )
}

fn agreed(state: &'static str, detail: &str) -> Compared {
    Compared { verdict: Verdict::Agreed, after: state, detail: detail.to_owned() }
}

/// What a step would come to.
fn foreseen(payment: &Payment, step: Step, detail: String) -> Compared {
    match step {
        Step::MoveTo(to) => Compared { verdict: Verdict::Repaired, after: to.as_str(), detail },
        Step::MoveAndTell(to, kind) => {
            Compared { verdict: Verdict::Finding, after: to.as_str(), detail: kind.as_str().to_owned() }
        }
        Step::Look(kind) => looked(payment, kind),
        Step::Stay => agreed(words(payment), &detail),
    }
}

/// What it came to. What a person must look at is told before what was mended; the books may have been mended by somebody
/// else at the same moment, which counts as ours.
fn came_to((before, after): (&Payment, &Payment), (step, is_told): (Step, bool), detail: String) -> Compared {
    match step {
        Step::Look(kind) => looked(after, kind),
        _ if is_told => Compared { verdict: Verdict::Finding, after: words(after), detail },
        _ if before.state != after.state => {
            Compared { verdict: Verdict::Repaired, after: words(after), detail }
        }
        Step::MoveTo(_) | Step::MoveAndTell(..) | Step::Stay => agreed(words(after), &detail),
    }
}

fn looked(payment: &Payment, kind: FindingKind) -> Compared {
    Compared { verdict: Verdict::Finding, after: words(payment), detail: kind.as_str().to_owned() }
}

fn words(payment: &Payment) -> &'static str {
    match payment.state.failure() {
        Some(failure) => failure.as_str(),
        None => payment.state.as_str(),
    }
}
