//! Bodies as nobody in his right mind sends them: doubled keys, deep nests, half characters, huge numbers.

use std::{iter, slice};

use domain::{Amount, Secret};
use proptest::prelude::*;

use super::*;
use crate::{Notification, sign};

const KEY: &str = "SB-Mid-server-fuzz";

/// A text that stands for an amount, or nearly.
fn amount_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ +-]?[0-9]{0,18}([.,][0-9]{0,4})?( |e[0-9]{1,3})?",
        "[0-9０-９٠-٩]{1,6}(\\.00)?",
        "[0-9]{1,3}([.,][0-9]{3}){1,3}(\\.00)?",
        ".{0,12}",
    ]
}

/// The amount that a text of the gateway shows: digits, and nothing but zeros behind a dot (contract §1).
fn shown(text: &str) -> Option<i64> {
    let (whole, zeros) = text.split_once('.').unwrap_or((text, "0"));
    let is_shown = !zeros.is_empty()
        && zeros.chars().all(|c| c == '0')
        && !whole.is_empty()
        && whole.chars().all(|c| c.is_ascii_digit());
    let amount = whole.parse().ok().filter(|amount| *amount <= Rupiah::MAX.get());
    amount.filter(|_| is_shown)
}

/// A JSON text that holds `depth` others.
fn nest(depth: usize, (open, close): (&str, &str)) -> String {
    format!("{}0{}", open.repeat(depth), close.repeat(depth))
}

/// A JSON object as text, in which a name may stand more than once.
fn object(fields: &[(String, String)]) -> String {
    let written = |text: &String| serde_json::to_string(text).unwrap();
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}:{}", written(name), written(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn name() -> impl Strategy<Value = String> {
    "(order_id|status_code|gross_amount|transaction_status|signature_key|x)"
}

#[test]
fn a_nest_of_any_depth_is_read_or_refused() {
    for depth in [1, 126, 127, 128, 129, 1_000, 30_000] {
        for braces in [("[", "]"), ("{\"a\":", "}")] {
            let nest = nest(depth, braces);
            let known = format!(r#"{{"order_id":"KSR-1","va_numbers":{nest},"subscription":{nest}}}"#);
            for body in [&nest, &known] {
                let _ = crate::masked(body);
                let _ = Fields::parse(body.as_bytes()).map(|fields| fields.objects("va_numbers"));
            }
            let read = Notification::parse(known.as_bytes()).unwrap();
            assert_eq!(read.order_id.as_deref(), Some("KSR-1"), "{depth}");
        }
    }
}

proptest! {
    #[test]
    fn an_amount_is_what_its_text_shows_or_foreign(text in amount_text()) {
        let body = serde_json::json!({ "a": text }).to_string();
        let said = Fields::parse(body.as_bytes()).unwrap().amount("a");
        match shown(&text) {
            Some(amount) => prop_assert_eq!(said, Amount::Rupiah(Rupiah::try_from(amount).unwrap())),
            None => prop_assert!(matches!(said, Amount::Foreign(_) | Amount::Unsaid), "{:?} is {:?}", text, said),
        }
    }

    #[test]
    fn a_number_is_an_amount_as_it_is_written(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?") {
        let body = format!(r#"{{"a":{text}}}"#);
        let said = Fields::parse(body.as_bytes()).unwrap().amount("a");
        let read = match said { Amount::Rupiah(amount) => Some(amount.get()), Amount::Foreign(_) | Amount::Unsaid => None };
        prop_assert_eq!(read, shown(&text), "{}", text);
    }

    #[test]
    fn what_is_signed_is_what_is_read_also_when_names_stand_twice(
        fields in prop::collection::vec((name(), ".{0,12}"), 0..12),
        needed in ("[A-Za-z0-9-]{1,12}", "[0-9]{3}", "[0-9]{1,9}\\.00"),
    ) {
        let (order, code, amount) = needed;
        let last = [("order_id", order), ("status_code", code), ("gross_amount", amount)];
        let mut fields: Vec<_> =
            last.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(fields).collect();
        let read = |fields: &[(String, String)]| Notification::parse(object(fields).as_bytes()).unwrap();
        let parts = |one: &Notification| {
            [&one.order_id, &one.status_code, &one.gross_amount].map(|part| part.clone().unwrap())
        };
        let key = Secret::from(KEY);
        let [order, code, amount] = parts(&read(&fields));
        fields.push(("signature_key".to_owned(), sign(&order, &code, &amount, &key)));
        let signed = read(&fields);
        let is_one = !order.is_empty() && !order.contains('\0');
        prop_assert_eq!(signed.is_signed_by(slice::from_ref(&key)), is_one, "{:?}", fields);
        for name in ["order_id", "status_code", "gross_amount"] {
            let forged = fields.iter().cloned().chain(iter::once((name.to_owned(), "other".to_owned())));
            let forged: Vec<_> = forged.collect();
            prop_assert!(!read(&forged).is_signed_by(slice::from_ref(&key)), "{:?}", forged);
        }
    }

    #[test]
    fn no_other_text_than_the_signature_is_one(given in "[0-9a-fA-F]{0,130}|.{0,20}", place in 0_usize..128) {
        let key = Secret::from(KEY);
        let right = sign("KSR-1", "200", "10000.00", &key);
        let mut changed = right.clone();
        changed.replace_range(place..=place, if right.as_bytes()[place] == b'0' { "1" } else { "0" });
        for signature in [given, changed, right.to_uppercase(), format!("{right} "), String::new()] {
            let body = serde_json::json!({ "order_id": "KSR-1", "status_code": "200", "gross_amount": "10000.00",
                "signature_key": signature });
            let notification = Notification::parse(body.to_string().as_bytes()).unwrap();
            prop_assert!(signature == right || !notification.is_signed_by(slice::from_ref(&key)), "{}", signature);
        }
    }

    #[test]
    fn a_time_is_read_as_it_is_written_or_not_at_all(text in "[0-9+-]{4,5}-[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9]{2}:[0-9]{2}") {
        let body = serde_json::json!({ "a": text }).to_string();
        if let Some(time) = Fields::parse(body.as_bytes()).unwrap().time("a") {
            // A leap second is the last one of its minute.
            prop_assert!(domain::stamp(time) == text || text.ends_with(":60"), "{} of {}", time, text);
        }
    }
}
