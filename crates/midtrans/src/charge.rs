//! A charge, and the request that it becomes (contract §2).

use std::time::Duration;

use domain::{ChargeAs, Invoice, Method, Rupiah};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::fields::cut;

/// The longest name of an item; a longer one is refused.
const ITEM_CHARS_MAX: usize = 50;
/// The longest value of a Mandiri bill's line; a longer one is cut by the gateway.
const BILL_CHARS_MAX: usize = 30;
/// The longest name of a payer that we send.
const NAME_CHARS_MAX: usize = 255;

/// A payment that the gateway shall take.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The `order_id`.
    pub invoice: Invoice,
    /// How it is paid.
    pub method: Method,
    /// How much.
    pub amount: Rupiah,
    /// What is paid for; the payer reads the first 50 characters of it.
    pub item: String,
    /// Who pays, if that shall be told.
    pub customer: Option<Customer>,
    /// How long the payer has, in whole minutes and at least one; the gateway trims what its methods do not allow.
    pub valid_for: Option<Duration>,
    /// Whether the gateway heeds an `Idempotency-Key` for this method (contract §1).
    pub idempotent: bool,
    /// The telephone number of the wallet that is asked: OVO's alone.
    pub payer_phone: Option<String>,
    /// Whether a card is only authorised, so that the house takes the money by hand.
    pub authorize_only: bool,
}

/// Who pays.
#[derive(Debug, Clone)]
pub struct Customer {
    /// The whole name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The telephone number.
    pub phone: Option<String>,
}

impl Charge {
    /// The body of `POST /v2/charge`.
    pub(crate) fn request(&self) -> Value {
        let item = self.item_name();
        let mut request = self.common_part(&item);
        for (name, value) in self.method_part(&item) {
            request[name] = value;
        }
        if let Some(minutes) = self.minutes() {
            request["custom_expiry"] = json!({ "expiry_duration": minutes, "unit": "minute" });
        }
        request
    }

    /// The body of `POST /snap/v1/transactions`: the hosted page, with these methods on it.
    pub(crate) fn page_request(&self, methods: &[&str]) -> Value {
        let mut request = self.common_part(&self.item_name());
        request["enabled_payments"] = json!(methods);
        request["credit_card"] = json!({ "secure": true });
        if self.authorize_only {
            request["credit_card"]["type"] = json!("authorize");
        }
        if let Some(minutes) = self.minutes() {
            request["page_expiry"] = json!({ "duration": minutes, "unit": "minute" });
        }
        request
    }

    fn common_part(&self, item: &str) -> Value {
        let amount = self.amount.get();
        let mut request = json!({
            "transaction_details": { "order_id": self.invoice.as_str(), "gross_amount": amount },
            // One item with the whole price, so that the sum is equal by construction.
            "item_details": [{ "id": "1", "price": amount, "quantity": 1, "name": item }],
        });
        if let Some(customer) = &self.customer {
            request["customer_details"] = customer.part();
        }
        request
    }

    /// Rounded down: nobody gets longer than was meant. Less than 20 seconds would be refused.
    fn minutes(&self) -> Option<u64> {
        self.valid_for.map(|valid_for| (valid_for.as_secs() / 60).max(1))
    }

    /// The `Idempotency-Key`: always the same for one invoice, so that a second try within five minutes gets the
    /// answer of the first. The gateway ignores a key of more than 46 characters without a word (contract §1).
    pub(crate) fn idempotency_key(&self) -> String {
        let digest = hex::encode(Sha256::digest(self.invoice.as_str()));
        format!("charge-{}", cut(&digest, 32))
    }

    fn method_part(&self, item: &str) -> Vec<(&'static str, Value)> {
        let kind = |kind: &str| ("payment_type", json!(kind));
        match self.method.profile().charge {
            ChargeAs::BankTransfer(bank) => {
                vec![kind("bank_transfer"), ("bank_transfer", json!({ "bank": bank }))]
            }
            ChargeAs::Permata => vec![kind("permata")],
            ChargeAs::MandiriBill => vec![
                kind("echannel"),
                ("echannel", json!({ "bill_info1": "Pembayaran", "bill_info2": cut(item, BILL_CHARS_MAX) })),
            ],
            ChargeAs::Plain(payment_type) => vec![kind(payment_type)],
            ChargeAs::Qris(acquirer) => vec![kind("qris"), ("qris", json!({ "acquirer": acquirer }))],
            ChargeAs::Ovo => vec![kind("ovo"), ("ovo", json!({ "payer_phone_number": self.payer_phone }))],
            ChargeAs::Store(store) => {
                vec![kind("cstore"), ("cstore", json!({ "store": store, "message": item }))]
            }
            // These are not charged here.
            ChargeAs::Page(_) | ChargeAs::Hand => Vec::new(),
        }
    }

    /// What the payer reads. Alfamart takes no `|` (contract §2), and an item needs a name.
    fn item_name(&self) -> String {
        let clean: String =
            self.item.chars().map(|c| if c.is_control() || c == '|' { ' ' } else { c }).collect();
        match clean.trim() {
            "" => self.invoice.to_string(),
            name => cut(name, ITEM_CHARS_MAX),
        }
    }
}

impl Customer {
    fn part(&self) -> Value {
        // The gateway asks for a first name only; many people here have just one.
        let mut part = json!({ "first_name": cut(&self.name, NAME_CHARS_MAX), "email": self.email });
        if let Some(phone) = &self.phone {
            part["phone"] = json!(phone);
        }
        part
    }
}
