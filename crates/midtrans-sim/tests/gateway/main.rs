//! The simulator seen from outside, over real HTTP, held against the gateway's contract.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod actions;
mod auth;
mod charges;
mod faults;
mod foreign;
mod idempotency;
mod kit;
mod notifications;
mod pages;
mod plant;
mod refunds;
mod retries;
mod snap;
mod state_file;
mod storms;
