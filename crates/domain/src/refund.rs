//! Refunds: money given back, by us or by somebody else.

use crate::{Invalid, PaymentId, RefundId, RefundKey, Rupiah, Time};

/// How a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// Written down; the gateway knows nothing of it.
    Wanted,
    /// The gateway was asked, or is about to be: from here on we may only ask again, with the same key.
    Asked,
    /// The gateway has taken it on.
    Accepted,
    /// The bank has given the money back.
    Confirmed,
    /// The gateway or the bank said no, or there was nothing left to give back.
    Refused,
}

impl RefundState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Wanted, Self::Asked, Self::Accepted, Self::Confirmed, Self::Refused];

    /// As the database and the API write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Asked => "asked",
            Self::Accepted => "accepted",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
        }
    }

    /// True while its outcome is not known.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Wanted | Self::Asked)
    }
}

impl TryFrom<&str> for RefundState {
    type Error = Invalid;

    fn try_from(value: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == value);
        found.ok_or_else(|| Invalid::new("refund state", "is not known", value))
    }
}

/// Money given back, as the books hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its row.
    pub id: RefundId,
    /// Of this payment.
    pub payment_id: PaymentId,
    /// Its name at the gateway.
    pub key: RefundKey,
    /// How much.
    pub amount: Rupiah,
    /// Why.
    pub reason: String,
    /// False when it was made elsewhere, at the dashboard for example.
    pub is_ours: bool,
    /// How it stands.
    pub state: RefundState,
    /// Why it was refused.
    pub answer: Option<String>,
    /// When it was written down.
    pub created_at: Time,
    /// When the bank gave the money back.
    pub confirmed_at: Option<Time>,
}

/// One refund in the gateway's answer (contract §4: `refunds[]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedRefund {
    /// Its name.
    pub key: RefundKey,
    /// How much this one gave back.
    pub amount: Rupiah,
    /// Why, as it was said.
    pub reason: String,
    /// When the bank gave the money back; the first of the two notifications comes without it.
    pub confirmed_at: Option<Time>,
}

impl ReportedRefund {
    /// How a refund stands of which the gateway says this.
    #[must_use]
    pub fn state(&self) -> RefundState {
        match self.confirmed_at {
            Some(_) => RefundState::Confirmed,
            None => RefundState::Accepted,
        }
    }

    /// Whether it tells something that `known` does not.
    #[must_use]
    pub fn is_news_to(&self, known: &[Refund]) -> bool {
        match known.iter().find(|refund| refund.key == self.key) {
            // The bank's word is the last: an answer from before it is old.
            Some(refund) => refund.state != RefundState::Confirmed && refund.state != self.state(),
            None => true,
        }
    }
}
