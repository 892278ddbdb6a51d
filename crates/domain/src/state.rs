//! The life of a payment: one state, one event, one answer.

use crate::{Confirmation, FindingKind, Invalid, Rupiah};

use Event as E;
use FindingKind as Found;
use State as S;
use Step::{Look, MoveAndTell, MoveTo, Stay};

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Written down; the gateway knows nothing of it, so we may still undo it.
    Created,
    /// The gateway was asked, or is about to be: from here on we may only ask again.
    Asked,
    /// The gateway waits for the payer.
    Pending,
    /// The gateway holds the money until a person decides (a card under challenge, or only authorised).
    Review,
    /// Paid.
    Paid,
    /// Paid, and some of it given back.
    PartiallyRefunded {
        /// What was given back so far, all refunds together.
        total: Rupiah,
    },
    /// Given back whole.
    Refunded,
    /// Taken back by the payer's bank.
    ChargedBack,
    /// Will not be paid, as far as anyone knows.
    Failed(Failure),
}

/// Why a payment failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Undone by us before the gateway had a transaction.
    Withdrawn,
    /// The gateway refused to make a transaction.
    Rejected,
    /// The bank or the fraud check said no.
    Denied,
    /// Cancelled at the gateway.
    Cancelled,
    /// Its time ran out at the gateway.
    Expired,
    /// The gateway failed (`failure`).
    Errored,
    /// It was paid and is not any more: the bank took the settlement back within minutes, or a captured card was cancelled
    /// before it was settled.
    Reversed,
}

/// What happened to a payment, in the gateway's words or, for the first three, in ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// We are about to send the charge.
    Asked,
    /// We no longer want a payment that the gateway was never asked for.
    Withdrawn,
    /// The gateway has no such transaction, and we no longer want one.
    Absent,
    /// The gateway refused the charge.
    Rejected,
    /// `pending`.
    Accepted,
    /// `capture` under challenge: the fraud check wants a person to look.
    Challenged,
    /// `authorize`: the amount is reserved until somebody takes it.
    Authorized,
    /// `settlement`.
    Settled,
    /// `capture` that was accepted: as good as settled, but it can still be cancelled.
    Captured,
    /// `deny`.
    Denied,
    /// `cancel`.
    Cancelled,
    /// `expire`.
    Expired,
    /// `failure`.
    Errored,
    /// `refund`.
    Refunded,
    /// `partial_refund`: given back so far, all refunds together.
    PartiallyRefunded(Rupiah),
    /// `chargeback`.
    ChargedBack,
    /// `partial_chargeback`.
    PartiallyChargedBack,
    /// A status that the contract does not name.
    Unheard(String),
}

/// What an event does to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The payment moves.
    MoveTo(State),
    /// The payment moves, and someone should know.
    MoveAndTell(State, FindingKind),
    /// Old news, or none.
    Stay,
    /// This cannot follow from what we know: a person must look.
    Look(FindingKind),
}

impl State {
    /// The whole life of a payment, on one screen. The table is contract §6.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "the whole life on one screen")]
    #[expect(clippy::match_same_arms, reason = "one arm for each thing that happens reads better than few")]
    pub fn on(self, event: &Event, method: Confirmation) -> Step {
        match (self, event) {
            // Ours to decide only while the gateway was not asked.
            (S::Created, E::Asked) => MoveTo(S::Asked),
            (S::Created, E::Withdrawn) => MoveTo(S::Failed(Failure::Withdrawn)),
            (_, E::Asked | E::Withdrawn) => Stay,

            // The gateway says it never made a transaction.
            (S::Asked, E::Absent) => MoveTo(S::Failed(Failure::Withdrawn)),
            (S::Created | S::Asked, E::Rejected) => MoveTo(S::Failed(Failure::Rejected)),
            (S::Created | S::Failed(_), E::Absent) => Stay,
            (S::Failed(_), E::Rejected) => Stay,
            (S::Pending | S::Review, E::Absent | E::Rejected) => Look(Found::StatusConflict),
            (
                S::Paid | S::PartiallyRefunded { .. } | S::Refunded | S::ChargedBack,
                E::Absent | E::Rejected,
            ) => Look(Found::StatusConflict),

            // A live transaction where we believe that there is none.
            (
                S::Failed(Failure::Withdrawn | Failure::Rejected),
                E::Accepted | E::Challenged | E::Authorized,
            ) => Look(Found::StatusConflict),

            // Waiting, and holding.
            (S::Created | S::Asked, E::Accepted) => MoveTo(S::Pending),
            (S::Created | S::Asked | S::Pending, E::Challenged | E::Authorized) => MoveTo(S::Review),
            // Old news comes late and twice; what we know already wins.
            (S::Pending | S::Review, E::Accepted) => Stay,
            (S::Review, E::Challenged | E::Authorized) => Stay,
            (
                S::Paid | S::PartiallyRefunded { .. } | S::Refunded | S::ChargedBack,
                E::Accepted | E::Challenged | E::Authorized,
            ) => Stay,
            (S::Failed(_), E::Accepted | E::Challenged | E::Authorized) => Stay,

            // Money.
            (S::Created | S::Asked | S::Pending | S::Review, E::Settled | E::Captured) => MoveTo(S::Paid),
            (
                S::Paid | S::PartiallyRefunded { .. } | S::Refunded | S::ChargedBack,
                E::Settled | E::Captured,
            ) => Stay,
            // An answer that was on its way when the reversal came must not undo the reversal.
            (S::Failed(Failure::Reversed), E::Settled | E::Captured) => Look(Found::StatusConflict),
            // We had given it up, and the money came all the same: real money wins.
            (S::Failed(_), E::Settled | E::Captured) => MoveAndTell(S::Paid, Found::LateSettlement),

            // No money.
            (S::Created | S::Asked | S::Pending | S::Review, E::Denied) => MoveTo(S::Failed(Failure::Denied)),
            (S::Created | S::Asked | S::Pending | S::Review, E::Cancelled) => {
                MoveTo(S::Failed(Failure::Cancelled))
            }
            (S::Created | S::Asked | S::Pending | S::Review, E::Expired) => {
                MoveTo(S::Failed(Failure::Expired))
            }
            (S::Created | S::Asked | S::Pending | S::Review, E::Errored) => {
                MoveTo(S::Failed(Failure::Errored))
            }
            (S::Failed(_), E::Denied | E::Cancelled | E::Expired | E::Errored) => Stay,
            (S::Paid, E::Denied) => match method {
                Confirmation::Reversible => MoveAndTell(S::Failed(Failure::Reversed), Found::Reversal),
                Confirmation::Final | Confirmation::Captured => Look(Found::StatusConflict),
            },
            (S::Paid, E::Cancelled) => match method {
                Confirmation::Captured => MoveAndTell(S::Failed(Failure::Reversed), Found::Reversal),
                Confirmation::Final | Confirmation::Reversible => Look(Found::StatusConflict),
            },
            (S::Paid, E::Expired | E::Errored) => Look(Found::StatusConflict),
            (
                S::PartiallyRefunded { .. } | S::Refunded | S::ChargedBack,
                E::Denied | E::Cancelled | E::Expired | E::Errored,
            ) => Look(Found::StatusConflict),

            // Money back. Whether it was us who asked for it, the books know.
            (S::Created | S::Asked | S::Pending | S::Review | S::Paid, E::PartiallyRefunded(total)) => {
                MoveTo(S::PartiallyRefunded { total: *total })
            }
            (S::PartiallyRefunded { total: known }, E::PartiallyRefunded(total)) if *total > known => {
                MoveTo(S::PartiallyRefunded { total: *total })
            }
            (S::PartiallyRefunded { .. } | S::Refunded | S::ChargedBack, E::PartiallyRefunded(_)) => Stay,
            (S::Failed(_), E::PartiallyRefunded(total)) => {
                MoveAndTell(S::PartiallyRefunded { total: *total }, Found::LateSettlement)
            }
            (
                S::Created | S::Asked | S::Pending | S::Review | S::Paid | S::PartiallyRefunded { .. },
                E::Refunded,
            ) => MoveTo(S::Refunded),
            (S::Refunded | S::ChargedBack, E::Refunded) => Stay,
            (S::Failed(_), E::Refunded) => MoveAndTell(S::Refunded, Found::LateSettlement),

            // Money taken back by the payer's bank.
            (S::ChargedBack, E::ChargedBack | E::PartiallyChargedBack) => Stay,
            (_, E::ChargedBack) => MoveAndTell(S::ChargedBack, Found::Chargeback),
            (S::Created | S::Asked | S::Pending | S::Review | S::Failed(_), E::PartiallyChargedBack) => {
                MoveAndTell(S::Paid, Found::Chargeback)
            }
            (S::Paid | S::PartiallyRefunded { .. } | S::Refunded, E::PartiallyChargedBack) => {
                Look(Found::Chargeback)
            }

            (_, E::Unheard(_)) => Look(Found::StatusConflict),
        }
    }

    /// True while the payer may still pay, as far as we know.
    #[must_use]
    pub fn is_live(self) -> bool {
        match self {
            S::Created | S::Asked | S::Pending | S::Review => true,
            S::Paid | S::PartiallyRefunded { .. } | S::Refunded | S::ChargedBack | S::Failed(_) => false,
        }
    }

    /// True while the house has the money, or some of it.
    #[must_use]
    pub fn holds_money(self) -> bool {
        match self {
            S::Paid | S::PartiallyRefunded { .. } => true,
            S::Created | S::Asked | S::Pending | S::Review => false,
            S::Refunded | S::ChargedBack | S::Failed(_) => false,
        }
    }

    /// The word for the state, as the database writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            S::Created => "created",
            S::Asked => "asked",
            S::Pending => "pending",
            S::Review => "review",
            S::Paid => "paid",
            S::PartiallyRefunded { .. } => "partially_refunded",
            S::Refunded => "refunded",
            S::ChargedBack => "charged_back",
            S::Failed(_) => "failed",
        }
    }

    /// Why it failed, when it did.
    #[must_use]
    pub fn failure(self) -> Option<Failure> {
        match self {
            S::Failed(why) => Some(why),
            S::Created | S::Asked | S::Pending | S::Review => None,
            S::Paid | S::PartiallyRefunded { .. } | S::Refunded | S::ChargedBack => None,
        }
    }

    /// The state of these three columns.
    ///
    /// # Errors
    /// When they do not belong together.
    pub fn from_parts(state: &str, failure: Option<&str>, refunded: Rupiah) -> Result<Self, Invalid> {
        match (state, failure) {
            ("created", None) => Ok(S::Created),
            ("asked", None) => Ok(S::Asked),
            ("pending", None) => Ok(S::Pending),
            ("review", None) => Ok(S::Review),
            ("paid", None) => Ok(S::Paid),
            ("partially_refunded", None) => Ok(S::PartiallyRefunded { total: refunded }),
            ("refunded", None) => Ok(S::Refunded),
            ("charged_back", None) => Ok(S::ChargedBack),
            ("failed", Some(why)) => Failure::try_from(why).map(S::Failed),
            _ => Err(Invalid::new("payment state", "is not known", format!("{state}/{failure:?}"))),
        }
    }
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Withdrawn,
        Self::Rejected,
        Self::Denied,
        Self::Cancelled,
        Self::Expired,
        Self::Errored,
        Self::Reversed,
    ];

    /// As the database writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::Rejected => "rejected",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Errored => "errored",
            Self::Reversed => "reversed",
        }
    }
}

impl TryFrom<&str> for Failure {
    type Error = Invalid;

    fn try_from(value: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|failure| failure.as_str() == value)
            .ok_or_else(|| Invalid::new("failure", "is not known", value))
    }
}

impl Event {
    /// The word for the event, as the history writes it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            E::Asked => "asked",
            E::Withdrawn => "withdrawn",
            E::Absent => "absent",
            E::Rejected => "rejected",
            E::Accepted => "accepted",
            E::Challenged => "challenged",
            E::Authorized => "authorized",
            E::Settled => "settled",
            E::Captured => "captured",
            E::Denied => "denied",
            E::Cancelled => "cancelled",
            E::Expired => "expired",
            E::Errored => "errored",
            E::Refunded => "refunded",
            E::PartiallyRefunded(_) => "partially_refunded",
            E::ChargedBack => "charged_back",
            E::PartiallyChargedBack => "partially_charged_back",
            E::Unheard(_) => "unheard",
        }
    }
}
