//! The gateway's JSON objects, read with patience: a field that is missing, `null` or of another type is absent.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, TimeDelta};
use domain::{Amount, Rupiah, Time};
use serde_json::value::RawValue;

/// The longest text of the gateway that goes on into an error or an event.
const TEXT_CHARS_MAX: usize = 200;

/// One JSON object. Values stay as they were written, so a number never passes through a float and a signature is
/// computed over the very text (contract §7).
#[derive(Debug)]
pub(crate) struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    /// The object in `json`, if it is one.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self)
    }

    /// The text of a string or of a number, exactly as written.
    pub(crate) fn exact(&self, name: &str) -> Option<String> {
        text_of(self.0.get(name)?)
    }

    /// The text of a string or of a number. An empty one says nothing, and neither does one that no database takes.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.exact(name).filter(|text| !text.is_empty() && !text.contains('\0'))
    }

    /// A short text for people.
    pub(crate) fn words(&self, name: &str) -> String {
        cut(&self.text(name).unwrap_or_default(), TEXT_CHARS_MAX)
    }

    /// A text of which only the letters count, not their case (`"PENDING"`, contract §3).
    pub(crate) fn word(&self, name: &str) -> Option<String> {
        self.text(name).map(|text| text.to_ascii_lowercase())
    }

    /// The objects of an array.
    pub(crate) fn objects(&self, name: &str) -> Vec<Self> {
        self.array(name).iter().filter_map(|item| Self::parse(item.get().as_bytes())).collect()
    }

    /// The first texts of an array.
    pub(crate) fn texts(&self, name: &str, count_max: usize) -> Vec<String> {
        self.array(name)
            .iter()
            .filter_map(|item| text_of(item))
            .filter(|text| !text.contains('\0'))
            .take(count_max)
            .map(|t| cut(&t, TEXT_CHARS_MAX))
            .collect()
    }

    /// An object inside this one.
    pub(crate) fn object(&self, name: &str) -> Option<Self> {
        Self::parse(self.0.get(name)?.get().as_bytes())
    }

    /// A time. They are written as `2020-01-09 18:27:19`, in Jakarta time without a zone (contract §1).
    pub(crate) fn time(&self, name: &str) -> Option<Time> {
        let text = self.text(name).filter(|text| text.len() == "2020-01-09 18:27:19".len())?;
        let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok()?;
        local.checked_sub_signed(TimeDelta::try_hours(7)?).map(|utc| utc.and_utc())
    }

    /// An amount of `currency`, which is rupiah where it is not said (contract §1).
    pub(crate) fn amount(&self, name: &str) -> Amount {
        let Some(text) = self.text(name) else { return Amount::Unsaid };
        match self.text("currency") {
            Some(currency) if !currency.eq_ignore_ascii_case("IDR") => {
                Amount::Foreign(cut(&format!("{text} {currency}"), TEXT_CHARS_MAX))
            }
            _ => rupiah(&text).map_or_else(|| Amount::Foreign(cut(&text, TEXT_CHARS_MAX)), Amount::Rupiah),
        }
    }

    fn array(&self, name: &str) -> Vec<Box<RawValue>> {
        self.0.get(name).and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
    }
}

/// The first `chars_max` characters.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

fn text_of(value: &RawValue) -> Option<String> {
    match value.get().as_bytes().first()? {
        b'"' => serde_json::from_str(value.get()).ok(),
        b'-' | b'0'..=b'9' => Some(value.get().to_owned()),
        _ => None,
    }
}

/// `10000.00` and `10000`, but nothing with a sign, an exponent or sen.
fn rupiah(text: &str) -> Option<Rupiah> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit());
    let round = !fraction.is_empty() && fraction.bytes().all(|b| b == b'0');
    if plain && round {
        whole.parse::<i64>().ok().and_then(|amount| Rupiah::try_from(amount).ok())
    } else {
        None
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn an_amount_is_read_without_floats() {
        for (json, expected) in [
            (r#"{"a":"10000.00"}"#, Some(10_000)),
            (r#"{"a":"10000","currency":"idr"}"#, Some(10_000)),
            (r#"{"a":10000}"#, Some(10_000)),
            (r#"{"a":10000.00,"currency":null}"#, Some(10_000)),
            (r#"{"a":"0.00"}"#, Some(0)),
            (r#"{"a":"10000.50"}"#, None),
            (r#"{"a":"10000."}"#, None),
            (r#"{"a":".00"}"#, None),
            (r#"{"a":"-1.00"}"#, None),
            (r#"{"a":"1e4"}"#, None),
            (r#"{"a":1e400}"#, None),
            (r#"{"a":"10,000.00"}"#, None),
            (r#"{"a":"99999999999999999999"}"#, None),
            (r#"{"a":"10000.00","currency":"USD"}"#, None),
        ] {
            let amount = expected.map(|n| Amount::Rupiah(Rupiah::try_from(n).unwrap()));
            match (fields(json).amount("a"), amount) {
                (Amount::Foreign(_), None) => {}
                (said, Some(amount)) => assert_eq!(said, amount, "{json}"),
                (said, None) => panic!("{json} gave {said:?}"),
            }
        }
        assert_eq!(fields(r#"{"a":null}"#).amount("a"), Amount::Unsaid);
        assert_eq!(
            fields(r#"{"a":"1.00","currency":"USD"}"#).amount("a"),
            Amount::Foreign("1.00 USD".into())
        );
    }

    #[test]
    fn a_time_is_of_jakarta() {
        let both = fields(
            r#"{"a":"2020-01-09 03:27:19","b":"2020-01-09T03:27:19Z","c":12,"d":"2020-13-09 03:27:19"}"#,
        );
        assert_eq!(both.time("a"), Some("2020-01-08T20:27:19Z".parse().unwrap()));
        for unreadable in ["b", "c", "d", "e"] {
            assert_eq!(both.time(unreadable), None);
        }
    }

    #[test]
    fn what_is_of_another_type_is_absent() {
        let odd =
            fields(r#"{"a":{},"b":[1,"x",null,{"y":2}],"c":null,"d":true,"e":"","f":200,"g":"a\u0000"}"#);
        for name in ["a", "b", "c", "d", "e", "g"] {
            assert_eq!(odd.text(name), None);
        }
        assert_eq!(odd.text("f").as_deref(), Some("200"));
        assert_eq!(odd.texts("b", 9), ["1", "x"]);
        assert_eq!(odd.objects("b").len(), 1);
        assert!(Fields::parse(b"[]").is_none() && Fields::parse(b"").is_none());
    }
}
