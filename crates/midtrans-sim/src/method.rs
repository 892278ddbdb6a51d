//! Reads the part of a charge that is named after its payment method.

use std::collections::HashSet;

use chrono::TimeDelta;
use serde_json::Value;

use crate::card::Card;
use crate::charge::NoCharge;
use crate::instruction::{Bank, Instruction, Method, Store};

/// How long a transaction of a method may wait for its payer.
pub(crate) struct Lifetime {
    pub(crate) usual: TimeDelta,
    pub(crate) longest: TimeDelta,
    /// False where `custom_expiry` changes nothing.
    pub(crate) negotiable: bool,
}

/// The life of a transaction of that payment type (contract, section 2).
pub(crate) fn lifetime(payment_type: &Value, acquirer: &Value) -> Lifetime {
    let (usual, longest, negotiable) = match payment_type.as_str().unwrap_or_default() {
        "gopay" => (TimeDelta::minutes(15), TimeDelta::days(7), true),
        "qris" if acquirer == "airpay shopee" => (TimeDelta::minutes(15), TimeDelta::days(5), true),
        "qris" => (TimeDelta::minutes(15), TimeDelta::days(7), true),
        "shopeepay" => (TimeDelta::minutes(15), TimeDelta::days(5), true),
        "dana" => (TimeDelta::minutes(15), TimeDelta::days(1), true),
        "ovo" => (TimeDelta::seconds(65), TimeDelta::seconds(65), false),
        "akulaku" => (TimeDelta::hours(2), TimeDelta::days(180), true),
        "credit_card" => (TimeDelta::minutes(10), TimeDelta::minutes(10), false),
        _ => (TimeDelta::hours(24), TimeDelta::days(180), true),
    };
    Lifetime { usual, longest, negotiable }
}

/// The life of a card payment whose payer is at the bank's page.
pub(crate) fn lifetime_of_cards() -> Lifetime {
    lifetime(&Value::String("credit_card".to_owned()), &Value::Null)
}

/// Reads the method; `None` goes with a message in `wrong`.
pub(crate) fn read(body: &Value, wrong: &mut Vec<String>) -> Result<Option<Method>, NoCharge> {
    let payment_type = match &body["payment_type"] {
        Value::Null => {
            wrong.push("payment_type is required".to_owned());
            return Ok(None);
        }
        other => other.as_str().unwrap_or_default(),
    };
    Ok(match payment_type {
        "bank_transfer" => bank_transfer(&body["bank_transfer"], wrong),
        "permata" => permata(&body["permata"], wrong),
        "echannel" => echannel(&body["echannel"], wrong),
        "gopay" => Some(Method::Ready(Instruction::Gopay)),
        "qris" => qris(&body["qris"], wrong),
        "shopeepay" => Some(Method::Ready(Instruction::Shopeepay)),
        "dana" => Some(Method::Ready(Instruction::Dana)),
        "ovo" => ovo(&body["ovo"], wrong)?,
        "cstore" => cstore(body, wrong),
        "akulaku" | "kredivo" => cardless(payment_type, &body["item_details"], wrong),
        "credit_card" => Some(credit_card(&body["credit_card"])?),
        "bri_epay" | "cimb_clicks" | "danamon_online" | "bca_klikpay" | "bca_klikbca" => {
            return Err(NoCharge::Code(402, "Payment channel is not activated."));
        }
        _ => {
            wrong.push("payment_type is not supported".to_owned());
            None
        }
    })
}

fn bank_transfer(part: &Value, wrong: &mut Vec<String>) -> Option<Method> {
    if !part.is_object() {
        wrong.push("bank_transfer is required".to_owned());
        return None;
    }
    let bank = match part["bank"].as_str().unwrap_or_default() {
        "bca" => Bank::Bca,
        "bni" => Bank::Bni,
        "bri" => Bank::Bri,
        "cimb" => Bank::Cimb,
        "permata" => return permata(part, wrong),
        "" => {
            wrong.push("bank_transfer.bank is required".to_owned());
            return None;
        }
        _ => {
            wrong.push("bank_transfer.bank is not supported".to_owned());
            return None;
        }
    };
    Some(Method::VirtualAccount { bank, wanted: wanted_number(part, wrong) })
}

fn permata(part: &Value, wrong: &mut Vec<String>) -> Option<Method> {
    let wanted = wanted_number(part, wrong);
    if wanted.as_ref().is_some_and(|number| number.len() != 10) {
        wrong.push("bank_transfer.va_number length must be equal to 10".to_owned());
    }
    Some(Method::Permata { wanted })
}

fn wanted_number(part: &Value, wrong: &mut Vec<String>) -> Option<String> {
    let number = part["va_number"].as_str().filter(|number| !number.is_empty())?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        wrong.push("bank_transfer.va_number must be digits".to_owned());
        return None;
    }
    Some(number.to_owned())
}

fn echannel(part: &Value, wrong: &mut Vec<String>) -> Option<Method> {
    for name in ["bill_info1", "bill_info2"] {
        if part[name].as_str().unwrap_or_default().is_empty() {
            wrong.push(format!("echannel.{name} is required"));
        }
    }
    let wanted = part["bill_key"].as_str().map(str::to_owned);
    let fits = |key: &String| (6..=12).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_digit());
    if wanted.as_ref().is_some_and(|key| !fits(key)) {
        wrong.push("echannel.bill_key must be 6 to 12 digits".to_owned());
    }
    Some(Method::MandiriBill { wanted })
}

fn qris(part: &Value, wrong: &mut Vec<String>) -> Option<Method> {
    match part["acquirer"].as_str().unwrap_or("gopay") {
        acquirer @ ("gopay" | "airpay shopee") => Some(Method::Qris { acquirer: acquirer.to_owned() }),
        _ => {
            wrong.push("qris.acquirer is not supported".to_owned());
            None
        }
    }
}

fn ovo(part: &Value, wrong: &mut Vec<String>) -> Result<Option<Method>, NoCharge> {
    let Some(phone) = part["payer_phone_number"].as_str().filter(|phone| !phone.is_empty()) else {
        wrong.push("ovo.payer_phone_number is required".to_owned());
        return Ok(None);
    };
    // The one number the sandbox does not know.
    if phone.ends_with("0000000") {
        return Err(NoCharge::Code(404, "User with requested phone number doesn't exist"));
    }
    Ok(Some(Method::Ready(Instruction::Ovo { payer_phone_number: phone.to_owned() })))
}

fn cstore(body: &Value, wrong: &mut Vec<String>) -> Option<Method> {
    let store = match body["cstore"]["store"].as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
        "alfamart" => Store::Alfamart,
        "indomaret" => Store::Indomaret,
        "" => {
            wrong.push("cstore.store is required".to_owned());
            return None;
        }
        _ => {
            wrong.push("cstore.store is not supported".to_owned());
            return None;
        }
    };
    let mut names =
        body["item_details"].as_array().into_iter().flatten().filter_map(|item| item["name"].as_str());
    if store == Store::Alfamart && names.any(|name| name.contains('|')) {
        wrong.push("item_details.name must not contain |".to_owned());
    }
    Some(Method::Store(store))
}

fn cardless(payment_type: &str, items: &Value, wrong: &mut Vec<String>) -> Option<Method> {
    let Some(items) = items.as_array().filter(|items| !items.is_empty()) else {
        wrong.push("item_details is required".to_owned());
        return None;
    };
    if payment_type == "kredivo" {
        return Some(Method::Ready(Instruction::Kredivo));
    }
    let ids: HashSet<String> = items.iter().map(|item| item["id"].to_string()).collect();
    if ids.len() != items.len() {
        wrong.push("item_details.id must be unique".to_owned());
    }
    Some(Method::Ready(Instruction::Akulaku))
}

fn credit_card(part: &Value) -> Result<Method, NoCharge> {
    let three_ds = part["authentication"].as_bool().unwrap_or(false);
    let card = part["token_id"]
        .as_str()
        .and_then(|token| Card::of_token(token, three_ds, part["type"] == "authorize"));
    card.map(|card| Method::Ready(Instruction::CreditCard(card)))
        .ok_or(NoCharge::Code(411, "Token id is missing, invalid, or timed out"))
}
