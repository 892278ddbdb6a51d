//! The lines of the statements about one payment, sorted by what they are.

use super::Told;
use crate::statement::{Said, StatementKind as Kind, StatementLine};
use crate::{Entry, Flow};

/// The lines about one payment, by kind.
pub(super) struct View<'a> {
    /// The newest line of each transaction.
    pub(super) transactions: Vec<&'a Told>,
    /// One statement says two things of one transaction.
    pub(super) says_two_things: bool,
    pub(super) balance: Vec<&'a StatementLine>,
    pub(super) payouts: Vec<&'a StatementLine>,
}

impl<'a> View<'a> {
    pub(super) fn of(told: &'a [Told]) -> Self {
        let mut view = Self {
            transactions: Vec::new(),
            says_two_things: false,
            balance: Vec::new(),
            payouts: Vec::new(),
        };
        for one in told {
            match one.line.kind {
                Kind::Transactions => view.hear(one),
                Kind::Balance if one.line.is_money() => view.balance.push(&one.line),
                Kind::Payout if one.line.is_money() => view.payouts.push(&one.line),
                Kind::Balance | Kind::Payout => {}
            }
        }
        view
    }

    fn hear(&mut self, one: &'a Told) {
        let name = |told: &Told| told.line.transaction_id.clone().ok_or(told.line.at);
        match self.transactions.iter_mut().find(|known| name(known) == name(one)) {
            None => self.transactions.push(one),
            Some(known) => {
                let (old, new) = (&known.line, &one.line);
                let same = (old.amount, Said::of(&old.status)) == (new.amount, Said::of(&new.status));
                self.says_two_things |= known.statement == one.statement && !same;
                *known = one;
            }
        }
    }

    pub(super) fn says(&self, said: Said) -> bool {
        self.transactions.iter().any(|one| Said::of(&one.line.status) == said)
    }

    /// What came by the Transactions export; `None` where it tells of no money.
    pub(super) fn came(&self) -> Option<Flow> {
        let money = self.transactions.iter().filter(|one| one.line.is_money());
        money.map(|one| one.line.amount).reduce(plus)
    }
}

pub(super) fn plus(one: Flow, other: Flow) -> Flow {
    Flow::try_from(one.get().saturating_add(other.get())).unwrap_or(Flow::ZERO)
}

pub(super) fn sum<'a>(
    lines: &[&'a StatementLine],
    counts: impl Fn(&'a StatementLine) -> bool,
) -> Option<Flow> {
    lines.iter().filter(|line| counts(line)).map(|line| line.amount).reduce(plus)
}

pub(super) fn is_payment(line: &StatementLine) -> bool {
    line.entry == Entry::Payment
}
