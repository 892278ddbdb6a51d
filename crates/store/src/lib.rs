//! Every SQL text of Kasir, once, for SQLite and PostgreSQL.
//!
//! Plain functions, one file a table. A function that writes takes all that must commit together, and commits it in one
//! transaction. Times come in as arguments; nothing here reads a clock.

mod changing;
mod claims;
mod db;
mod enqueueing;
mod error;
mod intake;
mod lookups;
mod moves;
mod page;
mod personal;
mod refusal;
mod rows;
mod scrubbing;
mod sealing;
mod searching;
mod server;
mod shredding;
mod statement_lines;
mod time;
mod together;
mod turns;
mod tx;

pub mod api_keys;
pub mod audit;
pub mod backup;
pub mod bills;
pub mod board;
pub mod calls;
pub mod cash;
pub mod checks;
pub mod comparing;
mod creating;
pub mod creation;
pub mod dashboard_sessions;
pub mod effects;
pub mod erasure;
pub mod findings;
pub mod gaps;
pub mod held;
pub mod history;
pub mod identities;
pub mod jobs;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod methods;
pub mod notifications;
pub mod overview;
pub mod payments;
pub mod people;
pub mod processes;
pub mod pruning;
pub mod reconciliation_items;
pub mod reconciliations;
pub mod refunds;
pub mod reminders;
pub mod rent;
pub mod repeats;
pub mod rooms;
pub mod rotation;
pub mod second_factors;
pub mod sessions;
pub mod since;
pub mod statements;
pub mod tenants;
pub mod tries;
pub mod unbooked;
pub mod unwanted;

pub use db::{Db, Options, connect, migrate, pending_migrations, ping};
pub use error::StoreError;
pub use page::Page;
pub use refusal::{OpenMoney, Refusal, Undone};
pub use sealing::{DataKey, Keys};
pub use server::Server;
pub use time::CLOCKS_DIFFER_BY;
pub use turns::Turns;
pub use tx::Written;

pub(crate) use tx::{Tx, in_tx, read, write};
