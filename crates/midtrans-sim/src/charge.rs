//! Reads the body of a charge, as strictly as the gateway does.

use chrono::{DateTime, TimeDelta};
use clock::Time;
use serde_json::{Map, Value};

use crate::instruction::Method;
use crate::method;

/// A charge that may become a transaction.
#[derive(Debug)]
pub(crate) struct Charge {
    pub(crate) order_id: String,
    /// Whole rupiah.
    pub(crate) amount: i64,
    pub(crate) method: Method,
    pub(crate) expires: Time,
    pub(crate) echo: Map<String, Value>,
}

/// Why a body is no charge.
#[derive(Debug)]
pub(crate) enum NoCharge {
    /// 400 with these `validation_messages`.
    Invalid(Vec<String>),
    /// Another code, with its `status_message`.
    Code(u16, &'static str),
}

/// Shorter than this a custom expiry is refused.
const EXPIRY_MIN: TimeDelta = TimeDelta::seconds(20);
/// What is sent back with every status and notification.
const ECHOED: [&str; 5] = ["custom_field1", "custom_field2", "custom_field3", "metadata", "customer_details"];

/// Reads a charge received at `now`.
pub(crate) fn read(body: &[u8], now: Time) -> Result<Charge, NoCharge> {
    let malformed = "The request cannot be processed due to malformed syntax in the request body";
    let body: Value = match body {
        // An empty or null body makes the gateway itself stumble.
        b"" | b"null" => {
            return Err(NoCharge::Code(
                500,
                "Sorry. Our system is recovering from unexpected issues. Please retry.",
            ));
        }
        body => serde_json::from_slice(body).map_err(|_| NoCharge::Code(413, malformed))?,
    };
    if !body.is_object() {
        return Err(NoCharge::Code(413, malformed));
    }
    let mut wrong = Vec::new();
    let order_id = order_id(&body, &mut wrong);
    let amount = gross_amount(&body, &mut wrong);
    items(&body, amount, &mut wrong);
    echo_lengths(&body, &mut wrong);
    let method = method::read(&body, &mut wrong)?;
    let expires = expires(&body, now, &mut wrong);
    match (order_id, amount, method) {
        (Some(order_id), Some(amount), Some(method)) if wrong.is_empty() => {
            Ok(Charge { order_id, amount, method, expires, echo: echo(&body) })
        }
        _ => Err(NoCharge::Invalid(wrong)),
    }
}

pub(crate) fn order_id(body: &Value, wrong: &mut Vec<String>) -> Option<String> {
    let order_id = match &body["transaction_details"]["order_id"] {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => {
            wrong.push("transaction_details.order_id is required".to_owned());
            return None;
        }
    };
    if order_id.chars().count() > 50 {
        wrong.push("transaction_details.order_id length must not exceed 50 characters".to_owned());
        return None;
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '~' | '.');
    if !order_id.chars().all(allowed) {
        wrong.push("transaction_details.order_id contains characters that are not allowed".to_owned());
        return None;
    }
    Some(order_id)
}

pub(crate) fn gross_amount(body: &Value, wrong: &mut Vec<String>) -> Option<i64> {
    let details = &body["transaction_details"];
    let currency = &details["currency"];
    if !currency.is_null() && currency != "IDR" {
        wrong.push("transaction_details.currency is not supported".to_owned());
    }
    let amount = &details["gross_amount"];
    if amount.is_null() {
        wrong.push("transaction_details.gross_amount is required".to_owned());
        return None;
    }
    let whole = amount.as_i64().filter(|amount| *amount > 0);
    if whole.is_none() {
        wrong.push("transaction_details.gross_amount must be a whole number greater than 0".to_owned());
    }
    whole
}

pub(crate) fn items(body: &Value, amount: Option<i64>, wrong: &mut Vec<String>) {
    let items = match &body["item_details"] {
        Value::Null => return,
        Value::Array(items) => items,
        _ => {
            wrong.push("item_details must be an array".to_owned());
            return;
        }
    };
    let mut sum = Some(0_i64);
    for (at, item) in items.iter().enumerate() {
        let price = item["price"].as_i64();
        let quantity = item["quantity"].as_i64().filter(|quantity| *quantity > 0);
        if price.is_none() || quantity.is_none() {
            wrong.push(format!("item_details[{at}] price and quantity must be whole numbers"));
        }
        if item["name"].as_str().is_none_or(|name| name.is_empty() || name.chars().count() > 50) {
            wrong.push(format!("item_details[{at}].name is required and must not exceed 50 characters"));
        }
        let line = price.zip(quantity).and_then(|(price, quantity)| price.checked_mul(quantity));
        sum = sum.zip(line).and_then(|(sum, line)| sum.checked_add(line));
    }
    if amount.is_some() && sum != amount && !items.is_empty() {
        wrong.push("transaction_details.gross_amount is not equal to the sum of item_details".to_owned());
    }
}

pub(crate) fn echo_lengths(body: &Value, wrong: &mut Vec<String>) {
    for name in ["custom_field1", "custom_field2", "custom_field3"] {
        if body[name].as_str().is_some_and(|text| text.chars().count() > 255) {
            wrong.push(format!("{name} length must not exceed 255 characters"));
        }
    }
}

pub(crate) fn echo(body: &Value) -> Map<String, Value> {
    ECHOED
        .iter()
        .filter(|name| !body[**name].is_null())
        .map(|name| ((*name).to_owned(), body[*name].clone()))
        .collect()
}

/// When the transaction expires: the merchant's wish within the limits of the method, or the method's custom.
fn expires(body: &Value, now: Time, wrong: &mut Vec<String>) -> Time {
    let limits = method::lifetime(&body["payment_type"], &body["qris"]["acquirer"]);
    let wish = &body["custom_expiry"];
    if wish.is_null() || !limits.negotiable {
        return now + limits.usual;
    }
    let below = || "custom_expiry is below minimum threshold".to_owned();
    let unit = match wish["unit"].as_str().unwrap_or("minute").to_ascii_lowercase().as_str() {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => {
            wrong.push("custom_expiry.unit is invalid".to_owned());
            return now;
        }
    };
    let seconds =
        wish["expiry_duration"].as_i64().filter(|number| *number > 0).and_then(|n| n.checked_mul(unit));
    let Some(lasts) = seconds.and_then(TimeDelta::try_seconds) else {
        wrong.push("custom_expiry.expiry_duration is invalid".to_owned());
        return now;
    };
    let begins = match &wish["order_time"] {
        Value::Null => now,
        Value::String(text) => match DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z") {
            Ok(time) => time.to_utc(),
            Err(_) => {
                wrong.push("custom_expiry.order_time is invalid".to_owned());
                return now;
            }
        },
        _ => {
            wrong.push("custom_expiry.order_time is invalid".to_owned());
            return now;
        }
    };
    let latest = now + limits.longest;
    let ends = begins.checked_add_signed(lasts).unwrap_or(latest).min(latest);
    if ends - now < EXPIRY_MIN {
        wrong.push(below());
    }
    ends
}
