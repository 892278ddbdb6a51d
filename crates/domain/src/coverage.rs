//! Which time the imported statements cover, and how working days are counted.

use chrono::{Datelike as _, Days, NaiveDate, TimeDelta, Weekday};

use crate::{Time, date_of, start_of_day};

/// Files that follow each other leave no gap when there are at most so many days between the last line of the one and the
/// first of the next: a small house has days on which nobody pays.
const QUIET_DAYS_MAX: i64 = 7;

/// Nobody counts further than ten years.
const DAYS_MAX: u32 = 3_660;

/// The spans of time that the statements of one kind cover. Exports are cut at Jakarta's midnight, so a span begins with
/// the day of its first line. It ends with its last line: whether the export was made later that day nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage(Vec<(Time, Time)>);

impl Coverage {
    /// What these files cover, each named by the times of its first and its last line.
    #[must_use]
    pub fn of(files: impl IntoIterator<Item = (Time, Time)>) -> Self {
        let mut spans: Vec<_> =
            files.into_iter().map(|(first, last)| (start_of_day(date_of(first)), last)).collect();
        spans.sort_unstable();
        let mut covered: Vec<(Time, Time)> = Vec::new();
        for (start, end) in spans {
            match covered.last_mut() {
                Some((_, until)) if start - *until <= TimeDelta::days(QUIET_DAYS_MAX) => {
                    *until = end.max(*until);
                }
                _ => covered.push((start, end)),
            }
        }
        Self(covered)
    }

    /// Whether a statement would have what happened then.
    #[must_use]
    pub fn has(&self, at: Time) -> bool {
        self.0.iter().any(|(start, end)| (*start..=*end).contains(&at))
    }

    /// Until when anything is known.
    #[must_use]
    pub fn until(&self) -> Option<Time> {
        self.0.last().map(|(_, end)| *end)
    }
}

/// The day that is so many working days after `date`. Saturdays and Sundays are none; holidays are not known here.
#[must_use]
pub fn working_days_after(date: NaiveDate, days: u32) -> NaiveDate {
    let ahead = date.iter_days().skip(1).filter(|day| is_working_day(*day));
    let skipped = days.min(DAYS_MAX).checked_sub(1).and_then(|days| usize::try_from(days).ok());
    skipped.and_then(|skipped| ahead.into_iter().nth(skipped)).unwrap_or(date)
}

/// How many working days lie after `from`, up to and with `to`.
#[must_use]
pub fn working_days_between(from: NaiveDate, to: NaiveDate) -> u32 {
    let last = to.min(from.checked_add_days(Days::new(DAYS_MAX.into())).unwrap_or(to));
    let days = from.iter_days().skip(1).take_while(|day| *day <= last);
    days.filter(|day| is_working_day(*day)).fold(0, |count, _| count + 1)
}

fn is_working_day(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_span_begins_with_its_first_day_in_jakarta_and_ends_with_its_last_line() {
        // 00:30 and 23:00 on the first of November in Jakarta.
        let november = Coverage::of([(at("2026-11-01T02:00:00Z"), at("2026-11-01T16:00:00Z"))]);
        assert!(november.has(at("2026-10-31T17:00:00Z")), "midnight of the first day");
        assert!(!november.has(at("2026-10-31T16:59:59Z")), "the day before");
        assert!(november.has(at("2026-11-01T16:00:00Z")));
        assert!(!november.has(at("2026-11-01T16:00:01Z")), "the export may have been made then");
        assert_eq!(november.until(), Some(at("2026-11-01T16:00:00Z")));
    }

    #[test]
    fn files_that_follow_each_other_leave_no_gap_and_a_missing_month_does() {
        let october = (at("2026-10-01T02:00:00Z"), at("2026-10-29T16:00:00Z"));
        let november = (at("2026-11-02T02:00:00Z"), at("2026-11-28T16:00:00Z"));
        let january = (at("2027-01-01T02:00:00Z"), at("2027-01-28T16:00:00Z"));
        let all = Coverage::of([january, october, november]);
        assert!(all.has(at("2026-10-31T09:00:00Z")));
        assert!(!all.has(at("2026-12-15T09:00:00Z")));
        assert_eq!(all.until(), Some(january.1));
        assert!(!Coverage::default().has(october.0) && Coverage::default().until().is_none());
    }

    #[test]
    fn a_weekend_is_no_working_day() {
        // A Friday; the Wednesday after.
        assert_eq!(working_days_after(day("2026-11-06"), 3), day("2026-11-11"));
        assert_eq!(working_days_after(day("2026-11-07"), 1), day("2026-11-09"));
        assert_eq!(working_days_after(day("2026-11-06"), 0), day("2026-11-06"));
        assert_eq!(working_days_between(day("2026-11-06"), day("2026-11-11")), 3);
        assert_eq!(working_days_between(day("2026-11-11"), day("2026-11-06")), 0);
    }
}
