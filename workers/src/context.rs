//! What every job needs: the books, the gateway, the clock.

use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use courier::Couriers;
use domain::{Payment, PaymentId, PollSchedule, RuleBook, Terms, Time};
use midtrans::Midtrans;
use queue::{Lease, Outcome, Performer, Queue, Reason, Work};
use store::pruning::Retention;
use store::{Db, StoreError, payments};

use crate::{
    cancel_payment, decide_payment, find_reminders, generate_bills, process_notification, prune, reconcile,
    refund_payment, send_email, send_webhook, submit_charge, sweep, sync_payment,
};

/// What every job needs.
#[derive(Clone)]
pub struct Context {
    /// The books.
    pub db: Db,
    /// The gateway.
    pub midtrans: Midtrans,
    /// The time.
    pub clock: Clock,
    /// Where to put further work.
    pub queue: Queue,
    /// When to ask the gateway again.
    pub schedule: PollSchedule,
    /// What the house has set for the methods.
    pub rules: RuleBook,
    /// Whether cards are only authorised, and a person takes the money.
    pub authorize_only: bool,
    /// What the payer reads as the thing that is paid for; the invoice follows.
    pub item: String,
    /// What a month costs, and when it is due.
    pub terms: Terms,
    /// Polls that a sweep lets wait for the gateway; the rest of a backlog waits in the payments, the oldest first.
    pub polls_at_once: i64,
    /// Payments that a comparison asks about at once, before it notes its place and looks at the time: an answer may take
    /// half a minute.
    pub compared_at_once: i64,
    /// How far back the comparison of the night goes.
    pub reconcile_back: Duration,
    /// How long a notification may take before it counts as missed.
    pub notification_grace: Duration,
    /// How long what can be forgotten is kept.
    pub retention: Retention,
    /// The ways by which tenants are told of their bills.
    pub couriers: Arc<Couriers>,
}

/// Why a job ended without having done its work.
pub(crate) enum Halt {
    /// The books failed.
    Store(StoreError),
    /// This is to become of the attempt.
    Outcome(Outcome),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Outcome> for Halt {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

/// What a job comes to.
pub(crate) type Ended = Result<Outcome, Halt>;

impl Context {
    /// The same for work that nobody waits for.
    fn patient(&self) -> Self {
        Self { midtrans: self.midtrans.patient(), ..self.clone() }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// The payment a job is about; without one there is nothing to try again for.
    pub(crate) async fn payment(&self, id: PaymentId) -> Result<Payment, Halt> {
        let found = payments::find(&self.db, id).await?;
        found.ok_or_else(|| Outcome::GiveUp(format!("there is no payment {id}")).into())
    }
}

impl Performer for Context {
    async fn perform(&self, work: Work, lease: &Lease) -> Outcome {
        let ended = match work {
            Work::SubmitCharge(job) => submit_charge::perform(job, self, lease).await,
            Work::ProcessNotification(job) => process_notification::perform(job, self, lease).await,
            Work::SyncPayment(job) if job.reason == Reason::Poll => {
                sync_payment::perform(job, &self.patient(), lease).await
            }
            Work::SyncPayment(job) => sync_payment::perform(job, self, lease).await,
            Work::CancelPayment(job) => cancel_payment::perform(job, self, lease).await,
            Work::DecidePayment(job) => decide_payment::perform(job, self, lease).await,
            Work::RefundPayment(job) => refund_payment::perform(job, self, lease).await,
            Work::Sweep(job) => sweep::perform(&job, self).await,
            Work::GenerateBills(job) => generate_bills::perform(job, self).await,
            Work::Reconcile(job) => reconcile::perform(&job, &self.patient()).await,
            Work::Prune(_) => prune::perform(self).await,
            Work::FindReminders(_) => find_reminders::perform(self).await,
            Work::SendEmail(job) => send_email::perform(job, self, lease).await,
            Work::SendWebhook(job) => send_webhook::perform(job, self, lease).await,
        };
        match ended {
            Ok(outcome) | Err(Halt::Outcome(outcome)) => outcome,
            Err(Halt::Store(error)) => Outcome::Retry(error.to_string()),
        }
    }
}
