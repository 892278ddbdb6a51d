//! A typed client of the Midtrans Core API: it charges, asks, cancels and expires, and reads what the gateway sends.
//!
//! `contract §2` in a comment names a section of the notes on the gateway that this is written from.

mod answer;
mod call_error;
mod charge;
mod client;
mod fields;
mod http;
mod instruction;
pub mod notification;
pub mod probe;
mod report;

pub use call_error::{CallError, SetupError};
pub use charge::{Charge, Customer};
pub use client::{Midtrans, Settings};
pub use http::http_client;
pub use notification::{Kind, NotANotification, Notification, sign};
