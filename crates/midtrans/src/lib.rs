//! A typed client of the Midtrans Core API: it charges, asks, ends, decides and
//! refunds, and reads what the gateway sends.
//!
//! `contract §2` in a comment names a section of `docs/midtrans.md`, which says how the gateway really behaves.

mod answer;
mod call_error;
mod charge;
mod client;
pub mod export;
mod fields;
mod gate;
mod http;
mod instruction;
pub mod notification;
mod page;
pub mod probe;
mod report;

pub use answer::Refunding;
pub use call_error::{CallError, SetupError};
pub use charge::{Charge, Customer};
pub use client::{Midtrans, RefundOrder, Settings};
pub use gate::{Call, Gate, Health, Urgency, mask, masked};
pub use http::http_client;
pub use notification::{Kind, NotANotification, Notification, sign};
