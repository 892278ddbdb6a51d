//! Findings: differences between our books and the gateway's that someone should know of.

use crate::Invalid;

macro_rules! finding_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What kind of difference was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FindingKind {
            $($(#[$doc])* $name),+
        }

        impl FindingKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As the database and the API write it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

finding_kinds! {
    /// A poll found a change that no notification had told of.
    MissedNotification = "missed_notification",
    /// The gateway has another amount or currency than our bill.
    AmountMismatch = "amount_mismatch",
    /// A notification with a valid signature, or a line of a statement, for an order that we never issued.
    UnknownOrder = "unknown_order",
    /// A settlement was taken back.
    Reversal = "reversal",
    /// Money came for a payment that we had given up.
    LateSettlement = "late_settlement",
    /// One bill was paid twice.
    DoublePayment = "double_payment",
    /// The gateway says what cannot follow from what we know.
    StatusConflict = "status_conflict",
    /// A charge whose outcome is still not known after many tries.
    StuckCharge = "stuck_charge",
    /// Money was given back, and not by us.
    ExternalRefund = "external_refund",
    /// The payer's bank took the money back.
    Chargeback = "chargeback",
    /// Our books hold money that a statement of the gateway should have, or that should have been paid out, and has not.
    MissingPayout = "missing_payout",
}

impl TryFrom<&str> for FindingKind {
    type Error = Invalid;

    fn try_from(value: &str) -> Result<Self, Invalid> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == value)
            .ok_or_else(|| Invalid::new("finding", "is of an unknown kind", value))
    }
}
