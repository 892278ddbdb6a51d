//! Whole processes, killed and restarted: what must be true of the money afterwards.
//!
//! Each test has a PostgreSQL database, a Redis and a gateway of its own, starts `kasir` as an operator would, and hurts
//! it. Waiting is looking again until a deadline; the figures of a run are printed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on is over"
)]

mod backup;
mod books;
mod crowd;
mod doctor;
mod embedded;
mod flood;
mod front_end;
mod healthy;
mod keys;
mod killed;
mod kost;
mod least;
mod missed;
mod outage;
mod own_tls;
mod process;
mod readme;
mod reconcile;
mod redis_lost;
mod servers;
mod statements;
mod stopping;
mod tls;
mod traces;
mod waiting;
