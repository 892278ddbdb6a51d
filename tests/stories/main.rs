//! Stories of the house, on the real router, the real workers and the simulator: once with SQLite and the queue in
//! memory, once with PostgreSQL and Redis.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on is over")]

/// Tells each story in both set-ups.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod sqlite_and_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story($crate::kost::Kost::open($crate::kost::Setup::Embedded).await).await;
            })+
        }

        mod postgres_and_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story($crate::kost::Kost::open($crate::kost::Setup::Servers).await).await;
            })+
        }
    };
}
mod admin;
mod billing;
mod board;
mod cards;
mod connections;
mod crowd;
mod dashboard;
mod events;
mod fixtures;
mod foresight;
mod fuzz;
mod giving_back;
mod giving_up;
mod inbox;
mod kost;
mod limits;
mod lists;
mod log;
mod missed;
mod month;
mod operating;
mod outages;
mod page_limits;
mod pay;
mod permutations;
mod post;
#[path = "../program/mod.rs"]
mod program;
mod provider;
mod reconcile;
mod reminders;
mod repeats;
mod rest;
mod reversals;
mod roles;
mod sealing;
mod second_factor;
mod sessions;
mod single_sign_on;
mod statements;
mod strays;
mod supersede;
mod throttle;
mod trouble;
mod waiting;
mod wallets;
