//! What the gateway said, without whom it was about: only what is known to be about money stays.

use serde_json::Value;

/// What stands in the place of a text that is no JSON, or that nobody can read.
pub(crate) const NOTHING: &str = "\"(erased)\"";
const ERASED: &str = "(erased)";

/// Members that tell of money, of the order, or of how it stands. A member that a later gateway adds is not among them.
const KEPT: [&str; 31] = [
    "amount",
    "approval_code",
    "bank_confirmed_at",
    "card_type",
    "channel_response_code",
    "created_at",
    "currency",
    "eci",
    "expiry_time",
    "fraud_status",
    "gross_amount",
    "id",
    "merchant_id",
    "order_id",
    "paid_at",
    "payment_amounts",
    "payment_type",
    "refund_amount",
    "refund_chargeback_id",
    "refund_chargeback_uuid",
    "refund_key",
    "refund_method",
    "refunds",
    "settlement_time",
    "signature_key",
    "status_code",
    "status_message",
    "transaction_id",
    "transaction_status",
    "transaction_time",
    "transaction_type",
];

/// The text with only what is about money; `None` when there is nothing else in it.
pub(crate) fn of_money(text: &str) -> Option<String> {
    if text.is_empty() || text == NOTHING {
        return None;
    }
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return Some(NOTHING.to_owned()) };
    scrub(&mut value).then(|| value.to_string())
}

/// Whether something was taken away.
fn scrub(value: &mut Value) -> bool {
    match value {
        Value::Object(members) => {
            let scrub_member = |(name, member): (&String, &mut Value)| match KEPT.contains(&name.as_str()) {
                true => scrub_inner(member),
                false => erase(member),
            };
            count(members.iter_mut().map(scrub_member)) > 0
        }
        Value::Array(items) => count(items.iter_mut().map(scrub)) > 0,
        other => erase(other),
    }
}

/// Within a member that is kept, plain words and numbers stay.
fn scrub_inner(value: &mut Value) -> bool {
    match value {
        Value::Object(_) => scrub(value),
        Value::Array(items) => count(items.iter_mut().map(scrub_inner)) > 0,
        _ => false,
    }
}

/// All of them are looked at.
fn count(found: impl Iterator<Item = bool>) -> usize {
    found.filter(|found| *found).count()
}

fn erase(value: &mut Value) -> bool {
    if value.is_null() || value == ERASED {
        return false;
    }
    *value = Value::String(ERASED.to_owned());
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_about_money_stays_and_the_rest_goes() {
        let body = json!({
            "order_id": "INV-1", "gross_amount": "1250000.00", "signature_key": "abc", "transaction_status": "settlement",
            "va_numbers": [{ "bank": "bca", "va_number": "812345" }],
            "customer_details": { "full_name": "Budi", "email": "budi@kost.test", "order_id": "INV-1" },
            "refunds": [{ "refund_amount": "5.00", "refund_key": "k", "note": "for Budi" }],
            "masked_card": "481111-1114", "custom_field1": "Budi", "nothing": null,
        });
        let scrubbed = of_money(&body.to_string()).unwrap();
        for gone in ["Budi", "budi", "812345", "481111"] {
            assert!(!scrubbed.contains(gone), "{gone}: {scrubbed}");
        }
        let scrubbed: Value = serde_json::from_str(&scrubbed).unwrap();
        for kept in ["order_id", "gross_amount", "signature_key", "transaction_status"] {
            assert_eq!(scrubbed[kept], body[kept], "{kept}");
        }
        assert_eq!(scrubbed["refunds"][0]["refund_amount"], "5.00");
        assert_eq!(scrubbed["refunds"][0]["note"], ERASED);
        assert_eq!(of_money(&scrubbed.to_string()), None, "there is nothing left to take away");
    }

    #[test]
    fn what_is_no_json_goes_as_a_whole() {
        assert_eq!(of_money("Budi"), Some(NOTHING.to_owned()));
        assert_eq!(of_money("\"Budi\""), Some(NOTHING.to_owned()));
        assert_eq!((of_money(NOTHING), of_money("")), (None, None));
    }
}
