//! How a payment stands at the gateway, also where the gateway has several transactions of it or knows it by no invoice.

use domain::{AskedBy, Event, FindingKind, Payment, Report, TransactionId};
use midtrans::CallError;
use store::findings::{self, NewFinding};
use store::{StoreError, tries};

use crate::Context;
use crate::context::Halt;
use crate::gateway::name_of;
use crate::stray::Seen;

/// Whether the gateway may know transactions of the payment that it does not tell of when it is asked by the invoice.
pub(crate) fn has_names_of_its_own(payment: &Payment) -> bool {
    payment.method.is_on_a_page() || payment.method.profile().asked_by == AskedBy::Transaction
}

impl Context {
    /// How the payment stands. On the hosted page the gateway tells of the latest try when it is asked by the invoice
    /// (contract §3), so the others that we know of are asked for by their own names; money counts before anything else.
    /// A method that the gateway knows by its own name alone is asked for by the names that notifications have told.
    pub(crate) async fn stands(&self, payment: &Payment) -> Result<Result<Report, CallError>, Halt> {
        match self.see(payment).await? {
            Ok(Seen { own, stray: None }) => Ok(Ok(own)),
            Ok(Seen { own, stray: Some(stray) }) => self.turn_away(payment, (own, stray)).await,
            Err(error) => Ok(Err(error)),
        }
    }

    /// The same, and nothing is done about what is seen.
    pub(crate) async fn see(&self, payment: &Payment) -> Result<Result<Seen, CallError>, StoreError> {
        let one_name = !payment.method.is_on_a_page() && payment.transaction_id.is_some();
        if one_name || !has_names_of_its_own(payment) {
            return Ok(self.see_one(payment).await);
        }
        let tries = match self.every_try(payment).await? {
            Ok(tries) => tries,
            Err(error) => return Ok(Err(error)),
        };
        let heavier = |one: Report, other: Report| match weight(payment, &other) > weight(payment, &one) {
            true => other,
            false => one,
        };
        Ok(tries.into_iter().reduce(heavier).map(Seen::alone).ok_or(CallError::NoSuchTransaction))
    }

    async fn see_one(&self, payment: &Payment) -> Result<Seen, CallError> {
        let said = self.midtrans.status(name_of(payment)).await?;
        let Some(known) = payment.transaction_id.as_ref().filter(|_| said.names_another_than(payment)) else {
            return Ok(Seen::alone(said));
        };
        Ok(match self.own(payment, known).await? {
            Some(own) => Seen { own, stray: Some(said) },
            None => Seen::alone(said),
        })
    }

    /// Every transaction of the payment that we know of, the latest first.
    pub(crate) async fn every_try(
        &self,
        payment: &Payment,
    ) -> Result<Result<Vec<Report>, CallError>, StoreError> {
        let mut reports = Vec::new();
        match self.midtrans.status(payment.invoice.as_str()).await {
            Ok(latest) => reports.push(latest),
            Err(CallError::NoSuchTransaction) => {}
            Err(error) => return Ok(Err(error)),
        }
        let mut known = tries::of_payment(&self.db, payment.id).await?;
        if let Some(named) = reports.first().and_then(|latest| latest.transaction_id.clone())
            && !known.contains(&named)
        {
            tries::note(&self.db, payment.id, &named, self.now()).await?;
        }
        known.extend(payment.transaction_id.clone());
        for id in known {
            if reports.iter().any(|report| report.transaction_id.as_ref() == Some(&id)) {
                continue;
            }
            match self.try_of(payment, &id).await {
                Ok(report) => reports.extend(report),
                Err(error) => return Ok(Err(error)),
            }
        }
        self.tell_of_second_money(payment, &reports.iter().collect::<Vec<_>>()).await?;
        Ok(Ok(reports))
    }

    /// A name may come out of a notification, whose signature does not cover it: what it names must name our invoice.
    pub(crate) async fn try_of(
        &self,
        payment: &Payment,
        id: &TransactionId,
    ) -> Result<Option<Report>, CallError> {
        match self.midtrans.status(id.as_str()).await {
            Ok(report) => {
                let is_ours = report.order_id.as_deref() == Some(payment.invoice.as_str());
                Ok(Some(report).filter(|_| is_ours))
            }
            Err(CallError::NoSuchTransaction) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn tell_of_second_money(
        &self,
        payment: &Payment,
        reports: &[&Report],
    ) -> Result<(), StoreError> {
        let paid = reports.iter().filter(|report| holds_money(&report.event)).count();
        if paid < 2 {
            return Ok(());
        }
        let kind = FindingKind::DoublePayment;
        let cause = format!("{}:{}:tries", kind.as_str(), payment.invoice);
        let detail = format!("{paid} tries of one payment were paid; give all but one back");
        let finding = NewFinding { kind, cause, payment_id: Some(payment.id), detail: &detail };
        findings::open(&self.db, &finding, self.now()).await
    }
}

pub(crate) fn holds_money(event: &Event) -> bool {
    matches!(
        event,
        Event::Settled | Event::Captured | Event::PartiallyRefunded(_) | Event::PartiallyChargedBack
    )
}

/// How much a try says: one that has money outweighs one that may get some, and that one those that have failed. Of two
/// that say as much, the one that we know keeps its place where money was seen on it; else the latest counts.
fn weight(payment: &Payment, report: &Report) -> (u8, bool) {
    let is_known = report.transaction_id.is_some() && report.transaction_id == payment.transaction_id;
    let class = match report.event {
        Event::Settled | Event::Captured | Event::PartiallyRefunded(_) | Event::PartiallyChargedBack => 4,
        Event::Refunded | Event::ChargedBack => 3,
        Event::Challenged | Event::Authorized | Event::Unheard(_) => 2,
        Event::Accepted => 1,
        Event::Denied | Event::Cancelled | Event::Expired | Event::Errored => 0,
        Event::Asked | Event::Withdrawn | Event::Absent | Event::Rejected => 0,
    };
    (class, is_known && (class == 4 || !payment.state.is_live()))
}
