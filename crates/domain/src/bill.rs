//! Bills: the month they are for, and how they stand.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// A calendar month in Jakarta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    year: i32,
    month: u32,
}

impl Period {
    /// The month `month` (1 to 12) of `year` (2000 to 2199).
    ///
    /// # Errors
    /// When either is out of its range.
    pub fn new(year: i32, month: u32) -> Result<Self, Invalid> {
        if (2000..2200).contains(&year) && (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(Invalid::new("period", "is not a month of the years 2000 to 2199", format!("{year}-{month}")))
        }
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> i32 {
        self.year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub fn month(self) -> u32 {
        self.month
    }

    /// The month after this one; the last month there is has none.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        match self.month {
            12 => Self::new(self.year + 1, 1).ok(),
            month => Self::new(self.year, month + 1).ok(),
        }
    }

    /// The month before this one; the first month there is has none.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        match self.month {
            1 => Self::new(self.year - 1, 12).ok(),
            month => Self::new(self.year, month - 1).ok(),
        }
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        // Every month of these years has a first day.
        NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or_default()
    }

    /// Its last day.
    #[must_use]
    pub fn last_day(self) -> NaiveDate {
        let first = self.first_day();
        (28..=31).rev().find_map(|day| chrono::Datelike::with_day(&first, day)).unwrap_or(first)
    }
}

impl TryFrom<String> for Period {
    type Error = Invalid;

    /// Reads what [`Display`](fmt::Display) writes: `2026-11`.
    fn try_from(text: String) -> Result<Self, Invalid> {
        let parts =
            text.split_once('-').and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
        let period = parts.and_then(|(year, month)| Self::new(year, month).ok());
        // Numbers may be written in other ways, with a sign or more zeros.
        let as_written = period.filter(|period| period.to_string() == text);
        as_written.ok_or_else(|| Invalid::new("period", "is not of the form 2026-11", text))
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// How a bill stands. It follows from the payments of the bill, and from nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillStatus {
    /// Nobody is paying it.
    Unpaid,
    /// One payment of it is live.
    Pending,
    /// One payment of it has been paid and not given back whole.
    Paid,
}

impl BillStatus {
    /// As the database and the API write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Pending => "pending",
            Self::Paid => "paid",
        }
    }
}

impl TryFrom<&str> for BillStatus {
    type Error = Invalid;

    fn try_from(value: &str) -> Result<Self, Invalid> {
        match value {
            "unpaid" => Ok(Self::Unpaid),
            "pending" => Ok(Self::Pending),
            "paid" => Ok(Self::Paid),
            _ => Err(Invalid::new("bill status", "is not known", value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn december_is_followed_by_january() {
        let december = Period::new(2026, 12).unwrap();
        assert_eq!(december.next(), Some(Period::new(2027, 1).unwrap()));
        assert_eq!(Period::new(2199, 12).unwrap().next(), None);
    }

    #[test]
    fn january_comes_after_december() {
        let january = Period::new(2027, 1).unwrap();
        assert_eq!(january.previous(), Some(Period::new(2026, 12).unwrap()));
        assert_eq!(Period::new(2000, 1).unwrap().previous(), None);
    }

    #[test]
    fn a_month_has_a_first_and_a_last_day() {
        for (month, last) in [(2, "2028-02-29"), (4, "2028-04-30"), (12, "2028-12-31")] {
            let period = Period::new(2028, month).unwrap();
            assert_eq!(period.last_day().to_string(), last);
            assert_eq!(period.first_day().to_string(), format!("{period}-01"));
        }
    }

    #[test]
    fn a_month_is_read_as_it_is_written() {
        let period = Period::new(2026, 4).unwrap();
        assert_eq!(Period::try_from(period.to_string()), Ok(period));
        for bad in ["", "2026", "2026-13", "x-1", "2026-4", "+2026-04", "2026-+4", "2026-004"] {
            assert!(Period::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn there_is_no_thirteenth_month() {
        assert!(Period::new(2026, 13).is_err());
        assert!(Period::new(2026, 0).is_err());
    }
}
