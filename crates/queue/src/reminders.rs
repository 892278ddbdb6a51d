//! The kinds of work by which tenants are told of their bills. They have attempts and a pace of their own: nothing about
//! money waits for them.

use domain::{BillId, ReminderId, ReminderKind};
use serde::{Deserialize, Serialize};

use crate::work::Job;

/// A letter that is not taken for hours is given up; a server that does not answer does not count.
const ATTEMPTS: i64 = 25;

/// Look for what tenants are to be told today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindReminders {
    /// The slot of the schedule.
    pub slot: String,
}

/// Send a reminder by e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendEmail {
    /// This one.
    pub reminder_id: ReminderId,
    /// Of this bill.
    pub bill_id: BillId,
    /// What it tells.
    pub reminder: ReminderKind,
}

/// Send a reminder to the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendWebhook {
    /// This one.
    pub reminder_id: ReminderId,
    /// Of this bill.
    pub bill_id: BillId,
    /// What it tells.
    pub reminder: ReminderKind,
}

impl Job for FindReminders {
    const KIND: &'static str = "find_reminders";
    const MAX_ATTEMPTS: i64 = 5;

    /// While one waits for room, another would do the same.
    fn dedupe_key(&self) -> String {
        Self::KIND.to_owned()
    }

    fn once_key(&self) -> Option<String> {
        Some(format!("{}:{}", Self::KIND, self.slot))
    }
}

impl Job for SendEmail {
    const KIND: &'static str = "send_email";
    const MAX_ATTEMPTS: i64 = ATTEMPTS;

    fn dedupe_key(&self) -> String {
        format!("{}:{}:{}", Self::KIND, self.bill_id, self.reminder.as_str())
    }
}

impl Job for SendWebhook {
    const KIND: &'static str = "send_webhook";
    const MAX_ATTEMPTS: i64 = ATTEMPTS;

    fn dedupe_key(&self) -> String {
        format!("{}:{}:{}", Self::KIND, self.bill_id, self.reminder.as_str())
    }
}
