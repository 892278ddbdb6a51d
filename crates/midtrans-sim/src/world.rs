//! Every transaction there is, found by order id, transaction id or the payer's number without a search.

use std::collections::{BTreeSet, HashMap};

use clock::Time;

use crate::refund::{BANK_CONFIRMS_AFTER, NoRefund, Refund, RefundRequest};
use crate::transaction::{Act, Status, Transaction};

/// Every transaction there is, in the order they were made.
#[derive(Debug, Default)]
pub(crate) struct World {
    transactions: Vec<Transaction>,
    orders: HashMap<String, Vec<usize>>,
    ids: HashMap<String, usize>,
    numbers: HashMap<String, usize>,
    /// What can expire, the earliest first.
    expiring: BTreeSet<(Time, usize)>,
    /// Refunds the bank has not confirmed, by the time it will.
    confirming: BTreeSet<(Time, usize)>,
    refunds_made: u64,
    /// How what changed stood before its latest change, and when that was.
    before: HashMap<usize, (Time, Transaction)>,
}

/// The transaction stands in a way that does not allow it (412).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Illegal;

impl World {
    /// The world that was written down.
    pub(crate) fn of(transactions: Vec<Transaction>) -> Self {
        let mut world = Self::default();
        for transaction in transactions {
            world.insert(transaction);
        }
        world
    }

    pub(crate) fn all(&self) -> &[Transaction] {
        &self.transactions
    }

    pub(crate) fn get(&self, at: usize) -> &Transaction {
        &self.transactions[at]
    }

    /// The attempts of one order, the oldest first.
    pub(crate) fn of_order(&self, order_id: &str) -> impl DoubleEndedIterator<Item = &Transaction> {
        self.orders.get(order_id).into_iter().flatten().map(|at| &self.transactions[*at])
    }

    /// By order id (the latest attempt) or transaction id, as the API looks for it.
    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        self.orders.get(id).and_then(|attempts| attempts.last()).or_else(|| self.ids.get(id)).copied()
    }

    /// As `find`, for GET status: a transaction of the other system has no order id there, and is told only to those
    /// who name that system.
    pub(crate) fn find_to_tell(&self, id: &str, of_snap_api: bool) -> Option<usize> {
        let is_ours = |at: &usize| !self.transactions[*at].instruction.is_of_snap_api();
        let attempts = self.orders.get(id).map_or(&[][..], Vec::as_slice);
        let by_order = attempts.iter().copied().rfind(is_ours);
        by_order.or_else(|| self.ids.get(id).copied().filter(|at| of_snap_api || is_ours(at)))
    }

    /// How a transaction stood at `then`, as far as its latest change goes; `None` before it was made.
    pub(crate) fn stood(&self, at: usize, then: Time) -> Option<&Transaction> {
        let transaction = &self.transactions[at];
        let earlier = self.before.get(&at).filter(|(changed, _)| *changed > then).map(|(_, before)| before);
        (transaction.created <= then).then_some(earlier.unwrap_or(transaction))
    }

    /// As `find`, and by the number the payer types in.
    pub(crate) fn find_as_payer(&self, id: &str) -> Option<usize> {
        self.find(id).or_else(|| self.numbers.get(id).copied())
    }

    /// True where the order id may be charged.
    pub(crate) fn may_charge(&self, order_id: &str) -> bool {
        self.of_order(order_id).next_back().is_none_or(|latest| latest.status.frees_the_order_id())
    }

    /// True where somebody is about to pay to that number.
    pub(crate) fn number_waits(&self, number: &str) -> bool {
        self.numbers.get(number).is_some_and(|at| self.transactions[*at].status == Status::Pending)
    }

    pub(crate) fn insert(&mut self, transaction: Transaction) -> usize {
        let at = self.transactions.len();
        self.orders.entry(transaction.order_id.clone()).or_default().push(at);
        self.note(&transaction, at);
        self.transactions.push(transaction);
        at
    }

    /// Puts a transaction in the place of the one with the same ids, or besides the others.
    pub(crate) fn plant(&mut self, transaction: Transaction) -> usize {
        let same = self.ids.get(&transaction.transaction_id).copied();
        let Some(at) = same.filter(|at| self.transactions[*at].order_id == transaction.order_id) else {
            return self.insert(transaction);
        };
        self.expiring.retain(|(_, other)| *other != at);
        self.confirming.retain(|(_, other)| *other != at);
        self.note(&transaction, at);
        self.transactions[at] = transaction;
        at
    }

    /// Where a transaction is to be found, and what time will do to it; what was planted stays as it was planted.
    fn note(&mut self, transaction: &Transaction, at: usize) {
        self.ids.insert(transaction.transaction_id.clone(), at);
        if let Some(number) = transaction.instruction.number() {
            self.numbers.insert(number.to_owned(), at);
        }
        let latest = transaction.refunds.iter().map(|refund| refund.chargeback_id).max();
        self.refunds_made = self.refunds_made.max(latest.unwrap_or_default());
        if transaction.is_as_planted() {
            return;
        }
        if transaction.on(Act::Expire).is_some() {
            self.expiring.insert((transaction.expires, at));
        }
        for refund in transaction.refunds.iter().filter(|refund| refund.confirmed.is_none()) {
            self.confirming.insert((refund.created + BANK_CONFIRMS_AFTER, at));
        }
    }

    /// Moves a transaction, or leaves it as it is.
    pub(crate) fn apply(&mut self, at: usize, act: Act, now: Time) -> Result<(), Illegal> {
        let transaction = &mut self.transactions[at];
        let (status, fraud) = transaction.on(act).ok_or(Illegal)?;
        self.before.insert(at, (now, transaction.clone()));
        transaction.leave_what_was_planted();
        if status == Status::Settlement {
            transaction.settled = Some(now);
        }
        (transaction.status, transaction.fraud) = (status, fraud);
        if transaction.on(Act::Expire).is_none() {
            self.expiring.remove(&(transaction.expires, at));
        }
        Ok(())
    }

    /// The merchant captured less than was authorised.
    pub(crate) fn capture_less(&mut self, at: usize, amount: i64) {
        self.transactions[at].amount = amount;
    }

    /// Expires what was to expire before `until`; the places of what changed.
    pub(crate) fn expire_until(&mut self, until: Time, now: Time) -> Vec<usize> {
        let mut changed = Vec::new();
        while let Some((expires, at)) =
            self.expiring.first().copied().filter(|(expires, _)| *expires <= until)
        {
            self.expiring.remove(&(expires, at));
            if self.apply(at, Act::Expire, now).is_ok() {
                changed.push(at);
            }
        }
        changed
    }

    /// Gives money back; the place of the refund in the transaction's list.
    pub(crate) fn refund(&mut self, at: usize, wanted: RefundRequest, now: Time) -> Result<usize, NoRefund> {
        let amount = self.transactions[at].refundable(&wanted)?;
        self.refunds_made += 1;
        let chargeback_id = self.refunds_made;
        let transaction = &mut self.transactions[at];
        self.before.insert(at, (now, transaction.clone()));
        let key = wanted.key.unwrap_or_else(|| format!("{}-{chargeback_id}", transaction.transaction_id));
        let refund =
            Refund { chargeback_id, key, amount, reason: wanted.reason, created: now, confirmed: None };
        transaction.leave_what_was_planted();
        transaction.refunds.push(refund);
        let whole = transaction.refunded() == transaction.amount;
        transaction.status = if whole { Status::Refund } else { Status::PartialRefund };
        self.confirming.insert((now + BANK_CONFIRMS_AFTER, at));
        Ok(transaction.refunds.len() - 1)
    }

    /// The bank confirms every refund of a transaction that it has not confirmed yet.
    pub(crate) fn confirm_refunds(&mut self, at: usize, now: Time) {
        let transaction = &mut self.transactions[at];
        for refund in transaction.refunds.iter_mut().filter(|refund| refund.confirmed.is_none()) {
            self.confirming.remove(&(refund.created + BANK_CONFIRMS_AFTER, at));
            refund.confirmed = Some(now);
        }
    }

    /// Confirms the refunds that were due; the places of what changed.
    pub(crate) fn confirm_due(&mut self, now: Time) -> Vec<usize> {
        let due: BTreeSet<usize> =
            self.confirming.iter().take_while(|(time, _)| *time <= now).map(|(_, at)| *at).collect();
        for at in &due {
            self.confirm_refunds(*at, now);
        }
        due.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use clock::from_millis;
    use serde_json::Map;

    use super::*;
    use crate::instruction::Instruction;
    use crate::transaction::{Destinations, Fraud};

    const ACTS: [Act; 13] = [
        Act::Settle,
        Act::Prove,
        Act::Capture,
        Act::Challenge,
        Act::Approve,
        Act::Refuse,
        Act::Deny,
        Act::Cancel,
        Act::Expire,
        Act::Reverse,
        Act::Chargeback,
        Act::PartialChargeback,
        Act::Fail,
    ];

    fn gopay(number: usize, status: Status) -> Transaction {
        Transaction {
            transaction_id: format!("t{number}"),
            order_id: format!("o{number}"),
            amount: 1_000,
            status,
            fraud: Some(Fraud::Accept),
            instruction: Instruction::Gopay,
            created: from_millis(0),
            expires: from_millis(1_000),
            settled: None,
            refunds: Vec::new(),
            echo: Map::new(),
            destinations: Destinations::default(),
            said: Map::new(),
        }
    }

    #[test]
    fn what_is_final_stays_as_it_is() {
        use Status::{Cancel, Chargeback, Deny, Expire, Failure, Refund};
        for status in [Deny, Cancel, Expire, Failure, Refund, Chargeback] {
            for act in ACTS {
                assert_eq!(gopay(0, status).on(act), None, "{status} {act:?}");
            }
        }
    }

    #[test]
    fn only_what_still_waits_expires_and_only_once() {
        let mut world = World::default();
        for number in 0..10_000 {
            world.insert(gopay(number, Status::Pending));
        }
        let now = from_millis(1_000);
        assert!(world.apply(7, Act::Settle, now).is_ok());
        assert_eq!(world.expire_until(from_millis(999), now).len(), 0);
        assert_eq!(world.expire_until(now, now).len(), 9_999);
        assert_eq!(world.expire_until(now, now).len(), 0);
        assert_eq!(world.find("o7").map(|at| world.get(at).status), Some(Status::Settlement));
        assert!(world.may_charge("o8") && !world.may_charge("o7"));
    }
}
