//! What a payment is and what may become of it: types and the transition function, with no I/O, no clock and no async.

mod bill;
mod coverage;
mod finding;
mod fold;
mod ids;
mod instruction;
mod journal;
mod matching;
mod method;
mod money;
mod payment;
mod people;
mod refund;
mod reminder;
mod rent;
mod rules;
mod schedule;
mod secret;
mod state;
mod statement;
mod wib;
mod words;

pub use bill::{BillStatus, Period};
pub use coverage::{Coverage, working_days_after, working_days_between};
pub use finding::FindingKind;
pub use fold::{Amount, Learned, Page, Report, Ruling, fold};
pub use ids::{
    BillId, FindingId, Invoice, JobId, MethodId, NotificationId, PaymentId, RefundId, RefundKey, ReminderId,
    RoomId, TransactionId, UserId,
};
pub use instruction::Instruction;
pub use journal::{Account, PostingKind, Standing, Transfer};
pub use matching::{Books, Known, Match, Told, Verdict, three_way};
pub use method::{AskedBy, ChargeAs, Confirmation, Method, Profile};
pub use money::Rupiah;
pub use payment::{Payment, PublicStatus};
pub use people::{Email, Rank, Role};
pub use refund::{Refund, RefundState, ReportedRefund};
pub use reminder::{Channel, Language, ReminderKind, Window};
pub use rent::{Rent, Stay, Terms};
pub use rules::{NoRefund, OutOfRange, Refunds, RuleBook, Rules, Share};
pub use schedule::PollSchedule;
pub use secret::Secret;
pub use state::{Event, Failure, State, Step};
pub use statement::{Entry, Flow, Said, StatementKind, StatementLine};
pub use wib::{
    date_of, end_of_day, long_date, long_form, long_month, stamp, start_of_day, start_of_day_after, today,
};

/// A point in time, in UTC.
pub type Time = chrono::DateTime<chrono::Utc>;

/// A value that came from outside and cannot be what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}: {value:?}")]
pub struct Invalid {
    /// The kind of value, for example `invoice`.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
    /// The value itself.
    pub value: String,
}

impl Invalid {
    pub(crate) fn new(what: &'static str, why: &'static str, value: impl ToString) -> Self {
        Self { what, why, value: value.to_string() }
    }
}
