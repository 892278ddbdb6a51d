//! A payment: one attempt to pay one bill by one method.

use crate::{BillId, Instruction, Invoice, Method, PaymentId, Rupiah, State, Time, TransactionId, UserId};

/// One attempt to pay one bill by one method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its row.
    pub id: PaymentId,
    /// Our number for it: the gateway's `order_id`.
    pub invoice: Invoice,
    /// The bill it is for.
    pub bill_id: BillId,
    /// Who pays.
    pub tenant_id: UserId,
    /// How.
    pub method: Method,
    /// How much.
    pub amount: Rupiah,
    /// The telephone number of the wallet that pays, for the methods that ask for one.
    pub payer_phone: Option<String>,
    /// Where it stands.
    pub state: State,
    /// What the gateway calls it, once we know.
    pub transaction_id: Option<TransactionId>,
    /// What the payer needs, once we know.
    pub instruction: Option<Instruction>,
    /// When it was written down.
    pub created_at: Time,
    /// When the gateway was first asked to charge.
    pub asked_at: Option<Time>,
    /// When the gateway's transaction ends, as the gateway says.
    pub expires_at: Option<Time>,
    /// When it was paid.
    pub paid_at: Option<Time>,
    /// When the gateway was last asked how it stands.
    pub checked_at: Option<Time>,
    /// Since when nobody wants it: another payment of the same bill took its place, or it was given up.
    pub superseded_at: Option<Time>,
    /// The payment whose place this one took.
    pub supersedes: Option<PaymentId>,
    /// Counts the changes; every write names the version it read.
    pub version: i64,
}

/// What a front end sees of a payment's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicStatus {
    /// Waiting.
    Pending,
    /// Paid.
    Paid,
    /// Will not be paid.
    Failed,
    /// Given back, or taken back.
    Refunded,
}

impl PublicStatus {
    /// As the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
        }
    }
}

impl Payment {
    /// What a front end sees.
    #[must_use]
    pub fn public_status(&self) -> PublicStatus {
        match self.state {
            State::Created | State::Asked | State::Pending | State::Review => PublicStatus::Pending,
            State::Paid | State::PartiallyRefunded { .. } => PublicStatus::Paid,
            State::Failed(_) => PublicStatus::Failed,
            State::Refunded | State::ChargedBack => PublicStatus::Refunded,
        }
    }

    /// Until when the payer may pay: what the gateway said, or what is usual for the method until it has spoken.
    #[must_use]
    pub fn deadline(&self) -> Time {
        self.expires_at
            .unwrap_or_else(|| self.asked_at.unwrap_or(self.created_at) + self.method.usual_validity())
    }

    /// True while somebody still wants it paid: live, neither replaced nor given up.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.state.is_live() && self.superseded_at.is_none()
    }
}
