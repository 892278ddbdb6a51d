//! The contract of the store: the same stories, told on SQLite and on PostgreSQL.
//!
//! Each story is an `async fn` that gets a database of its own; `on_both!` at the top of a file lists the stories of
//! that file and makes two tests of each. A story that is not listed is dead code, and the compiler says so.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that cannot go on is over"
)]

/// Makes two tests of each story: `story::sqlite` and `story::postgres`.
macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                crate::support::on_sqlite(super::$story).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgres() {
                crate::support::on_postgres(super::$story).await;
            }
        }
    )+};
}

mod audit;
mod backup;
mod board;
mod board_orders;
mod calls;
mod changes;
mod checks;
mod claims;
mod creation;
mod dashboard_sessions;
mod effects;
mod endings;
mod erasure;
mod failures;
mod gaps;
mod house;
mod identities;
mod journal;
mod ledger;
mod money;
mod notifications;
mod operating;
mod overview;
mod people_and_bills;
mod plans;
mod pruning;
mod races;
mod reconciliations;
mod refunds;
mod relay;
mod reminders;
mod repeats;
mod rotation;
mod schema;
mod sealing;
mod searching;
mod second_factors;
mod sessions;
mod since;
mod statements;
mod support;
mod together;
mod unwanted;
