//! Money: whole rupiah, never a fraction, never a float.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// An amount of whole rupiah, from zero to [`Rupiah::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Rupiah(i64);

impl Rupiah {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that is believed: one rupiah under a quadrillion, far above what any method of the gateway takes.
    pub const MAX: Self = Self(999_999_999_999_999);

    /// A million: what is usual for a room in a month.
    pub const MILLION: Self = Self(1_000_000);

    /// An amount that stands in the code.
    pub(crate) const fn whole(amount: i64) -> Self {
        assert!(0 <= amount && amount <= Self::MAX.0, "an amount out of range");
        Self(amount)
    }

    /// This less that; `None` where that is more.
    #[must_use]
    pub fn less(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).filter(|rest| *rest >= 0).map(Self)
    }

    /// The amount as the gateway and the database write it.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Rupiah {
    type Error = Invalid;

    fn try_from(value: i64) -> Result<Self, Invalid> {
        if (0..=Self::MAX.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(Invalid::new("amount", "is not between Rp0 and Rp999.999.999.999.999", value))
        }
    }
}

impl From<Rupiah> for i64 {
    fn from(amount: Rupiah) -> Self {
        amount.0
    }
}

impl Add for Rupiah {
    type Output = Self;

    /// Adds, and stays at the largest amount where the sum would pass it.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(Self::MAX.0))
    }
}

impl Sum for Rupiah {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// As people in Indonesia write it: `Rp1.250.000`.
impl fmt::Display for Rupiah {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        f.write_str("Rp")?;
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(".")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// Reads what [`Display`](fmt::Display) writes, with or without `Rp` and the dots between each three digits. Everything
/// else is refused: with a comma, or a dot elsewhere, `10.5` would become `105`.
impl FromStr for Rupiah {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("amount", "is not of the form 1250000 or Rp1.250.000", text);
        let trimmed = text.trim();
        let digits = trimmed.strip_prefix("Rp").map_or(trimmed, str::trim_start);
        let is_number = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
        let mut groups = digits.split('.');
        let first = groups.next().unwrap_or_default();
        let is_grouped = (1..=3).contains(&first.len()) && !first.starts_with('0');
        let rest: Vec<&str> = groups.collect();
        let good = rest.is_empty() || (is_grouped && rest.iter().all(|group| group.len() == 3));
        if !good || !is_number(first) || !rest.iter().all(|group| is_number(group)) {
            return Err(wrong());
        }
        let amount = digits.replace('.', "").parse::<i64>().map_err(|_| wrong())?;
        Self::try_from(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_as_people_write_it_and_never_as_another() {
        for text in ["1250000", "1.250.000", " Rp1.250.000 ", "Rp 1.250.000", "0001250000"] {
            assert_eq!(text.parse::<Rupiah>().map(Rupiah::get), Ok(1_250_000), "{text}");
        }
        for text in [
            "",
            "Rp",
            "RpRp1",
            "10.5",
            "10,5",
            "1000000.00",
            "1e6",
            "+10",
            "-10",
            "1 0",
            "1.25.000",
            ".500",
            "500.",
            "0.500",
            "1234.567",
            "１０００",
            "99999999999999999999",
            "9999999999999999",
            "0x10",
            "1_000",
        ] {
            assert!(text.parse::<Rupiah>().is_err(), "{text}");
        }
    }

    #[test]
    fn people_read_thousands_with_dots() {
        for (amount, text) in [
            (0, "Rp0"),
            (999, "Rp999"),
            (1_000, "Rp1.000"),
            (1_250_000, "Rp1.250.000"),
            (12_345_678, "Rp12.345.678"),
        ] {
            assert_eq!(Rupiah::try_from(amount).unwrap().to_string(), text);
        }
    }

    #[test]
    fn there_is_no_negative_and_no_absurd_amount() {
        assert!(Rupiah::try_from(-1).is_err());
        assert!(Rupiah::try_from(i64::MAX).is_err());
        assert!(serde_json::from_str::<Rupiah>("-5").is_err());
        assert!(serde_json::from_str::<Rupiah>("1.5").is_err());
    }

    #[test]
    fn a_sum_never_wraps() {
        assert_eq!(Rupiah::MAX + Rupiah::MAX, Rupiah::MAX);
    }
}
