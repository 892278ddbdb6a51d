//! Money given back: the rules of a refund and its two notifications.

use chrono::TimeDelta;
use clock::Time;
use serde::{Deserialize, Serialize};

use crate::transaction::{Status, Transaction};

/// How long the bank takes to confirm a refund that was not asked for directly.
pub(crate) const BANK_CONFIRMS_AFTER: TimeDelta = TimeDelta::minutes(5);

/// One refund of one transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) chargeback_id: u64,
    pub(crate) key: String,
    /// Whole rupiah.
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) created: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed: Option<Time>,
}

/// What a merchant asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct RefundRequest {
    /// Without one every call is a new refund.
    pub(crate) key: Option<String>,
    /// Without one all that is left.
    pub(crate) amount: Option<i64>,
    pub(crate) reason: String,
}

/// Why there is no new refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoRefund {
    /// The transaction cannot be refunded as it stands, or never by API (412).
    NotNow,
    /// More than is left, or nothing (414).
    Amount,
    /// That key was used already; the place of the refund in the list.
    Repeated(usize),
}

impl Transaction {
    /// The amount a refund would give back, or why it gives back nothing.
    pub(crate) fn refundable(&self, wanted: &RefundRequest) -> Result<i64, NoRefund> {
        if let Some(key) = &wanted.key
            && let Some(at) = self.refunds.iter().position(|refund| refund.key == *key)
        {
            return Err(NoRefund::Repeated(at));
        }
        if !matches!(self.status, Status::Settlement | Status::PartialRefund)
            || !self.instruction.can_be_refunded()
        {
            return Err(NoRefund::NotNow);
        }
        let left = self.amount - self.refunded();
        match wanted.amount.unwrap_or(left) {
            amount if amount > 0 && amount <= left => Ok(amount),
            _ => Err(NoRefund::Amount),
        }
    }
}
