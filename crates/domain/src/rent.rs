//! Rent: what a stay costs in a month, and until when that is to be paid.

use chrono::{Datelike as _, NaiveDate};

use crate::{Period, Rupiah, Time, end_of_day};

/// The terms of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The day of the month until whose end the rent is to be paid; the last day where a month is shorter.
    pub due_day: u32,
    /// Whether a month that is lived in only in part costs only that part.
    pub pro_rata: bool,
}

/// The time that somebody lives in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// The first day.
    pub from: NaiveDate,
    /// The last day; `None` while it goes on.
    pub until: Option<NaiveDate>,
    /// What the room costs in a month.
    pub price: Rupiah,
}

/// The rent of one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rent {
    /// How much.
    pub amount: Rupiah,
    /// Until when.
    pub due_at: Time,
}

impl Terms {
    /// What `stay` costs in `month`; `None` when that is nothing.
    #[must_use]
    pub fn rent(&self, stay: &Stay, month: Period) -> Option<Rent> {
        let (first, last) = (month.first_day(), month.last_day());
        let from = stay.from.max(first);
        let until = stay.until.map_or(last, |until| until.min(last));
        let days = (until - from).num_days() + 1;
        if days < 1 {
            return None;
        }
        let amount = if self.pro_rata { part(stay.price, days, i64::from(last.day())) } else { stay.price };
        // Who moves in after the day has until the end of the first day.
        let due = first.with_day(self.due_day).unwrap_or(last).max(from);
        (amount > Rupiah::ZERO).then_some(Rent { amount, due_at: end_of_day(due) })
    }
}

/// Rounded down: nobody owes a part of a rupiah.
fn part(price: Rupiah, days: i64, of: i64) -> Rupiah {
    Rupiah::try_from(price.get() * days / of).unwrap_or(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Terms = Terms { due_day: 10, pro_rata: false };
    const PART: Terms = Terms { pro_rata: true, ..WHOLE };

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn stay(from: &str, until: Option<&str>) -> Stay {
        Stay { from: day(from), until: until.map(day), price: Rupiah::try_from(1_000_000).unwrap() }
    }

    fn rent(terms: Terms, stay: &Stay, (year, month): (i32, u32)) -> Option<(i64, String)> {
        let rent = terms.rent(stay, Period::new(year, month).unwrap())?;
        Some((rent.amount.get(), rent.due_at.to_rfc3339()))
    }

    #[test]
    fn a_month_costs_the_price_of_the_room_and_is_due_on_its_day_in_jakarta() {
        let due = "2026-11-10T16:59:00+00:00".to_owned();
        assert_eq!(rent(WHOLE, &stay("2026-01-31", None), (2026, 11)), Some((1_000_000, due)));
    }

    #[test]
    fn a_part_of_a_month_costs_a_part_only_where_the_house_says_so() {
        let half = stay("2026-11-16", None);
        assert_eq!(rent(WHOLE, &half, (2026, 11)).unwrap().0, 1_000_000);
        assert_eq!(rent(PART, &half, (2026, 11)).unwrap().0, 500_000);
        assert_eq!(rent(PART, &half, (2026, 12)).unwrap().0, 1_000_000);
        let short = stay("2026-01-05", Some("2026-01-05"));
        assert_eq!(rent(PART, &short, (2026, 1)).unwrap().0, 32_258);
    }

    #[test]
    fn who_moves_in_late_is_not_late_with_the_rent() {
        let due = rent(WHOLE, &stay("2026-11-24", None), (2026, 11)).unwrap().1;
        assert_eq!(due, "2026-11-24T16:59:00+00:00");
    }

    #[test]
    fn a_short_month_is_due_on_its_last_day() {
        let terms = Terms { due_day: 31, ..WHOLE };
        let due = rent(terms, &stay("2026-01-01", None), (2027, 2)).unwrap().1;
        assert_eq!(due, "2027-02-28T16:59:00+00:00");
    }

    #[test]
    fn before_and_after_a_stay_nothing_is_owed() {
        let november = stay("2026-11-01", Some("2026-11-30"));
        assert_eq!(rent(WHOLE, &november, (2026, 10)), None);
        assert_eq!(rent(WHOLE, &november, (2026, 12)), None);
        assert_eq!(rent(WHOLE, &stay("2026-11-24", Some("2026-11-23")), (2026, 11)), None);
        let free = Stay { price: Rupiah::ZERO, ..november };
        assert_eq!(rent(WHOLE, &free, (2026, 11)), None);
    }
}
