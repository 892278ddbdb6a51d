//! What Kasir does behind the request: one file a kind of job. No HTTP of our own, no SQL.

mod books;
mod cancel_payment;
mod context;
mod decide_payment;
mod find_reminders;
mod gate;
mod gateway;
mod generate_bills;
mod page;
mod process_notification;
mod prune;
mod reconcile;
mod refund_payment;
mod reminding;
mod schedule;
mod send_email;
mod send_webhook;
mod stray;
mod submit_charge;
mod sweep;
mod sync_payment;

pub use context::Context;
pub use gate::HouseGate;
pub use schedule::{Scheduler, SchedulerError};
