//! When to ask the gateway again, so that a payment whose notification was lost is found.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{Confirmation, Failure, Payment, State, Time};

/// The times at which a payment is checked. All lists are in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollSchedule {
    /// After the charge.
    pub after_charge: Vec<Duration>,
    /// After the last of those, as often as this until the transaction ends.
    pub every: Duration,
    /// After the transaction's end, whatever the state we know then.
    pub after_expiry: Vec<Duration>,
    /// After a settlement by a method that may take it back.
    pub after_settlement: Vec<Duration>,
    /// After a capture, which is settled the next day, or is not.
    pub after_capture: Vec<Duration>,
    /// After all of those, as often as this while the payment is still live: we never give up.
    pub lingering: Duration,
}

impl Default for PollSchedule {
    fn default() -> Self {
        let minutes = |list: &[u64]| list.iter().map(|m| Duration::from_secs(m * 60)).collect();
        Self {
            after_charge: minutes(&[1, 3, 7, 15, 30]),
            every: Duration::from_secs(3600),
            after_expiry: minutes(&[1, 15, 24 * 60]),
            after_settlement: minutes(&[6, 15]),
            after_capture: minutes(&[30 * 60, 54 * 60]),
            lingering: Duration::from_secs(24 * 3600),
        }
    }
}

impl PollSchedule {
    /// The first check of `payment` that lies after `now`; `None` when nothing more is to be expected.
    #[must_use]
    pub fn next_check(&self, payment: &Payment, now: Time) -> Option<Time> {
        match payment.state {
            State::Created | State::Asked | State::Pending => {
                Some(self.while_live(payment, now).unwrap_or(now + delta(self.lingering)))
            }
            // It waits for a person, or for the gateway to lose its patience, whatever the payer's deadline was.
            State::Review => {
                Some(next_multiple(now, payment.asked_at.unwrap_or(payment.created_at), self.every))
            }
            // Money that comes late comes for payments that ended at the gateway.
            State::Failed(Failure::Expired | Failure::Cancelled) => self.after_end(payment, now),
            // On the hosted page another try may have begun before the one that we heard of had failed.
            State::Failed(Failure::Denied | Failure::Errored) if payment.method.is_on_a_page() => {
                self.after_end(payment, now)
            }
            State::Paid => match payment.method.confirmation() {
                Confirmation::Reversible => first_after(now, payment.paid_at?, &self.after_settlement),
                Confirmation::Captured => first_after(now, payment.paid_at?, &self.after_capture),
                Confirmation::Final => None,
            },
            // One try was taken back, and another may still be paid; a card can be voided until it is settled.
            State::Failed(Failure::Reversed) if payment.method.is_on_a_page() => {
                let captured = first_after(now, payment.paid_at?, &self.after_capture);
                self.after_end(payment, now).into_iter().chain(captured).min()
            }
            State::PartiallyRefunded { .. } | State::Refunded | State::ChargedBack => None,
            State::Failed(
                Failure::Withdrawn
                | Failure::Rejected
                | Failure::Denied
                | Failure::Errored
                | Failure::Reversed,
            ) => None,
        }
    }

    fn while_live(&self, payment: &Payment, now: Time) -> Option<Time> {
        let start = payment.asked_at.unwrap_or(payment.created_at);
        let end = payment.deadline();
        let early = first_after(now, start, &self.after_charge);
        let regular = next_multiple(now, start, self.every);
        let before_end = early.or(Some(regular)).filter(|at| *at < end);
        before_end.or_else(|| self.after_end(payment, now))
    }

    fn after_end(&self, payment: &Payment, now: Time) -> Option<Time> {
        let end = if payment.method.is_on_a_page() { payment.page_end() } else { payment.deadline() };
        first_after(now, end, &self.after_expiry)
    }
}

fn first_after(now: Time, start: Time, offsets: &[Duration]) -> Option<Time> {
    offsets.iter().map(|offset| start + delta(*offset)).find(|at| *at > now)
}

fn next_multiple(now: Time, start: Time, every: Duration) -> Time {
    let step = delta(every).max(TimeDelta::seconds(1));
    let passed = (now - start).num_milliseconds().max(0) / step.num_milliseconds();
    let times = i32::try_from(passed).unwrap_or(i32::MAX - 1) + 1;
    start + step * times
}

fn delta(by: Duration) -> TimeDelta {
    TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX)
}
