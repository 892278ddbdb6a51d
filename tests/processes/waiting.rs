//! Waiting for something to become true, and the environment that the tests need.

use std::time::{Duration, Instant};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// So many seconds.
pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many milliseconds.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Looks until `look` finds what it looks for. `Err` says how things stand instead; the test fails with the last one.
pub(crate) async fn eventually<T>(
    within: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let begun = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(instead) if begun.elapsed() > within => panic!("not within {within:?}: {what}; {instead}"),
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// A variable of the environment that `cargo xtask` sets.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `cargo xtask test`, or `cargo xtask servers -- cargo nextest run -p kasir --test \
             processes`"
        )
    })
}
