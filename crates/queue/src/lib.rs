//! What a job is, and how its id travels from the ledger to whoever does it.
//!
//! The ledger in our own database is the truth. Redis, through apalis, or an in-memory backend, also through apalis, only
//! carries ids, so that work starts at once; what they lose, the relay hands over again. Calls to the gateway are counted
//! there too, for all processes.

mod calls;
mod lanes;
mod memory_lane;
mod outcome;
mod poll;
mod queue;
mod redis_lane;
mod relay;
mod reminders;
mod runner;
mod schedule;
mod slots;
mod throttle;
mod work;
mod workforce;

pub use calls::Throttle;
pub use outcome::Outcome;
pub use queue::{Queue, QueueError, RedisSettings, ping};
pub use reminders::{FindReminders, SendEmail, SendWebhook};
pub use runner::{Limits, Performer, do_one};
pub use schedule::{Line, NIGHTLY, SCHEDULE, SWEEP_EVERY, ZONE, rent_slot, sweep_slot};
pub use slots::{GenerateBills, Prune, Reconcile, Sweep};
pub use throttle::{CallLimits, Circuit, Health, Stand};
pub use work::{
    CancelPayment, DecidePayment, Job, KINDS, ProcessNotification, Reason, RefundPayment, SubmitCharge,
    SyncPayment, UnknownWork, Verdict, Work,
};
pub use workforce::{Pause, Stop, Workforce};

pub use store::ledger::{Lease, NewJob};
