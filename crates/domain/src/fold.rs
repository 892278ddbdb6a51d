//! Folding: what the gateway reports meets what we know.

use crate::{Event, FindingKind, Instruction, Payment, Rupiah, Step, Time, TransactionId};

/// What the gateway says of one transaction, in its answer to a charge or to GET status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What happened.
    pub event: Event,
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

/// What `report` means for `payment`.
///
/// A report about another amount, another currency or another transaction is never believed; a person must look.
#[must_use]
pub fn fold(payment: &Payment, report: &Report) -> Ruling {
    let doubt = match (&report.amount, &payment.transaction_id, &report.transaction_id) {
        (Amount::Rupiah(said), _, _) if *said != payment.amount => Some(FindingKind::AmountMismatch),
        (Amount::Foreign(_), _, _) => Some(FindingKind::AmountMismatch),
        (_, Some(known), Some(said)) if known != said => Some(FindingKind::StatusConflict),
        (Amount::Rupiah(_) | Amount::Unsaid, _, _) => None,
    };
    if let Some(finding) = doubt {
        return Ruling { step: Step::Look(finding), learned: Learned::default() };
    }
    let step = payment.state.on(&report.event, payment.method.confirmation());
    Ruling { step, learned: learn(payment, report) }
}

fn learn(payment: &Payment, report: &Report) -> Learned {
    Learned {
        transaction_id: unknown_yet(payment.transaction_id.as_ref(), report.transaction_id.as_ref()),
        instruction: unknown_yet(payment.instruction.as_ref(), report.instruction.as_ref()),
        // The gateway's newest word on the end counts; it may trim what we asked for.
        expires_at: report.expires_at.filter(|said| payment.expires_at != Some(*said)),
        settled_at: unknown_yet(payment.paid_at.as_ref(), report.settled_at.as_ref()),
    }
}

fn unknown_yet<T: Clone>(known: Option<&T>, said: Option<&T>) -> Option<T> {
    match known {
        Some(_) => None,
        None => said.cloned(),
    }
}
