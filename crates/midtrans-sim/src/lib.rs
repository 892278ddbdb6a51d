//! Midtrans on localhost, with switches that make it misbehave.

mod answers;
mod api;
mod card;
mod charge;
mod control;
mod core;
mod faults;
mod foreign;
mod gate;
mod idempotency;
mod instruction;
mod method;
mod options;
mod outbox;
mod page;
mod payer;
mod qr;
mod records;
mod refund;
mod refund_api;
mod sender;
mod simulator;
mod snap;
mod snap_api;
mod snap_page;
mod state_file;
mod transaction;
mod world;

pub use crate::core::Refused;
pub use crate::faults::{ApiFaults, Calls, FailNext, Failure, Faults, LoseAnswer, Loss, NotificationFaults};
pub use crate::foreign::Foreign;
pub use crate::options::{Options, RETRY_INTERVALS};
pub use crate::records::{Call, SentNotification};
pub use crate::simulator::{Simulator, StartError, Undelivered};
pub use crate::snap::PageView;
pub use crate::transaction::{Status, TransactionView};
