//! What comes from outside as text: it never panics, what is taken says the same when it is written and read again, and
//! no text is read as another value than the one it shows.

use chrono::{DateTime, NaiveDate};
use domain::{
    Email, Invoice, Method, Period, RefundKey, Rupiah, TransactionId, date_of, end_of_day, long_form, stamp,
    start_of_day, start_of_day_after, today,
};
use proptest::prelude::*;

/// Any text, and often one that is nearly right.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,80}",
        "[-+]?(Rp ?)?[0-9]{1,6}([., _'][0-9]{0,4}){0,3}(e[0-9])?",
        "[0-9０-９٠-٩]{1,8}",
        "[+ ]?[0-9]{1,6}-[+]?[0-9]{1,4}",
        "[A-Za-z0-9._~#/%?-]{0,60}",
        "[ \\t\u{0}]?[A-Za-zİßΣ.]{0,8}@[A-Za-zİß.@ ]{0,8}",
    ]
}

/// The amount that a person reads in a text: digits, or one to three of them and groups of three behind dots.
fn as_a_person_reads(text: &str) -> Option<i64> {
    let digits = text.trim();
    let digits = digits.strip_prefix("Rp").unwrap_or(digits).trim_start();
    let plain: String = digits.chars().filter(|c| *c != '.').collect();
    if plain.is_empty() || !plain.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let amount: i64 = plain.parse().ok()?;
    let as_written = Rupiah::try_from(amount).ok()?.to_string();
    let is_grouped = digits.contains('.');
    (!is_grouped || as_written.strip_prefix("Rp") == Some(digits)).then_some(amount)
}

proptest! {
    #[test]
    fn an_amount_that_is_shown_is_read_again(amount in 0..=Rupiah::MAX.get()) {
        let amount = Rupiah::try_from(amount).unwrap();
        for text in [amount.to_string(), amount.get().to_string(), amount.to_string().replace("Rp", "Rp ")] {
            prop_assert_eq!(text.parse::<Rupiah>(), Ok(amount), "{}", text);
        }
        let json = serde_json::to_string(&amount).unwrap();
        prop_assert_eq!(serde_json::from_str::<Rupiah>(&json).unwrap(), amount);
    }

    #[test]
    fn no_text_is_read_as_another_amount(text in text()) {
        prop_assert_eq!(text.parse::<Rupiah>().ok().map(Rupiah::get), as_a_person_reads(&text), "{:?}", text);
    }

    #[test]
    fn a_fraction_is_never_taken_for_thousands(whole in 0_i64..10_000_000, fraction in "[0-9]{0,2}|[0-9]{4,6}") {
        for mark in [".", ","] {
            let text = format!("{whole}{mark}{fraction}");
            prop_assert!(text.parse::<Rupiah>().is_err(), "{}", text);
        }
        for json in [format!("{whole}.{fraction}0"), format!("{whole}e1")] {
            prop_assert!(serde_json::from_str::<Rupiah>(&json).is_err(), "{}", json);
        }
    }

    #[test]
    fn names_are_taken_as_they_are_written(text in text()) {
        if let Ok(invoice) = Invoice::try_from(text.as_str()) {
            prop_assert_eq!(invoice.as_str(), &text);
        }
        if let Ok(id) = TransactionId::try_from(text.as_str()) {
            prop_assert!(id.as_str() == text && !text.contains(['/', '?', '#', '%', ' ']), "{:?}", text);
        }
        if let Ok(key) = RefundKey::try_from(text.as_str()) {
            prop_assert!(key.as_str() == text && !text.contains('\0'));
        }
        if let Ok(period) = Period::try_from(text.clone()) {
            prop_assert_eq!(period.to_string(), text.clone());
        }
        if let Ok(method) = Method::try_from(text.as_str()) {
            prop_assert_eq!(method.code(), text);
        }
    }

    #[test]
    fn an_address_that_was_taken_is_taken_again_and_stays(text in text()) {
        if let Ok(email) = Email::try_from(text) {
            prop_assert_eq!(Email::try_from(email.as_str().to_owned()), Ok(email.clone()));
            prop_assert!(!email.as_str().contains('\0') && email.as_str().len() <= 254);
        }
    }

    #[test]
    fn a_month_that_is_written_is_read_again(year in 2000_i32..2200, month in 1_u32..13) {
        let period = Period::new(year, month).unwrap();
        prop_assert_eq!(Period::try_from(period.to_string()), Ok(period));
        prop_assert!(period.first_day() <= period.last_day());
    }

    #[test]
    fn no_day_and_no_moment_is_too_far_away(days in any::<i32>(), ms in any::<i64>()) {
        let edges = [NaiveDate::MIN, NaiveDate::MAX];
        for day in edges.into_iter().chain(NaiveDate::from_num_days_from_ce_opt(days)) {
            for moment in [start_of_day(day), start_of_day_after(day), end_of_day(day)] {
                let _shown = (stamp(moment), long_form(moment), today(moment), date_of(moment));
            }
        }
        let edges = [DateTime::<chrono::Utc>::MIN_UTC, DateTime::<chrono::Utc>::MAX_UTC];
        for moment in edges.into_iter().chain(DateTime::from_timestamp_millis(ms)) {
            let _shown = (stamp(moment), long_form(moment), today(moment), date_of(moment));
        }
    }
}
