//! The kinds of work there are. A payload holds ids, so that whoever does the work reads how things stand by then.

use domain::{NotificationId, PaymentId, RefundId, Time};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::history::Source;
use store::ledger::NewJob;

use crate::reminders::{FindReminders, SendEmail, SendWebhook};
use crate::slots::{GenerateBills, Prune, Reconcile, Sweep};

/// Work on money is tried for days before it is shown as dead: a gateway that is down for an hour kills no job, also when
/// people who look at their payments have it tried more often.
pub(crate) const MONEY_ATTEMPTS: i64 = 500;

/// A kind of work: what it is called, and when two of them are the same.
pub trait Job: Serialize + DeserializeOwned + Send + Sync {
    /// Its name in the ledger.
    const KIND: &'static str;
    /// After so many failed attempts a person must look. Money is never given up by this: the sweep comes back to it.
    const MAX_ATTEMPTS: i64;

    /// The same work has the same key; while it waits, it is not written down again.
    fn dedupe_key(&self) -> String;

    /// The payment it is about.
    fn payment_id(&self) -> Option<PaymentId> {
        None
    }

    /// The notification it is about.
    fn notification_id(&self) -> Option<NotificationId> {
        None
    }

    /// Work that is done once for each key, however many ask for it.
    fn once_key(&self) -> Option<String> {
        None
    }

    /// Whether it brings news that the same work, waiting or running, does not know yet.
    fn is_news(&self) -> bool {
        true
    }

    /// The row for the ledger, to be done not before `run_at`.
    fn new_job(&self, run_at: Time) -> NewJob {
        NewJob {
            kind: Self::KIND,
            dedupe_key: self.dedupe_key(),
            once_key: self.once_key(),
            // The payloads are plain structs of ids, whose serialisation cannot fail.
            payload: serde_json::to_string(self).unwrap_or_default(),
            payment_id: self.payment_id(),
            notification_id: self.notification_id(),
            run_at,
            is_news: self.is_news(),
            max_attempts: Self::MAX_ATTEMPTS,
            trace: traces::here(),
        }
    }
}

/// Why the gateway is asked how a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A notification said that something happened.
    Notification,
    /// It was time.
    Poll,
    /// Somebody looked at the payment.
    Read,
    /// A person of the house wants to know.
    Operator,
}

impl From<Reason> for Source {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Notification => Self::Notification,
            Reason::Poll => Self::Poll,
            Reason::Read => Self::Read,
            Reason::Operator => Self::Operator,
        }
    }
}

/// Make the transaction at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitCharge {
    /// For this payment.
    pub payment_id: PaymentId,
}

/// Find out what a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessNotification {
    /// This one.
    pub notification_id: NotificationId,
}

/// Ask the gateway how a payment stands, and believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPayment {
    /// This one.
    pub payment_id: PaymentId,
    /// Why.
    pub reason: Reason,
}

/// Cancel a payment that nobody wants any more, at the gateway first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelPayment {
    /// This one.
    pub payment_id: PaymentId,
}

/// Carry out what a person decided of a payment that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidePayment {
    /// This one.
    pub payment_id: PaymentId,
    /// What was decided.
    pub verdict: Verdict,
}

/// What a person decides of a payment that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The house takes the money.
    Accept,
    /// It does not.
    Refuse,
}

/// Give money back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundPayment {
    /// Of this payment.
    pub payment_id: PaymentId,
    /// This much of it.
    pub refund_id: RefundId,
}

impl Job for SubmitCharge {
    const KIND: &'static str = "submit_charge";
    const MAX_ATTEMPTS: i64 = MONEY_ATTEMPTS;

    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.payment_id)
    }

    fn payment_id(&self) -> Option<PaymentId> {
        Some(self.payment_id)
    }
}

impl Job for ProcessNotification {
    const KIND: &'static str = "process_notification";
    const MAX_ATTEMPTS: i64 = 25;

    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.notification_id)
    }

    fn notification_id(&self) -> Option<NotificationId> {
        Some(self.notification_id)
    }
}

impl Job for SyncPayment {
    const KIND: &'static str = "sync_payment";
    const MAX_ATTEMPTS: i64 = MONEY_ATTEMPTS;

    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.payment_id)
    }

    /// A look that is taken because it is time, or because somebody looks, waits like the one that waits already.
    fn is_news(&self) -> bool {
        match self.reason {
            Reason::Notification | Reason::Operator => true,
            Reason::Poll | Reason::Read => false,
        }
    }

    fn payment_id(&self) -> Option<PaymentId> {
        Some(self.payment_id)
    }
}

impl Job for CancelPayment {
    const KIND: &'static str = "cancel_payment";
    const MAX_ATTEMPTS: i64 = MONEY_ATTEMPTS;

    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.payment_id)
    }

    fn payment_id(&self) -> Option<PaymentId> {
        Some(self.payment_id)
    }
}

impl Job for DecidePayment {
    const KIND: &'static str = "decide_payment";
    const MAX_ATTEMPTS: i64 = MONEY_ATTEMPTS;

    /// The first word counts until it is carried out.
    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.payment_id)
    }

    fn payment_id(&self) -> Option<PaymentId> {
        Some(self.payment_id)
    }
}

impl Job for RefundPayment {
    const KIND: &'static str = "refund_payment";
    const MAX_ATTEMPTS: i64 = MONEY_ATTEMPTS;

    fn dedupe_key(&self) -> String {
        format!("{}:{}", Self::KIND, self.refund_id)
    }

    fn payment_id(&self) -> Option<PaymentId> {
        Some(self.payment_id)
    }
}

/// The kinds of work, each named once.
macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        /// Work as it comes out of the ledger.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Work {
            $(#[doc = concat!("See [`", stringify!($kind), "`].")] $kind($kind),)+
        }

        /// The names of all kinds of work.
        pub const KINDS: &[&str] = &[$($kind::KIND),+];

        impl Work {
            /// Reads what the ledger holds.
            ///
            /// # Errors
            /// When the kind is not known, or the payload does not fit it.
            pub fn parse(kind: &str, payload: &str) -> Result<Self, UnknownWork> {
                Ok(match kind {
                    $($kind::KIND => Self::$kind(serde_json::from_str(payload)?),)+
                    other => return Err(UnknownWork::Kind(other.to_owned())),
                })
            }
        }
    };
}

kinds![
    SubmitCharge,
    ProcessNotification,
    SyncPayment,
    CancelPayment,
    DecidePayment,
    RefundPayment,
    Sweep,
    GenerateBills,
    Reconcile,
    Prune,
    FindReminders,
    SendEmail,
    SendWebhook,
];

/// Work that this Kasir cannot read: of a newer one, or damaged.
#[derive(Debug, thiserror::Error)]
pub enum UnknownWork {
    /// The kind is not known.
    #[error("no worker knows the kind {0:?}; is an older Kasir running beside a newer one?")]
    Kind(String),
    /// The payload does not fit the kind.
    #[error("the payload does not fit: {0}")]
    Payload(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use domain::{BillId, Period, ReminderId, ReminderKind};

    use super::*;

    fn survives(job: impl Job, work: &Work) {
        let row = job.new_job(Time::default());
        assert_eq!(Work::parse(row.kind, &row.payload).unwrap(), *work);
    }

    #[test]
    fn every_kind_survives_the_ledger() {
        let payment_id = PaymentId(7);
        survives(SubmitCharge { payment_id }, &Work::SubmitCharge(SubmitCharge { payment_id }));
        survives(CancelPayment { payment_id }, &Work::CancelPayment(CancelPayment { payment_id }));
        let sync = SyncPayment { payment_id, reason: Reason::Read };
        survives(sync, &Work::SyncPayment(sync));
        let refund = RefundPayment { payment_id, refund_id: RefundId(2) };
        survives(refund, &Work::RefundPayment(refund));
        let decision = DecidePayment { payment_id, verdict: Verdict::Refuse };
        survives(decision, &Work::DecidePayment(decision));
        let notice = ProcessNotification { notification_id: NotificationId(3) };
        survives(notice, &Work::ProcessNotification(notice));
        let sweep = Sweep { slot: "2026-11-24T03:00".to_owned() };
        survives(sweep.clone(), &Work::Sweep(sweep));
        let bills = GenerateBills { period: Period::new(2026, 11).unwrap() };
        survives(bills, &Work::GenerateBills(bills));
        let slot = "nightly:2026-11-24".to_owned();
        let compare = Reconcile { slot: slot.clone() };
        survives(compare.clone(), &Work::Reconcile(compare));
        let prune = Prune { slot: slot.clone() };
        survives(prune.clone(), &Work::Prune(prune));
        let find = FindReminders { slot };
        survives(find.clone(), &Work::FindReminders(find));
        let (reminder_id, bill_id, reminder) = (ReminderId(4), BillId(5), ReminderKind::DueSoon);
        let email = SendEmail { reminder_id, bill_id, reminder };
        survives(email, &Work::SendEmail(email));
        let webhook = SendWebhook { reminder_id, bill_id, reminder };
        survives(webhook, &Work::SendWebhook(webhook));
    }

    #[test]
    fn the_same_check_for_another_reason_is_the_same_work() {
        let key = |reason| SyncPayment { payment_id: PaymentId(1), reason }.dedupe_key();
        assert_eq!(key(Reason::Read), key(Reason::Notification));
    }

    #[test]
    fn work_that_nobody_knows_says_so() {
        let error = Work::parse("dance", "{}").unwrap_err().to_string();
        assert!(error.contains("dance"), "{error}");
    }
}
