//! The JSON the gateway answers and notifies with: what would be null is left out, times are WIB without a zone.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{FixedOffset, NaiveDateTime};
use clock::Time;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};

use crate::instruction::{BILLER_CODE, Bank, Instruction, Store};
use crate::transaction::{Status, Transaction};

/// Seconds that Jakarta is ahead of UTC.
const WIB: i32 = 7 * 3600;

/// The merchant's side of every answer.
#[derive(Clone, Copy)]
pub(crate) struct Letterhead<'a> {
    pub(crate) merchant_id: &'a str,
    pub(crate) server_key: &'a str,
    pub(crate) base_url: &'a str,
}

/// What the gateway says, before it is written as HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) http: StatusCode,
    pub(crate) body: Value,
    pub(crate) outcome: Outcome,
}

/// What the gate must know about an answer.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) code: u16,
    /// What the call has just made.
    pub(crate) made: Option<Made>,
}

/// What a call makes that lasts, even where its answer is lost.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// A transaction, by its id.
    Transaction(String),
    /// A hosted page, which nobody has paid on yet.
    Page,
}

impl Outcome {
    /// True for the answers an idempotency key remembers; a denial is no success.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.code, 200 | 201 | 407)
    }
}

impl Answer {
    /// A body with its own status code, over the HTTP status of contract section 1.
    pub(crate) fn of(code: u16, body: Map<String, Value>) -> Self {
        let http = match code {
            400 | 401 | 403 | 405 | 500..=504 => StatusCode::from_u16(code).unwrap_or(StatusCode::OK),
            505.. => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::OK,
        };
        Self { http, body: Value::Object(body), outcome: Outcome { code, made: None } }
    }

    /// A refusal: a code, a sentence and an id for the support.
    pub(crate) fn refusal(code: u16, message: &str, id: &str) -> Self {
        let body = json!({ "status_code": code.to_string(), "status_message": message, "id": id });
        Self::of(code, object(body))
    }

    /// 400 with everything that is wrong.
    pub(crate) fn invalid(messages: &[String], id: &str) -> Self {
        let mut answer = Self::refusal(400, "One or more parameters in the payload is invalid.", id);
        answer.body["validation_messages"] = json!(messages);
        answer
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = json_response(self.http, &self.body);
        response.extensions_mut().insert(self.outcome);
        response
    }
}

/// A JSON body with an HTTP status.
pub(crate) fn json_response(http: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json;charset=UTF-8")];
    (http, headers, Body::from(body.to_string())).into_response()
}

/// `2026-11-23 21:05:00`, seven hours ahead of UTC.
pub(crate) fn wib(time: Time) -> String {
    FixedOffset::east_opt(WIB)
        .map_or_else(String::new, |zone| time.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string())
}

/// The point in time that the gateway writes so.
pub(crate) fn from_wib(written: NaiveDateTime) -> Option<Time> {
    FixedOffset::east_opt(WIB)
        .and_then(|zone| written.and_local_timezone(zone).single())
        .map(|time| time.to_utc())
}

/// `44000.00`
pub(crate) fn money(rupiah: i64) -> String {
    format!("{rupiah}.00")
}

/// `signature_key`: SHA-512 over four strings exactly as they stand in the same message.
pub(crate) fn signature(order_id: &str, status_code: &str, gross_amount: &str, server_key: &str) -> String {
    sha512(&format!("{order_id}{status_code}{gross_amount}{server_key}"))
}

/// The digest in lower-case hex, as every signature of the gateway is written.
pub(crate) fn sha512(text: &str) -> String {
    hex::encode(Sha512::digest(text))
}

/// The object inside, or an empty one.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

impl Letterhead<'_> {
    /// The answer of a charge that made a transaction.
    pub(crate) fn charge(&self, t: &Transaction) -> Answer {
        let (code, message) = charge_result(t);
        let mut body = self.common(t, code, &message);
        body.insert("expiry_time".to_owned(), json!(wib(t.expires)));
        add_instruction(&mut body, t);
        self.add_way_to_pay(&mut body, t);
        let mut answer = Answer::of(code, body);
        answer.outcome.made = Some(Made::Transaction(t.transaction_id.clone()));
        answer
    }

    /// The answer of GET status.
    pub(crate) fn status(&self, t: &Transaction) -> Answer {
        let shouts = if t.is_as_planted() {
            t.said["transaction_status"] == "PENDING"
        } else {
            matches!(t.instruction, Instruction::Dana | Instruction::Shopeepay)
        };
        let code = match t.status {
            Status::Pending if shouts => 200,
            Status::Pending => 201,
            Status::Deny | Status::Failure => 202,
            Status::Expire => 407,
            Status::Capture if t.is_challenged() => 201,
            _ => 200,
        };
        if t.is_as_planted() {
            return Answer::of(code, self.as_planted(t, code));
        }
        let mut body = self.full(t, code, "Success, transaction is found");
        if t.status == Status::Pending && shouts {
            body.insert("transaction_status".to_owned(), json!("PENDING"));
            self.add_way_to_pay(&mut body, t);
        }
        Answer::of(code, body)
    }

    /// What a transaction was planted with, as a status answer.
    fn as_planted(&self, t: &Transaction, code: u16) -> Map<String, Value> {
        let mut body = t.said.clone();
        body.insert("status_code".to_owned(), json!(code.to_string()));
        body.insert("status_message".to_owned(), json!("Success, transaction is found"));
        self.sign(&mut body);
        body
    }

    /// Signs a body over its own fields, exactly as they stand in it.
    fn sign(&self, body: &mut Map<String, Value>) {
        let text = |name: &str| match body.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let signed =
            signature(&text("order_id"), &text("status_code"), &text("gross_amount"), self.server_key);
        body.insert("signature_key".to_owned(), json!(signed));
    }

    /// The body of a payment notification about how the transaction stands now.
    pub(crate) fn notification(&self, t: &Transaction) -> Value {
        Value::Object(self.full(t, t.notification_code(), "midtrans payment notification"))
    }

    /// The short answer of an action on a transaction.
    pub(crate) fn action(&self, t: &Transaction, code: u16, message: &str) -> Answer {
        Answer::of(code, self.common(t, code, message))
    }

    /// What every answer about a transaction carries.
    fn common(&self, t: &Transaction, code: u16, message: &str) -> Map<String, Value> {
        let mut body = object(json!({
            "status_code": code.to_string(),
            "status_message": message,
            "transaction_id": t.transaction_id,
            "order_id": t.order_id,
            "merchant_id": self.merchant_id,
            "gross_amount": money(t.amount),
            "currency": "IDR",
            "payment_type": t.instruction.payment_type(),
            "transaction_time": wib(t.created),
            "transaction_status": t.status.as_str(),
        }));
        if let Some(fraud) = t.fraud {
            body.insert("fraud_status".to_owned(), json!(fraud.as_str()));
        }
        body
    }

    /// What a status answer and a notification carry; the signature is over this code.
    fn full(&self, t: &Transaction, code: u16, message: &str) -> Map<String, Value> {
        let mut body = self.common(t, code, message);
        body.insert("expiry_time".to_owned(), json!(wib(t.expires)));
        if let Some(settled) = t.settled {
            body.insert("settlement_time".to_owned(), json!(wib(settled)));
        }
        add_instruction(&mut body, t);
        add_payment(&mut body, t);
        add_refunds(&mut body, t);
        body.extend(t.echo.clone());
        self.sign(&mut body);
        body
    }

    /// What only somebody who still has to pay needs: pages, pictures, deep links.
    fn add_way_to_pay(&self, body: &mut Map<String, Value>, t: &Transaction) {
        let (base, id) = (self.base_url, &t.transaction_id);
        let get = |name: &str, path: String| json!({ "name": name, "method": "GET", "url": format!("{base}{path}") });
        let page = format!("/pay/{id}");
        let actions = match &t.instruction {
            Instruction::Gopay => vec![
                get("generate-qr-code", format!("/v2/gopay/{id}/qr-code")),
                get("generate-qr-code-v2", format!("/v4/qris/gopay/{id}/qr-code")),
                get("deeplink-redirect", page),
                get("get-status", format!("/v2/{id}/status")),
                json!({ "name": "cancel", "method": "POST", "url": format!("{base}/v2/{id}/cancel"), "fields": [] }),
            ],
            Instruction::Qris { .. } => vec![
                get("generate-qr-code", format!("/v2/qris/{id}/qr-code")),
                get("generate-qr-code-v2", format!("/v4/qris/{id}/qr-code")),
            ],
            Instruction::Shopeepay | Instruction::Dana => vec![get("deeplink-redirect", page)],
            Instruction::Akulaku | Instruction::Kredivo => {
                body.insert("redirect_url".to_owned(), json!(format!("{base}{page}")));
                return;
            }
            Instruction::CreditCard(card) if card.three_ds => {
                body.insert("redirect_url".to_owned(), json!(format!("{base}{page}")));
                return;
            }
            _ => return,
        };
        body.insert("actions".to_owned(), json!(actions));
        if let Instruction::Qris { qr_string, .. } = &t.instruction {
            body.insert("qr_string".to_owned(), json!(qr_string));
        }
    }
}

fn charge_result(t: &Transaction) -> (u16, String) {
    let message = match (&t.instruction, t.status) {
        (_, Status::Deny) => {
            return (202, "Deny by Bank [BNI] with code [05] and message [Do not honor]".to_owned());
        }
        (Instruction::VirtualAccount { .. }, _) => "Success, Bank Transfer transaction is created",
        (Instruction::Permata { .. }, _) => "Success, PERMATA VA transaction is successful",
        (Instruction::MandiriBill { .. }, _) => "OK, Mandiri Bill transaction is successful",
        (Instruction::Gopay, _) => "GoPay transaction is created",
        (Instruction::Qris { .. }, _) => "QRIS transaction is created",
        (Instruction::Shopeepay, _) => "ShopeePay transaction is created",
        (Instruction::Dana, _) => "DANA transaction is created",
        (Instruction::Ovo { .. }, _) => "Ovo transaction is created",
        (Instruction::Store { .. }, _) => "Success, cstore transaction is successful",
        (Instruction::Akulaku, _) => "Success, Akulaku transaction is created",
        (Instruction::Kredivo, _) => "Kredivo transaction is created",
        (Instruction::CreditCard(_) | Instruction::Other { .. }, _) => {
            "Success, Credit Card transaction is successful"
        }
    };
    let waits = t.status == Status::Pending || t.is_challenged();
    (if waits { 201 } else { 200 }, message.to_owned())
}

fn add_instruction(body: &mut Map<String, Value>, t: &Transaction) {
    let part = match &t.instruction {
        Instruction::VirtualAccount { bank, va_number } => {
            json!({ "va_numbers": [{ "bank": bank.as_str(), "va_number": va_number }] })
        }
        Instruction::Permata { va_number } => json!({ "permata_va_number": va_number }),
        Instruction::MandiriBill { bill_key } => json!({ "bill_key": bill_key, "biller_code": BILLER_CODE }),
        Instruction::Qris { acquirer, .. } => json!({ "acquirer": acquirer }),
        Instruction::Ovo { payer_phone_number } => json!({ "payer_phone_number": payer_phone_number }),
        Instruction::Store { store, payment_code } => {
            json!({ "store": store.as_str(), "payment_code": payment_code })
        }
        Instruction::CreditCard(card) => {
            json!({ "masked_card": card.masked, "bank": "bni", "card_type": "credit" })
        }
        Instruction::Gopay | Instruction::Shopeepay | Instruction::Dana => return,
        Instruction::Akulaku | Instruction::Kredivo | Instruction::Other { .. } => return,
    };
    body.extend(object(part));
}

/// What the payment itself left behind.
fn add_payment(body: &mut Map<String, Value>, t: &Transaction) {
    let paid = t.settled.is_some();
    let part = match &t.instruction {
        // Only BNI fills the list.
        Instruction::VirtualAccount { bank: Bank::Bni, .. } if paid => {
            let at = t.settled.map(wib);
            json!({ "payment_amounts": [{ "paid_at": at, "amount": money(t.amount) }] })
        }
        Instruction::VirtualAccount { .. } => json!({ "payment_amounts": [] }),
        Instruction::Gopay if paid => json!({ "payment_option_type": "GOPAY_WALLET" }),
        Instruction::Qris { acquirer, .. } if paid => {
            json!({ "issuer": acquirer, "transaction_type": "on-us" })
        }
        Instruction::Store { store: Store::Indomaret, payment_code } if paid => {
            json!({ "approval_code": format!("45682{payment_code}") })
        }
        Instruction::CreditCard(_) if t.status != Status::Pending => json!({
            "approval_code": "1578569243927", "eci": "05",
            "channel_response_code": "00", "channel_response_message": "Approved",
        }),
        _ => return,
    };
    body.extend(object(part));
}

fn add_refunds(body: &mut Map<String, Value>, t: &Transaction) {
    let Some(last) = t.refunds.last() else { return };
    let items: Vec<Value> = t
        .refunds
        .iter()
        .map(|refund| {
            let mut item = object(json!({
                "refund_chargeback_id": refund.chargeback_id,
                "refund_amount": money(refund.amount),
                "created_at": wib(refund.created),
                "reason": refund.reason,
                "refund_key": refund.key,
                "refund_method": "online",
            }));
            if let Some(confirmed) = refund.confirmed {
                item.insert("bank_confirmed_at".to_owned(), json!(wib(confirmed)));
            }
            item.into()
        })
        .collect();
    body.insert("refunds".to_owned(), json!(items));
    // The running total, not the last one's amount.
    body.insert("refund_amount".to_owned(), json!(money(t.refunded())));
    body.insert("refund_key".to_owned(), json!(last.key));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_example_signs_the_same() {
        let signed = signature("1111", "200", "100000.00", "askvnoibnosifnboseofinbofinfgbiufglnbfg");
        assert!(
            signed.starts_with(
                "edc076b21793ebe3e17926350f5b8ae67d902fe657b3d0aa31b932d5c127e2375d308a2bc94f3265"
            )
        );
        assert_eq!(signed.len(), 128);
    }
}
