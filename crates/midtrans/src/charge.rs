//! A charge, and the request that it becomes (contract §2).

use std::time::Duration;

use domain::{Invoice, Method, Rupiah};
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
        let mut request = self.method_part(&item);
        // One item with the whole price, so that the sum is equal by construction.
        request["transaction_details"] =
            json!({ "order_id": self.invoice.as_str(), "gross_amount": self.amount.get() });
        request["item_details"] =
            json!([{ "id": "1", "price": self.amount.get(), "quantity": 1, "name": item }]);
        if let Some(customer) = &self.customer {
            request["customer_details"] = customer.part();
        }
        if let Some(valid_for) = self.valid_for {
            // Rounded down: nobody gets longer than was meant. Less than 20 seconds would be refused.
            let minutes = (valid_for.as_secs() / 60).max(1);
            request["custom_expiry"] = json!({ "expiry_duration": minutes, "unit": "minute" });
        }
        request
    }

    /// The `Idempotency-Key`: always the same for one invoice, so that a second try within five minutes gets the
    /// answer of the first. The gateway ignores a key of more than 46 characters without a word (contract §1).
    pub(crate) fn idempotency_key(&self) -> String {
        let digest = hex::encode(Sha256::digest(self.invoice.as_str()));
        format!("charge-{}", cut(&digest, 32))
    }

    fn method_part(&self, item: &str) -> Value {
        match self.method {
            Method::Bca | Method::Bni | Method::Bri | Method::Cimb => {
                json!({ "payment_type": "bank_transfer", "bank_transfer": { "bank": self.method.code() } })
            }
            Method::Permata => json!({ "payment_type": "permata" }),
            Method::Mandiri => json!({
                "payment_type": "echannel",
                "echannel": { "bill_info1": "Pembayaran", "bill_info2": cut(item, BILL_CHARS_MAX) },
            }),
            Method::Gopay => json!({ "payment_type": "gopay" }),
            Method::Qris => json!({ "payment_type": "qris", "qris": { "acquirer": "gopay" } }),
            Method::Shopeepay => json!({ "payment_type": "shopeepay" }),
            // Refused before it comes to this.
            Method::Cash => json!({}),
            Method::Alfamart | Method::Indomaret => json!({
                "payment_type": "cstore",
                "cstore": { "store": self.method.code(), "message": item },
            }),
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
