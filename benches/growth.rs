//! What a payment costs as the books grow: `cargo xtask servers -- cargo bench --bench growth`. Another list of sizes goes
//! into `KASIR_BENCH_SIZES`. Each line is CPU time of PostgreSQL's own processes and of ours, for one payment from the wish
//! to the money; a million payments take some minutes to be written down first.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that cannot go on is over"
)]
#![expect(clippy::float_arithmetic, reason = "a measurement")]

mod books;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use books::Books;
use sqlx::{Connection as _, PgConnection};

const SIZES: &str = "1000 10000 100000 1000000";
const PAYMENTS: i64 = 4_000;
/// The first ones are not counted: plans are made, and pages are read.
const WARM: i64 = 1_000;
const AT_ONCE: usize = 64;

#[tokio::main]
async fn main() {
    let sizes = std::env::var("KASIR_BENCH_SIZES").unwrap_or_else(|_| SIZES.to_owned());
    println!(
        "{:>10} {:>14} {:>10} {:>12} {:>12}",
        "payments", "PostgreSQL µs", "ours µs", "together µs", "payments/s"
    );
    for size in sizes.split_whitespace() {
        measure(size.parse().unwrap()).await;
    }
}

async fn measure(size: i64) {
    let books = Arc::new(Books::open("growth", size, WARM + PAYMENTS).await);
    let mut watcher = PgConnection::connect(&books.url).await.unwrap();
    play(&books, 1..=WARM).await;
    let before = (cpu_of_server(&mut watcher).await, cpu_of("self"), Instant::now());
    play(&books, WARM + 1..=WARM + PAYMENTS).await;
    let (took, ours) = (before.2.elapsed(), cpu_of("self") - before.1);
    let server = cpu_of_server(&mut watcher).await - before.0;
    let each = |ticks: u64| ticks as f64 * 10_000.0 / PAYMENTS as f64;
    println!(
        "{size:>10} {:>14.0} {:>10.0} {:>12.0} {:>12.0}",
        each(server),
        each(ours),
        each(server + ours),
        PAYMENTS as f64 / took.as_secs_f64()
    );
    drop(watcher);
    Arc::into_inner(books).expect("all have ended").close().await;
}

async fn play(books: &Arc<Books>, numbers: std::ops::RangeInclusive<i64>) {
    let next = Arc::new(AtomicI64::new(*numbers.start()));
    let hands = (0..AT_ONCE).map(|_| {
        let (books, next, last) = (Arc::clone(books), Arc::clone(&next), *numbers.end());
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number > last {
                    return;
                }
                books::is_paid(&books, number).await;
            }
        })
    });
    for hand in hands.collect::<Vec<_>>() {
        hand.await.unwrap();
    }
}

/// Ticks of a hundredth of a second that the connections to this database and the server's own helpers have used.
async fn cpu_of_server(watcher: &mut PgConnection) -> u64 {
    let sql = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'";
    let pids: Vec<i32> = sqlx::query_scalar(sql).fetch_all(watcher).await.unwrap();
    pids.into_iter().map(|pid| cpu_of(&pid.to_string())).sum()
}

fn cpu_of(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    fields.get(11..13).map_or(0, |times| times.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}
