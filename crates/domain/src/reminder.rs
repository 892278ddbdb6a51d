//! Reminders: what a tenant is told of a bill, when, how, and in which language.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{Time, start_of_day, start_of_day_after};

/// So many days before the last day to pay.
const SOON_DAYS: u64 = 3;
/// So many days after it.
const OVERDUE_DAYS: u64 = 3;
/// Who was down on the day makes up for it so many days later, and not after that: old news annoys.
const LATE_DAYS: u64 = 4;
/// A new bill is told of for so many days.
const NEW_DAYS: u64 = 3;
/// A payment may be found days after it was made.
const PAID_DAYS: u64 = 7;

words! {
    /// What a tenant is told of a bill; each once.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    ReminderKind, "reminder", "is none of new_bill, due_soon, due_today, overdue and paid":
    /// There is a new bill.
    NewBill = "new_bill",
    /// It is due in three days.
    DueSoon = "due_soon",
    /// It is due today.
    DueToday = "due_today",
    /// It was due three days ago.
    Overdue = "overdue",
    /// It is paid.
    Paid = "paid",
}

words! {
    /// The way a reminder goes.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    Channel, "channel", "is neither email nor webhook":
    /// By e-mail.
    Email = "email",
    /// By a call to an address of the house's choice, which sends a text message or the like.
    Webhook = "webhook",
}

words! {
    /// A language in which tenants are written to.
    #[derive(Serialize, Deserialize)]
    Language, "language", "is neither id nor en":
    /// Indonesian.
    #[serde(rename = "id")]
    Indonesian = "id",
    /// English.
    #[serde(rename = "en")]
    English = "en",
}

/// When what a reminder is about must have happened, or must happen, so that it is told of today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Not before this.
    pub from: Time,
    /// Before this.
    pub until: Time,
    /// And the bill was made before this: on the day on which it is made it is told of as new, and no more.
    pub made_before: Time,
}

impl Window {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(&self, at: Time) -> bool {
        self.from <= at && at < self.until
    }
}

impl ReminderKind {
    /// What is told of on this day in Jakarta: of new bills when they were made, of paid ones when they were paid, and of
    /// the rest when they are due.
    #[must_use]
    pub fn window(self, today: NaiveDate) -> Window {
        let before = |days: u64| today.checked_sub_days(Days::new(days)).unwrap_or(today);
        let after = |days: u64| today.checked_add_days(Days::new(days)).unwrap_or(today);
        let (first, last) = match self {
            Self::NewBill => (before(NEW_DAYS), today),
            Self::DueSoon => (after(1), after(SOON_DAYS)),
            Self::DueToday => (today, today),
            Self::Overdue => (before(OVERDUE_DAYS + LATE_DAYS), before(OVERDUE_DAYS)),
            Self::Paid => (before(PAID_DAYS), today),
        };
        let made_before = match self {
            Self::NewBill | Self::Paid => start_of_day_after(today),
            Self::DueSoon | Self::DueToday | Self::Overdue => start_of_day(today),
        };
        Window { from: start_of_day(first), until: start_of_day_after(last), made_before }
    }

    /// Whether it is about a bill that is paid.
    #[must_use]
    pub fn is_of_paid(self) -> bool {
        match self {
            Self::Paid => true,
            Self::NewBill | Self::DueSoon | Self::DueToday | Self::Overdue => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::end_of_day;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_bill_is_told_of_three_days_before_on_the_day_and_three_days_after() {
        let due = end_of_day(day("2026-12-10"));
        let kinds = [ReminderKind::DueSoon, ReminderKind::DueToday, ReminderKind::Overdue];
        let told = |today: &str| {
            let of = |kind: &ReminderKind| kind.window(day(today)).holds(due);
            kinds.iter().copied().filter(of).map(ReminderKind::as_str).collect::<Vec<_>>()
        };
        assert_eq!(told("2026-12-06"), [""; 0]);
        for soon in ["2026-12-07", "2026-12-09"] {
            assert_eq!(told(soon), ["due_soon"], "{soon}");
        }
        assert_eq!(told("2026-12-10"), ["due_today"]);
        assert_eq!(told("2026-12-12"), [""; 0]);
        for late in ["2026-12-13", "2026-12-17"] {
            assert_eq!(told(late), ["overdue"], "{late}");
        }
        assert_eq!(told("2026-12-18"), [""; 0]);
    }

    #[test]
    fn what_is_new_is_told_of_for_some_days() {
        let made = end_of_day(day("2026-12-01"));
        for (today, is_told) in [("2026-12-01", true), ("2026-12-04", true), ("2026-12-05", false)] {
            assert_eq!(ReminderKind::NewBill.window(day(today)).holds(made), is_told, "{today}");
        }
        assert!(ReminderKind::Paid.window(day("2026-12-08")).holds(made));
        assert!(!ReminderKind::Paid.window(day("2026-12-09")).holds(made));
    }
}
