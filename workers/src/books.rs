//! Writing into the books what the gateway says: the one place where a payment changes because of it.

use domain::{
    Amount, Event, FindingKind, Learned, Page, Payment, Refund, RefundState, Report, ReportedRefund, Ruling,
    State, Step, Time, fold,
};
use queue::{CancelPayment, Job as _, Lease, NewJob, Outcome, Reason, SubmitCharge, SyncPayment};
use store::history::Source;
use store::payments::{self, Change};
use store::{StoreError, Written, checks, refunds};

use crate::Context;
use crate::context::{Ended, Halt};
use crate::stray::is_waiting_stray;

/// How often to read again when others change the same payment at the same time.
const RACES_MAX: u32 = 8;

/// What happened to a payment, and who told us.
pub(crate) struct News<'a> {
    /// What the gateway says, or what we decided.
    pub(crate) report: &'a Report,
    /// Who told us.
    pub(crate) source: Source,
    /// More about it, for the history and the finding.
    pub(crate) detail: String,
}

impl Context {
    /// Folds the news into the payment, writes what changed, and completes the job in the same transaction.
    pub(crate) async fn settle(&self, payment: Payment, news: &News<'_>, lease: &Lease) -> Ended {
        self.fold_in(payment, news, Some(lease)).await
    }

    /// Folds in what the gateway reports, with the instruction that GET status may lack, and completes the job.
    pub(crate) async fn believe(
        &self,
        payment: Payment,
        (report, source): (Report, Source),
        lease: &Lease,
    ) -> Ended {
        let report = self.with_instruction(&payment, report).await?;
        let news = News { report: &report, source, detail: describe(&report) };
        self.settle(payment, &news, lease).await
    }

    /// The same for a report that no job of its own ends with. Gives the payment as it is then.
    pub(crate) async fn hear(
        &self,
        payment: Payment,
        (report, source): (Report, Source),
    ) -> Result<Payment, Halt> {
        let report = self.with_instruction(&payment, report).await?;
        let news = News { report: &report, source, detail: describe(&report) };
        self.note(payment, &news).await
    }

    /// Folds the news into the payment and goes on: the job is not done with it. Gives the payment as it is then.
    pub(crate) async fn note(&self, payment: Payment, news: &News<'_>) -> Result<Payment, Halt> {
        let id = payment.id;
        let outcome = self.fold_in(payment, news, None).await?;
        match outcome {
            Outcome::Completed { .. } | Outcome::Done => self.payment(id).await,
            other => Err(other.into()),
        }
    }

    async fn fold_in(&self, mut payment: Payment, news: &News<'_>, completes: Option<&Lease>) -> Ended {
        for _ in 0..RACES_MAX {
            let ruling = fold(&payment, news.report, self.now());
            let known = self.refunds_concerned(&payment, news.report).await?;
            let (to, finding) = match ruling.step {
                Step::MoveTo(to) => (to, None),
                Step::MoveAndTell(to, finding) => {
                    (to, Some(finding).filter(|_| !is_our_void((&payment, news.report), &known)))
                }
                Step::Stay => (payment.state, None),
                Step::Look(finding) => (payment.state, Some(finding)),
            };
            let listed = match ruling.step {
                Step::Look(_) => Vec::new(),
                Step::MoveTo(_) | Step::MoveAndTell(..) | Step::Stay => fresh_refunds(news.report, &known),
            };
            let after = self.foresee(&payment, to, &ruling);
            let next_check_at = self.schedule.next_check(&after, self.now());
            if to == payment.state && finding.is_none() && ruling.learned.is_empty() && listed.is_empty() {
                checks::mark_checked(&self.db, &payment, next_check_at, self.now()).await?;
                return Ok(Outcome::Done);
            }
            tell(&payment, to, finding, news);
            let mut jobs = self.follow_ups(&payment, to).await?;
            if news.source == Source::Charge && is_waiting_stray(&payment, news.report) {
                let look = SyncPayment { payment_id: payment.id, reason: Reason::Poll };
                jobs.push(look.new_job(self.now()));
            }
            let change = Change {
                payment: &payment,
                to,
                learned: &ruling.learned,
                event: news.report.event.as_str(),
                source: news.source,
                detail: &news.detail,
                finding,
                refunds: &listed,
                checked: news.source != Source::Tenant,
                next_check_at,
                jobs: &jobs,
                completes,
            };
            match payments::change(&self.db, &change, self.now()).await? {
                (Written::Done, wake) if completes.is_some() => return Ok(Outcome::Completed { wake }),
                (Written::Done, wake) => {
                    self.queue.wake(wake);
                    return Ok(Outcome::Done);
                }
                (Written::LostLease, _) => return Ok(Outcome::Lost),
                (Written::Stale, _) => payment = self.payment(payment.id).await?,
            }
        }
        Ok(Outcome::Retry("the payment was changed by others again and again".to_owned()))
    }

    /// What we know of refunds, when the report can tell anything about them.
    async fn refunds_concerned(&self, payment: &Payment, report: &Report) -> Result<Vec<Refund>, StoreError> {
        let voided = report.event == Event::Cancelled && payment.state.holds_money();
        if report.refunds.is_empty() && !voided {
            return Ok(Vec::new());
        }
        refunds::of_payment(&self.db, payment.id).await
    }

    /// The payment as it will be, for the schedule.
    fn foresee(&self, payment: &Payment, to: State, ruling: &Ruling) -> Payment {
        let Learned { expires_at, settled_at, .. } = ruling.learned;
        let paid_at = payment.paid_at.or_else(|| to.holds_money().then(|| settled_at.unwrap_or(self.now())));
        let asked_at = payment.asked_at.or_else(|| (to == State::Asked).then(|| self.now()));
        let expires_at = expires_at.or(payment.expires_at);
        Payment { state: to, expires_at, paid_at, asked_at, ..payment.clone() }
    }

    /// A payment that ends lets the one go on that is wanted in its place. One that is paid leaves nothing to pay.
    async fn follow_ups(&self, payment: &Payment, to: State) -> Result<Vec<NewJob>, StoreError> {
        if to.holds_money() && !payment.state.holds_money() {
            let live = payments::all_live_of_bill(&self.db, payment.bill_id).await?;
            let others = live.iter().filter(|other| other.id != payment.id);
            return Ok(others
                .map(|other| CancelPayment { payment_id: other.id }.new_job(self.now()))
                .collect());
        }
        if payment.superseded_at.is_none() || to.is_live() {
            return Ok(Vec::new());
        }
        let wanted = payments::live_of_bill(&self.db, payment.bill_id).await?;
        let job = wanted.map(|next| SubmitCharge { payment_id: next.id }.new_job(self.now()));
        Ok(job.into_iter().collect())
    }
}

fn fresh_refunds(report: &Report, known: &[Refund]) -> Vec<ReportedRefund> {
    report.refunds.iter().filter(|refund| refund.is_news_to(known)).cloned().collect()
}

/// A captured card that was cancelled because we wanted to give all of the money back needs nobody's attention.
fn is_our_void((payment, report): (&Payment, &Report), known: &[Refund]) -> bool {
    report.event == Event::Cancelled
        && known.iter().any(|refund| {
            refund.is_ours && refund.state == RefundState::Asked && refund.amount == payment.amount
        })
}

/// What we decided ourselves, in the form of a report.
pub(crate) fn decision(event: Event) -> Report {
    Report {
        event,
        order_id: None,
        transaction_id: None,
        amount: Amount::Unsaid,
        expires_at: None,
        settled_at: None,
        instruction: None,
        refunds: Vec::new(),
        page: Page::Open,
    }
}

/// A few words about a report, for the history.
fn describe(report: &Report) -> String {
    let transaction = report.transaction_id.as_ref().map_or("no transaction", |id| id.as_str());
    match (&report.event, &report.amount) {
        (Event::Absent, _) => "the gateway has no such transaction".to_owned(),
        (Event::Unheard(status), amount) => {
            format!("{transaction}: unknown status {status:?}, {}", words(amount))
        }
        (_, amount) => format!("{transaction}: {}", words(amount)),
    }
}

fn words(amount: &Amount) -> String {
    match amount {
        Amount::Rupiah(amount) => amount.to_string(),
        Amount::Foreign(text) => format!("amount {text:?}"),
        Amount::Unsaid => "no amount".to_owned(),
    }
}

fn tell(payment: &Payment, to: State, finding: Option<FindingKind>, news: &News<'_>) {
    let (invoice, event) = (payment.invoice.as_str(), news.report.event.as_str());
    if to != payment.state {
        let (from, to, source) = (payment.state.as_str(), to.as_str(), news.source.as_str());
        tracing::info!(payment.invoice = invoice, from, to, event, source, "payment moved");
    }
    if let Some(kind) = finding {
        tracing::warn!(
            payment.invoice = invoice,
            finding = kind.as_str(),
            event,
            detail = news.detail,
            "finding"
        );
    }
}

/// How long ago `at` was.
pub(crate) fn since(at: Option<Time>, now: Time) -> chrono::TimeDelta {
    at.map_or(chrono::TimeDelta::zero(), |at| now - at)
}
