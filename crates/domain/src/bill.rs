//! Bills: the month they are for, and how they stand.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// A calendar month in Jakarta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    fn there_is_no_thirteenth_month() {
        assert!(Period::new(2026, 13).is_err());
        assert!(Period::new(2026, 0).is_err());
    }
}
