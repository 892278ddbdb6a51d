//! Folding: what the gateway reports meets what we know.

use chrono::TimeDelta;

use crate::{
    Event, Failure, FindingKind, Instruction, Payment, ReportedRefund, Rupiah, State, Step, Time,
    TransactionId,
};

/// What the gateway says of one transaction, in its answer to a charge or to GET status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What happened.
    pub event: Event,
    /// The order that the answer names: our invoice, or for some methods the gateway's own name of the transaction.
    pub order_id: Option<String>,
    /// What the gateway calls the transaction.
    pub transaction_id: Option<TransactionId>,
    /// How much it is about.
    pub amount: Amount,
    /// When it ends.
    pub expires_at: Option<Time>,
    /// When it was paid.
    pub settled_at: Option<Time>,
    /// What the payer needs, where the answer says so.
    pub instruction: Option<Instruction>,
    /// What was given back, each refund by itself.
    pub refunds: Vec<ReportedRefund>,
    /// Whether the payer can try again on the hosted page.
    pub page: Page,
}

/// Whether a payer can try again on the hosted page of a payment that has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// Until the payment's deadline, as far as anyone knows.
    #[default]
    Open,
    /// The gateway has closed it at our wish.
    Closed,
}

/// What the gateway says about the amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amount {
    /// Whole rupiah.
    Rupiah(Rupiah),
    /// Something that is not whole rupiah, as it was written.
    Foreign(String),
    /// Nothing: the answer is not about a transaction.
    Unsaid,
}

/// What a report means for a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// What becomes of the state.
    pub step: Step,
    /// What we did not know before.
    pub learned: Learned,
}

/// Facts about a payment that were not known before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learned {
    /// What the gateway calls it.
    pub transaction_id: Option<TransactionId>,
    /// What the payer needs.
    pub instruction: Option<Instruction>,
    /// When it ends.
    pub expires_at: Option<Time>,
    /// When it was paid.
    pub settled_at: Option<Time>,
}

impl Learned {
    /// True when there is nothing to write down.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What `report` means for `payment`, heard at `now`.
///
/// A report about another amount, another currency or another transaction is never believed; a person must look.
#[must_use]
pub fn fold(payment: &Payment, report: &Report, now: Time) -> Ruling {
    if let Some(finding) = doubt(payment, report) {
        return Ruling { step: Step::Look(finding), learned: Learned::default() };
    }
    let step = on_a_page(payment, report, now)
        .unwrap_or_else(|| payment.state.on(&report.event, payment.method.confirmation()));
    Ruling { step, learned: learn(payment, report) }
}

fn doubt(payment: &Payment, report: &Report) -> Option<FindingKind> {
    match &report.amount {
        Amount::Rupiah(said) if *said != payment.amount => return Some(FindingKind::AmountMismatch),
        Amount::Foreign(_) => return Some(FindingKind::AmountMismatch),
        Amount::Rupiah(_) | Amount::Unsaid => {}
    }
    if report.names_another_than(payment) && !may_follow(payment, report) {
        return Some(FindingKind::StatusConflict);
    }
    None
}

impl Report {
    /// Whether this is of another transaction than the one that is known of the payment.
    #[must_use]
    pub fn names_another_than(&self, payment: &Payment) -> bool {
        match (&payment.transaction_id, &self.transaction_id) {
            (Some(known), Some(said)) => known != said,
            (None, _) | (_, None) => false,
        }
    }
}

/// Each try on the hosted page is a transaction of its own under the same invoice (contract §2, §6). With the other
/// methods there is a second one only when the first has ended and a charge arrives late. Of a payment that has ended
/// only money is heard.
fn may_follow(payment: &Payment, report: &Report) -> bool {
    let is_money = matches!(payment.state, State::Failed(_)) && is_money(&report.event);
    is_money || (payment.method.is_on_a_page() && payment.state.is_live())
}

fn is_money(event: &Event) -> bool {
    matches!(event, Event::Settled | Event::Captured)
}

/// Our clock and the gateway's may differ so much, and an answer may be so old: a page counts as open a little longer
/// than it is.
const PAGE_MARGIN: TimeDelta = TimeDelta::minutes(2);

impl Payment {
    /// Until when a payer may begin a try on the hosted page, as far as anyone knows.
    #[must_use]
    pub fn page_end(&self) -> Time {
        self.deadline() + PAGE_MARGIN
    }
}

/// What goes by other rules on the hosted page: a try that failed ends nothing while the payer may try again, and that
/// the gateway has no transaction only means that the payer has not tried yet (contract §3).
fn on_a_page(payment: &Payment, report: &Report, now: Time) -> Option<Step> {
    if !payment.method.is_on_a_page() {
        return None;
    }
    let is_open = report.page == Page::Open && now < payment.page_end();
    match (payment.state, &report.event) {
        (State::Pending, Event::Absent) if payment.transaction_id.is_none() => Some(match report.page {
            _ if is_open => Step::Stay,
            Page::Closed => Step::MoveTo(State::Failed(Failure::Cancelled)),
            Page::Open => Step::MoveTo(State::Failed(Failure::Expired)),
        }),
        (State::Pending, Event::Denied | Event::Cancelled | Event::Expired | Event::Errored) if is_open => {
            Some(Step::Stay)
        }
        (State::Review, Event::Denied | Event::Cancelled | Event::Expired | Event::Errored) if is_open => {
            Some(Step::MoveTo(State::Pending))
        }
        // One try was voided, and then the payer paid by another: that one is not taken back.
        (State::Failed(Failure::Reversed), event)
            if is_money(event) && report.names_another_than(payment) =>
        {
            Some(Step::MoveAndTell(State::Paid, FindingKind::LateSettlement))
        }
        _ => None,
    }
}

fn learn(payment: &Payment, report: &Report) -> Learned {
    let page = payment.method.is_on_a_page();
    let transaction_id = match report.names_another_than(payment) {
        true => report.transaction_id.clone(),
        false => unknown_yet(payment.transaction_id.as_ref(), report.transaction_id.as_ref()),
    };
    Learned {
        transaction_id,
        instruction: unknown_yet(payment.instruction.as_ref(), report.instruction.as_ref()),
        // The gateway's newest word on the end counts; it may trim what we asked for. But a page outlives the tries on it.
        expires_at: report
            .expires_at
            .filter(|said| payment.expires_at != Some(*said) && !(page && payment.expires_at.is_some())),
        // A time of settlement on what holds no money is nothing to learn.
        settled_at: unknown_yet(payment.paid_at.as_ref(), report.settled_at.as_ref())
            .filter(|_| is_money(&report.event)),
    }
}

fn unknown_yet<T: Clone>(known: Option<&T>, said: Option<&T>) -> Option<T> {
    match known {
        Some(_) => None,
        None => said.cloned(),
    }
}
