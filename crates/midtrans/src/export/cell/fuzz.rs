//! Cells of an export: what is written in any of the known ways is read again, and nothing is read as something else.

use chrono::DateTime;
use proptest::prelude::*;

use super::*;

/// Digits with a mark before each three of them from the right.
fn grouped(whole: i64, mark: &str) -> String {
    Rupiah::try_from(whole).unwrap().to_string().trim_start_matches("Rp").replace('.', mark)
}

proptest! {
    #[test]
    fn an_amount_is_read_in_every_way_of_writing_it(whole in 0..=Rupiah::MAX.get(), goes_out in any::<bool>()) {
        let (sign, expected) = if goes_out { ("-", -whole) } else { ("", whole) };
        let (dots, commas) = (grouped(whole, "."), grouped(whole, ","));
        for digits in [
            whole.to_string(), format!("{whole}.00"), format!("{whole},0"), format!("{dots},00"), format!("{commas}.00"),
            dots, commas,
        ] {
            for text in [
                format!("{sign}{digits}"), format!("Rp {sign}{digits}"), format!("{sign}IDR{digits}"),
                format!(" {sign} rp. {digits} "),
            ] {
                prop_assert_eq!(amount(&text).map(Flow::get), Ok(expected), "{}", text);
            }
        }
    }

    #[test]
    fn a_fraction_is_never_taken_for_thousands(
        whole in 0_i64..100_000_000,
        fraction in "[0-9]{1,2}|[0-9]{4,8}",
        mark in "[.,]",
    ) {
        let read = amount(&format!("{whole}{mark}{fraction}"));
        if fraction.bytes().all(|digit| digit == b'0') {
            prop_assert_eq!(read.map(Flow::get), Ok(whole));
        } else {
            prop_assert!(read.is_err(), "{}{}{} was read as {:?}", whole, mark, fraction, read);
        }
        // The fee is rounded, and never more than a rupiah away.
        let fee = charge(&format!("{whole}{mark}{fraction}")).map(Rupiah::get);
        prop_assert!(fee == Ok(whole) || fee == Ok(whole + 1), "{:?}", fee);
    }

    #[test]
    fn no_text_is_read_as_an_amount_with_other_digits(text in "[-+ Rp]{0,3}[0-9０-９]{0,4}([., ][0-9]{0,4}){0,4}[ e]?") {
        if let Ok(read) = amount(&text) {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let shown = read.get().abs().to_string();
            let rest = digits.trim_start_matches('0').strip_prefix(shown.trim_start_matches('0'));
            prop_assert!(rest.is_some_and(|rest| rest.bytes().all(|digit| digit == b'0')), "{:?} is {}", text, shown);
            prop_assert_eq!(amount(&read.get().to_string()), Ok(read));
            let between = text.trim().trim_start_matches(['-', 'R', 'p', ' ', '.']);
            prop_assert!(!between.contains([' ', '+', 'e']), "{:?}", text);
        }
    }

    #[test]
    fn a_time_is_read_in_every_way_of_writing_it(second in 946_659_600_i64..7_258_093_200) {
        let at = DateTime::from_timestamp(second, 0).unwrap();
        let local = at.naive_utc() + TimeDelta::hours(7);
        for form in ["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S"] {
            prop_assert_eq!(time(&local.format(form).to_string()), Ok(at));
        }
    }

    #[test]
    fn no_text_makes_a_time_panic(text in ".{0,24}|[+-]?[0-9]{1,7}[-/][0-9]{1,7}[-/][0-9]{1,7}( [0-9]{1,3}:[0-9]{1,3}(:[0-9]{1,3})?)?") {
        if let Ok(at) = time(&text) {
            prop_assert!((1999..=2199).contains(&at.year()), "{} of {}", at, text);
        }
    }
}
