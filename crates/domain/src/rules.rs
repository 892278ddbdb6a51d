//! What a house may set for a method: amounts, times, refunds.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Method, Payment, Rupiah, Time};

/// What a house may set for a method. The defaults are in the table of [`Method`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The least that the gateway takes.
    pub min: Rupiah,
    /// The most that it takes.
    pub max: Rupiah,
    /// How long the payer has.
    pub valid_for: Duration,
    /// What the gateway gives back by API.
    pub refunds: Refunds,
    /// Whether the gateway heeds an `Idempotency-Key` (contract §1). Without one, only the uniqueness of the invoice
    /// keeps a charge from being made twice.
    pub idempotency_key: bool,
}

/// What the gateway gives back by API (contract §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refunds {
    /// How much of a payment.
    pub share: Share,
    /// For so many days after it was paid.
    pub days: u32,
    /// Whether the bank is asked at once, and says no at once.
    pub direct: bool,
}

/// How much of a payment can be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Nothing: the house gives it back by other ways.
    None,
    /// All of it and nothing less.
    Whole,
    /// Any part, until nothing is left.
    Parts,
}

impl Refunds {
    /// No refund by API.
    #[must_use]
    pub const fn none() -> Self {
        Self { share: Share::None, days: 0, direct: false }
    }

    pub(crate) const fn whole(days: u32) -> Self {
        Self { share: Share::Whole, days, direct: false }
    }

    pub(crate) const fn parts(days: u32) -> Self {
        Self { share: Share::Parts, days, direct: false }
    }

    pub(crate) const fn direct(self) -> Self {
        Self { direct: true, ..self }
    }

    /// How much of `payment` is given back when somebody wants so much of it, or without a wish all that is left;
    /// `given_back` is what was given back before, or is about to be.
    ///
    /// # Errors
    /// When the gateway would refuse, or nothing is left.
    pub fn allow(
        &self,
        payment: &Payment,
        (given_back, wanted): (Rupiah, Option<Rupiah>),
        now: Time,
    ) -> Result<Rupiah, NoRefund> {
        if !payment.state.holds_money() {
            return Err(NoRefund::NotPaid);
        }
        let until = payment.paid_at.map(|paid_at| paid_at + chrono::TimeDelta::days(self.days.into()));
        match (self.share, until) {
            (Share::None, _) => return Err(NoRefund::NotByApi),
            (_, Some(until)) if now > until => return Err(NoRefund::TooLate(until)),
            (Share::Whole | Share::Parts, _) => {}
        }
        let left = payment.amount.less(given_back).unwrap_or_default();
        let amount = wanted.unwrap_or(left);
        if amount == Rupiah::ZERO || amount > left {
            return Err(NoRefund::TooMuch(left));
        }
        if self.share == Share::Whole && amount != payment.amount {
            return Err(NoRefund::OnlyWhole);
        }
        Ok(amount)
    }
}

/// Why money is not given back by the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRefund {
    /// The payment holds no money.
    #[error("the payment is not paid, or was given back already")]
    NotPaid,
    /// The gateway gives nothing back that was paid by this method (contract §4).
    #[error("the gateway gives nothing back that was paid by this method; give it back by hand")]
    NotByApi,
    /// Its time is over.
    #[error("the gateway gave it back until {0}; give it back by hand")]
    TooLate(Time),
    /// The method knows whole refunds only.
    #[error("the gateway gives back the whole of what was paid by this method, or nothing")]
    OnlyWhole,
    /// More than is left, or nothing.
    #[error("between Rp1 and {0} can be given back")]
    TooMuch(Rupiah),
}

/// Why an amount cannot be paid by a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    /// Less than the gateway takes.
    #[error("it takes {0} or more")]
    TooLittle(Rupiah),
    /// More than the gateway takes.
    #[error("it takes {0} at most")]
    TooMuch(Rupiah),
}

impl Rules {
    /// Whether an amount can be paid by the method.
    ///
    /// # Errors
    /// When the gateway takes no such amount.
    pub fn check(&self, amount: Rupiah) -> Result<(), OutOfRange> {
        if amount < self.min {
            Err(OutOfRange::TooLittle(self.min))
        } else if amount > self.max {
            Err(OutOfRange::TooMuch(self.max))
        } else {
            Ok(())
        }
    }
}

/// The rules of all methods: those of the table, and those that the house has set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleBook(BTreeMap<Method, Rules>);

impl RuleBook {
    /// Sets the rules of a method.
    pub fn set(&mut self, method: Method, rules: Rules) {
        self.0.insert(method, rules);
    }

    /// The rules of a method.
    #[must_use]
    pub fn of(&self, method: Method) -> Rules {
        self.0.get(&method).copied().unwrap_or(method.profile().rules)
    }

    /// How long we ask the gateway to wait for the payer; `None` leaves it to the gateway.
    #[must_use]
    pub fn wish(&self, method: Method) -> Option<Duration> {
        let set = self.0.get(&method).map(|rules| rules.valid_for);
        let page = method.is_on_a_page().then(|| self.of(method).valid_for);
        set.filter(|wish| *wish != method.profile().rules.valid_for)
            .filter(|_| method.profile().takes_expiry)
            .or(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_house_sets_counts_and_the_table_for_the_rest() {
        let mut book = RuleBook::default();
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        assert_eq!((book.wish(Method::Bca), book.of(Method::Bca).valid_for), (None, hours(24)));
        book.set(Method::Bca, Rules { valid_for: hours(3), ..book.of(Method::Bca) });
        book.set(Method::Ovo, Rules { valid_for: hours(3), ..book.of(Method::Ovo) });
        assert_eq!(book.wish(Method::Bca), Some(hours(3)));
        assert_eq!(book.wish(Method::Ovo), None, "OVO gives no choice");
        assert_eq!(book.wish(Method::Bni), None);
        assert_eq!(book.wish(Method::Card), Some(Duration::from_secs(900)), "a page has our end");
    }

    #[test]
    fn an_amount_is_inside_or_told_why_not() {
        let rules = Method::Qris.profile().rules;
        let amount = |amount: i64| Rupiah::try_from(amount).unwrap();
        assert!(rules.check(amount(1)).is_ok() && rules.check(amount(10_000_000)).is_ok());
        let told = rules.check(amount(10_000_001)).unwrap_err().to_string();
        assert_eq!(told, "it takes Rp10.000.000 at most");
        assert!(Method::Bca.profile().rules.check(amount(9_999)).is_err());
    }
}
