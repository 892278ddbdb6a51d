//! One transaction of the gateway: its states, the legal moves between them, and what a test may see of it.

use std::collections::BTreeMap;
use std::fmt;

use clock::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::instruction::Instruction;
use crate::refund::Refund;

/// `transaction_status` (contract, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made, not paid.
    Pending,
    /// Card: the amount is reserved.
    Authorize,
    /// Card: taken, not yet in a settlement batch.
    Capture,
    /// Paid.
    Settlement,
    /// Refused by the bank or the fraud detection, or reversed.
    Deny,
    /// Called off by the merchant.
    Cancel,
    /// Not paid in time.
    Expire,
    /// Broke down on the way.
    Failure,
    /// Given back as a whole.
    Refund,
    /// Given back in part.
    PartialRefund,
    /// Taken back by the card's bank.
    Chargeback,
    /// Taken back by the card's bank in part.
    PartialChargeback,
    /// A word this enum does not know, on a planted transaction.
    Other,
}

impl Status {
    /// The word the gateway uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Settlement => "settlement",
            Self::Deny => "deny",
            Self::Cancel => "cancel",
            Self::Expire => "expire",
            Self::Failure => "failure",
            Self::Refund => "refund",
            Self::PartialRefund => "partial_refund",
            Self::Chargeback => "chargeback",
            Self::PartialChargeback => "partial_chargeback",
            Self::Other => "other",
        }
    }

    /// True where the order id may be charged again (contract, section 2).
    pub(crate) fn frees_the_order_id(self) -> bool {
        matches!(self, Self::Cancel | Self::Expire)
    }

    /// True where a hosted page takes another try: a refused card is no end there (contract, section 2).
    pub(crate) fn lets_a_page_try_again(self) -> bool {
        self.frees_the_order_id() || matches!(self, Self::Deny | Self::Failure)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `fraud_status`, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fraud {
    Accept,
    Challenge,
    Deny,
}

impl Fraud {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Challenge => "challenge",
            Self::Deny => "deny",
        }
    }
}

/// What the payer, the bank or the merchant does to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The payer pays (a card is captured first, settled the second time).
    Settle,
    /// The payer proves at the bank's page who they are (3DS), and the card does what it is known for.
    Prove,
    /// The merchant takes an authorised amount.
    Capture,
    /// The fraud detection wants a person to look at a card payment.
    Challenge,
    /// The merchant accepts a challenged card payment.
    Approve,
    /// The merchant refuses a challenged card payment.
    Refuse,
    /// The bank says no.
    Deny,
    Cancel,
    Expire,
    /// The bank tells of a payment that was made in time, after the transaction has expired.
    SettleLate,
    /// A settlement is taken back within minutes.
    Reverse,
    /// The card's owner got the money back from the bank.
    Chargeback,
    /// The card's owner got some of the money back from the bank.
    PartialChargeback,
    /// It breaks down on the way to the bank.
    Fail,
}

impl Act {
    /// The act of that name, as the control routes and the page spell it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "settle" | "pay" => Self::Settle,
            "prove" => Self::Prove,
            "capture" => Self::Capture,
            "challenge" => Self::Challenge,
            "approve" => Self::Approve,
            "deny" => Self::Deny,
            "cancel" => Self::Cancel,
            "expire" => Self::Expire,
            "settle_late" => Self::SettleLate,
            "reverse" => Self::Reverse,
            "chargeback" => Self::Chargeback,
            "partial_chargeback" => Self::PartialChargeback,
            "fail" => Self::Fail,
            _ => return None,
        })
    }
}

/// One attempt to pay one order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) transaction_id: String,
    pub(crate) order_id: String,
    /// Whole rupiah.
    pub(crate) amount: i64,
    pub(crate) status: Status,
    /// Indomaret has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fraud: Option<Fraud>,
    pub(crate) instruction: Instruction,
    pub(crate) created: Time,
    pub(crate) expires: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settled: Option<Time>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) refunds: Vec<Refund>,
    /// What the merchant sent and wants to see again: custom fields, metadata.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) echo: Map<String, Value>,
    #[serde(default)]
    pub(crate) destinations: Destinations,
    /// The notification it was planted with, while nothing has happened to it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) said: Map<String, Value>,
}

/// Where the notifications of one charge go, by its own headers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Destinations {
    /// `X-Override-Notification`: in place of the dashboard's URL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) instead: Vec<String>,
    /// `X-Append-Notification`: besides it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) besides: Vec<String>,
}

impl Destinations {
    /// Every URL to tell, given the dashboard's.
    pub(crate) fn urls(&self, dashboard: Option<&String>) -> Vec<String> {
        if self.instead.is_empty() {
            dashboard.into_iter().chain(&self.besides).cloned().collect()
        } else {
            self.instead.clone()
        }
    }
}

impl Transaction {
    /// The whole life of a transaction; `None` is a move the gateway refuses with 412.
    pub(crate) fn on(&self, act: Act) -> Option<(Status, Option<Fraud>)> {
        use Status::{
            Authorize, Cancel, Capture, Chargeback, Deny, Expire, Failure, PartialChargeback, PartialRefund,
            Pending, Settlement,
        };
        let card = self.instruction.is_card();
        if let (Pending, Act::Prove, Instruction::CreditCard(card)) = (self.status, act, &self.instruction) {
            let (status, fraud) = card.outcome_when_proved();
            return Some((status, Some(fraud)));
        }
        let challenged = self.fraud == Some(Fraud::Challenge);
        Some(match (self.status, act) {
            (Pending, Act::Settle | Act::Capture) if card => (Capture, self.fraud),
            (Pending, Act::Settle) => (Settlement, self.fraud),
            (Capture, Act::Settle) if !challenged => (Settlement, self.fraud),
            (Authorize, Act::Capture | Act::Settle) => (Capture, self.fraud),
            (Pending | Capture, Act::Challenge) if card => (Capture, Some(Fraud::Challenge)),
            (Capture, Act::Approve) if challenged => (Capture, Some(Fraud::Accept)),
            (Capture, Act::Refuse | Act::Deny) if challenged => (Deny, Some(Fraud::Deny)),
            // The bank's own refusal leaves the fraud detection's verdict alone.
            (Pending | Authorize, Act::Deny) => (Deny, self.fraud),
            (Pending | Authorize | Capture, Act::Cancel) => (Cancel, self.fraud),
            (Pending | Authorize, Act::Expire) => (Expire, self.fraud),
            (Expire, Act::SettleLate) if !card => (Settlement, self.fraud),
            (Settlement, Act::Reverse) if self.instruction.can_be_reversed() => (Deny, self.fraud),
            (Pending, Act::Fail) => (Failure, self.fraud),
            (Settlement | PartialRefund | PartialChargeback, Act::Chargeback) if card => {
                (Chargeback, self.fraud)
            }
            (Settlement | PartialRefund | PartialChargeback, Act::PartialChargeback) if card => {
                (PartialChargeback, self.fraud)
            }
            _ => return None,
        })
    }

    /// What was given back so far, in whole rupiah.
    pub(crate) fn refunded(&self) -> i64 {
        self.refunds.iter().map(|refund| refund.amount).sum()
    }

    /// `status_code` of a notification about how it stands (contract, section 7).
    pub(crate) fn notification_code(&self) -> u16 {
        match self.status {
            Status::Pending => 201,
            Status::Deny | Status::Expire | Status::Cancel | Status::Failure => 202,
            Status::Capture if self.is_challenged() => 201,
            _ => 200,
        }
    }

    /// True for a card payment that waits for a person's verdict.
    pub(crate) fn is_challenged(&self) -> bool {
        self.status == Status::Capture && self.fraud == Some(Fraud::Challenge)
    }

    /// What a test or a person may see.
    pub(crate) fn view(&self) -> TransactionView {
        TransactionView {
            order_id: self.order_id.clone(),
            transaction_id: self.transaction_id.clone(),
            status: self.status,
            fraud_status: self.fraud.map(|fraud| fraud.as_str().to_owned()),
            amount: self.amount,
            payment_type: self.instruction.payment_type().to_owned(),
            instruction: self.instruction.values(),
            refunded: self.refunded(),
            created: self.created,
            expires: self.expires,
            settled: self.settled,
        }
    }
}

/// A transaction as the gateway knows it, for tests and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransactionView {
    /// The merchant's name for the payment; several transactions can share one.
    pub order_id: String,
    /// The gateway's name for this attempt, never shared.
    pub transaction_id: String,
    /// Where it stands.
    pub status: Status,
    /// `accept`, `challenge`, `deny`, or nothing (Indomaret).
    pub fraud_status: Option<String>,
    /// Whole rupiah.
    pub amount: i64,
    /// As the gateway answers it: a Permata charge says `bank_transfer`.
    pub payment_type: String,
    /// What the payer needs: `bank` and `va_number`, `bill_key` and `biller_code`, `payment_code`, ...
    pub instruction: BTreeMap<String, String>,
    /// Whole rupiah given back.
    pub refunded: i64,
    /// When it was made.
    pub created: Time,
    /// When it expires or expired.
    pub expires: Time,
    /// When it was paid.
    pub settled: Option<Time>,
}

impl TransactionView {
    /// The number the payer types in: VA number, bill key or payment code; for wallets the transaction id.
    #[must_use]
    pub fn number(&self) -> &str {
        ["va_number", "permata_va_number", "bill_key", "payment_code"]
            .iter()
            .find_map(|name| self.instruction.get(*name))
            .unwrap_or(&self.transaction_id)
    }
}
