//! Findings: differences between our books and the gateway's that someone should know of.

use crate::words::words;

words! {
    /// What kind of difference was found.
    FindingKind, "finding", "is of an unknown kind":
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
