//! What stands in one cell of an export: an amount, or a time of Jakarta. No amount passes through a float.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use domain::{Flow, Rupiah, Time};

const TIMES: [&str; 4] = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M"];
const DATES: [&str; 2] = ["%Y-%m-%d", "%d/%m/%Y"];
const NO_AMOUNT: &str = "is no amount";

/// True for what exports write where there is nothing.
pub(super) fn says_nothing(text: &str) -> bool {
    matches!(text, "" | "-" | "null" | "NULL")
}

/// An amount of whole rupiah: `10000.00`, `10000`, `Rp 10.000`, `-10,000.00`.
pub(super) fn amount(text: &str) -> Result<Flow, &'static str> {
    let Parts { negative, whole, fraction } = Parts::of(text)?;
    if fraction.bytes().any(|digit| digit != b'0') {
        return Err("has a fraction of a rupiah");
    }
    flow(negative, whole)
}

/// The same, and a fraction is rounded to whole rupiah, half of one away from zero.
pub(super) fn rounded(text: &str) -> Result<Flow, &'static str> {
    let Parts { negative, whole, fraction } = Parts::of(text)?;
    let up = fraction.bytes().next().is_some_and(|digit| digit >= b'5');
    flow(negative, whole.checked_add(i64::from(up)).ok_or(NO_AMOUNT)?)
}

/// What is taken off, rounded. Some exports write it with a minus; it is the same charge.
pub(super) fn charge(text: &str) -> Result<Rupiah, &'static str> {
    Rupiah::try_from(rounded(text)?.get().abs()).map_err(|_| "is too large")
}

fn flow(negative: bool, whole: i64) -> Result<Flow, &'static str> {
    Flow::try_from(if negative { -whole } else { whole }).map_err(|_| "is too large")
}

/// An amount as it is written.
struct Parts {
    negative: bool,
    whole: i64,
    fraction: String,
}

impl Parts {
    fn of(text: &str) -> Result<Self, &'static str> {
        let (negative, rest) = without_sign(text);
        let (also_negative, digits) = without_sign(without_currency(rest));
        if (negative && also_negative) || digits.is_empty() || digits.len() > 32 {
            return Err(NO_AMOUNT);
        }
        let (whole, fraction) = split(digits)?;
        let whole = whole.parse().map_err(|_| NO_AMOUNT)?;
        Ok(Self { negative: negative || also_negative, whole, fraction })
    }
}

/// Spaces may stand around sign and currency, and nowhere else: `10 50` is not `1050`.
fn without_sign(text: &str) -> (bool, &str) {
    let text = text.trim();
    text.strip_prefix('-').map_or((false, text), |rest| (true, rest.trim_start()))
}

fn without_currency(text: &str) -> &str {
    for name in ["Rp.", "Rp", "IDR"] {
        if let Some((start, rest)) = text.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name)
        {
            return rest;
        }
    }
    text
}

/// The digits before and behind the decimal mark. A mark that stands once before three digits, and after one to three, is
/// one of thousands: nothing costs a thousandth of a rupiah.
fn split(digits: &str) -> Result<(String, String), &'static str> {
    if !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',') {
        return Err(NO_AMOUNT);
    }
    let Some(last) = digits.rfind(['.', ',']) else { return Ok((digits.to_owned(), String::new())) };
    let (before, behind) =
        (digits.get(..last).unwrap_or_default(), digits.get(last + 1..).unwrap_or_default());
    let mark = digits.get(last..=last).unwrap_or_default();
    let marks_thousands = before.contains(mark)
        || (!before.contains(['.', ','])
            && behind.len() == 3
            && (1..=3).contains(&before.len())
            && !before.starts_with('0'));
    if marks_thousands {
        return Ok((grouped(digits, mark)?, String::new()));
    }
    if before.is_empty() || behind.is_empty() {
        return Err(NO_AMOUNT);
    }
    let whole = match before.find(['.', ',']) {
        Some(place) => grouped(before, before.get(place..=place).unwrap_or_default())?,
        None => before.to_owned(),
    };
    Ok((whole, behind.to_owned()))
}

/// The digits without the marks of thousands, which stand before each three of them.
fn grouped(digits: &str, mark: &str) -> Result<String, &'static str> {
    let mut groups = digits.split(mark);
    let first = groups.next().unwrap_or_default();
    let is_digits = |group: &str| group.bytes().all(|b| b.is_ascii_digit());
    let good = (1..=3).contains(&first.len()) && is_digits(first) && !first.starts_with('0');
    if good && groups.all(|group| group.len() == 3 && is_digits(group)) {
        Ok(digits.replace(mark, ""))
    } else {
        Err(NO_AMOUNT)
    }
}

/// `2026-11-24 03:10:00` or `24/11/2026 03:10[:00]`, in Jakarta time without a zone (contract §1). A date alone is its first
/// moment.
pub(super) fn time(text: &str) -> Result<Time, &'static str> {
    const NO_TIME: &str = "is no time like 2026-11-24 03:10:00";
    let moment = TIMES.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let date = || DATES.iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok());
    let local = moment.or_else(|| date().map(|date| date.and_time(NaiveTime::MIN))).ok_or(NO_TIME)?;
    if !(2000..=2199).contains(&local.year()) {
        return Err(NO_TIME);
    }
    Ok((local - TimeDelta::hours(7)).and_utc())
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_whole_rupiah_however_it_is_written() {
        for (text, expected) in [
            ("10000.00", Some(10_000)),
            ("10000", Some(10_000)),
            ("Rp 10.000", Some(10_000)),
            ("Rp. 1.250.000", Some(1_250_000)),
            ("rp10.000,00", Some(10_000)),
            ("IDR 10,000.00", Some(10_000)),
            ("10,000", Some(10_000)),
            ("-10000.00", Some(-10_000)),
            ("Rp -10.000", Some(-10_000)),
            ("-Rp10.000", Some(-10_000)),
            ("10000.000", Some(10_000)),
            ("0.00", Some(0)),
            ("10000.50", None),
            ("0.500", None),
            ("00.500", None),
            ("0.500.000", None),
            ("10 50", None),
            ("1.250 .000", None),
            ("+10", None),
            ("１０００", None),
            (" - Rp 10.000 ", Some(-10_000)),
            ("10000.", None),
            (".00", None),
            ("1.00.000", None),
            ("1,000.000.00", None),
            ("--5", None),
            ("1e4", None),
            ("", None),
            ("Rp", None),
            ("99999999999999999999", None),
            ("9999999999999999", None),
        ] {
            assert_eq!(amount(text).ok().map(Flow::get), expected, "{text:?}");
        }
    }

    #[test]
    fn a_fee_is_rounded_half_up_and_has_no_sign() {
        for (text, expected) in [
            ("4440.5", 4_441),
            ("4440.49", 4_440),
            ("-4440.5", 4_441),
            ("29000,25", 29_000),
            ("Rp 4.000", 4_000),
            ("0", 0),
        ] {
            assert_eq!(charge(text).map(Rupiah::get), Ok(expected), "{text:?}");
        }
        assert_eq!(rounded("-0.5").map(Flow::get), Ok(-1));
    }

    #[test]
    fn a_time_is_of_jakarta_in_two_forms() {
        let expected = "2026-11-23T20:10:00Z".parse().unwrap();
        for text in ["2026-11-24 03:10:00", "24/11/2026 03:10:00", "24/11/2026 03:10", "2026-11-24 03:10"] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        assert_eq!(time("24/11/2026"), Ok("2026-11-23T17:00:00Z".parse().unwrap()));
        for text in ["", "11/24/2026 03:10", "2026-11-24T03:10:00Z", "yesterday", "+99999-01-01 00:00:00"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
