//! Jakarta time (WIB, UTC+7, no summer time), for what people read and for what a day or month is.

use chrono::{Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, Timelike as _};

use crate::{Language, Period, Time};

const MONTHS: [&str; 12] = [
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
];

const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn month_name(month: u32, language: Language) -> &'static str {
    let names = match language {
        Language::Indonesian => MONTHS,
        Language::English => ENGLISH_MONTHS,
    };
    names.into_iter().zip(1..).find(|(_, number)| *number == month).map_or("", |(name, _)| name)
}

/// `24 November 2026`.
#[must_use]
pub fn long_date(date: NaiveDate, language: Language) -> String {
    format!("{} {} {}", date.day(), month_name(date.month(), language), date.year())
}

/// `November 2026`.
#[must_use]
pub fn long_month(period: Period, language: Language) -> String {
    format!("{} {}", month_name(period.month(), language), period.year())
}

/// `24 November 2026 pukul 10.00 WIB`.
#[must_use]
pub fn long_form(at: Time) -> String {
    let local = local(at);
    let date = long_date(local.date(), Language::Indonesian);
    format!("{date} pukul {:02}.{:02} WIB", local.hour(), local.minute())
}

/// `2026-11-24 10:00:00`, as the clock on the wall in Jakarta shows it: for tables, where it sorts and reads alike in every
/// language.
#[must_use]
pub fn stamp(at: Time) -> String {
    local(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The day it is in Jakarta.
#[must_use]
pub fn date_of(at: Time) -> NaiveDate {
    local(at).date()
}

/// The last minute of the day in Jakarta, 23.59 WIB.
#[must_use]
pub fn end_of_day(date: NaiveDate) -> Time {
    in_jakarta(date.and_hms_opt(23, 59, 0).unwrap_or_default())
}

/// The moment at which the day begins in Jakarta, 00.00 WIB.
#[must_use]
pub fn start_of_day(date: NaiveDate) -> Time {
    in_jakarta(date.and_hms_opt(0, 0, 0).unwrap_or_default())
}

/// The moment at which the day is over in Jakarta, 24.00 WIB.
#[must_use]
pub fn start_of_day_after(date: NaiveDate) -> Time {
    start_of_day(date.succ_opt().unwrap_or(date))
}

/// The clock on the wall in Jakarta. Where it would run past the end of time it stands seven hours behind.
fn local(at: Time) -> NaiveDateTime {
    at.naive_utc().checked_add_offset(wib()).unwrap_or(at.naive_utc())
}

fn in_jakarta(local: NaiveDateTime) -> Time {
    // The offset is fixed: there is exactly one such moment.
    let local = local.and_local_timezone(wib()).earliest();
    local.map_or_else(Time::default, |local| local.with_timezone(&chrono::Utc))
}

/// The month it is in Jakarta; `None` outside the years that bills are made for.
#[must_use]
pub fn today(at: Time) -> Option<Period> {
    let date = date_of(at);
    Period::new(date.year(), date.month()).ok()
}

fn wib() -> FixedOffset {
    // Seven hours east is in range for ever; UTC stands in only to keep this total.
    FixedOffset::east_opt(7 * 3600).unwrap_or(chrono::offset::Offset::fix(&chrono::Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_reads_as_in_the_contract() {
        let at = "2026-11-24T03:00:00Z".parse().unwrap();
        assert_eq!(long_form(at), "24 November 2026 pukul 10.00 WIB");
    }

    #[test]
    fn days_and_months_are_written_out_in_both_languages() {
        let date = NaiveDate::from_ymd_opt(2026, 8, 5).unwrap();
        let month = Period::new(2026, 12).unwrap();
        assert_eq!(long_date(date, Language::Indonesian), "5 Agustus 2026");
        assert_eq!(long_date(date, Language::English), "5 August 2026");
        assert_eq!(long_month(month, Language::Indonesian), "Desember 2026");
        assert_eq!(long_month(month, Language::English), "December 2026");
    }

    #[test]
    fn a_stamp_shows_the_day_in_jakarta() {
        assert_eq!(stamp("2026-11-24T23:30:05Z".parse().unwrap()), "2026-11-25 06:30:05");
    }

    #[test]
    fn the_end_of_time_is_shown_like_any_other_moment() {
        assert_eq!(date_of(Time::MAX_UTC), NaiveDate::MAX);
        assert!(long_form(Time::MAX_UTC).starts_with("31 Desember 262142"));
        assert!(!stamp(Time::MIN_UTC).is_empty());
    }

    #[test]
    fn a_day_begins_seven_hours_before_greenwich() {
        let date = NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
        assert_eq!(start_of_day(date), "2026-11-23T17:00:00Z".parse::<Time>().unwrap());
        assert_eq!(date_of(start_of_day(date)), date);
    }

    #[test]
    fn the_month_begins_in_jakarta_not_in_greenwich() {
        let at = "2026-11-30T18:00:00Z".parse().unwrap();
        assert_eq!(today(at), Period::new(2026, 12).ok());
    }
}
