//! Double entry: on which account the money of a payment lies, and what is posted when the payment moves.

use crate::words::words;
use crate::{Failure, Rupiah, State};

words! {
    /// An account of the journal. Together they always sum to zero.
    Account, "account", "is not known":
    /// Where all money comes from: its balance is what tenants pay or are about to pay, below zero.
    Tenants = "tenants",
    /// Charged, and not paid yet.
    Pending = "pending",
    /// Paid, and held by the gateway for the house.
    Gateway = "gateway",
    /// Paid into the hand of the house.
    Cash = "cash",
    /// Given back.
    Refunded = "refunded",
    /// Paid, and taken back by the bank or voided before it was settled.
    Reversed = "reversed",
    /// Taken back by the payer's bank after it was settled.
    ChargedBack = "charged_back",
    /// What the gateway keeps for its service.
    Fees = "fees",
    /// The tax on that.
    Vat = "vat",
    /// Paid out to the house's bank account.
    Bank = "bank",
}

words! {
    /// Why something was posted.
    PostingKind, "kind of posting", "is not known":
    /// What the books held when the journal began.
    Opening = "opening",
    /// The gateway waits for the payer.
    Pending = "pending",
    /// The payer has paid.
    Paid = "paid",
    /// Nothing came: the payment has ended.
    Released = "released",
    /// Money went back to the payer.
    Refunded = "refunded",
    /// A payment was taken back.
    Reversed = "reversed",
    /// The payer's bank took the money back.
    ChargedBack = "charged_back",
    /// The gateway's fee.
    Fee = "fee",
    /// The tax on the fee.
    Vat = "vat",
    /// Money came to the house's bank account.
    Payout = "payout",
}

/// An amount that goes from one account to another. As one side of it is always the other's, whatever is made of these
/// sums to zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Why.
    pub kind: PostingKind,
    /// Where the amount goes.
    pub debit: Account,
    /// Where it comes from.
    pub credit: Account,
    /// How much; never nothing.
    pub amount: Rupiah,
}

/// A payment as the journal sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How much it is about.
    pub amount: Rupiah,
    /// Where it stands.
    pub state: State,
    /// What was given back before; the state itself tells it while it is a refund.
    pub refunded: Rupiah,
    /// True when the house takes the money by hand.
    pub is_cash: bool,
}

impl Standing {
    /// On which accounts the payment's money lies: one or two, and together it is always the whole amount.
    #[must_use]
    pub fn holdings(&self) -> [(Account, Rupiah); 2] {
        let given_back = match self.state {
            State::PartiallyRefunded { total } => total,
            State::Refunded => self.amount,
            _ => self.refunded,
        }
        .min(self.amount);
        let rest = self.amount.less(given_back).unwrap_or_default();
        let held = if self.is_cash { Account::Cash } else { Account::Gateway };
        match self.state {
            State::Created | State::Asked => whole(Account::Tenants, self.amount),
            State::Pending | State::Review => whole(Account::Pending, self.amount),
            State::Failed(Failure::Reversed) => whole(Account::Reversed, self.amount),
            State::Failed(_) => whole(Account::Tenants, self.amount),
            State::Paid => whole(held, self.amount),
            State::PartiallyRefunded { .. } | State::Refunded => {
                [(held, rest), (Account::Refunded, given_back)]
            }
            State::ChargedBack => [(Account::ChargedBack, rest), (Account::Refunded, given_back)],
        }
    }

    /// What is to be posted when the payment comes to stand like `after`.
    #[must_use]
    pub fn transfers_to(&self, after: &Self) -> Vec<Transfer> {
        let (from, to) = (self.holdings(), after.holdings());
        let mut gives: Vec<_> = Account::ALL.iter().map(|one| (*one, more(*one, &from, &to))).collect();
        let mut transfers = Vec::new();
        for debit in Account::ALL.iter().copied() {
            let mut wants = more(debit, &to, &from);
            for (credit, has) in &mut gives {
                let amount = wants.min(*has);
                if amount == Rupiah::ZERO {
                    continue;
                }
                (wants, *has) =
                    (wants.less(amount).unwrap_or_default(), has.less(amount).unwrap_or_default());
                transfers.push(Transfer { kind: kind_of(debit), debit, credit: *credit, amount });
            }
        }
        transfers
    }
}

fn whole(account: Account, amount: Rupiah) -> [(Account, Rupiah); 2] {
    [(account, amount), (account, Rupiah::ZERO)]
}

fn on(account: Account, holdings: &[(Account, Rupiah)]) -> Rupiah {
    holdings.iter().filter(|(one, _)| *one == account).map(|(_, amount)| *amount).sum()
}

/// How much more lies on the account in `one` than in `other`.
fn more(account: Account, one: &[(Account, Rupiah)], other: &[(Account, Rupiah)]) -> Rupiah {
    on(account, one).less(on(account, other)).unwrap_or_default()
}

fn kind_of(debit: Account) -> PostingKind {
    match debit {
        Account::Tenants => PostingKind::Released,
        Account::Pending => PostingKind::Pending,
        Account::Gateway | Account::Cash => PostingKind::Paid,
        Account::Refunded => PostingKind::Refunded,
        Account::Reversed => PostingKind::Reversed,
        Account::ChargedBack => PostingKind::ChargedBack,
        Account::Fees => PostingKind::Fee,
        Account::Vat => PostingKind::Vat,
        Account::Bank => PostingKind::Payout,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn rupiah(amount: i64) -> Rupiah {
        Rupiah::try_from(amount).unwrap()
    }

    fn every_standing() -> Vec<Standing> {
        let parts = [1, 400, 1_000].map(|total| State::PartiallyRefunded { total: rupiah(total) });
        let failed = Failure::ALL.map(State::Failed);
        let plain = [
            State::Created,
            State::Asked,
            State::Pending,
            State::Review,
            State::Paid,
            State::Refunded,
            State::ChargedBack,
        ];
        let states = parts.into_iter().chain(failed).chain(plain);
        states
            .flat_map(|state| {
                [0, 300].map(|refunded| Standing {
                    amount: rupiah(1_000),
                    state,
                    refunded: rupiah(refunded),
                    is_cash: refunded == 0 && state == State::Paid,
                })
            })
            .collect()
    }

    fn balances(standing: &Standing) -> BTreeMap<Account, i64> {
        let mut balances = BTreeMap::new();
        for (account, amount) in standing.holdings() {
            *balances.entry(account).or_default() += amount.get();
        }
        balances.retain(|_, amount| *amount != 0);
        balances
    }

    #[test]
    fn the_money_of_a_payment_always_lies_somewhere() {
        for standing in every_standing() {
            assert_eq!(balances(&standing).values().sum::<i64>(), 1_000, "{standing:?}");
        }
    }

    #[test]
    fn what_is_posted_leads_from_one_standing_to_the_other() {
        for before in every_standing() {
            for after in every_standing() {
                let mut now = balances(&before);
                for transfer in before.transfers_to(&after) {
                    assert!(transfer.amount > Rupiah::ZERO && transfer.debit != transfer.credit);
                    *now.entry(transfer.debit).or_default() += transfer.amount.get();
                    *now.entry(transfer.credit).or_default() -= transfer.amount.get();
                }
                now.retain(|_, amount| *amount != 0);
                assert_eq!(now, balances(&after), "{before:?} to {after:?}");
            }
        }
    }

    #[test]
    fn what_stays_as_it_is_is_not_posted() {
        for standing in every_standing() {
            assert_eq!(standing.transfers_to(&standing), []);
        }
    }

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for account in Account::ALL {
            assert_eq!(Account::try_from(account.as_str()), Ok(*account));
        }
        for kind in PostingKind::ALL {
            assert_eq!(PostingKind::try_from(kind.as_str()), Ok(*kind));
        }
        assert!(Account::try_from("mattress").is_err());
    }
}
