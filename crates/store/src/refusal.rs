//! Why a change that somebody of the house wants is not made.

use std::fmt;

use domain::NoRefund;

use crate::StoreError;

/// What stands against a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such thing, or no longer.
    NotThere,
    /// There is no room of this code.
    NoSuchRoom,
    /// Another room has this code.
    CodeTaken,
    /// Another person has this address.
    EmailTaken,
    /// Somebody lives in the room.
    RoomOccupied,
    /// The bill is paid.
    BillPaid,
    /// Somebody is paying the bill.
    BillBeingPaid,
    /// Somebody has dealt with the finding.
    FindingResolved,
    /// The job is not dead.
    JobNotDead,
    /// The same work waits, or is being done.
    JobWaits,
    /// The job does not wait: it runs, or it has ended.
    JobNotWaiting,
    /// Nothing else would do the work of the job.
    JobNeeded,
    /// The gateway would not give the money back.
    NoRefund(NoRefund),
    /// Something about money is not over yet.
    MoneyOpen(OpenMoney),
}

/// What of somebody's money is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMoney {
    /// A bill is owed.
    Bill,
    /// A payment is live.
    Payment,
    /// Money is being given back.
    Refund,
}

impl fmt::Display for OpenMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bill => "a bill is not paid",
            Self::Payment => "a payment is under way",
            Self::Refund => "money is being given back",
        })
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Undone {
    /// Something stands against it.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for Undone {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<sqlx::Error> for Undone {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What a unique index refused is `refusal`; the rest is the database's trouble.
pub(crate) fn unless_taken(error: sqlx::Error, refusal: Refusal) -> Undone {
    match &error {
        sqlx::Error::Database(cause) if cause.is_unique_violation() => Undone::Refused(refusal),
        _ => error.into(),
    }
}
