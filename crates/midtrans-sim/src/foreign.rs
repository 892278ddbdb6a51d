//! The messages that are no payment of the merchant's, and reach the same URL all the same (contract, section 7).

use std::sync::Arc;

use clock::{Clock, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answers::{Letterhead, money, sha512, signature, wib};
use crate::core::Core;
use crate::instruction::{snap_api_id, uuid};
use crate::simulator::Simulator;

/// A message that is no payment the merchant asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Foreign {
    /// A subscription was made. Not signed.
    SubscriptionCreated,
    /// A subscription was charged. Not signed.
    SubscriptionCharge,
    /// A wallet was linked, signed by a formula of its own.
    PayAccountEnabled,
    /// A wallet was unlinked, signed by a formula of its own.
    PayAccountDisabled,
    /// Somebody paid to a multi-use virtual account: an ordinary settlement, whose order id the gateway made up.
    MultiUseVaChild,
}

impl Foreign {
    /// All of them, for the buttons.
    pub(crate) const ALL: [Self; 5] = [
        Self::SubscriptionCreated,
        Self::SubscriptionCharge,
        Self::PayAccountEnabled,
        Self::PayAccountDisabled,
        Self::MultiUseVaChild,
    ];

    /// The name in an address.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::SubscriptionCreated => "subscription_created",
            Self::SubscriptionCharge => "subscription_charge",
            Self::PayAccountEnabled => "pay_account_enabled",
            Self::PayAccountDisabled => "pay_account_disabled",
            Self::MultiUseVaChild => "multi_use_va_child",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Letterhead<'_> {
    /// The body of a foreign message.
    pub(crate) fn foreign(&self, kind: Foreign, clock: &Clock) -> Value {
        let now = clock.now();
        match kind {
            Foreign::SubscriptionCreated => self.subscription(&uuid(clock), now),
            Foreign::SubscriptionCharge => json!({
                "event_name": "subscription.charge",
                "transaction": {
                    "transaction_status": "capture",
                    "transaction_id": uuid(clock),
                    "status_code": "200",
                    "channel_response_code": "0",
                    "channel_response_message": "Approved",
                },
                "subscription": self.subscription(&uuid(clock), now),
            }),
            Foreign::PayAccountEnabled => self.pay_account("ENABLED", "200", "linked"),
            Foreign::PayAccountDisabled => self.pay_account("DISABLED", "204", "unlinked"),
            Foreign::MultiUseVaChild => self.va_child(clock),
        }
    }

    /// The notification of the dashboard's "Test notification URL" button.
    pub(crate) fn dashboard_test(&self, uuid: &str, now: Time) -> Value {
        let order_id = format!("payment_notif_test_{}_{uuid}", self.merchant_id);
        let gross_amount = money(105_000);
        json!({
            "signature_key": signature(&order_id, "200", &gross_amount, self.server_key),
            "order_id": order_id,
            "gross_amount": gross_amount,
            "status_code": "200",
            "status_message": "midtrans payment notification",
            "transaction_status": "settlement",
            "transaction_id": "513f1f01-c9da-474c-9fc9-d5c64364b709",
            "transaction_time": wib(now),
            "settlement_time": wib(now),
            "merchant_id": self.merchant_id,
            "payment_type": "gopay",
            "fraud_status": "accept",
            "currency": "IDR",
        })
    }

    fn subscription(&self, id: &str, now: Time) -> Value {
        let at = now.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        json!({
            "id": id,
            "name": "SUBSCRIBE-1666753619",
            "token": "8447a56f-0e5e-498a-a948-eefa88265544",
            "status": "active",
            "schedule": {
                "start_time": at,
                "next_execution_at": at,
                "interval": 1,
                "interval_unit": "month",
                "current_interval": 0,
            },
            "payment_type": "credit_card",
            "metadata": { "meta": "data" },
            "merchant_id": self.merchant_id,
            "customer_details": { "first_name": "John" },
            "currency": "IDR",
            "amount": "14000",
        })
    }

    /// Signed over other fields than a payment is.
    fn pay_account(&self, status: &str, code: &str, verb: &str) -> Value {
        let account_id = "00000269-7836-49e5-bc65-e592afafec14";
        json!({
            "account_id": account_id,
            "account_status": status,
            "merchant_id": self.merchant_id,
            "payment_type": "gopay",
            "status_code": code,
            "status_message": format!("Midtrans account_{verb} notification"),
            "signature_key": sha512(&format!("{account_id}{status}{code}{}", self.server_key)),
        })
    }

    fn va_child(&self, clock: &Clock) -> Value {
        let (order_id, gross_amount, at) = (snap_api_id(clock), money(150_000), wib(clock.now()));
        json!({
            "signature_key": signature(&order_id, "200", &gross_amount, self.server_key),
            "order_id": order_id,
            "transaction_id": uuid(clock),
            "transaction_time": at,
            "settlement_time": at,
            "transaction_status": "settlement",
            "fraud_status": "accept",
            "status_code": "200",
            "status_message": "midtrans payment notification",
            "payment_type": "bank_transfer",
            "va_numbers": [{ "bank": "bca", "va_number": "333333333333333" }],
            "payment_amounts": [],
            "merchant_id": self.merchant_id,
            "gross_amount": gross_amount,
            "currency": "IDR",
        })
    }
}

impl Core {
    /// Sends a foreign message; false without a URL to send it to.
    pub(crate) fn send_foreign(self: &Arc<Self>, kind: Foreign) -> bool {
        self.post_to_dashboard_url(self.letterhead().foreign(kind, self.clock()))
    }
}

impl Simulator {
    /// Sends a message that is no payment of the merchant's to the notification URL; false without a URL. GET status
    /// knows nothing of what it tells.
    pub fn send_foreign(&self, kind: Foreign) -> bool {
        self.core.send_foreign(kind)
    }
}
