//! Strays: a second transaction of a payment that can have one only.
//!
//! The gateway takes an order id again when its transaction has ended (contract §2). A charge that was sent long ago and
//! arrives then makes a second one, and whoever asks by the invoice is told of the newest.

use domain::{Event, FindingKind, Payment, Report, TransactionId};
use midtrans::CallError;
use store::findings::{self, NewFinding};
use store::history::Source;
use store::{StoreError, tries};

use crate::Context;
use crate::cancel_payment::{has_failed, waits};
use crate::context::Halt;
use crate::page::holds_money;

/// What the gateway tells of a payment.
pub(crate) struct Seen {
    /// How it stands.
    pub(crate) own: Report,
    /// The transaction beside it that nobody asked for.
    pub(crate) stray: Option<Report>,
}

impl Seen {
    pub(crate) fn alone(own: Report) -> Self {
        Self { own, stray: None }
    }

    /// What the payment goes by: money counts wherever it is.
    pub(crate) fn report(self) -> Report {
        match self.stray {
            Some(stray) if is_paid_by(&stray, &self.own) => stray,
            Some(_) | None => self.own,
        }
    }
}

fn is_paid_by(stray: &Report, own: &Report) -> bool {
    has_failed(&own.event) && holds_money(&stray.event)
}

impl Context {
    /// Asks for the transaction that we know by its own name. `None` when the gateway does not know it by that.
    pub(crate) async fn own(
        &self,
        payment: &Payment,
        known: &TransactionId,
    ) -> Result<Option<Report>, CallError> {
        let found = self.try_of(payment, known).await?;
        Ok(found.filter(|own| own.transaction_id.as_ref() == Some(known)))
    }

    /// Tells a person of the stray, cancels it while it waits for a payer, and gives what the payment goes by.
    pub(crate) async fn turn_away(
        &self,
        payment: &Payment,
        (own, mut stray): (Report, Report),
    ) -> Result<Result<Report, CallError>, Halt> {
        if let Some(id) = stray.transaction_id.clone() {
            tries::note(&self.db, payment.id, &id, self.now()).await?;
            self.tell_of_stray(payment, &id).await?;
            if waits(&stray.event) {
                match self.without(&id).await {
                    Ok(Some(after)) => stray = after,
                    Ok(None) => {}
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
        self.tell_of_second_money(payment, &[&own, &stray]).await?;
        if payment.state.is_live() && is_paid_by(&stray, &own) {
            // First our own ends, then the money is heard of.
            self.hear(payment.clone(), (own.clone(), Source::Poll)).await?;
        }
        Ok(Ok(Seen { own, stray: Some(stray) }.report()))
    }

    /// How a transaction stands after it was cancelled, or could not be.
    async fn without(&self, id: &TransactionId) -> Result<Option<Report>, CallError> {
        match self.midtrans.cancel(id.as_str()).await {
            Ok(report) => Ok(Some(report)),
            Err(CallError::Unchangeable) => self.midtrans.status(id.as_str()).await.map(Some),
            Err(CallError::NoSuchTransaction) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn tell_of_stray(&self, payment: &Payment, id: &TransactionId) -> Result<(), StoreError> {
        let kind = FindingKind::StatusConflict;
        let cause = format!("{}:{}:{}", kind.as_str(), payment.invoice, id.as_str());
        let detail = format!("the gateway has a second transaction of this payment, {}", id.as_str());
        let finding = NewFinding { kind, cause, payment_id: Some(payment.id), detail: &detail };
        findings::open(&self.db, &finding, self.now()).await
    }
}

/// Whether a report is of a stray that a payer could still pay.
pub(crate) fn is_waiting_stray(payment: &Payment, report: &Report) -> bool {
    !payment.method.is_on_a_page() && report.names_another_than(payment) && report.event == Event::Accepted
}
