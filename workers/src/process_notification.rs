//! Find out what a notification is about. It is a hint to look, never data.

use domain::{FindingKind, Invoice, Payment, TransactionId};
use queue::{Job as _, Lease, Outcome, ProcessNotification, Reason, SyncPayment};
use store::findings::NewFinding;
use store::notifications::{self, Conclusion, Notification};
use store::{Written, payments};

use crate::Context;
use crate::context::{Ended, Halt};
use crate::page::has_names_of_its_own;

pub(crate) async fn perform(job: ProcessNotification, cx: &Context, lease: &Lease) -> Ended {
    let Some(notification) = notifications::find(&cx.db, job.notification_id).await? else {
        return Ok(Outcome::GiveUp(format!("there is no notification {}", job.notification_id)));
    };
    let about = find_payment(cx, &notification).await?;
    let order = notification.order_id.as_deref().unwrap_or_default();
    let detail = format!("a notification of kind {:?} speaks of order {order:?}", notification.kind);
    let named = notification.transaction_id.as_deref().and_then(|id| TransactionId::try_from(id).ok());
    let base = Conclusion {
        id: notification.id,
        payment_id: about.as_ref().map(|payment| payment.id),
        attempt: named.filter(|_| about.as_ref().is_some_and(has_names_of_its_own)),
        outcome: "ignored",
        finding: None,
        job: None,
        completes: lease,
    };
    let conclusion = match (&about, notification.kind.as_str()) {
        (Some(payment), _) => {
            let payment_id = payment.id;
            let job = SyncPayment { payment_id, reason: Reason::Notification }.new_job(cx.now());
            Conclusion { outcome: "sync", job: Some(job), ..base }
        }
        (None, "payment") => {
            let kind = FindingKind::UnknownOrder;
            let cause = format!("{}:{order}", kind.as_str());
            let finding = NewFinding { kind, cause, payment_id: None, detail: &detail };
            Conclusion { outcome: "unknown order", finding: Some(finding), ..base }
        }
        (None, _) => base,
    };
    match notifications::conclude(&cx.db, &conclusion, cx.now()).await? {
        (Written::Done, wake) => Ok(Outcome::Completed { wake }),
        (Written::LostLease | Written::Stale, _) => Ok(Outcome::Lost),
    }
}

/// By the invoice; some methods write the gateway's own name of the transaction in its place (contract §3).
async fn find_payment(cx: &Context, notification: &Notification) -> Result<Option<Payment>, Halt> {
    let order = notification.order_id.as_deref().unwrap_or_default();
    if let Ok(invoice) = Invoice::try_from(order)
        && let Some(payment) = payments::find_by_invoice(&cx.db, &invoice).await?
    {
        return Ok(Some(payment));
    }
    match TransactionId::try_from(order) {
        Ok(id) => Ok(payments::find_by_transaction(&cx.db, &id).await?),
        Err(_) => Ok(None),
    }
}
